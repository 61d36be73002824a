"""Where a longer stay would cost less than a shorter one: evidence for the tariff editor. Arithmetic only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from bookings import pieces
from bookings.pieces import DAY, Stay, reached
from bookings.pricing import NoPrice, price
from lots.rates import Tariff

HORIZON = timedelta(days=3)
# Around every moment at which a rule changes, and at odd lengths in between.
AROUND = tuple(timedelta(seconds=seconds) for seconds in (-1, 0, 1, 61))
ARRIVALS = tuple(timedelta(minutes=minutes) for minutes in (0, -1, -31, -137))
LENGTHS = tuple(timedelta(minutes=minutes) for minutes in (1, 16, 31, 59, 61, 119, 121, 250, 500, 1441))


@dataclass(frozen=True, slots=True)
class PriceFall:
    """Leaving at `later` costs less than leaving at `earlier`."""

    starts_at: datetime
    earlier: datetime
    later: datetime
    before: Decimal
    after: Decimal


def find_falls(
    tariff: Tariff,
    zone: ZoneInfo,
    *,
    monday: date = date(2026, 3, 2),
    vehicle_kind: str = "",
    spot_kind: str = "",
    most: int = 5,
) -> list[PriceFall]:
    """Try stays of up to three days around every boundary of the tariff in the week of `monday`.

    A search, not a proof: what it finds is true, what it does not find may still be. About a second
    at worst; meant for saving a tariff, not for pricing a booking.
    """
    found: list[PriceFall] = []
    for start in _starts(tariff, zone, monday):
        last: tuple[datetime, Decimal] | None = None
        for end in _ends(tariff, zone, start):
            try:
                found_price = price(
                    tariff, start, end, zone=zone, vehicle_kind=vehicle_kind, spot_kind=spot_kind
                )
            except NoPrice:
                continue
            total = found_price.total
            if last is not None and total < last[1]:
                found.append(PriceFall(start, last[0], end, last[1], total))
                if len(found) == most:
                    return found
            last = end, total
    return found


def _starts(tariff: Tariff, zone: ZoneInfo, monday: date) -> Iterator[datetime]:
    times = {time(8), *_clock_times(tariff)}
    # Every kind of change from one day to the next: workday, into and out of the weekend.
    days = [monday + count * DAY for count in (1, 4, 5, 6)]
    moments = {reached(day, at, zone) + early for day in days for at in times for early in ARRIVALS}
    yield from sorted(moments)


def _clock_times(tariff: Tariff) -> set[time]:
    rules = [element.restrictions for element in tariff.elements]
    found = {at for rule in rules for at in (rule.start_time, rule.end_time)}
    found |= {at for p in tariff.packages for at in (p.arrive_from, p.arrive_to, p.leave_from, p.leave_to)}
    found |= {cap.reset for cap in tariff.day_caps}
    return {at for at in found if at is not None}


def _ends(tariff: Tariff, zone: ZoneInfo, start: datetime) -> list[datetime]:
    stay = Stay(start, start + HORIZON, zone)
    moments = pieces.cuts(tariff, tariff.elements, stay) | set(_leaving_times(tariff, stay))
    if tariff.free_minutes is not None:
        moments.add(start + timedelta(minutes=float(tariff.free_minutes.minutes)))
    ends = {moment + shift for moment in moments for shift in AROUND} | {start + length for length in LENGTHS}
    return sorted(end for end in ends if start <= end <= stay.ends_at)


def _leaving_times(tariff: Tariff, stay: Stay) -> Iterable[datetime]:
    day = stay.starts_at.astimezone(stay.zone).date()
    for package in tariff.packages:
        for at in (package.leave_from, package.leave_to):
            if at is not None:
                yield from (reached(day + n * DAY, at, stay.zone).astimezone(UTC) for n in range(4))
