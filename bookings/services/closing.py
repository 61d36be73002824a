"""Taking spots, or a whole lot, out of service for a while, with everybody it concerns, in one action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from bookings import notices
from bookings.errors import BadBooking
from bookings.models import Booking, State
from bookings.payments import ledger
from bookings.services import core, rescue, steps
from lots import history
from lots.models import Closure, Lot, Spot

# What is done for those who have booked.
MOVE, REFUND, TELL = "move", "refund", "tell"
CHOICES = (MOVE, REFUND, TELL)


@dataclass(frozen=True, slots=True)
class Affected:
    """One booking and what became of it: "moved" to a spot, "refunded" an amount, or only "told"."""

    booking: Booking
    spot_number: str
    fate: str
    to_spot: str = ""
    refund: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Closing:
    """What is to be closed, and for whom what is done. No spots: the whole lot; no end: until it is lifted.

    Whoever has booked is moved where an equal spot is free and paid back in full elsewhere (MOVE), paid
    back (REFUND), or told (TELL): then whoever still has a closed spot ten minutes before the start is
    moved or paid back by the clock. A car that stands there already is not moved by a row in a table: its
    driver is told, and its stay gets another spot only where `moves_running` says so and there is one.
    """

    lot_id: int
    spots: tuple[int, ...]
    starts_at: datetime
    ends_at: datetime | None
    choice: str
    reason: str = ""
    moves_running: bool = False


@transaction.atomic
def close(closing: Closing, *, by: User | None, now: datetime) -> list[Affected]:
    """Close, and do for everybody concerned what was chosen: all of it or, with BadBooking, nothing."""
    lot = core.lock_lot(closing.lot_id)
    core.catch_up_lot(lot, now)
    starts_at = max(closing.starts_at, now)
    if closing.choice not in CHOICES:
        raise BadBooking("choice", f"Choose one of: {', '.join(CHOICES)}.", code="invalid_choice")
    if closing.ends_at is not None and closing.ends_at <= starts_at:
        raise BadBooking("ends_at", _("The end must lie after the start, and in the future."))
    closures = _write(lot, closing, starts_at, by, now)
    affected = [_deal_with(booking, closing, closures, by, now) for booking in _concerned(lot, closures, now)]
    gone = [found.booking for found in affected if found.fate != "told"]
    if gone:
        # The rest of their time, outside of the closure, is somebody else's now.
        core.pass_on(lot, now, (min(b.starts_at for b in gone), max(b.ends_at for b in gone)))
    return affected


@transaction.atomic
def closing_preview(closing: Closing, *, by: User | None, now: datetime) -> list[Affected]:
    """Who is concerned and what would become of them: the deed itself, taken back."""
    affected = close(closing, by=by, now=now)
    transaction.set_rollback(True)
    return affected


@transaction.atomic
def lift_closure(*, closure_id: int, by: User | None, now: datetime) -> Closure:
    """In service again from now on. Twice gives the same answer."""
    lot, closure = _locked(closure_id, now)
    if closure.is_in_force(now):
        before = history.of_closure(closure)
        closure.lifted_at = now
        closure.save(update_fields=["lifted_at"])
        history.closure_changed(closure, before, by=by, now=now)
        core.pass_on(lot, now)
    return closure


@transaction.atomic
def shorten_closure(*, closure_id: int, ends_at: datetime, by: User | None, now: datetime) -> Closure:
    """In service again earlier than planned. For longer, close once more and see whom that hits."""
    lot, closure = _locked(closure_id, now)
    if not closure.is_in_force(now):
        raise BadBooking("ends_at", _("This closure is over."))
    if ends_at <= max(now, closure.starts_at):
        raise BadBooking(
            "ends_at", _("The end must lie in the future, and after the start; or lift the closure.")
        )
    if closure.ends_at is not None and ends_at > closure.ends_at:
        raise BadBooking("ends_at", _("The end can only come earlier. For more time, close once more."))
    before = history.of_closure(closure)
    closure.ends_at = ends_at
    closure.save(update_fields=["ends_at"])
    history.closure_changed(closure, before, by=by, now=now)
    core.pass_on(lot, now)
    return closure


def _locked(closure_id: int, now: datetime) -> tuple[Lot, Closure]:
    lot = core.lock_lot(Closure.objects.values_list("lot_id", flat=True).get(pk=closure_id))
    core.catch_up_lot(lot, now)
    return lot, Closure.objects.select_related("lot", "spot").get(pk=closure_id)


def _write(lot: Lot, closing: Closing, starts_at: datetime, by: User | None, now: datetime) -> list[Closure]:
    spots: Sequence[Spot | None] = [None]
    if closing.spots:
        spots = list(lot.spots.kept().filter(pk__in=closing.spots).by_number())
        if len(spots) != len(set(closing.spots)):
            raise BadBooking("spots", _("Choose spots of one lot."))
    closures = [
        Closure.objects.create(
            lot=lot,
            spot=spot,
            starts_at=starts_at,
            ends_at=closing.ends_at,
            reason=" ".join(closing.reason.split())[:200],
            by=by,
            created_at=now,
        )
        for spot in spots
    ]
    history.closures_made(closures, by=by, now=now)
    return closures


def _concerned(lot: Lot, closures: list[Closure], now: datetime) -> list[Booking]:
    """In the order they begin: the first gets the first free spot."""
    first = closures[0]
    rows = Booking.objects.blocking(now).filter(lot=lot, ends_at__gt=first.starts_at)
    if first.ends_at is not None:
        rows = rows.filter(starts_at__lt=first.ends_at)
    if first.spot_id is not None:
        rows = rows.filter(spot__in=[closure.spot_id for closure in closures])
    found = rows.order_by("starts_at", "pk").values_list("pk", flat=True)
    return [core.on(lot, pk) for pk in found]


def _deal_with(
    booking: Booking, closing: Closing, closures: list[Closure], by: User | None, now: datetime
) -> Affected:
    was = booking.spot.number
    stands_there = booking.state == State.ACTIVE
    if closing.choice == TELL or (stands_there and not closing.moves_running):
        return _tell(booking, closures, by, now)
    begin = max(booking.starts_at, now)
    wants_move = closing.choice == MOVE or stands_there
    spot = rescue.equal_spot(booking, begin, now=now) if wants_move else None
    if spot:
        steps.put_on(
            booking,
            spot,
            starts_at=begin,
            by=by,
            now=now,
            cause=rescue.CLOSURE,
            reason=rescue.REASONS[rescue.CLOSURE],
        )
        return Affected(booking, was, "moved", to_spot=spot.number)
    if stands_there:
        return _tell(booking, closures, by, now)
    back = ledger.account(booking).refundable
    rescue.call_off(booking, cause=rescue.CLOSURE, by=by, now=now)
    return Affected(booking, was, "refunded", refund=back)


def _tell(booking: Booking, closures: list[Closure], by: User | None, now: datetime) -> Affected:
    closure = next(c for c in closures if c.spot_id in (None, booking.spot_id))
    details = {
        "closure": closure.pk,
        "from": _local(closure.starts_at, booking),
        "until": _local(closure.ends_at, booking),
    }
    sequence = core.append(booking, "told", from_state=booking.state, by=by, now=now, details=details)
    notices.owe(
        booking, "closing", now=now, sequence=sequence, **{name: details[name] for name in ("from", "until")}
    )
    return Affected(booking, booking.spot.number, "told")


def _local(at: datetime | None, booking: Booking) -> str:
    return at.astimezone(booking.lot.zone).isoformat() if at else ""
