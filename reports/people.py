"""Figures about people: who is new, who is active, who has not been here, and what one driver did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet, Sum

from accounts.models import User
from bookings.models import OCCUPYING, Booking, State
from reports.days import Days, whole
from reports.figures import Activity, Money, activities, activity, money, money_in_all, money_series
from reports.occupancy import parked, parked_series
from reports.scope import STAYS, Scope

INACTIVE_AFTER = timedelta(days=7)


def drivers() -> QuerySet[User]:
    """Accounts of people who may drive: not staff, not switched off or erased."""
    return User.objects.filter(is_staff=False, is_active=True)


def new_users(period: Days, among: QuerySet[User] | None = None) -> int:
    """Drivers who joined in the period; `among` these, all else."""
    people = drivers() if among is None else drivers().filter(pk__in=among.values("pk"))
    return people.filter(date_joined__gte=period.starts_at, date_joined__lt=period.ends_at).count()


def active_drivers(scope: Scope, period: Days) -> int:
    """Drivers with a booking made in the period."""
    made = scope.bookings().filter(created_at__gte=period.starts_at, created_at__lt=period.ends_at)
    return made.exclude(driver=None).aggregate(count=Count("driver", distinct=True))["count"]


def inactive_drivers(*, now: datetime) -> QuerySet[User]:
    """Who has had no booking for a week, whoever never had one included, and can be written to.

    A booking counts from when it is made to when it is over.
    """
    since = now - INACTIVE_AFTER
    lasting = Q(state__in=[*OCCUPYING, State.COMPLETED], ends_at__gt=since)
    recent = Booking.objects.filter(driver=OuterRef("pk")).filter(Q(created_at__gt=since) | lasting)
    unproven = EmailAddress.objects.filter(user=OuterRef("pk"), email=OuterRef("email"), verified=False)
    return drivers().filter(~Exists(recent), ~Exists(unproven))


def top_drivers(scope: Scope, period: Days, *, most: int = 5) -> list[tuple[User, int, timedelta]]:
    """Who stayed most often in the period: driver, stays, time in all."""
    began = scope.bookings().in_state(*STAYS).exclude(driver=None)
    began = began.filter(starts_at__gte=period.starts_at, starts_at__lt=period.ends_at)
    rows = began.values("driver").annotate(count=Count("*"), time=Sum(F("ends_at") - F("starts_at")))
    found = list(rows.order_by("-count", "-time", "driver")[:most])
    people = User.objects.in_bulk([row["driver"] for row in found])
    return [(people[row["driver"]], row["count"], row["time"]) for row in found]


@dataclass(frozen=True, slots=True)
class Favourite:
    """A lot, as far as its name and its page go."""

    name: str
    slug: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class DriverFigures:
    """What a driver did in a period. `spent` is revenue seen from the other side: paid less sent back."""

    period: Days
    activity: Activity
    parked: timedelta
    spent: list[Money]
    favourite: Favourite | None


def driver_figures(driver: User, period: Days, *, now: datetime) -> DriverFigures:
    scope = Scope(driver=driver)
    return DriverFigures(
        period,
        activity(scope, period),
        parked(scope, period, now=now),
        money(scope, period),
        favourite_lots(driver, [period])[0],
    )


@dataclass(frozen=True, slots=True)
class Year:
    """A driver's months and last days, with what a page compares of them; money and time by step."""

    all_of_it: DriverFigures
    month: DriverFigures
    month_before: DriverFigures
    spent: list[list[Money]]
    parked_by_month: list[timedelta]
    parked_by_day: list[timedelta]


def driver_year(driver: User, months: Sequence[Days], days: Sequence[Days], *, now: datetime) -> Year:
    """driver_figures() of the last month, the one before it and all the months, in four queries.

    The `days` lie within the months.
    """
    scope = Scope(driver=driver)
    parts = [whole(months), months[-1], months[-2]]
    stood = parked_series(scope, [*months, *days], now=now)
    by_month, by_day = stood[: len(months)], stood[len(months) :]
    spent = money_series(scope, months)
    rows = zip(
        parts,
        activities(scope, parts),
        [sum(by_month, timedelta()), by_month[-1], by_month[-2]],
        [money_in_all(spent), spent[-1], spent[-2]],
        favourite_lots(driver, parts),
        strict=True,
    )
    all_of_it, month, before = (DriverFigures(*row) for row in rows)
    return Year(all_of_it, month, before, spent, by_month, by_day)


def favourite_lots(driver: User, periods: Sequence[Days]) -> list[Favourite | None]:
    """For each period where most of the stays that began in it were; of equals, the one stayed at last."""
    stays = Booking.objects.of(driver).in_state(*STAYS)
    sums: dict[str, Any] = {}
    for number, period in enumerate(periods):
        began = Q(starts_at__gte=period.starts_at, starts_at__lt=period.ends_at)
        sums |= {
            f"count{number}": Count("lot", filter=began),
            f"last{number}": Max("starts_at", filter=began),
        }
    rows: Any = stays.values("lot__name", "lot__slug").annotate(**sums).order_by()
    found: list[Favourite | None] = []
    for number in range(len(periods)):
        stayed = [row for row in rows if row[f"count{number}"]]
        most = max(stayed, key=lambda row: (row[f"count{number}"], row[f"last{number}"]), default=None)
        found.append(Favourite(most["lot__name"], most["lot__slug"]) if most else None)
    return found
