"""Taking spots and lots out of service for a while: first who is concerned, then all of it at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from bookings import services
from bookings.admin.base import KeptHistory, OwnLots, ServiceAdmin, add_refusal, amount, local, operator
from bookings.admin.forms import TimeField
from bookings.errors import BadBooking
from bookings.forms import LocalPeriodForm
from bookings.offers import fingerprint
from bookings.services.closing import MOVE, REFUND, TELL, Affected, Closing
from lots.models import Closure, Lot, Spot

NAMES = {"ends_at": "ends"}
SHOWN = 200  # affected bookings named on the page


class ClosingForm(LocalPeriodForm):
    TIMES = ("starts", "ends")

    starts = TimeField(label=_("From"), required=False, help_text=_("Empty: from now on."))
    ends = TimeField(label=_("Until"), required=False, help_text=_("Empty: until it is lifted."))
    reason = forms.CharField(
        label=_("Reason"), required=False, max_length=200, widget=UnfoldAdminTextInputWidget()
    )
    choice = forms.ChoiceField(
        label=_("Whoever has booked"),
        widget=UnfoldAdminRadioSelectWidget(),
        initial=MOVE,
        choices=[
            (MOVE, _("gets an equal free spot, or everything back where there is none")),
            (REFUND, _("gets everything back")),
            (TELL, _("is told; if nothing changes, moved or paid back ten minutes before the start")),
        ],
    )
    moves_running = forms.BooleanField(
        label=_("Also move stays that are running"),
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text=_("Their cars stand there. Otherwise their drivers are told."),
    )

    def closing(self, spots: list[Spot], now: datetime) -> Closing | None:
        """What was asked for; None where a time turned out not to exist, or to exist twice."""
        data, starts, ends = self.cleaned_data, self.moment("starts"), self.moment("ends")
        if self.errors:
            return None
        return Closing(
            lot_id=self.lot.pk,
            spots=tuple(spot.pk for spot in spots),
            starts_at=starts or now,
            ends_at=ends,
            choice=data["choice"],
            reason=data["reason"],
            moves_running=data["moves_running"],
        )


def close_page(page: ServiceAdmin, request: HttpRequest, lot: Lot) -> HttpResponse:
    """Asks for the period, then shows whom it hits, and does it when exactly that was seen and agreed to."""
    now, is_post = timezone.now(), request.method == "POST"
    spots = _chosen(request, lot)
    form = ClosingForm(request.POST if is_post else None, lot=lot)
    closing = form.closing(spots, now) if is_post and form.is_valid() else None
    seen, facts, affected = "", [], []
    if closing:
        try:
            affected = services.closing_preview(closing, by=operator(request), now=now)
            facts = _told(affected, lot)
            seen = fingerprint(_asked(request), facts)
            if request.POST.get("seen") == seen:
                return _closed(page, request, lot, closing)
        except BadBooking as error:
            add_refusal(form, error, NAMES)
            facts = []
    what = (
        _("spots %(spots)s") % {"spots": ", ".join(s.number for s in spots)} if spots else _("the whole lot")
    )
    return page.command_page(
        request,
        _("Take out of service: %(lot)s, %(what)s") % {"lot": lot.name, "what": what},
        original=lot,
        people_named=[found.booking.driver_id for found in affected],
        form=form,
        facts=facts or [_("Times are %(zone)s.") % {"zone": lot.timezone}],
        button=_("Close, and do this") if seen else _("See who is concerned"),
        is_danger=bool(seen),
        hidden=[("seen", seen), *(("spot", spot.pk) for spot in spots)],
        back=reverse("admin:lots_lot_change", args=[lot.pk]),
    )


def _chosen(request: HttpRequest, lot: Lot) -> list[Spot]:
    asked = (request.POST if request.method == "POST" else request.GET).getlist("spot")
    keys = [int(key) for key in asked if key.isdecimal() and len(key) < 19]
    found = list(lot.spots.kept().filter(pk__in=keys).by_number())
    if len(found) != len(set(asked)):
        raise Http404  # of another lot, or gone: nothing else is closed in their stead
    return found


def _asked(request: HttpRequest) -> list[Any]:
    hidden = ("seen", "csrfmiddlewaretoken")
    return sorted((name, values) for name, values in request.POST.lists() if name not in hidden)


def _told(affected: list[Affected], lot: Lot) -> list[str]:
    if not affected:
        return [str(_("Nobody has booked there for that time."))]
    lines = [_line(found, lot) for found in affected[:SHOWN]]
    more = len(affected) - SHOWN
    return lines + ([str(_("… and %(count)d more.") % {"count": more})] if more > 0 else [])


def _line(found: Affected, lot: Lot) -> str:
    booking = found.booking
    fate = {
        "moved": _("is moved to spot %(spot)s") % {"spot": found.to_spot},
        "refunded": _("is cancelled, %(amount)s comes back")
        % {"amount": amount(found.refund, booking.currency)},
        "told": _("is told"),
    }[found.fate]
    times = f"{local(booking.booked_from, lot)} – {local(booking.booked_until, lot)}"
    return f"{booking.reference}, {booking.actor_name()}, spot {found.spot_number}, {times}: {fate}."


def _closed(page: ServiceAdmin, request: HttpRequest, lot: Lot, closing: Closing) -> HttpResponse:
    affected = services.close(closing, by=operator(request), now=timezone.now())
    page.log_change(request, lot, f"Taken out of service; {len(affected)} bookings concerned.")
    fates = [found.fate for found in affected]
    messages.success(
        request,
        _("Closed. %(moved)d moved, %(refunded)d cancelled with everything back, %(told)d told.")
        % {fate: fates.count(fate) for fate in ("moved", "refunded", "told")},
    )
    return HttpResponseRedirect(f"{reverse('admin:lots_closure_changelist')}?lot__id__exact={lot.pk}")


class ShortenForm(LocalPeriodForm):
    TIMES = ("ends",)

    ends = TimeField(label=_("New end"))


class InForceFilter(admin.SimpleListFilter):
    title = _("in force")
    parameter_name = "in_force"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("no", _("lifted"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.exclude(lifted_at=None) if self.value() else queryset.in_force()


@admin.register(Closure)
class ClosureAdmin(KeptHistory, OwnLots, ServiceAdmin):
    """Closures are made on the pages of lots and spots; here they are found, shortened and lifted."""

    list_display = ["lot", "what", "begin", "end", "reason", "by"]
    list_select_related = ["lot", "spot", "by"]
    list_filter = [InForceFilter, ("lot", AutocompleteSelectFilter)]
    list_filter_submit = True
    search_fields = ["lot__name", "spot__number", "reason"]
    ordering = ["-starts_at", "-id"]
    show_full_result_count = False
    actions_detail = ["lift", "shorten"]
    fields = ["lot", "what", "begin", "end", "reason", "by", "lifted"]
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_command_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("lots.change_closure")  # type: ignore[union-attr]

    @action(description=_("Lift"), icon="lock_open", permissions=["command"])
    def lift(self, request: HttpRequest, object_id: str) -> HttpResponse:
        closure = self._own(request, object_id)
        if request.method == "POST":
            services.lift_closure(closure_id=closure.pk, by=operator(request), now=timezone.now())
            return self._done(request, closure, _("Lifted: it can be booked again."))
        return self._ask(request, closure, _("Lift this closure?"), _("Lift"))

    @action(description=_("End earlier"), icon="schedule", permissions=["command"])
    def shorten(self, request: HttpRequest, object_id: str) -> HttpResponse:
        closure = self._own(request, object_id)
        form = ShortenForm(request.POST if request.method == "POST" else None, lot=closure.lot)
        ends_at = form.moment("ends") if form.is_bound and form.is_valid() else None
        if ends_at:
            try:
                services.shorten_closure(
                    closure_id=closure.pk, ends_at=ends_at, by=operator(request), now=timezone.now()
                )
                return self._done(request, closure, _("It ends earlier now."))
            except BadBooking as error:
                add_refusal(form, error, NAMES)
        return self._ask(request, closure, _("End this closure earlier?"), _("End earlier"), form=form)

    def _own(self, request: HttpRequest, object_id: str) -> Closure:
        closure = self.get_object(request, object_id)
        if closure is None:
            raise Http404
        return closure

    def _ask(
        self, request: HttpRequest, closure: Closure, title: Any, button: Any, **more: Any
    ) -> HttpResponse:
        facts = [
            f"{closure.lot.name}, {self.what(closure)}",
            f"{self.begin(closure)} – {self.end(closure)} ({closure.lot.timezone})",
        ]
        return self.command_page(
            request, title, original=closure, facts=facts, button=button, back=self._page(closure), **more
        )

    def _done(self, request: HttpRequest, closure: Closure, told: Any) -> HttpResponse:
        self.log_change(request, closure, str(told))
        messages.success(request, told)
        return HttpResponseRedirect(self._page(closure))

    def _page(self, closure: Closure) -> str:
        return reverse("admin:lots_closure_change", args=[closure.pk])

    @display(description=_("what"))
    def what(self, closure: Closure) -> str:
        return f"spot {closure.spot.number}" if closure.spot else str(_("the whole lot"))

    @display(description=_("from"), ordering="starts_at")
    def begin(self, closure: Closure) -> str:
        return local(closure.starts_at, closure.lot)

    @display(description=_("until"), ordering="ends_at")
    def end(self, closure: Closure) -> str:
        return local(closure.ends_at, closure.lot) if closure.ends_at else str(_("until it is lifted"))

    @display(description=_("lifted"))
    def lifted(self, closure: Closure) -> str:
        return local(closure.lifted_at, closure.lot)


def may_close(request: HttpRequest) -> bool:
    """Closing adds a row, and moves or cancels bookings."""
    user = operator(request)
    return user.has_perm("lots.add_closure") and user.has_perm("bookings.change_booking")


def closing_address(lot_id: int, spots: list[int]) -> str:
    chosen = "&".join(f"spot={pk}" for pk in spots)
    return f"{reverse('admin:lots_lot_close', args=[lot_id])}{f'?{chosen}' if chosen else ''}"
