"""Figures about people: who is new, who is active, who has not been here, and what one driver did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from allauth.account.models import EmailAddress
from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet, Sum

from accounts.models import User
from bookings.models import OCCUPYING, Booking, State
from lots.models import Lot
from reports.days import Days
from reports.figures import Activity, Money, activity, money
from reports.occupancy import parked
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
class DriverFigures:
    """What a driver did in a period. `spent` is revenue seen from the other side: paid less sent back."""

    period: Days
    activity: Activity
    parked: timedelta
    spent: list[Money]
    favourite: Lot | None


def driver_figures(driver: User, period: Days, *, now: datetime) -> DriverFigures:
    scope = Scope(driver=driver)
    return DriverFigures(
        period,
        activity(scope, period),
        parked(scope, period, now=now),
        money(scope, period),
        favourite_lot(driver, period),
    )


def favourite_lot(driver: User, period: Days) -> Lot | None:
    """Where most of the stays that began in the period were; of equals, the one stayed at last."""
    stays = Booking.objects.of(driver).in_state(*STAYS)
    stays = stays.filter(starts_at__gte=period.starts_at, starts_at__lt=period.ends_at)
    most = stays.values("lot").annotate(count=Count("*"), last=Max("starts_at")).order_by("-count", "-last")
    found = most.first()
    return Lot.objects.get(pk=found["lot"]) if found else None
