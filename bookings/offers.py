"""What a list of lots offers for a wish: free counts, prices, opening. Reads only; promises nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import blake2b

from django.db.models import Avg, Count, Exists, F, OuterRef, Q, Subquery

from bookings import availability, pricing
from lots import clock, rates
from lots.distance import distance_km
from lots.models import Lot, LotQuerySet, Review, Spot, SpotQuerySet, Tariff
from lots.review_models import Rating

FEW = 5
UNRATED = Rating()
# Sorting by what a stay costs or by what is free means working it out for every lot: for so many at most,
# the nearest or the first by name.
MOST_WORKED_OUT = 200


@dataclass(frozen=True, slots=True)
class Wish:
    """What a visitor looks for. `at` is a wall-clock time, read on each lot's own clock; None is now."""

    text: str = ""
    at: datetime | None = None
    stay: timedelta = timedelta(hours=2)
    features: tuple[str, ...] = ()
    vehicle_kind: str = ""
    height_cm: int | None = None
    connector: str = ""
    min_kw: int | None = None
    near: tuple[float, float] | None = None  # latitude, longitude
    sort: str = ""

    @property
    def names_a_spot(self) -> bool:
        """Not every spot will do."""
        return bool(self.features or self.vehicle_kind or self.connector or self.min_kw)

    def fitting(self, spots: SpotQuerySet) -> SpotQuerySet:
        adequate = spots.offering(features=self.features, vehicle_kind=self.vehicle_kind)
        return adequate.charging(connector=self.connector, min_kw=self.min_kw)

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
    price: Decimal | None  # None: the tariff sells nothing for that time
    rating: Rating = UNRATED
    distance_km: float | None = None
    shut_until: datetime | None = None  # an operator closed the whole lot; NEVER where nobody knows

    @property
    def is_usable(self) -> bool:
        return bool(self.free and self.is_open)

    @property
    def is_closed_for_good(self) -> bool:
        return self.shut_until == availability.NEVER

    @property
    def level(self) -> str:
        """none, few or many: for the eye only."""
        if not self.is_usable:
            return "none"
        return "few" if self.free <= FEW or self.free * 10 <= self.capacity else "many"

    @property
    def free_percent(self) -> int:
        return 100 * self.free // self.capacity if self.capacity else 0


def lots_for(wish: Wish) -> LotQuerySet:
    """Listed lots that fit the words and the vehicle, and have at least one spot that will do."""
    found = Lot.objects.listed().search(wish.text)
    if wish.height_cm:
        found = found.filter(Q(max_height_cm=None) | Q(max_height_cm__gte=wish.height_cm))
    if wish.names_a_spot:
        found = found.filter(Exists(wish.fitting(Spot.objects.in_service().filter(lot=OuterRef("pk")))))
    if wish.near:
        found = found.annotate(distance_km=distance_km(*wish.near))
    if wish.sort == "rating":
        stars = Review.objects.shown().filter(lot=OuterRef("pk")).order_by().values("lot")
        found = found.annotate(stars=Subquery(stars.annotate(mean=Avg("rating")).values("mean")))
        return found.order_by(F("stars").desc(nulls_last=True), "name", "id")
    if wish.near and wish.sort != "name":
        return found.order_by(F("distance_km").asc(nulls_last=True), "name", "id")
    return found.order_by("name", "id")


def in_order(wish: Wish, *, now: datetime) -> LotQuerySet | list[Offer]:
    """Those lots in the order that was asked for; what is free and cheapest comes first.

    Offers where the order meant working them out already; worked_out() makes offers of either.
    """
    found = lots_for(wish)
    if wish.sort not in ("price", "free"):
        return found
    made = offers(list(found[:MOST_WORKED_OUT]), wish, now=now)
    if wish.sort == "free":
        return sorted(made, key=lambda offer: (not offer.is_usable, -offer.free))
    return sorted(made, key=lambda offer: (not offer.is_usable, offer.price is None, offer.price or 0))


def worked_out(rows: Sequence[Lot | Offer], wish: Wish, *, now: datetime) -> list[Offer]:
    """One page of what in_order() found."""
    known = [row for row in rows if isinstance(row, Offer)]
    return known or offers([row for row in rows if isinstance(row, Lot)], wish, now=now)


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
    """One offer a lot, in the same order, in four queries however many there are."""
    windows = {lot.pk: wish.window(lot, now) for lot in lots}
    together: dict[tuple[datetime, datetime], list[int]] = defaultdict(list)
    for pk, window in windows.items():
        together[window].append(pk)
    is_free = Q()
    for (starts_at, ends_at), ids in together.items():
        free_then = wish.fitting(availability.free_spots(starts_at, ends_at, now=now, lots=ids))
        is_free |= Q(pk__in=free_then.values("pk"))
    counted = wish.fitting(Spot.objects.in_service().filter(lot__in=list(windows))).order_by().values("lot")
    rows = counted.annotate(count=Count("pk"), free=Count("pk", filter=is_free)) if windows else []
    counts = {row["lot"]: row for row in rows}
    shut = availability.shut_lots(windows)
    tariffs = _tariffs(lots, now)
    ratings = Review.objects.ratings(windows)
    return [
        Offer(
            lot=lot,
            starts_at=windows[lot.pk][0],
            ends_at=windows[lot.pk][1],
            free=counts[lot.pk]["free"] if lot.pk in counts else 0,
            capacity=counts[lot.pk]["count"] if lot.pk in counts else 0,
            is_open=lot.pk not in shut and lot.hours.is_open_throughout(*windows[lot.pk], lot.zone),
            shut_until=shut.get(lot.pk),
            price=_price(lot, tariffs.get(lot.pk), windows[lot.pk]),
            rating=ratings.get(lot.pk, UNRATED),
            distance_km=getattr(lot, "distance_km", None),
        )
        for lot in lots
    ]


def fingerprint(*facts: object) -> str:
    """Changes exactly when what a page shows changes: the page's ETag."""
    return blake2b(repr(facts).encode(), digest_size=12).hexdigest()


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


def _price(lot: Lot, tariff: Tariff | None, window: tuple[datetime, datetime]) -> Decimal | None:
    found = tariff.rates if tariff else lot.simple_rates()
    try:
        return pricing.price(found, *window, zone=lot.zone).total
    except pricing.NoPrice:
        return None
