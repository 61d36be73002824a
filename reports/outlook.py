"""How many spots of a lot will likely be free in the next hours: reports.forecast over what is known of it.

Known are readings from outside and, where there are none, our own bookings. What drivers have booked
already is the least that will be taken. What the past says is kept in the cache for its hour; bookings to
come are looked up each time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.core.cache import cache
from django.db.models import FloatField, Min, QuerySet, Sum
from django.db.models.functions import Cast

from bookings.models import Booking
from lots.models import Lot, Spot
from reports import forecast
from reports.days import Days, whole
from reports.figures import step_of
from reports.forecast import QUARTER
from reports.readings import Reading
from reports.scope import STAYS

AHEAD = 48  # quarter hours
KNOWN = timedelta(weeks=12)
JUDGED_WEEKS = 4
KEPT = 3600  # seconds


@dataclass(frozen=True, slots=True)
class Free:
    """Likely free spots at a quarter hour, give or take the spread; nothing is said of closed hours."""

    at: datetime
    spots: int
    spread: int


@dataclass(frozen=True, slots=True)
class Outlook:
    capacity: int
    free: list[Free]
    # Of the last weeks' quarter hours, each forecast a week ahead: the share that came about as said.
    hit_rate: float | None

    @property
    def tolerance(self) -> int:
        return math.floor(forecast.tolerance(self.capacity))


def outlook(lot: Lot, *, now: datetime) -> Outlook | None:
    """The next twelve hours of a lot; None where nothing is known that resembles them."""
    capacity = Spot.objects.kept().in_service().counts([lot.pk]).get(lot.pk, 0)
    moments = [_quarter(now) + number * QUARTER for number in range(AHEAD)]
    usual = _usual(lot, capacity, moments) if capacity else None
    if not usual or not usual[0]:
        return None
    expected, hit_rate = usual
    booked = _booked(lot, moments)
    found = []
    for moment in moments:
        at = forecast.slot(moment, lot.zone)
        if at in expected and lot.hours.is_open(moment, lot.zone):
            share, spread = expected[at]
            taken = max(round(share * capacity), booked.get(moment, 0))
            found.append(Free(moment, max(capacity - taken, 0), math.ceil(spread * capacity)))
    return Outlook(capacity, found, hit_rate) if found else None


def counted_series(lots: QuerySet[Lot], steps: list[Days]) -> list[float | None]:
    """The share of spots that was taken by readings from outside, on average, for each of these periods."""
    period = whole(steps)
    readings = Reading.objects.filter(
        lot__in=lots.order_by().values("pk"), at__gte=period.starts_at, at__lt=period.ends_at
    )
    sums = readings.annotate(step=step_of("at", steps)).values("step").order_by()
    found = {
        row["step"]: row["taken"] / row["offered"]
        for row in sums.annotate(
            taken=Cast(Sum("occupied"), FloatField()), offered=Cast(Sum("capacity"), FloatField())
        )
    }
    return [found.get(number) for number in range(len(steps))]


def _usual(
    lot: Lot, capacity: int, moments: list[datetime]
) -> tuple[dict[int, tuple[float, float]], float | None]:
    key = f"outlook:{lot.pk}:{capacity}:{lot.timezone}:{moments[0]:%Y%m%d%H}"
    known = cache.get(key)
    if known is None:
        # To the end of the hour it is kept for, and as far as it may be asked then.
        first = moments[0].replace(minute=0)
        slots = [forecast.slot(first + number * QUARTER, lot.zone) for number in range(AHEAD + 4)]
        history = _history(lot, capacity, first)
        until = slots[0]
        expected = forecast.forecast(history, slots, known_until=until)
        judged = forecast.score(
            history,
            capacity,
            first=until - JUDGED_WEEKS * forecast.A_WEEK,
            last=until,
            ahead=forecast.A_WEEK,
        )
        known = {at: (found.share, found.spread) for at, found in expected.items()}, judged.hit_rate
        cache.set(key, known, KEPT)
    return known  # type: ignore[no-any-return]


def _history(lot: Lot, capacity: int, until: datetime) -> dict[int, float]:
    """Share taken at each quarter hour before `until`: as counted, else by our own bookings."""
    since = until - KNOWN
    counted = Reading.objects.filter(lot=lot, at__gte=since, at__lt=until).values_list(
        "at", "occupied", "capacity"
    )
    readings = [(forecast.position(at, lot.zone), taken / of) for at, taken, of in counted]
    own = {forecast.slot(at, lot.zone): share for at, share in _own(lot, capacity, since, until)}
    return own | forecast.on_grid(readings)


def _own(lot: Lot, capacity: int, since: datetime, until: datetime) -> Iterator[tuple[datetime, float]]:
    """Stays standing at each quarter hour, from the lot's first stay on."""
    stays = Booking.objects.filter(lot=lot).in_state(*STAYS)
    begun = stays.aggregate(first=Min("starts_at"))["first"]
    if begun is None or begun >= until:
        return
    since = _quarter(max(since, begun)) + QUARTER
    changes = [0] * (max((until - since) // QUARTER, 0) + 1)
    last = len(changes) - 1
    for starts_at, ends_at in stays.overlapping(since, until).values_list("starts_at", "ends_at"):
        changes[min(max(-((since - starts_at) // QUARTER), 0), last)] += 1
        changes[min(max(-((since - ends_at) // QUARTER), 0), last)] -= 1
    standing = 0
    for number, change in enumerate(changes[:last]):
        standing += change
        yield since + number * QUARTER, min(standing / capacity, 1.0)


def _booked(lot: Lot, moments: list[datetime]) -> dict[datetime, int]:
    """How many spots are promised at each of these moments, which follow each other."""
    promised = Booking.objects.filter(lot=lot).occupying().overlapping(moments[0], moments[-1] + QUARTER)
    periods = list(promised.values_list("starts_at", "ends_at"))
    return {
        moment: sum(starts_at <= moment < ends_at for starts_at, ends_at in periods) for moment in moments
    }


def _quarter(at: datetime) -> datetime:
    at = at.astimezone(UTC)
    return at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
