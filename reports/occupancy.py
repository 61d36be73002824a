"""How long cars stood on spots, and how much of the time there was to stand. Part of reports.figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import (
    Count,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    Q,
    QuerySet,
    Sum,
    Value,
)
from django.db.models.functions import Greatest, Least

from bookings.models import BookingQuerySet
from lots.models import Lot, Spot
from reports.days import Days, whole
from reports.scope import STAYS, Scope


@dataclass(frozen=True, slots=True)
class Occupancy:
    """Time cars stood on spots, and time there was to stand: both summed over the spots, up to `now`."""

    occupied: timedelta = timedelta()
    available: timedelta = timedelta()

    @property
    def share(self) -> float | None:
        """0 to 1. More where spots that were used then have been put out of service since."""
        return self.occupied / self.available if self.available else None

    def __add__(self, other: Occupancy) -> Occupancy:
        return Occupancy(self.occupied + other.occupied, self.available + other.available)


def parked(scope: Scope, period: Days, *, now: datetime) -> timedelta:
    """How long stays took, cut at both ends of the period and at `now`."""
    ends_at = min(period.ends_at, now)
    rows = _stays(scope, period.starts_at, ends_at)
    return rows.aggregate(sum=Sum(_clipped(period.starts_at, ends_at)))["sum"] or timedelta()


def parked_series(scope: Scope, steps: Sequence[Days], *, now: datetime) -> list[timedelta]:
    """The same for each of these periods, asked for in one query. The last one ends last."""
    all_of_it = whole(steps)
    sums = {
        f"step{number}": Sum(
            _clipped(step.starts_at, min(step.ends_at, now)),
            filter=Q(starts_at__lt=min(step.ends_at, now), ends_at__gt=step.starts_at),
        )
        for number, step in enumerate(steps)
        if step.starts_at < now
    }
    found = _stays(scope, all_of_it.starts_at, min(all_of_it.ends_at, now)).aggregate(**sums) if sums else {}
    return [found.get(f"step{number}") or timedelta() for number in range(len(steps))]


def occupancy(lots: QuerySet[Lot], period: Days, *, now: datetime) -> Occupancy:
    return sum(occupancy_by_lot(lots, period, now=now).values(), Occupancy())


def occupancy_by_lot(lots: QuerySet[Lot], period: Days, *, now: datetime) -> dict[int, Occupancy]:
    ends_at = min(period.ends_at, now)
    stays = _stays(Scope(lots), period.starts_at, ends_at).values("lot")
    clipped = stays.annotate(sum=Sum(_clipped(period.starts_at, ends_at))).order_by()
    occupied = {row["lot"]: row["sum"] for row in clipped}
    available = _available(lots, period.starts_at, ends_at)
    return {
        lot: Occupancy(occupied.get(lot, timedelta()), available.get(lot, timedelta()))
        for lot in {*occupied, *available}
    }


def occupancy_series(lots: QuerySet[Lot], steps: Sequence[Days], *, now: datetime) -> list[Occupancy]:
    occupied = parked_series(Scope(lots), steps, now=now)
    offered = list(_spots_offered(lots, steps[0].starts_at))
    return [
        Occupancy(
            stood,
            sum((_offered(row, step.starts_at, min(step.ends_at, now)) for row in offered), timedelta()),
        )
        for stood, step in zip(occupied, steps, strict=True)
    ]


def turnover(began: int, available: timedelta) -> float | None:
    """Stays that began, per spot and day of service."""
    return began / (available / timedelta(days=1)) if available else None


def _stays(scope: Scope, starts_at: datetime, ends_at: datetime) -> BookingQuerySet:
    return scope.bookings().in_state(*STAYS).overlapping(starts_at, ends_at)


def length(starts_at: Any, ends_at: Any) -> ExpressionWrapper:
    return ExpressionWrapper(ends_at - starts_at, output_field=DurationField())


def _clipped(starts_at: datetime, ends_at: datetime) -> ExpressionWrapper:
    """The part of a stay that lies in [starts_at, ends_at)."""
    first, last = (Value(moment, output_field=DateTimeField()) for moment in (starts_at, ends_at))
    return length(Greatest(F("starts_at"), first), Least(F("ends_at"), last))


def _available(lots: QuerySet[Lot], starts_at: datetime, ends_at: datetime) -> dict[int, timedelta]:
    found: dict[int, timedelta] = {}
    for row in _spots_offered(lots, starts_at):
        found[row["lot"]] = found.get(row["lot"], timedelta()) + _offered(row, starts_at, ends_at)
    return found


def _spots_offered(lots: QuerySet[Lot], starts_at: datetime) -> Any:
    """How many spots of each lot are in service, and until when: retired ones count until they were."""
    spots = Spot.objects.filter(lot__in=lots.order_by().values("pk"), is_in_service=True)
    spots = spots.exclude(retired_at__lte=starts_at)
    return spots.values("lot", "retired_at").annotate(count=Count("pk")).order_by()


def _offered(row: dict[str, Any], starts_at: datetime, ends_at: datetime) -> timedelta:
    until = min(ends_at, row["retired_at"]) if row["retired_at"] else ends_at
    return row["count"] * max(until - starts_at, timedelta())
