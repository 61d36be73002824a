"""Stretches of the calendar in a person's own zone, as half-open [starts_at, ends_at). Reads no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from accounts.models import User
from lots import clock

DAY = timedelta(days=1)
LONGEST_DAYS = 10 * 366


class BadPeriod(ValueError):
    """Days that make no period; the sentence is for whoever asked."""


@dataclass(frozen=True)
class Days:
    """Whole days in `zone`: from the beginning of `first` to the end of `last`."""

    first: date
    last: date
    zone: ZoneInfo

    @classmethod
    def day(cls, day: date, zone: ZoneInfo) -> Days:
        return cls(day, day, zone)

    @classmethod
    def month(cls, day: date, zone: ZoneInfo) -> Days:
        """The calendar month this day is in."""
        first = day.replace(day=1)
        return cls(first, _next_month(first) - DAY, zone)

    @classmethod
    def chosen(cls, first: date, last: date, zone: ZoneInfo) -> Days:
        """Days that somebody typed in. Raises BadPeriod."""
        if last < first:
            raise BadPeriod("The last day must not lie before the first.")
        if (last - first).days >= LONGEST_DAYS:
            raise BadPeriod("Choose ten years at most.")
        if not clock.FIRST_YEAR <= first.year <= last.year < clock.LAST_YEAR:
            raise BadPeriod(f"Choose days between {clock.FIRST_YEAR} and {clock.LAST_YEAR - 1}.")
        return cls(first, last, zone)

    @cached_property
    def starts_at(self) -> datetime:
        return _midnight(self.first, self.zone)

    @cached_property
    def ends_at(self) -> datetime:
        return _midnight(self.last + DAY, self.zone)

    @property
    def count(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def is_month(self) -> bool:
        return self == Days.month(self.first, self.zone)

    @property
    def before(self) -> Days:
        """What it is compared with: the month before a month, else as many days before its first."""
        if self.is_month:
            return Days.month(self.first - DAY, self.zone)
        return Days(self.first - self.count * DAY, self.first - DAY, self.zone)

    def by_day(self) -> list[Days]:
        return [Days.day(self.first + number * DAY, self.zone) for number in range(self.count)]

    def by_month(self) -> list[Days]:
        """The months in it; the first and the last may be parts of one."""
        months, first = [], self.first
        while first <= self.last:
            following = _next_month(first.replace(day=1))
            months.append(Days(first, min(following - DAY, self.last), self.zone))
            first = following
        return months


def months_until(day: date, zone: ZoneInfo, count: int) -> Days:
    """So many calendar months, the last of them the one this day is in."""
    last = Days.month(day, zone)
    year, month = divmod(last.first.year * 12 + last.first.month - count, 12)
    return Days(date(year, month + 1, 1), last.last, zone)


def whole(steps: Sequence[Days]) -> Days:
    """Of periods that follow each other without a gap, all of it."""
    return Days(steps[0].first, steps[-1].last, steps[0].zone)


def zone_of(user: User | None) -> ZoneInfo:
    """Where this person's days begin; UTC for whoever has not said."""
    try:
        return ZoneInfo(user.timezone if user and user.timezone else "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _next_month(first: date) -> date:
    return (first + 31 * DAY).replace(day=1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return clock.first_reaching(datetime(day.year, day.month, day.day), zone)  # noqa: DTZ001  local on purpose
