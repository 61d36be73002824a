"""Which report mails are owed, to whom and when. What stands in them is reports.mail_content's.

A mail is owed once a person and period: its event names both. Figures are asked for when it is sent, so
that the row holds nothing but whose they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, Protocol

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts import outbox
from accounts.models import Notice, User
from bookings.models import Booking, LedgerEntry
from lots.models import Lot
from reports import people
from reports.days import DAY, Days, zone_of

AT_A_TIME = 500
WEEK = timedelta(days=7)
REMINDER, MONTHLY = "reports/email/reminder", "reports/email/monthly"
DAILY, MONTHLY_LOTS = "reports/email/daily", "reports/email/monthly_lots"


@dataclass(frozen=True, slots=True)
class Owed:
    """A mail that somebody should get; `not_before` lets a month end where the reader lives."""

    template: str
    user: User
    event: str
    context: dict[str, Any]
    not_before: datetime
    expires_at: datetime


class Owing(Protocol):
    def __call__(self, day: date, /, *, now: datetime) -> Iterator[Owed]: ...


@dataclass(frozen=True, slots=True)
class Mailing:
    """A kind of report mail: its template, and who is owed one on a day."""

    template: str
    mails: Owing

    def sample(self, user: User, day: date, *, now: datetime) -> Notice:
        """The mail as this user would get it on that day; not written down, and told of nobody else."""
        context = {"day": str(day - DAY), "month": str((day.replace(day=1) - DAY).replace(day=1))}
        return outbox.owed(template=self.template, recipient=user.email, user=user, context=context, now=now)


def reminders(day: date, *, now: datetime) -> Iterator[Owed]:
    """To drivers who have had no booking for a week, and no reminder either."""
    lately = Notice.objects.filter(user=OuterRef("pk"), template=REMINDER, created_at__gt=now - WEEK)
    drivers = people.inactive_drivers(now=now).filter(~Exists(lately), wants_reminders=True)
    for driver in drivers.order_by("pk").iterator(AT_A_TIME):
        yield Owed(REMINDER, driver, f"reminder:{day}:{driver.pk}", {}, now, now + 2 * DAY)


def daily_reports(day: date, *, now: datetime) -> Iterator[Owed]:
    """To operators: the day before this one, where they are."""
    for operator in operators():
        context = {"day": str(day - DAY)}
        yield Owed(DAILY, operator, f"daily-report:{day - DAY}:{operator.pk}", context, now, now + 2 * DAY)


def monthly_reports(day: date, *, now: datetime) -> Iterator[Owed]:
    """To drivers who have been here since the month before this day began: that month, where they are."""
    last = Days.month(day.replace(day=1) - DAY, zone_of(None))
    since = last.starts_at - DAY  # wherever they live, the month has not begun earlier
    booked = Booking.objects.filter(driver=OuterRef("pk")).filter(
        Q(created_at__gte=since) | Q(starts_at__gte=since) | Q(ends_at__gte=since)
    )
    moved = LedgerEntry.objects.filter(booking__driver=OuterRef("pk"), at__gte=since)
    drivers = people.drivers().filter(Exists(booked) | Exists(moved), wants_reminders=True)
    for driver in drivers.order_by("pk").iterator(AT_A_TIME):
        yield _monthly(MONTHLY, "monthly-report", driver, last.first, now)


def monthly_lot_reports(day: date, *, now: datetime) -> Iterator[Owed]:
    """To operators: the month before this day, where they are."""
    for operator in operators():
        yield _monthly(MONTHLY_LOTS, "monthly-admin-report", operator, day.replace(day=1) - DAY, now)


def _monthly(template: str, name: str, user: User, day: date, now: datetime) -> Owed:
    month = Days.month(day, zone_of(user))
    event = f"{name}:{month.first:%Y-%m}:{user.pk}"
    due_at = max(now, month.ends_at)
    return Owed(template, user, event, {"month": str(month.first)}, due_at, due_at + 20 * DAY)


def operators() -> Iterator[User]:
    """Staff whose role shows them bookings and money, and who run a lot."""
    staff = User.objects.filter(is_staff=True, is_active=True, wants_reminders=True)
    return (user for user in staff.order_by("pk") if lots_of(user).exists())


def lots_of(user: User) -> QuerySet[Lot]:
    """The lots a report tells this operator about; none where their role does not show them money."""
    may = user.has_perm("bookings.view_booking") and user.has_perm("bookings.view_ledgerentry")
    return Lot.objects.run_by(user) if may else Lot.objects.none()


def new(mails: Iterable[Owed]) -> Iterator[Owed]:
    """Those that are not owed or sent already."""
    coming = iter(mails)
    while some := list(islice(coming, AT_A_TIME)):
        known = Notice.objects.filter(event__in=[mail.event for mail in some])
        there = set(known.values_list("event", "recipient"))
        yield from (mail for mail in some if (mail.event, mail.user.email) not in there)


def owe(mails: Iterable[Owed], *, now: datetime) -> int:
    """Write them into the outbox; how many there were. Owing the same twice sends one."""
    count = 0
    for mail in mails:
        outbox.owe(
            template=mail.template,
            recipient=mail.user.email,
            user=mail.user,
            event=mail.event,
            context=mail.context,
            now=now,
            not_before=mail.not_before,
            expires_at=mail.expires_at,
        )
        count += 1
    return count
