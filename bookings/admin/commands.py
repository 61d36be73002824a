"""What an operator may do to a booking: each a question on a page of its own, then one call of a service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.models import User
from bookings import services
from bookings.admin.base import amount, local
from bookings.admin.forms import CancelForm, CommandForm, ExtendForm, MoveForm
from bookings.models import Booking, State

Run = Callable[[Booking, Any, User, datetime], Booking]
Facts = Callable[[Booking, datetime], list[str]]


@dataclass(frozen=True)
class Command:
    name: str
    label: Any
    icon: str
    states: frozenset[str]
    run: Run
    facts: Facts
    form: type[CommandForm] = CommandForm
    is_danger: bool = False
    # What the service calls the form's fields.
    names: tuple[tuple[str, str], ...] = ()
    # Who may: has_<permission>_permission() of the page.
    permission: str = "command"

    def fits(self, booking: Booking) -> bool:
        return booking.state in self.states


def _check_in(booking: Booking, _form: Any, by: User, now: datetime) -> Booking:
    return services.check_in(booking, by=by, now=now)


def _release(booking: Booking, _form: Any, by: User, now: datetime) -> Booking:
    return services.release(booking, by=by, now=now)


def _extend(booking: Booking, form: Any, by: User, now: datetime) -> Booking:
    return services.extend(booking, ends_at=form.moment("ends"), by=by, now=now)


def _move(booking: Booking, form: Any, by: User, now: datetime) -> Booking:
    return services.move(booking, spot_number=form.cleaned_data["spot"], by=by, now=now)


def _cancel(booking: Booking, form: Any, by: User, now: datetime) -> Booking:
    return services.cancel(
        booking,
        by=by,
        now=now,
        by_operator=form.cleaned_data["asked_by"] == "operator",
        reason=form.cleaned_data["reason"],
    )


def _when(booking: Booking, _now: datetime) -> list[str]:
    lot = booking.lot
    who = f"{booking.actor_name()}{f', {booking.plate}' if booking.plate else ''}"
    return [
        f"{lot.name}, spot {booking.spot.number}, {who}",
        f"{local(booking.starts_at, lot)} – {local(booking.ends_at, lot)} ({lot.timezone})",
    ]


def _cost_now(booking: Booking, now: datetime) -> list[str]:
    price = services.price_so_far(booking, now=now)
    return [*_when(booking, now), f"Released now it costs {amount(price.total, price.currency)}."]


def refund(booking: Booking, now: datetime, *, by_operator: bool) -> str:
    found = services.cancellation_preview(booking, now=now, by_operator=by_operator)
    back, kept = (amount(value, booking.currency) for value in (found.refunded, found.retained))
    return f"{found.reason} {back} comes back, {kept} is kept."


def _of(*states: str) -> frozenset[str]:
    return frozenset(states)


CHECK_IN = Command("check_in", _("Check in"), "login", _of(State.CONFIRMED, State.NO_SHOW), _check_in, _when)
RELEASE = Command("release", _("Release"), "logout", _of(State.ACTIVE), _release, _cost_now)
EXTEND = Command(
    "extend",
    _("Extend"),
    "more_time",
    _of(State.CONFIRMED, State.ACTIVE),
    _extend,
    _when,
    ExtendForm,
    names=(("ends_at", "ends"),),
)
MOVE = Command("move", _("Move"), "swap_horiz", _of(State.CONFIRMED, State.ACTIVE), _move, _when, MoveForm)
CANCEL = Command(
    "cancel", _("Cancel"), "cancel", _of(State.HELD, State.CONFIRMED), _cancel, _when, CancelForm, True
)
COMMANDS = {command.name: command for command in (CHECK_IN, RELEASE, EXTEND, MOVE, CANCEL)}


def form_for(command: Command, booking: Booking, data: Any, now: datetime) -> CommandForm:
    form = command.form(data, booking=booking, now=now)
    if command is CANCEL:
        form.fields["asked_by"].choices = [  # type: ignore[attr-defined]
            ("operator", f"We do. {refund(booking, now, by_operator=True)}"),
            ("driver", f"The driver does. {refund(booking, now, by_operator=False)}"),
        ]
    return form
