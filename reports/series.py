"""Figures over time and over the week, for charts. Part of reports.figures: they sum to what it says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Count, QuerySet
from django.db.models.functions import ExtractHour, ExtractIsoWeekDay

from accounts.models import User
from bookings.models import Booking
from lots.models import Lot
from reports.days import Days, whole
from reports.figures import Activity, step_of
from reports.people import drivers
from reports.scope import STAYS, Scope

HOURS = 24


def made_series(scope: Scope, steps: Sequence[Days]) -> list[Activity]:
    """Bookings made in each of these periods, by kind."""
    all_of_it = whole(steps)
    made = scope.bookings().filter(created_at__gte=all_of_it.starts_at, created_at__lt=all_of_it.ends_at)
    rows: Any = made.annotate(step=step_of("created_at", steps)).values("step", "kind")
    found = {(row["step"], row["kind"]): row["count"] for row in rows.annotate(count=Count("*")).order_by()}
    instant, reserved = Booking.Kind.INSTANT, Booking.Kind.RESERVED
    return [
        Activity(made_instant=found.get((number, instant), 0), made_reserved=found.get((number, reserved), 0))
        for number in range(len(steps))
    ]


def active_series(scope: Scope, steps: Sequence[Days]) -> list[int]:
    """Drivers with a booking made in each of these periods."""
    all_of_it = whole(steps)
    made = scope.bookings().filter(created_at__gte=all_of_it.starts_at, created_at__lt=all_of_it.ends_at)
    made = made.exclude(driver=None).annotate(step=step_of("created_at", steps))
    rows: Any = made.values("step").annotate(count=Count("driver", distinct=True)).order_by()
    return _in_turn({row["step"]: row["count"] for row in rows}, steps)


def new_series(among: QuerySet[User], steps: Sequence[Days]) -> list[int]:
    """Of these people, the drivers who joined in each of these periods."""
    all_of_it = whole(steps)
    joined = drivers().filter(pk__in=among.values("pk"))
    joined = joined.filter(date_joined__gte=all_of_it.starts_at, date_joined__lt=all_of_it.ends_at)
    rows: Any = joined.annotate(step=step_of("date_joined", steps)).values("step")
    return _in_turn({row["step"]: row["count"] for row in rows.annotate(count=Count("*")).order_by()}, steps)


def busiest_hours(lots: QuerySet[Lot], period: Days) -> list[list[int]]:
    """Stays that began in the period, by weekday (Monday first) and hour on each lot's own clock.

    One query for each time zone the lots are in.
    """
    found = [[0] * HOURS for _day in range(7)]
    stays = Scope(lots).bookings().in_state(*STAYS)
    stays = stays.filter(starts_at__gte=period.starts_at, starts_at__lt=period.ends_at)
    by_zone: dict[Any, list[int]] = {}
    for lot in lots:
        by_zone.setdefault(lot.zone, []).append(lot.pk)
    for zone, ids in by_zone.items():
        day, hour = ExtractIsoWeekDay("starts_at", tzinfo=zone), ExtractHour("starts_at", tzinfo=zone)
        rows: Any = stays.filter(lot__in=ids).annotate(weekday=day, hour=hour).values("weekday", "hour")
        for row in rows.annotate(count=Count("*")).order_by():
            found[row["weekday"] - 1][row["hour"]] += row["count"]
    return found


def _in_turn(counts: dict[int, int], steps: Sequence[Days]) -> list[int]:
    return [counts.get(number, 0) for number in range(len(steps))]
