"""Days and months in a schedule's own zone, and when each is due."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from celery.schedules import crontab

Cadence = Literal["day", "month"]
DAY = timedelta(days=1)
Window = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Period:
    """One local day or month for which a job has its effect once; `key` names it.

    Due on `date` (in `zone`) at `due_at` (UTC). The windows below are half-open and in UTC.
    """

    key: str
    date: date
    due_at: datetime
    zone: ZoneInfo
    # Who asked for it by hand; nobody where the clock did.
    asked_by_id: int | None = None

    def day(self, ago: int = 0) -> Window:
        """The local day it is due on, or one some days before."""
        first = self.date - ago * DAY
        return midnight(first, self.zone), midnight(first + DAY, self.zone)

    def month(self, ago: int = 0) -> Window:
        """The local month it is due in, or one some months before."""
        return tuple(midnight(_first_of_month(self.date, n), self.zone) for n in (-ago, 1 - ago))  # type: ignore[return-value]


def key_of(cadence: Cadence, day: date) -> str:
    return day.isoformat() if cadence == "day" else f"{day:%Y-%m}"


def at(cadence: Cadence, due_at: datetime, zone: ZoneInfo, asked_by_id: int | None = None) -> Period:
    day = due_at.astimezone(zone).date()
    return Period(key_of(cadence, day), day, due_at, zone, asked_by_id)


def due_between(
    cadence: Cadence, when: crontab, zone: ZoneInfo, since: datetime, until: datetime
) -> Iterator[Period]:
    """The periods of a crontab that fall due after `since` and up to `until`, each once."""
    seen = set()
    day = since.astimezone(zone).date()
    # A period that was due before `since` is not due again on a later day of its own.
    for earlier in _days(day.replace(day=1) if cadence == "month" else day, until.astimezone(zone).date()):
        due_at = moment(when, earlier, zone)
        key = key_of(cadence, earlier)
        if due_at is None or key in seen:
            continue
        seen.add(key)
        if since < due_at <= until:
            yield Period(key, earlier, due_at, zone)


def moment(when: crontab, day: date, zone: ZoneInfo) -> datetime | None:
    """The first moment of a local day that the crontab names, or None: it does not name this day.

    A time the clocks jump over comes as much later as they jump; of one that comes twice, the first.
    """
    named = (
        day.month in when.month_of_year
        and day.day in when.day_of_month
        and day.isoweekday() % 7 in when.day_of_week
    )
    if not named:
        return None
    local = datetime.combine(day, time(min(when.hour), min(when.minute)), tzinfo=zone)
    return local.astimezone(UTC)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def _days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += DAY


def _first_of_month(day: date, months: int) -> date:
    count = day.year * 12 + day.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)
