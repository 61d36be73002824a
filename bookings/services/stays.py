"""The stay itself: arriving and leaving."""

from __future__ import annotations

from datetime import datetime

from bookings import availability, pricing
from bookings.errors import InvalidTransition, SpotTaken, TooEarly
from bookings.models import Actor, Booking, State
from bookings.services import core


def check_in(booking: Booking, *, by: Actor, now: datetime) -> Booking:
    """The driver is there. Twice gives the same answer; late after a no-show works while a spot is free."""
    with core.command(booking, now) as fresh:
        if fresh.state == State.ACTIVE:
            return fresh
        if fresh.state == State.CONFIRMED and now < fresh.starts_at:
            begin = fresh.starts_at.astimezone(fresh.lot.zone)
            raise TooEarly(f"Your booking starts at {begin:%Y-%m-%d %H:%M}.", starts_at=fresh.starts_at)
        if fresh.state == State.NO_SHOW:
            _arrive_late(fresh, now)
        fresh.checked_in_at = now
        core.transition(fresh, State.ACTIVE, "checked_in", by=by, now=now)
        return fresh


def _arrive_late(booking: Booking, now: datetime) -> None:
    """Back on the own spot or an equal one, for what is left of the window, at the agreed price."""
    if now >= booking.ends_at:
        raise InvalidTransition("This booking is over.")
    free = availability.free_spots(
        now,
        booking.ends_at,
        now=now,
        lots=[booking.lot_id],
        features=booking.spot.features_set(),
        vehicle_kind=booking.vehicle_kind,
    )
    spot = free.filter(pk=booking.spot_id).first() or free.cheapest_first().first()
    if spot is None:
        raise SpotTaken("Your spot was given to somebody else, and no equal one is free.")
    booking.spot = spot
    booking.spot.lot = booking.lot
    booking.starts_at = now
    core.set_price(booking, booking.booked_from, booking.booked_until)


def release(booking: Booking, *, by: Actor, now: datetime) -> Booking:
    """End the stay now: the spot is free at once and the price is final. Twice gives the same answer."""
    with core.command(booking, now) as fresh:
        if fresh.state == State.COMPLETED:
            return fresh
        if fresh.state == State.CONFIRMED:
            began = fresh.starts_at <= now
            raise InvalidTransition(
                "Check in first." if began else "This booking has not started; cancel it instead."
            )
        core.complete(fresh, at=now, action="released", by=by, now=now)
        return fresh


def price_so_far(booking: Booking, *, now: datetime) -> pricing.Price:
    """What releasing now would cost; writes nothing."""
    until = max(now, booking.starts_at)
    return core.final_price(booking, until)
