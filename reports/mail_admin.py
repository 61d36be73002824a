"""Every kind of mail as its readers get it: a page of the back office. Sends nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.core.mail import EmailMultiAlternatives
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts import mail_preview, outbox, viewings
from accounts.models import User
from accounts.outbox import NotWanted
from bookings.admin.base import operator
from bookings.models import Booking
from lots.models import Lot
from reports.mail_kinds import KINDS, Asked, sample_booking

View = Callable[[HttpRequest], HttpResponseBase]


class MailForm(forms.Form):
    """Which mail, in which language, about which booking of the lots the operator runs."""

    kind = forms.ChoiceField(
        label=gettext_lazy("Mail"),
        choices=[(name, kind.label) for name, kind in KINDS.items()],
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    language = forms.ChoiceField(
        label=gettext_lazy("Language"),
        choices=mail_preview.languages,
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    booking = forms.CharField(
        label=gettext_lazy("Booking"),
        help_text=gettext_lazy("Its reference; empty: a sample. For mails about bookings."),
        required=False,
        max_length=32,
        widget=UnfoldAdminTextInputWidget,
    )

    def __init__(self, data: QueryDict, *, user: User):
        known = {"kind": next(iter(KINDS)), "language": mail_preview.languages()[0][0], **data.dict()}
        super().__init__(known)
        self.user = user
        if not user.has_perm("bookings.view_booking"):
            del self.fields["booking"]

    def clean_booking(self) -> Booking | None:
        reference = "".join(self.cleaned_data["booking"].split()).upper()
        if not reference:
            return None
        seen = Booking.objects.filter(lot__in=Lot.objects.run_by(self.user).values("pk"))
        found = seen.select_related("lot", "spot").filter(reference=reference).first()
        if found is None:
            raise forms.ValidationError(_("There is no such booking in your lots."))
        return found


def urls(site: AdminSite) -> list[URLPattern]:
    views: list[tuple[str, str, View]] = [
        ("", "mails", partial(_page, site)),
        ("frame/", "mail_frame", _frame),
    ]
    return [
        path(f"reports/mails/{address}", site.admin_view(require_safe(view)), name=f"reports_{name}")
        for address, name, view in views
    ]


def may_look(user: Any) -> bool:
    """Whoever sees what goes out, or what sends it."""
    return user.has_perm("accounts.view_notice") or user.has_perm("django_celery_beat.view_periodictask")


def address(template: str) -> str:
    """The page, with this kind of mail."""
    return f"{reverse('admin:reports_mails')}?{urlencode({'kind': template})}"


def _page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    form = _form(request)
    context = {**site.each_context(request), "title": _("Mails"), "form": form}
    if not form.is_valid():
        return TemplateResponse(request, "admin/mails/kinds.html", context, status=422)
    if booking := form.cleaned_data.get("booking"):
        viewings.note(request, "bookings.booking", [booking.driver_id], object_id=booking.pk)
    try:
        frame = f"{reverse('admin:reports_mail_frame')}?{request.GET.urlencode()}"
        context |= mail_preview.shown(_message(form, request), frame)
    except NotWanted as reason:
        context["reason"] = str(reason)
    return TemplateResponse(request, "admin/mails/kinds.html", context)


def _frame(request: HttpRequest) -> HttpResponse:
    form = _form(request)
    if not form.is_valid():
        raise Http404
    try:
        return mail_preview.framed(request, _message(form, request))
    except NotWanted as reason:
        raise Http404 from reason


def _form(request: HttpRequest) -> MailForm:
    if not may_look(request.user):
        raise PermissionDenied
    return MailForm(request.GET, user=operator(request))


def _message(form: MailForm, request: HttpRequest) -> EmailMultiAlternatives:
    data, now = form.cleaned_data, timezone.now()
    booking = data.get("booking") or sample_booking(now)
    asked = Asked(operator(request), data["language"], now, booking)
    return outbox.to_message(KINDS[data["kind"]].notice(asked))
