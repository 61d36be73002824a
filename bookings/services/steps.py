"""The steps commands are made of: moving a state, ending a stay, setting a price. Under the lot's lock."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from accounts.prepared import insert
from bookings import notices, pricing
from bookings.errors import BadBooking, InvalidTransition
from bookings.guest_models import account_of
from bookings.models import Actor, Booking, Guest, Refund, State, TimelineEntry, WaitlistEntry
from bookings.payments import settling
from bookings.payments.models import Provider
from bookings.sentences import said
from lots import money
from lots.models import Lot, Spot, Tariff


def transition(
    booking: Booking,
    to: str,
    action: str,
    *,
    by: Actor,
    now: datetime,
    reason: str = "",
    details: dict[str, Any] | None = None,
) -> int:
    """Move a booking to a state, if the table allows it, save it and append to its timeline.

    Returns the timeline's new length. The caller has set whatever else changes with the state.
    """
    was = booking.state
    if not booking.may_become(to):
        raise InvalidTransition(
            _("This booking is %(now)s; it cannot become %(then)s.")
            % {"now": booking.get_state_display(), "then": State(to).label}
        )
    booking.state = to
    booking.save()
    if was == State.HELD:
        WaitlistEntry.objects.follow(booking, by=account_of(by), now=now)
    sequence = append(booking, action, from_state=was, by=by, now=now, reason=reason, details=details)
    if booking.is_over:
        settle(booking, reason=reason or "Less was due than was paid.", by=by, now=now)
        notices.forget_reminders(booking)
    return sequence


def append(
    booking: Booking,
    action: str,
    *,
    from_state: str,
    by: Actor,
    now: datetime,
    reason: str = "",
    details: dict[str, Any] | None = None,
    sequence: int = 0,
) -> int:
    sequence = sequence or booking.timeline.count() + 1
    entry = TimelineEntry(
        booking=booking,
        sequence=sequence,
        at=now,
        action=action,
        from_state=from_state,
        to_state=booking.state,
        by=account_of(by),
        actor=actor(booking, by),
        reason=reason,
        details=details or {},
    )
    insert([entry])
    if sequence == 1:
        booking.beginning = entry
    return sequence


def actor(booking: Booking, by: Actor) -> str:
    """Who did it, in a word that stays true when the account is gone."""
    if by is None:
        return "clock"
    if isinstance(by, Guest):
        return "guest"
    return "driver" if by.pk == booking.driver_id else "operator"


def put_on(
    booking: Booking,
    spot: Spot,
    *,
    starts_at: datetime,
    by: Actor,
    now: datetime,
    cause: str = "",
    reason: str = "",
) -> None:
    """Another spot of the lot, which the caller found free. The price agreed stays."""
    details = {"from": booking.spot.number, "to": spot.number, **({"cause": cause} if cause else {})}
    booking.spot, booking.starts_at = spot, starts_at
    booking.spot.lot = booking.lot
    booking.save()
    sequence = append(
        booking, "moved", from_state=booking.state, by=by, now=now, reason=reason, details=details
    )
    notices.owe(booking, "moved", now=now, sequence=sequence, was=details["from"], cause=cause)
    notices.remind(booking, now=now)


def call_off(booking: Booking, *, by: Actor, now: datetime, cause: str, reason: str) -> None:
    """The house cannot keep its promise: nothing is charged, and whatever was paid goes back."""
    details = {"refund_percent": 100, "was": str(booking.total), "kept": "0", "cause": cause}
    charge_fee(booking, Decimal(0), "", "")
    transition(booking, State.CANCELLED, "cancelled", by=by, now=now, reason=reason, details=details)


def complete(
    booking: Booking, *, at: datetime, action: str, by: Actor, now: datetime, reason: str = ""
) -> None:
    """End a stay at `at`: the spot is free from then on, and the price is final."""
    # The range must not be empty, and a clock that was set back must not end a stay before it began.
    end = max(at, booking.starts_at + timedelta(seconds=1))
    booking.checked_out_at = end
    booking.ends_at = end
    take_price(booking, final_price(booking, end))
    sequence = transition(
        booking, State.COMPLETED, action, by=by, now=now, reason=reason, details={"total": str(booking.total)}
    )
    notices.owe(booking, "completed", now=now, sequence=sequence)


# --- Money ---


def settle(booking: Booking, *, reason: str, by: Actor, now: datetime) -> None:
    """Begin to send back what was paid too much. Safe to repeat."""
    for refund in settling.settle(booking, reason=reason, by=account_of(by), now=now):
        owe_refund_mail(booking, refund, now=now)
        if refund.has_succeeded:
            note_refund(booking, refund, by=by, now=now)


def owe_refund_mail(booking: Booking, refund: Refund, *, now: datetime) -> None:
    """Not where it was handed over at the desk: the driver has it."""
    is_desk = refund.payment.provider == Provider.DESK
    if not (is_desk and refund.has_succeeded):
        amount, entry = str(refund.amount), refund.pk.hex
        notices.owe(booking, "refunded", now=now, sequence=entry, amount=amount, is_desk=is_desk)


def note_refund(booking: Booking, refund: Refund, *, by: Actor, now: datetime) -> None:
    details = {"amount": str(refund.amount), "currency": refund.currency}
    append(
        booking, "refunded", from_state=booking.state, by=by, now=now, reason=refund.reason, details=details
    )


def charged_period(booking: Booking, until: datetime) -> tuple[datetime, datetime]:
    """What is paid for when a stay ends at `until`: what happened, or the reserved window at least."""
    if booking.kind == Booking.Kind.INSTANT or booking.early_release == Lot.EarlyRelease.USED:
        return booking.booked_from, until
    return booking.booked_from, max(booking.booked_until, until)


def final_price(booking: Booking, until: datetime) -> pricing.Price:
    """What the stay costs when it ends at `until`, with what the lot asks on top for overstaying.

    Where the tariff sells whole stays only and none of them fits, what was agreed stands: nobody can
    be kept from leaving.
    """
    try:
        price = priced(booking, booking.tariff, *charged_period(booking, until))
    except BadBooking:
        return agreed_price(booking)
    if until <= booking.booked_until or booking.overstay_percent == 100:
        return price
    agreed = priced(booking, booking.tariff, booking.booked_from, booking.booked_until)
    more = booking.overstay_percent - 100
    amount, tax = (
        money.quantise(max(late - in_time, Decimal(0)) * more / 100, price.currency)
        for late, in_time in ((price.total, agreed.total), (price.tax, agreed.tax))
    )
    line = pricing.Line(
        label="Overstay",
        kind="flat",
        quantity=Decimal(1),
        unit="x",
        rate=amount,
        amount=amount,
        tax=tax,
        explanation=f"Time past the agreed end costs {booking.overstay_percent} % of the tariff.",
    )
    return pricing.Price(
        price.currency, (*price.lines, line), price.net + amount - tax, price.tax + tax, price.total + amount
    )


def agreed_price(booking: Booking) -> pricing.Price:
    """The price as the row has it."""
    lines = tuple(pricing.Line.from_json(line) for line in booking.price_lines)
    tax = sum((line.tax for line in lines), Decimal(0))
    return pricing.Price(booking.currency, lines, booking.total - tax, tax, booking.total)


def set_price(booking: Booking, starts_at: datetime, ends_at: datetime) -> None:
    take_price(booking, priced(booking, booking.tariff, starts_at, ends_at))


def take_price(booking: Booking, price: pricing.Price) -> None:
    booking.currency, booking.total = price.currency, price.total
    booking.price_lines = [line.to_json() for line in price.lines]


def priced(
    booking: Booking, tariff: Tariff, starts_at: datetime, ends_at: datetime, *, spot_kind: str = ""
) -> pricing.Price:
    """For the booking's own spot, or one of another kind."""
    try:
        return pricing.price(
            tariff.rates,
            starts_at,
            ends_at,
            zone=booking.lot.zone,
            vehicle_kind=booking.vehicle_kind,
            spot_kind=spot_kind or booking.spot.kind,
        )
    except pricing.NoPrice as error:
        raise BadBooking("ends_at", said(str(error)), code="no_price") from error


def charge_fee(booking: Booking, fee: Decimal, label: str, explanation: str) -> None:
    """Replace the price by a fee (or by nothing)."""
    fee = money.quantise(fee, booking.currency)
    line = pricing.Line(
        label=label,
        kind="flat",
        quantity=Decimal(1),
        unit="x",
        rate=fee,
        amount=fee,
        tax=money.quantise(Decimal(0), booking.currency),
        explanation=explanation,
    )
    booking.total = fee
    booking.price_lines = [line.to_json()] if fee else []
