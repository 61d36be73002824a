"""Bookings in the back office: windows, and levers that are the services."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    MultipleChoicesDropdownFilter,
    RangeDateFilter,
)
from unfold.decorators import action, display

from bookings import services
from bookings.admin import search
from bookings.admin.base import OwnLots, ServiceAdmin, add_refusal, amount, local, operator
from bookings.admin.commands import CANCEL, COMMANDS, Command, form_for, refund
from bookings.admin.forms import ChooseLotForm, OnBehalfForm
from bookings.admin.money import MONEY, RECORD_PAYMENT, REFUND, MoneyCommand, money_box
from bookings.admin.now import SituationFilter
from bookings.admin.passes import Passes
from bookings.errors import BadBooking, BookingRefused
from bookings.models import Booking
from lots.models import Lot

STATE_COLOURS = {
    "held": "warning",
    "confirmed": "info",
    "active": "success",
    "completed": "default",
    "cancelled": "default",
    "expired": "default",
    "no_show": "danger",
}
LOTS_SHOWN = 30


def _button(command: Command) -> Any:
    """A button of the booking's page that leads to the command's question."""

    @action(
        description=command.label,
        icon=command.icon,
        url_path=command.name.replace("_", "-"),
        permissions=[command.permission],
    )
    def page(self: BookingAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask_and_do(request, object_id, command)

    return page


@admin.register(Booking)
class BookingAdmin(Passes, OwnLots, ServiceAdmin):
    list_display = ["reference", "state_label", "place", "person", "when", "cost"]
    list_select_related = ["lot", "spot", "driver"]
    list_filter = [
        SituationFilter,
        ("state", MultipleChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("lot", AutocompleteSelectFilter),
        ("starts_at", RangeDateFilter),
    ]
    list_filter_submit = True
    list_per_page = 50
    paginator = search.CountsToALimit
    show_full_result_count = False
    search_fields = ["reference"]  # what is searched is in get_search_results()
    search_help_text = _("Reference, e-mail, plate, spot, lot or town")
    ordering = ["-starts_at", "-id"]
    actions = ["check_in_selected", "release_selected", "cancel_selected"]
    actions_detail = [*COMMANDS, *MONEY]
    change_form_after_template = "admin/bookings/booking/after.html"
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("reference", "state"),
                    ("lot", "spot_number"),
                    ("who", "plate"),
                    ("kind", "vehicle_kind"),
                ]
            },
        ),
        (
            _("When"),
            {
                "fields": [
                    ("begin", "end"),
                    ("agreed_from", "agreed_until"),
                    ("arrived", "left"),
                    ("hold_ends", "zone"),
                ]
            },
        ),
        (_("Money"), {"fields": [("cost", "tariff_version")]}),
    ]

    check_in = _button(COMMANDS["check_in"])
    release = _button(COMMANDS["release"])
    extend = _button(COMMANDS["extend"])
    move = _button(COMMANDS["move"])
    cancel = _button(COMMANDS["cancel"])
    record_payment = _button(RECORD_PAYMENT)
    refund = _button(REFUND)

    # Nothing is typed over or deleted here: staff change bookings by commands, so the rules hold for all.
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_command_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("bookings.change_booking")  # type: ignore[union-attr]

    def has_payment_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("bookings.add_payment")  # type: ignore[union-attr]

    def has_refund_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("bookings.add_refund")  # type: ignore[union-attr]

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet[Booking], bool]:
        user = operator(request)
        lots = None if user.is_superuser else Lot.objects.run_by(user)
        return search.find(queryset, search_term, now=timezone.now(), lots=lots), False

    # --- One booking ---

    def get_queryset(self, request: HttpRequest) -> QuerySet[Booking]:
        return super().get_queryset(request).select_related("lot", "spot", "driver", "tariff")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        booking = self.get_object(request, str(object_id))
        found = super().get_actions_detail(request, object_id)
        commands = [*COMMANDS.values(), *MONEY.values()]
        fitting = {f"bookings_booking_{c.name}" for c in commands if booking and c.fits(booking)}
        return [button for button in found if button.action_name in fitting]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        booking = kwargs.get("obj")
        if booking is not None:
            lines = [
                {**line, "amount": amount(Decimal(line["amount"]), booking.currency)}
                for line in booking.price_lines
            ]
            entries = booking.timeline.select_related("by").order_by("-sequence")
            context |= {
                "lines": lines,
                "total": self.cost(booking),
                "entries": [(entry, local(entry.at, booking.lot)) for entry in entries],
            }
            if request.user.has_perm("bookings.view_payment"):  # type: ignore[union-attr]
                context |= {"money": money_box(booking)}
        return super().render_change_form(request, context, *args, **kwargs)

    def ask_and_do(self, request: HttpRequest, object_id: str, command: Command) -> HttpResponse:
        booking = self.get_object(request, object_id)
        if booking is None:
            raise Http404
        now = timezone.now()
        form = form_for(command, booking, request.POST if request.method == "POST" else None, now)
        back = reverse("admin:bookings_booking_change", args=[booking.pk])
        if request.method == "POST" and self._done(request, booking, command, form):
            return HttpResponseRedirect(back)
        return self.command_page(
            request,
            f"{command.label}: {booking.reference}",
            original=booking,
            form=form,
            facts=command.facts(booking, now),
            button=command.label,
            is_danger=command.is_danger,
            back=back,
        )

    def _done(self, request: HttpRequest, booking: Booking, command: Command, form: Any) -> bool:
        if not form.is_valid():
            return False
        for name in form.TIMES:
            form.moment(name)  # may find that this time does not exist, or twice
        if form.errors:
            return False
        try:
            after = command.run(booking, form, operator(request), timezone.now())
        except (BookingRefused, BadBooking) as error:
            add_refusal(form, error, dict(command.names))
            return False
        self._report(request, after, command)
        return True

    def _report(self, request: HttpRequest, booking: Booking, command: Command) -> None:
        self.log_change(request, booking, f"{command.label}.")
        if isinstance(command, MoneyCommand):
            messages.success(request, f"{booking.reference}: {command.told(booking)}")
            return
        messages.success(
            request,
            f"{booking.reference}: {booking.get_state_display()}, spot {booking.spot.number}, until "
            f"{local(booking.ends_at, booking.lot)}, {self.cost(booking)}.",
        )

    # --- Several bookings ---

    @admin.action(description=_("Check in"), permissions=["command"])
    def check_in_selected(self, request: HttpRequest, queryset: QuerySet[Booking]) -> None:
        self._run_all(request, queryset, COMMANDS["check_in"], None)

    @admin.action(description=_("Release"), permissions=["command"])
    def release_selected(self, request: HttpRequest, queryset: QuerySet[Booking]) -> None:
        self._run_all(request, queryset, COMMANDS["release"], None)

    @admin.action(description=_("Cancel …"), permissions=["command"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[Booking]) -> TemplateResponse | None:
        """Asks first, naming what each would give back."""
        now = timezone.now()
        chosen = list(queryset.order_by("pk"))
        if request.POST.get("sure") != "yes":
            facts = [
                f"{b.reference}, {b.lot.name}, spot {b.spot.number}: {refund(b, now, by_operator=True)}"
                if CANCEL.fits(b)
                else f"{b.reference}: is {b.get_state_display()} and cannot be cancelled."
                for b in chosen
            ]
            return self.command_page(
                request,
                _("Cancel these bookings?"),
                facts=facts,
                button=_("Yes, cancel them"),
                is_danger=True,
                back=request.get_full_path(),
                hidden=[
                    ("action", "cancel_selected"),
                    ("sure", "yes"),
                    *(("_selected_action", b.pk) for b in chosen),
                ],
            )
        form = form_for(CANCEL, chosen[0], {"asked_by": "operator"}, now)
        form.is_valid()
        self._run_all(request, queryset, CANCEL, form)
        return None

    def _run_all(self, request: HttpRequest, queryset: Any, command: Command, form: Any) -> None:
        for booking in queryset.order_by("pk"):
            try:
                after = command.run(booking, form, operator(request), timezone.now())
            except (BookingRefused, BadBooking) as error:
                messages.error(request, f"{booking.reference}: {error}")
            else:
                self._report(request, after, command)

    # --- A booking an operator makes ---

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        lots = Lot.objects.listed().run_by(operator(request))
        number = request.GET.get("lot", "")
        lot = lots.filter(pk=number).first() if number.isdecimal() and len(number) < 19 else None
        return self._book(request, lot) if lot else self._choose_lot(request, lots)

    def _choose_lot(self, request: HttpRequest, lots: Any) -> HttpResponse:
        form = ChooseLotForm(request.GET or None)
        text = form.cleaned_data["q"] if form.is_valid() else ""
        found = lots.search(text).order_by("name", "pk")[: LOTS_SHOWN + 1]
        links = [
            (f"?lot={lot.pk}", lot.name, ", ".join(filter(None, [lot.address_line1, lot.city])))
            for lot in found
        ]
        return self.command_page(
            request,
            _("Book at which lot?"),
            form=form,
            method="get",
            button=_("Search"),
            links=links[:LOTS_SHOWN],
            has_more=len(links) > LOTS_SHOWN,
            back=reverse("admin:bookings_booking_changelist"),
        )

    def _book(self, request: HttpRequest, lot: Lot) -> HttpResponse:
        now = timezone.now()
        asked = {"spot": request.GET.get("spot", "")}
        form = OnBehalfForm(
            request.POST if request.method == "POST" else None, lot=lot, now=now, initial=asked
        )
        if request.method == "POST" and form.is_valid():
            order = form.order()
            booking = None if form.errors else self._try_to_book(request, lot, form, order)
            if booking:
                return HttpResponseRedirect(reverse("admin:bookings_booking_change", args=[booking.pk]))
        hours = [] if lot.hours.is_always_open else [_("Mind the opening hours.")]
        return self.command_page(
            request,
            f"Book at {lot.name}",
            form=form,
            facts=[f"{amount(lot.price_per_hour, lot.currency)} per hour; times are {lot.timezone}.", *hours],
            button=_("Book"),
            back=reverse("admin:bookings_booking_changelist"),
        )

    def _try_to_book(self, request: HttpRequest, lot: Lot, form: Any, order: Any) -> Booking | None:
        try:
            booking = services.book(lot_id=lot.pk, by=operator(request), now=timezone.now(), **order)
        except (BookingRefused, BadBooking) as error:
            add_refusal(form, error, OnBehalfForm.NAMES)
            return None
        self.log_addition(request, booking, "Booked by an operator.")
        messages.success(request, f"Booked: {booking.reference}, spot {booking.spot.number}.")
        return booking

    # --- Columns ---

    @display(description=_("state"), ordering="state", label=STATE_COLOURS)
    def state_label(self, booking: Booking) -> tuple[str, str]:
        return booking.state, booking.get_state_display()

    @display(description=_("where"), ordering="lot__name", header=True)
    def place(self, booking: Booking) -> list[str]:
        return [booking.lot.name, f"spot {booking.spot.number}"]

    @display(description=_("who"), ordering="driver__email", header=True)
    def person(self, booking: Booking) -> list[str]:
        return [booking.actor_name(), booking.plate]

    @display(description=_("when"), ordering="starts_at", header=True)
    def when(self, booking: Booking) -> list[str]:
        return [self.begin(booking), f"–\u00a0{self.end(booking)}"]

    @display(description=_("tariff"))
    def tariff_version(self, booking: Booking) -> str:
        url = reverse("admin:lots_tariff_change", args=[booking.tariff_id])
        return format_html('<a href="{}">version {}</a>', url, booking.tariff.version)

    @display(description=_("spot"), ordering="spot__number_key")
    def spot_number(self, booking: Booking) -> str:
        return booking.spot.number

    @display(description=_("driver"), ordering="driver__email")
    def who(self, booking: Booking) -> str:
        return booking.actor_name()

    @display(description=_("from"), ordering="starts_at")
    def begin(self, booking: Booking) -> str:
        return local(booking.starts_at, booking.lot)

    @display(description=_("until"), ordering="ends_at")
    def end(self, booking: Booking) -> str:
        return local(booking.ends_at, booking.lot)

    @display(description=_("total"), ordering="total")
    def cost(self, booking: Booking) -> str:
        return amount(booking.total, booking.currency)

    @display(description=_("booked from"))
    def agreed_from(self, booking: Booking) -> str:
        return local(booking.booked_from, booking.lot)

    @display(description=_("booked until"))
    def agreed_until(self, booking: Booking) -> str:
        return local(booking.booked_until, booking.lot)

    @display(description=_("checked in"))
    def arrived(self, booking: Booking) -> str:
        return local(booking.checked_in_at, booking.lot)

    @display(description=_("checked out"))
    def left(self, booking: Booking) -> str:
        return local(booking.checked_out_at, booking.lot)

    @display(description=_("held until"))
    def hold_ends(self, booking: Booking) -> str:
        return local(booking.held_until, booking.lot)

    @display(description=_("time zone"))
    def zone(self, booking: Booking) -> str:
        return booking.lot.timezone
