"""What a list of lots offers for a wish: free counts, prices, opening. Reads only; promises nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import blake2b

from django.db.models import Count, Exists, OuterRef, Subquery

from bookings import availability, pricing
from lots import clock, rates
from lots.models import Lot, LotQuerySet, Spot, Tariff
from lots.services import tariff_at

FEW = 5


@dataclass(frozen=True, slots=True)
class Wish:
    """What a visitor looks for. `at` is a wall-clock time, read on each lot's own clock; None is now."""

    text: str = ""
    at: datetime | None = None
    stay: timedelta = timedelta(hours=2)
    features: tuple[str, ...] = ()

    def window(self, lot: Lot, now: datetime) -> tuple[datetime, datetime]:
        """Looking promises nothing, so a time the clocks jump over or show twice is read leniently."""
        starts_at = clock.first_reaching(self.at, lot.zone) if self.at else now
        return starts_at, starts_at + self.stay


@dataclass(frozen=True, slots=True)
class Offer:
    lot: Lot
    starts_at: datetime
    ends_at: datetime
    free: int
    capacity: int
    is_open: bool
    price: Decimal

    @property
    def level(self) -> str:
        """none, few or many: for the eye only."""
        if not self.free or not self.is_open:
            return "none"
        return "few" if self.free <= FEW or self.free * 10 <= self.capacity else "many"

    @property
    def free_percent(self) -> int:
        return 100 * self.free // self.capacity if self.capacity else 0


def lots_for(wish: Wish) -> LotQuerySet:
    """Listed lots that fit the words and have at least one spot with every feature."""
    spots = Spot.objects.in_service().filter(lot=OuterRef("pk")).offering(features=wish.features)
    found = Lot.objects.listed().search(wish.text)
    return (found.filter(Exists(spots)) if wish.features else found).order_by("name", "id")


def places() -> dict[str, dict[str, list[tuple[str, int]]]]:
    """Where there are lots: country, region, then towns with their number of lots."""
    found: dict[str, dict[str, list[tuple[str, int]]]] = {}
    rows = Lot.objects.listed().exclude(city="").values_list("country", "region", "city")
    for country, region, city, count in rows.annotate(count=Count("pk")).order_by(
        "country", "region", "city"
    ):
        found.setdefault(country, {}).setdefault(region, []).append((city, count))
    return found


def offers(lots: Sequence[Lot], wish: Wish, *, now: datetime) -> list[Offer]:
    """One offer a lot, in the same order. Lots on one clock are counted by one query."""
    windows = {lot.pk: wish.window(lot, now) for lot in lots}
    together: dict[tuple[datetime, datetime], list[int]] = defaultdict(list)
    for pk, window in windows.items():
        together[window].append(pk)
    free: dict[int, int] = {}
    for (starts_at, ends_at), ids in together.items():
        free |= availability.free_counts(ids, starts_at, ends_at, now=now, features=wish.features)
    capacity = _capacities(lots, wish.features)
    tariffs = _tariffs(lots, now)
    return [
        Offer(
            lot=lot,
            starts_at=windows[lot.pk][0],
            ends_at=windows[lot.pk][1],
            free=free[lot.pk],
            capacity=capacity.get(lot.pk, 0),
            is_open=lot.hours.is_open_throughout(*windows[lot.pk], lot.zone),
            price=_price(lot, tariffs.get(lot.pk), windows[lot.pk]),
        )
        for lot in lots
    ]


def fingerprint(*facts: object) -> str:
    """Changes exactly when what a page shows changes: the page's ETag."""
    return blake2b(repr(facts).encode(), digest_size=12).hexdigest()


def _capacities(lots: Sequence[Lot], features: tuple[str, ...]) -> dict[int, int]:
    spots = Spot.objects.in_service().filter(lot__in=[lot.pk for lot in lots]).offering(features=features)
    return dict(spots.values_list("lot").annotate(count=Count("pk")).order_by())


def _tariffs(lots: Sequence[Lot], now: datetime) -> dict[int, Tariff]:
    """The version new bookings get, for many lots at once. See also lots.services.tariff_at()."""
    versions = Tariff.objects.filter(lot=OuterRef("pk"), valid_from__lte=now)
    newest = versions.order_by("-valid_from", "-version").values("pk")[:1]
    ids = Lot.objects.filter(pk__in=[lot.pk for lot in lots]).values(current=Subquery(newest))
    return {tariff.lot_id: tariff for tariff in Tariff.objects.filter(pk__in=ids)}


def hourly(lots: Sequence[Lot], now: datetime) -> dict[int, rates.HourlyPrice | None]:
    """What each lot's list price is under the tariff in force: "2.50", or "from 2.50"."""
    tariffs = _tariffs(lots, now)
    return {
        lot.pk: rates.per_hour(tariffs[lot.pk].rates if lot.pk in tariffs else lot.simple_rates())
        for lot in lots
    }


def _price(lot: Lot, tariff: Tariff | None, window: tuple[datetime, datetime]) -> Decimal:
    found = tariff.rates if tariff else lot.simple_rates()
    return pricing.price(found, *window, zone=lot.zone).total


def quote(
    lot: Lot,
    starts_at: datetime,
    ends_at: datetime,
    *,
    now: datetime,
    kind: str,
    spot_number: str = "",
    features: tuple[str, ...] = (),
) -> pricing.Price:
    """What booking this window now would cost, line by line, on the spot that would be given."""
    free = availability.free_spots(starts_at, ends_at, now=now, lots=[lot.pk], features=features)
    if spot_number:
        free = free.filter(number__iexact=spot_number)
    spot = free.cheapest_first().first()
    return pricing.price(
        tariff_at(lot, now).rates,
        starts_at,
        ends_at,
        zone=lot.zone,
        spot_kind=spot.kind if spot else "",
    )
