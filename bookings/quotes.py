"""What a booking would cost and whether it could be had: booking's own rules, for pages and programs.

The price is promised for ten minutes (the signed token), a spot is not: that is what booking is for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils.translation import gettext as _

from bookings import availability, pricing, promises
from bookings.errors import BadBooking, LotFull, PriceChanged, SpotUnsuitable
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


@dataclass(frozen=True, slots=True)
class Looked:
    """The lot's spots with their statuses in a window (availability.spot_statuses), where a page has them."""

    starts_at: datetime
    ends_at: datetime
    statuses: list[tuple[Spot, str]]

    def numbered(self, number: str) -> Spot | None:
        same = (spot for spot, _status in self.statuses if spot.number.casefold() == number.casefold())
        return next(same, None)


def quote(lot: Lot, wish: making.Wish, *, now: datetime, looked: Looked | None = None) -> Quote:
    """Refuses (LotClosed, SpotClosed, SpotUnsuitable, BadBooking) what booking would refuse at any time.

    What was `looked` up already is not asked again, as long as it is for the same window.
    """
    starts_at, ends_at = making._period(lot, wish, now)
    core.check_open(lot, starts_at, ends_at)
    free = availability.free_spots(
        starts_at, ends_at, now=now, lots=[lot.pk], features=wish.features, vehicle_kind=wish.vehicle_kind
    )
    if looked and (looked.starts_at, looked.ends_at) != (starts_at, ends_at):
        looked = None
    read = looked.numbered(wish.spot_number) if looked else None
    named = making._named(lot, wish, read) if wish.spot_number else None
    if looked:
        spot, adequate = _among(looked.statuses, named, wish)
    else:
        spot = (free.filter(pk=named.pk) if named else free.cheapest_first()).first()
        adequate = None if spot or named else _adequate(lot, wish)
    priced_for = spot or named or adequate
    if priced_for is None:
        raise SpotUnsuitable(_(making.NO_SUCH_SPOT))
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


def _adequate(lot: Lot, wish: making.Wish) -> Spot | None:
    """Taken at the moment, but of the kind that would be given."""
    offered = lot.spots.in_service().offering(features=wish.features, vehicle_kind=wish.vehicle_kind)
    return offered.cheapest_first().first()


def _among(
    statuses: list[tuple[Spot, str]], named: Spot | None, wish: making.Wish
) -> tuple[Spot | None, Spot | None]:
    """The spot that would be given, and the first that is adequate, free or not."""
    adequate = [
        (spot, status)
        for spot, status in statuses
        if (spot.pk == named.pk if named else spot.is_in_service)
        and spot.offers(wish.features, wish.vehicle_kind)
    ]
    adequate.sort(key=lambda found: (found[0].scarcity, found[0].number_key, found[0].pk))
    free = next((spot for spot, status in adequate if status == "free"), None)
    return free, adequate[0][0] if adequate else None


def _price(
    lot: Lot, wish: making.Wish, spot: Spot, tariff: Tariff, starts_at: datetime, ends_at: datetime
) -> pricing.Price:
    spot.lot = lot
    booking = Booking(kind=wish.kind, lot=lot, spot=spot, vehicle_kind=wish.vehicle_kind)
    return core.priced(booking, tariff, starts_at, ends_at)
