"""The stay itself: arriving and leaving."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from django.utils.translation import gettext as _

from bookings import availability, notices, pricing
from bookings.errors import CalledOff, InvalidTransition, SpotTaken, TooEarly
from bookings.models import Actor, Booking, State
from bookings.services import core, rescue
from bookings.words import exact


def check_in(booking: Booking, *, by: Actor, now: datetime) -> Booking:
    """The driver is there. Twice gives the same answer; late after a no-show works while a spot is free."""
    was = booking.state
    with core.command(booking, now) as fresh:
        if fresh.state == State.ACTIVE:
            return fresh
        if fresh.state != State.CANCELLED or was == State.CANCELLED:
            return _arrive(fresh, by, now)
    # Raised outside the transaction, so that what the booking was called off for stays written.
    raise called_off(fresh, now)


def _arrive(fresh: Booking, by: Actor, now: datetime) -> Booking:
    if fresh.state == State.CONFIRMED and now < fresh.starts_at:
        begin = fresh.starts_at.astimezone(fresh.lot.zone)
        raise TooEarly(_("Your booking starts at %s.") % exact(begin), starts_at=fresh.starts_at)
    details = _arrive_late(fresh, now) if fresh.state == State.NO_SHOW else {}
    fresh.checked_in_at = now
    core.transition(fresh, State.ACTIVE, "checked_in", by=by, now=now, details=details)
    if details:
        notices.remind(fresh, now=now)
    return fresh


def _arrive_late(booking: Booking, now: datetime) -> dict[str, str]:
    """Back on the own spot or an equal one, for what is left of the window, at the agreed price.

    The price takes the place of the no-show fee: what was paid of it counts. Returns where from and to.
    """
    if now >= booking.ends_at:
        raise InvalidTransition(_("This booking is over."))
    own = booking.spot
    free = availability.free_spots(now, booking.ends_at, now=now, lots=[booking.lot_id])
    spot = own if free.filter(pk=own.pk).exists() else rescue.equal_spot(booking, now, now=now)
    if spot is None:
        raise SpotTaken(_("Your spot was given to somebody else, and no equal one is free."))
    core.set_price(booking, booking.booked_from, booking.booked_until)
    booking.spot, booking.starts_at = spot, now
    booking.spot.lot = booking.lot
    return {"from": own.number, "to": spot.number, "total": str(booking.total)}


def called_off(booking: Booking, now: datetime) -> CalledOff:
    """Why there is no spot any more for this booking, and what is free instead; writes nothing."""
    refusal = CalledOff()
    refusal.look = partial(
        availability.alternatives,
        booking.lot,
        max(booking.starts_at, now),
        max(booking.ends_at, now + timedelta(minutes=booking.lot.grid_minutes)),
        now=now,
        features=booking.spot.features_set(),
        vehicle_kind=booking.vehicle_kind,
    )
    return refusal


def release(booking: Booking, *, by: Actor, now: datetime) -> Booking:
    """End the stay now: the spot is free at once and the price is final. Twice gives the same answer."""
    with core.command(booking, now) as fresh:
        if fresh.state == State.COMPLETED:
            return fresh
        if fresh.state == State.CONFIRMED:
            began = fresh.starts_at <= now
            raise InvalidTransition(
                _("Check in first.") if began else _("This booking has not started; cancel it instead.")
            )
        core.complete(fresh, at=now, action="released", by=by, now=now)
        return fresh


def price_so_far(booking: Booking, *, now: datetime) -> pricing.Price:
    """What releasing now would cost; writes nothing."""
    until = max(now, booking.starts_at)
    return core.final_price(booking, until)
