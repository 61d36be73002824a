"""A driver's exports on pages: ask for one, see how far it is, fetch it. And the file behind each link."""

from __future__ import annotations

from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.http import Request
from accounts.models import User
from bookings.models import Booking
from lots.clock import fits_zone
from reports import exports
from reports.export_forms import ExportForm
from reports.export_models import Export, ExportQuerySet, Kind

SHOWN = 10
TYPES = {"csv": "text/csv; charset=utf-8", "pdf": "application/pdf", "zip": "application/zip"}


@require_http_methods(["GET", "POST"])
def index(request: Request) -> HttpResponse:
    form = ExportForm(request.POST or None, kind=Kind.OWN_BOOKINGS, zone=zone_of(request.user))
    if form.is_valid():
        try:
            export = exports.ask(
                owner=request.user,
                kind=Kind.OWN_BOOKINGS,
                format=form.cleaned_data["format"],
                period=form.period(),
                now=timezone.now(),
            )
        except exports.ExportUnderWay:
            messages.info(request, _("One file at a time: yours is being made."))
            return redirect("exports:list")
        return redirect("exports:detail", export.pk)
    rows = _own(request.user).order_by("-created_at")[:SHOWN]
    context = {"form": form, "exports": rows, "zone": zone_of(request.user)}
    return render(request, "reports/export_list.html", context, status=422 if form.is_bound else 200)


@require_safe
def detail(request: Request, pk: UUID) -> HttpResponse:
    """Looks again by itself until the file is there; htmx gets the part that changes."""
    export = get_object_or_404(_own(request.user), pk=pk)
    context = {
        "export": export,
        "link": exports.link(export, now=timezone.now()),
        "reason": exports.reason(export),
        "zone": zone_of(request.user),
    }
    template = "reports/_export.html" if request.htmx else "reports/export_detail.html"
    response = render(request, template, context)
    response["Cache-Control"] = "no-store"
    return response


# Whoever has the link may be reading it in a mail: the signature is the key, not a session.
@login_not_required
@require_safe
def file(request: Request, pk: UUID) -> HttpResponseBase:
    try:
        export = exports.opened(pk, request.GET.get("key", ""), now=timezone.now())
        content = exports.open_file(export)
    except exports.LinkUnknown as error:
        raise Http404 from error
    except exports.LinkOver:
        response: HttpResponseBase = render(request, "reports/export_over.html", status=410)
    else:
        response = FileResponse(
            content,
            as_attachment=True,
            filename=export.download_name,
            content_type=TYPES[export.suffix],
        )
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response


def zone_of(user: User) -> ZoneInfo:
    """The clock of somebody's days: their own, or that of the lot they booked last."""
    if user.timezone and fits_zone(user.timezone):
        return ZoneInfo(user.timezone)
    last = Booking.objects.of(user).select_related("lot").order_by("-starts_at").first()
    return last.lot.zone if last else ZoneInfo("UTC")


def _own(user: User) -> ExportQuerySet:
    """All data is fetched in the back office, where a second factor was shown."""
    return Export.objects.of(user).filter(kind=Kind.OWN_BOOKINGS)
