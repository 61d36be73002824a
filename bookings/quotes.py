"""What a booking would cost and whether it could be had: booking's own rules.

The price is promised for ten minutes (the signed token), a spot is not: that is what booking is for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bookings import availability, pricing, promises
from bookings.models import Booking
from bookings.services import core, making
from lots.models import Lot, Spot, Tariff
from lots.services import tariff_at

VALID = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Quote:
    """`spot` is the one booking now would give; None when no adequate one is free."""

    lot: Lot
    kind: str
    spot: Spot | None
    starts_at: datetime
    ends_at: datetime
    free: int
    price: pricing.Price
    token: str
    expires_at: datetime
    alternatives: list[availability.Alternative]


def quote(lot: Lot, wish: making.Wish, *, now: datetime) -> Quote:
    """Refuses (LotClosed, SpotClosed, SpotUnsuitable, BadBooking) what booking would refuse at any time."""
    starts_at, ends_at = making._period(lot, wish, now)
    core.check_open(lot, starts_at, ends_at)
    wanted = {"features": wish.features, "vehicle_kind": wish.vehicle_kind}
    free = availability.free_spots(starts_at, ends_at, now=now, lots=[lot.pk], **wanted)  # type: ignore[arg-type]
    named = making._named(lot, wish) if wish.spot_number else None
    spot = (free.filter(pk=named.pk) if named else free.cheapest_first()).first()
    priced_for = spot or named or _adequate(lot, wish)
    tariff = tariff_at(lot, now)
    price = _price(lot, wish, priced_for, tariff, starts_at, ends_at)
    expires_at = now + VALID
    return Quote(
        lot=lot,
        kind=wish.kind,
        spot=spot,
        starts_at=starts_at,
        ends_at=ends_at,
        free=free.count(),
        price=price,
        token=promises.promise(
            wish, lot=lot, tariff=tariff, spot_kind=priced_for.kind, total=price.total, expires_at=expires_at
        ),
        expires_at=expires_at,
        alternatives=[] if spot else availability.alternatives(lot, starts_at, ends_at, now=now, **wanted),  # type: ignore[arg-type]
    )


def _adequate(lot: Lot, wish: making.Wish) -> Spot:
    """Taken at the moment, but of the kind that would be given."""
    offered = lot.spots.in_service().offering(features=wish.features, vehicle_kind=wish.vehicle_kind)
    spot = offered.cheapest_first().first()
    if spot is None:
        raise making._full(lot, wish)
    return spot


def _price(
    lot: Lot, wish: making.Wish, spot: Spot, tariff: Tariff, starts_at: datetime, ends_at: datetime
) -> pricing.Price:
    spot.lot = lot
    booking = Booking(kind=wish.kind, lot=lot, spot=spot, vehicle_kind=wish.vehicle_kind)
    return core.priced(booking, tariff, starts_at, ends_at)
