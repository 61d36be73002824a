"""What a booking would cost and whether it could be had: booking's own rules, for pages and programs.

The price is promised for ten minutes (the signed token), a spot is not: that is what booking is for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from bookings import availability, pricing, promises
from bookings.errors import BadBooking, LotFull, PriceChanged
from bookings.models import Booking
from bookings.services import core, making
from bookings.templatetags.booking import money
from lots.models import Lot, Spot, SpotQuerySet, Tariff
from lots.services import tariff_at

VALID = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Quote:
    """`spot` is the one booking now would give; None when no adequate one is free.

    `free` are those that would do, and have not been asked for yet.
    """

    lot: Lot
    wish: making.Wish
    tariff: Tariff
    spot: Spot | None
    spot_kind: str
    starts_at: datetime
    ends_at: datetime
    free: SpotQuerySet
    price: pricing.Price
    token: str
    expires_at: datetime

    def alternatives(self, *, now: datetime) -> list[availability.Alternative]:
        """What could be had instead, where this could not."""
        if self.spot:
            return []
        return availability.alternatives(
            self.lot,
            self.starts_at,
            self.ends_at,
            now=now,
            features=self.wish.features,
            vehicle_kind=self.wish.vehicle_kind,
        )


def quote(lot: Lot, wish: making.Wish, *, now: datetime) -> Quote:
    """Refuses (LotClosed, SpotClosed, SpotUnsuitable, BadBooking) what booking would refuse at any time."""
    starts_at, ends_at = making._period(lot, wish, now)
    core.check_open(lot, starts_at, ends_at)
    free = availability.free_spots(
        starts_at, ends_at, now=now, lots=[lot.pk], features=wish.features, vehicle_kind=wish.vehicle_kind
    )
    named = making._named(lot, wish) if wish.spot_number else None
    spot = (free.filter(pk=named.pk) if named else free.cheapest_first()).first()
    priced_for = spot or named or _adequate(lot, wish)
    tariff = tariff_at(lot, now)
    price = _price(lot, wish, priced_for, tariff, starts_at, ends_at)
    expires_at = now + VALID
    return Quote(
        lot=lot,
        wish=wish,
        tariff=tariff,
        spot=spot,
        spot_kind=priced_for.kind,
        starts_at=starts_at,
        ends_at=ends_at,
        free=free,
        price=price,
        token=promises.promise(
            wish, lot=lot, tariff=tariff, spot_kind=priced_for.kind, total=price.total, expires_at=expires_at
        ),
        expires_at=expires_at,
    )


def book_as_shown(
    book: Callable[[str], Booking], lot: Lot, wish: making.Wish, token: str, *, now: datetime
) -> Booking:
    """Book at the price a page showed, with the token it showed it with; or else at one that is equal.

    `book` is given the token to book with. A page may have stood open for longer than a token lives, its
    period may have been changed without JavaScript, the last spot of the kind that was priced may be gone:
    none of that is worth a question as long as it costs what was shown. Raises PriceChanged where it does
    not, and whatever `book` raises. Without a token nothing was shown, and the price of now is taken.
    """
    if not token:
        return book("")
    try:
        return book(token)
    except BadBooking as bad:
        if bad.field != "quote":
            raise
    except LotFull:
        pass  # perhaps only of the kind of spot that was priced
    fresh = quote(lot, wish, now=now)
    if fresh.spot and not _is_as_shown(promises.shown(token), fresh):
        raise PriceChanged(str(PriceChanged.message) % money(fresh.price.total, fresh.price.currency))
    return book(fresh.token)


def _is_as_shown(shown: promises.Promise | None, fresh: Quote) -> bool:
    if shown is None or shown.lot_id != fresh.lot.pk:
        return False
    if (shown.tariff_id, shown.spot_kind) == (fresh.tariff.pk, fresh.spot_kind):
        return True  # by the same rules, whatever the period
    return shown.is_for(fresh.lot.pk, fresh.wish) and Decimal(shown.total) == fresh.price.total


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
