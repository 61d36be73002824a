"""A booking whose spot cannot be had gets an equal or better one of the lot, or everything back.

Somebody stays on there past their end, or it is out of service. All of it happens under the lot's lock.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bookings import availability, notices
from bookings.errors import BadBooking
from bookings.models import Actor, Booking
from bookings.services import steps
from lots.models import Spot

OVERSTAY, CLOSURE = "overstay", "closure"
REASONS = {
    OVERSTAY: "Somebody still stands on the spot.",
    CLOSURE: "The spot is out of service.",
}
# What a vehicle also fits on.
LARGER = {
    Spot.Kind.STANDARD: [Spot.Kind.LARGE],
    Spot.Kind.COMPACT: [Spot.Kind.STANDARD, Spot.Kind.LARGE],
}


def rescue(booking: Booking, *, now: datetime) -> None:
    """Moved while there is something to move to, and called off otherwise. The caller knows it is due."""
    cause = OVERSTAY if Booking.objects.staying_on(now).filter(spot=booking.spot_id).exists() else CLOSURE
    begin = max(booking.starts_at, now)
    is_late = begin >= booking.ends_at or booking.is_missed(now)
    spot = None if is_late else equal_spot(booking, begin, now=now)
    if spot:
        steps.put_on(booking, spot, starts_at=begin, by=None, now=now, cause=cause, reason=REASONS[cause])
        return
    call_off(booking, cause=cause, by=None, now=now, looks_around=not is_late)


def call_off(
    booking: Booking,
    *,
    cause: str,
    by: Actor,
    now: datetime,
    reason: str = "",
    looks_around: bool = False,
) -> None:
    """Whoever is on the way reads in the mail itself what is free instead; the booking's page always says."""
    steps.call_off(booking, by=by, now=now, cause=cause, reason=reason or REASONS[cause])
    instead = _instead(booking, now) if looks_around else []
    notices.owe(booking, "called_off", now=now, cause=cause, instead=instead)


def equal_spot(booking: Booking, begin: datetime, *, now: datetime) -> Spot | None:
    """Free from `begin` to the booking's end, and at no point worse: what it offers, its size, its price."""
    own = booking.spot
    free = availability.free_spots(
        begin,
        booking.ends_at,
        now=now,
        lots=[booking.lot_id],
        features=own.features_set(),
        vehicle_kind=booking.vehicle_kind,
    ).exclude(pk=own.pk)
    if own.connector:
        free = free.filter(connector=own.connector)
    if own.power_kw:
        free = free.filter(power_kw__gte=own.power_kw)
    for kind in [own.kind, *LARGER.get(Spot.Kind(own.kind), [])]:
        spot = free.filter(kind=kind).cheapest_first().first()
        if spot and (kind == own.kind or _costs_no_more(booking, kind)):
            return spot
    return None


def _costs_no_more(booking: Booking, kind: str) -> bool:
    agreed = booking.tariff, booking.booked_from, booking.booked_until
    try:
        return steps.priced(booking, *agreed, spot_kind=kind).total <= steps.priced(booking, *agreed).total
    except BadBooking:
        return False


def _instead(booking: Booking, now: datetime) -> list[dict[str, Any]]:
    """As a mail says it: the same lot later, lots nearby."""
    found = availability.alternatives(
        booking.lot,
        max(booking.starts_at, now),
        booking.ends_at,
        now=now,
        features=booking.spot.features_set(),
        vehicle_kind=booking.vehicle_kind,
    )
    return [
        {
            "lot": other.lot.name,
            "slug": other.lot.slug,
            "starts_at": other.starts_at.astimezone(other.lot.zone).isoformat(),
            "ends_at": other.ends_at.astimezone(other.lot.zone).isoformat(),
        }
        for other in found
        if other.kind != "waitlist"  # nothing is free there
    ]
