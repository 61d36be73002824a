"""What the pages of the back office share: refusals as form errors, one page for every command, words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied, ValidationError
from django.forms import Form, ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from unfold.admin import ModelAdmin

from accounts.models import User
from bookings.availability import Alternative
from bookings.errors import BadBooking, BookingRefused
from lots import money
from lots.models import Lot

NBSP = "\u00a0"  # dates and amounts stay on one line


class Refused(Exception):
    """Leaves the admin's transaction, so that nothing is half-written, and carries the form's error."""

    def __init__(self, error: ValidationError):
        self.error = error


@contextmanager
def refusals(field: str = "") -> Iterator[None]:
    """Service errors as an error of the form; `field` is the one a refusal is about."""
    try:
        yield
    except ValidationError as error:
        raise Refused(error) from error
    except BookingRefused as refusal:
        raise Refused(ValidationError({field: str(refusal)} if field else str(refusal))) from refusal
    except BadBooking as bad:
        raise Refused(ValidationError({bad.field: str(bad)})) from bad


def operator(request: HttpRequest) -> User:
    """Who asks; the admin lets nobody else in."""
    assert isinstance(request.user, User)  # noqa: S101  for the type checker
    return request.user


class OwnLots(ModelAdmin):
    """Rows of lots an operator does not run are as if absent: in lists, pages, searches and actions."""

    # From a row to its lot; "" where the row is the lot.
    lot_lookup = "lot"

    def get_queryset(self, request: HttpRequest) -> Any:
        return self.of_own_lots(request, super().get_queryset(request))

    def of_own_lots(self, request: HttpRequest, rows: Any) -> Any:
        if operator(request).is_superuser:
            return rows
        lots = Lot.objects.run_by(operator(request))
        return rows.filter(**{f"{self.lot_lookup}__in" if self.lot_lookup else "pk__in": lots.values("pk")})


class KeptHistory(ModelAdmin):
    """A row's history is the record of changes about it; of rows this operator does not see there is none."""

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not self.has_view_or_change_permission(request, row):
            raise PermissionDenied
        about = {"kind__exact": self.opts.label_lower, "object_id__exact": row.pk}
        if self.opts.label_lower == "lots.lot":
            about = {"lot_id__exact": row.pk}  # with its spots, tariffs and closures
        return HttpResponseRedirect(f"{reverse('admin:accounts_change_changelist')}?{urlencode(about)}")


class ServiceAdmin(ModelAdmin):
    """A change form whose save_model() calls a service. The form needs an attribute `refused`."""

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except Refused as refused:
            # Once more, now with the reason: the form fails and is shown again.
            request.refused = refused.error  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, form_url, extra_context)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.refused = fitting(getattr(request, "refused", None), form)
        return form

    def command_page(self, request: HttpRequest, title: Any, **context: Any) -> TemplateResponse:
        """A question with a form and a button; GET asks, POST does."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "has_view_permission": True,
            **context,
        }
        return TemplateResponse(request, "admin/command.html", context)


def fitting(error: ValidationError | None, form: type[ModelForm]) -> ValidationError | None:
    """Errors of fields the form does not have belong to the whole form."""
    if error is None or not hasattr(error, "error_dict"):
        return error
    known = {name: found for name, found in error.error_dict.items() if name in form.base_fields}
    rest = [e for name, found in error.error_dict.items() if name not in form.base_fields for e in found]
    return ValidationError({**known, **({"__all__": rest} if rest else {})})


def add_refusal(form: Form, error: BookingRefused | BadBooking, names: dict[str, str]) -> None:
    """A service's answer in the form it came from; `names` maps the service's fields to the form's."""
    if isinstance(error, BadBooking):
        name = names.get(error.field, error.field)
        form.add_error(name if name in form.fields else None, str(error))
        return
    form.add_error(None, str(error))
    for alternative in error.alternatives:
        if alternative.kind != "waitlist":  # drivers wait, the back office does not
            form.add_error(None, instead(alternative))


def instead(found: Alternative) -> str:
    where = f"{found.lot.name}, " if found.kind == "nearby" else ""
    spot = f"spot {found.spot.number}, " if found.spot else ""
    return (
        f"Free instead: {where}{spot}{local(found.starts_at, found.lot)} – {local(found.ends_at, found.lot)}"
    )


def local(at: datetime | None, lot: Lot) -> str:
    """On the lot's own clock."""
    return f"{timezone.localtime(at, lot.zone):%a %d %b %Y %H:%M}".replace(" ", NBSP) if at else "–"


def local_short(at: datetime, lot: Lot, now: datetime) -> str:
    """Without the day where it is today's."""
    there, today = (timezone.localtime(moment, lot.zone) for moment in (at, now))
    return f"{there:%H:%M}" if there.date() == today.date() else f"{there:%a %d %b %H:%M}"


def amount(value: Decimal, currency: str) -> str:
    figures = number_format(money.quantise(value, currency), use_l10n=True, force_grouping=True)
    return f"{figures}{NBSP}{currency}"
