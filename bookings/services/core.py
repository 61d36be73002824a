"""What every command shares: the lock, the catching up, the one function that moves a state."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from bookings import guards, notices, pricing, signals
from bookings.errors import AlreadyParked, BadBooking, InvalidTransition, LotClosed, SpotTaken
from bookings.guest_models import account_of
from bookings.models import Actor, Booking, Guest, Refund, State, TimelineEntry, WaitlistEntry
from bookings.payments import settling
from bookings.pieces import LONGEST_STAY
from lots import clock, money
from lots.models import Lot, Tariff

# How PostgreSQL and SQLite name the constraints that allow a driver and a guest one stay at a time.
ONE_STAY = (
    *("booking_one_instant_stay_a_driver", "bookings_booking.driver_id"),
    *("booking_one_stay_a_guest", "bookings_booking.guest_id"),
)


def lock_lot(lot_id: int) -> Lot:
    """Whoever wants to change who stands where waits here; what is read after this is the last word.

    Lock first and look in a second query: one statement that does both double-books under READ COMMITTED.
    On SQLite the transaction itself holds the write lock from its beginning (IMMEDIATE).
    """
    start = time.perf_counter()
    lot = Lot.objects.select_for_update(no_key=True).get(pk=lot_id)
    signals.lot_locked.send_robust(Lot, seconds=time.perf_counter() - start)
    return lot


@contextmanager
def refusals() -> Iterator[None]:
    """The database's own refusals in our words. It only ever speaks up where the lock was forgotten."""
    try:
        yield
    except IntegrityError as error:
        text = str(error)
        if guards.NAME in text:
            raise SpotTaken from error
        if any(name in text for name in ONE_STAY):
            raise AlreadyParked from error
        raise


@contextmanager
def command(booking: Booking, now: datetime) -> Iterator[Booking]:
    """The frame of every change of one booking: yields the row as it is under the lot's lock."""
    with refusals(), transaction.atomic():
        lot = lock_lot(booking.lot_id)
        catch_up_lot(lot, now)
        fresh = _locked(booking.pk)
        fresh.lot = lot
        fresh.spot.lot = lot
        kept = _kept(fresh)
        catch_up(fresh, now)
        yield fresh
        if kept and kept != _kept(fresh):
            pass_on(lot, now, kept[1:])


def _kept(booking: Booking) -> tuple[int, datetime, datetime] | None:
    """The spot and the period a booking keeps others off; None where it does not."""
    return (booking.spot_id, booking.starts_at, booking.ends_at) if booking.is_occupying else None


def pass_on(lot: Lot, now: datetime, freed: tuple[datetime, datetime] | None = None) -> None:
    """Offer what was freed to those who wait for it, in the transaction that frees it: nobody jumps the line.

    The lot is locked. `freed` is the period in question; None: look at everybody who waits here.
    """
    in_line = WaitlistEntry.objects.waiting(now).filter(lot=lot)
    if (in_line.overlapping(*freed) if freed else in_line).exists():
        # Here and not above: the waitlist books, so it stands on this module.
        from bookings.services import waitlist

        waitlist.serve(lot, now=now, freed=freed)


def _locked(pk: int) -> Booking:
    rows = Booking.objects.select_related("spot", "driver", "guest", "tariff").select_for_update(
        of=("self",), no_key=True
    )
    return rows.get(pk=pk)


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
            f"This booking is {booking.get_state_display()}; it cannot become {State(to).label}."
        )
    booking.state = to
    booking.save()
    if was == State.HELD:
        WaitlistEntry.objects.follow(booking, by=account_of(by), now=now)
    sequence = append(booking, action, from_state=was, by=by, now=now, reason=reason, details=details)
    if booking.is_over:
        settle(booking, reason=reason or "Less was due than was paid.", by=by, now=now)
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
    TimelineEntry.objects.create(
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
    return sequence


def actor(booking: Booking, by: Actor) -> str:
    """Who did it, in a word that stays true when the account is gone."""
    if by is None:
        return "clock"
    if isinstance(by, Guest):
        return "guest"
    return "driver" if by.pk == booking.driver_id else "operator"


# --- Catching up with the clock: what a sweep will do anyway is done before anybody decides on old news ---


def catch_up_lot(lot: Lot, now: datetime) -> None:
    """Let go what is in the way on this lot: holds nobody confirmed, no-shows, stays whose end must grow.

    Stays that ended by themselves are in nobody's way; their sweep closes them.
    """
    due = (
        Booking.objects.filter(lot=lot)
        .filter(
            Q(state=State.HELD, held_until__lte=now)
            | Q(state=State.CONFIRMED, no_show_at__lte=now)
            | Q(state=State.ACTIVE, ends_at__lte=now, is_open_ended=True)
        )
        # Held, confirmed, active: a stay that goes on may need the time a dead hold or a no-show keeps.
        .order_by("-state", "pk")
        .values_list("pk", flat=True)
    )
    freed = []
    for pk in list(due):
        booking = _locked(pk)
        booking.lot = lot
        kept = _kept(booking)
        catch_up(booking, now)
        if kept and not booking.is_occupying:
            freed.append(kept[1:])
    if freed:
        pass_on(lot, now, (min(starts for starts, _ends in freed), max(ends for _starts, ends in freed)))


def catch_up(booking: Booking, now: datetime) -> bool:
    """Whatever time alone has done to this booking, in order. Says whether it did anything."""
    moved = False
    if booking.hold_is_over(now):
        transition(booking, State.EXPIRED, "expired", by=None, now=now)
        if not WaitlistEntry.objects.filter(offer=booking).exists():
            notices.owe(booking, "expired", now=now)
        moved = True
    if booking.is_missed(now):
        _no_show(booking, now)
        moved = True
    if booking.starts_by_itself(now):
        booking.checked_in_at = booking.starts_at
        transition(booking, State.ACTIVE, "started", by=None, now=now)
        moved = True
    if booking.has_ended(now):
        complete(booking, at=booking.ends_at, action="ended", by=None, now=now)
        moved = True
    if booking.is_overstaying(now):
        moved |= _roll_on(booking, now)
    return moved


def _no_show(booking: Booking, now: datetime) -> None:
    percent = booking.no_show_fee_percent
    fee = booking.total * percent / 100
    charge_fee(booking, fee, "No-show fee", f"Not checked in in time: {percent} % of the price.")
    transition(booking, State.NO_SHOW, "no_show", by=None, now=now, details={"fee": str(booking.total)})
    notices.owe(booking, "no_show", now=now)


def _roll_on(booking: Booking, now: datetime) -> bool:
    """A stay that goes on until released grows in steps of the grid while nobody else is due."""
    following = (
        Booking.objects.blocking(now)
        .filter(spot=booking.spot_id, starts_at__gte=booking.ends_at)
        .exclude(pk=booking.pk)
        .order_by("starts_at")
        .values_list("starts_at", flat=True)
        .first()
    )
    step = clock.next_on_grid(now + timedelta(seconds=1), booking.lot.grid_minutes, booking.lot.zone)
    until = min(step, following) if following else step
    if until <= booking.ends_at:
        return False
    booking.ends_at = until
    booking.save(update_fields=["ends_at"])
    return True


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
        if refund.has_succeeded:
            note_refund(booking, refund, by=by, now=now)


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


def priced(booking: Booking, tariff: Tariff, starts_at: datetime, ends_at: datetime) -> pricing.Price:
    try:
        return pricing.price(
            tariff.rates,
            starts_at,
            ends_at,
            zone=booking.lot.zone,
            vehicle_kind=booking.vehicle_kind,
            spot_kind=booking.spot.kind,
        )
    except pricing.NoPrice as error:
        raise BadBooking("ends_at", str(error), code="no_price") from error


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


# --- Rules about periods that booking and extending share ---


def check_grid(lot: Lot, field: str, at: datetime) -> None:
    if clock.is_on_grid(at, lot.grid_minutes, lot.zone):
        return
    following = clock.next_on_grid(at, lot.grid_minutes, lot.zone).astimezone(lot.zone)
    raise BadBooking(
        field,
        f"Times here go in steps of {lot.grid_minutes} minutes; the next is {following:%Y-%m-%d %H:%M}.",
        code="off_grid",
    )


def check_length(lot: Lot, starts_at: datetime, ends_at: datetime) -> None:
    if ends_at <= starts_at:
        raise BadBooking("ends_at", "The end must lie after the start.", code="end_before_start")
    if ends_at - starts_at > LONGEST_STAY:
        raise BadBooking("ends_at", "Nobody stays here for more than ten years.", code="too_long")
    minutes = (ends_at - starts_at).total_seconds() / 60
    if minutes < lot.min_stay_minutes:
        raise BadBooking(
            "ends_at", f"The shortest stay here is {lot.min_stay_minutes} minutes.", code="too_short"
        )
    if lot.max_stay_minutes and minutes > lot.max_stay_minutes:
        raise BadBooking(
            "ends_at", f"The longest stay here is {lot.max_stay_minutes} minutes.", code="too_long"
        )


def check_open(lot: Lot, starts_at: datetime, ends_at: datetime) -> None:
    if not lot.is_active or lot.archived_at:
        raise LotClosed("This lot takes no bookings at the moment.")
    if lot.hours.is_open_throughout(starts_at, ends_at, lot.zone):
        return
    opens_at = None if lot.hours.is_open(starts_at, lot.zone) else lot.hours.next_opening(starts_at, lot.zone)
    closes_at = lot.hours.open_until(starts_at, lot.zone) if opens_at is None else None
    if opens_at:
        raise LotClosed(f"The lot is closed then; it opens at {_local(lot, opens_at)}.", opens_at=opens_at)
    if closes_at:
        raise LotClosed(f"The lot closes at {_local(lot, closes_at)}.", closes_at=closes_at)
    raise LotClosed


def _local(lot: Lot, at: datetime) -> str:
    return f"{timezone.localtime(at, lot.zone):%Y-%m-%d %H:%M}"
