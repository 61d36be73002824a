"""A stay, cut into pieces within which no rule of the tariff changes. Arithmetic only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from lots.clock import first_reaching
from lots.rates import ALWAYS, WEEKDAYS, DayCap, Element, Package, Restrictions, Tariff

DAY = timedelta(days=1)
MIDNIGHT = time(0)
MICROSECOND = timedelta(microseconds=1)
# Cutting is linear in the days of a stay; nobody parks for ten years, but a typo may.
LONGEST_STAY = timedelta(days=3660)


class Piece(NamedTuple):
    """Part of a stay: when, from how many kWh to how many, and whether the vehicle is charging."""

    starts_at: datetime
    ends_at: datetime
    kwh_from: Decimal
    kwh_to: Decimal
    is_charging: bool


@dataclass(frozen=True, slots=True)
class Stay:
    """What is to be priced, all moments in UTC. `readings` are (moment, kWh so far), rising from zero."""

    starts_at: datetime
    ends_at: datetime
    zone: ZoneInfo
    charging_ends_at: datetime | None = None
    readings: tuple[tuple[datetime, Decimal], ...] = ()
    vehicle_kind: str = ""
    spot_kind: str = ""
    current: Decimal | None = None
    power: Decimal | None = None

    def pieces(self, cuts: Iterable[datetime], kwh_cuts: Iterable[Decimal]) -> list[Piece]:
        """The stay, cut at these moments and at these amounts of energy, in order and without gaps."""
        if not self.readings and self.charging_ends_at is None:
            nothing = Decimal(0)
            marks = [self.starts_at, *sorted(set(cuts)), self.ends_at]
            return [Piece(*pair, nothing, nothing, True) for pair in pairwise(marks)]

        cuts, kwh_cuts = sorted(set(cuts)), sorted(set(kwh_cuts))
        found: list[Piece] = []
        for phase in self._phases():
            for part in _cut_by_time(phase, cuts):
                found.extend(_cut_by_energy(part, kwh_cuts))
        return found or [Piece(self.starts_at, self.ends_at, Decimal(0), Decimal(0), True)]

    def _phases(self) -> Iterator[Piece]:
        """Between two readings energy flows evenly; charging ends once."""
        marks = {self.starts_at: Decimal(0)} | dict(self.readings)
        charging_ends_at = self.ends_at if self.charging_ends_at is None else self.charging_ends_at
        known = sorted(marks.items())
        for moment in (charging_ends_at, self.ends_at):
            if moment not in marks:
                marks[moment] = _kwh_at(moment, known)
        # Energy metered at the very start (a charge of no duration) belongs to the first moment.
        first = marks[self.starts_at]
        if first:
            yield Piece(self.starts_at, self.starts_at, Decimal(0), first, True)
        moments = sorted(marks)
        for start, end in pairwise(moments):
            yield Piece(start, end, marks[start], marks[end], end <= charging_ends_at)


def _kwh_at(moment: datetime, known: list[tuple[datetime, Decimal]]) -> Decimal:
    for (start, low), (end, high) in pairwise(known):
        if start <= moment <= end:
            return low + (high - low) * _share(start, end, moment)
    return known[-1][1]


def _share(start: datetime, end: datetime, moment: datetime) -> Decimal:
    return Decimal((moment - start) // MICROSECOND) / Decimal((end - start) // MICROSECOND)


def _cut_by_time(piece: Piece, cuts: list[datetime]) -> Iterator[Piece]:
    for cut in cuts:
        if piece.starts_at < cut < piece.ends_at:
            share = _share(piece.starts_at, piece.ends_at, cut)
            kwh = piece.kwh_from + (piece.kwh_to - piece.kwh_from) * share
            yield piece._replace(ends_at=cut, kwh_to=kwh)
            piece = piece._replace(starts_at=cut, kwh_from=kwh)
    yield piece


def _cut_by_energy(piece: Piece, kwh_cuts: list[Decimal]) -> Iterator[Piece]:
    for kwh in kwh_cuts:
        if piece.kwh_from < kwh < piece.kwh_to:
            share = (kwh - piece.kwh_from) / (piece.kwh_to - piece.kwh_from)
            length = (piece.ends_at - piece.starts_at) // MICROSECOND
            moment = piece.starts_at + int(length * share) * MICROSECOND
            yield piece._replace(ends_at=moment, kwh_to=kwh)
            piece = piece._replace(starts_at=moment, kwh_from=kwh)
    yield piece


# Where to cut


def cuts(tariff: Tariff, elements: Iterable[Element], stay: Stay) -> set[datetime]:
    """Every moment within the stay at which an element may begin or cease, or a cap counts anew."""
    found: set[datetime] = set()
    times: set[time] = set()
    for element in elements:
        rule = element.restrictions
        for seconds in (rule.min_duration, rule.max_duration):
            if seconds is not None:
                found.add(stay.starts_at + timedelta(seconds=seconds))
        if rule.start_time is not None or rule.end_time is not None:
            times |= {rule.start_time or MIDNIGHT, rule.end_time or MIDNIGHT, MIDNIGHT}
        if rule.day_of_week or rule.start_date or rule.end_date:
            times.add(MIDNIGHT)
    for cap in tariff.day_caps:
        if cap.kind == "rolling":
            length = cap.days * DAY
            count = (stay.ends_at - stay.starts_at) // length
            found.update(stay.starts_at + n * length for n in range(1, count + 1))
        else:
            times.add(cap.reset)
    for day in _local_days(stay) if times else ():
        found.update(reached(day, at, stay.zone) for at in times)
    return {moment for moment in found if stay.starts_at < moment < stay.ends_at}


def kwh_cuts(elements: Iterable[Element]) -> set[Decimal]:
    limits = (limit for e in elements for limit in (e.restrictions.min_kwh, e.restrictions.max_kwh))
    return {limit for limit in limits if limit is not None}


def _local_days(stay: Stay) -> Iterator[date]:
    day = stay.starts_at.astimezone(stay.zone).date()
    last = stay.ends_at.astimezone(stay.zone).date()
    while day <= last:
        yield day
        day += DAY


# The local clock


@lru_cache(maxsize=4096)
def reached(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The moment (UTC) at which a window bounded by this local time begins or ends.

    One reading for both keeps neighbouring windows touching on nights when the clocks change.
    """
    return first_reaching(datetime.combine(day, at), zone)


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """The day a moment belongs to. A day begins once, even where the clocks go back at midnight."""
    day = moment.astimezone(zone).date()
    return day + DAY if moment >= reached(day + DAY, MIDNIGHT, zone) else day


def is_within(moment: datetime, start: time | None, end: time | None, zone: ZoneInfo) -> bool:
    """Whether the local clock is in [start, end); an end not after the start lies on the next day."""
    start, end = start or MIDNIGHT, end or MIDNIGHT
    today = local_day(moment, zone)
    for day in (today, today - DAY):
        last_day = day if end > start else day + DAY
        if reached(day, start, zone) <= moment < reached(last_day, end, zone):
            return True
    return False


def applies(element: Element, piece: Piece, stay: Stay, *, clock: datetime | None = None) -> bool:
    """Whether an element's restrictions hold in a piece; the clock rules may be read at another moment."""
    rule = element.restrictions
    if rule is ALWAYS:
        return True
    moment = piece.starts_at if clock is None else clock
    elapsed = piece.starts_at - stay.starts_at
    if rule.min_duration is not None and elapsed < timedelta(seconds=rule.min_duration):
        return False
    if rule.max_duration is not None and elapsed >= timedelta(seconds=rule.max_duration):
        return False
    if not (_at_least(piece.kwh_from, rule.min_kwh) and _below(piece.kwh_from, rule.max_kwh)):
        return False
    start, end = rule.start_time, rule.end_time
    if (start is not None or end is not None) and not is_within(moment, start, end, stay.zone):
        return False
    if rule.day_of_week or rule.start_date or rule.end_date:
        return _on_day(rule, local_day(moment, stay.zone))
    return True


def fits(element: Element, stay: Stay) -> bool:
    """Whether an element can apply to this stay at all: vehicle, spot, current and power do not change."""
    rule = element.restrictions
    if rule.vehicle_kinds and stay.vehicle_kind not in rule.vehicle_kinds:
        return False
    if rule.spot_kinds and stay.spot_kind not in rule.spot_kinds:
        return False
    if not (_at_least(stay.current, rule.min_current) and _below(stay.current, rule.max_current)):
        return False
    return _at_least(stay.power, rule.min_power) and _below(stay.power, rule.max_power)


def _on_day(rule: Restrictions, day: date) -> bool:
    if rule.day_of_week and WEEKDAYS[day.weekday()] not in rule.day_of_week:
        return False
    if rule.start_date and day < rule.start_date:
        return False
    return not (rule.end_date and day >= rule.end_date)


def _at_least(value: Decimal | None, low: Decimal | None) -> bool:
    return low is None or (value is not None and value >= low)


def _below(value: Decimal | None, high: Decimal | None) -> bool:
    return high is None or (value is not None and value < high)


def cap_period(cap: DayCap, moment: datetime, stay: Stay) -> int:
    """The number of the cap's period that a moment falls in."""
    if cap.kind == "rolling":
        return (moment - stay.starts_at) // (cap.days * DAY)
    day = local_day(moment, stay.zone)
    if moment < reached(day, cap.reset, stay.zone):
        day -= DAY
    # Ordinal 1, the first of January of the year 1, was a Monday.
    return (day.toordinal() - 1) // cap.days


def cap_periods(tariff: Tariff, moment: datetime, stay: Stay) -> tuple[int, ...]:
    """The same for each cap of a tariff; what differs in any of them is priced apart."""
    return tuple([cap_period(cap, moment, stay) for cap in tariff.day_caps]) if tariff.day_caps else ()


def covers(package: Package, starts_at: datetime, ends_at: datetime, zone: ZoneInfo) -> bool:
    """Whether a package's hours contain the whole stay."""
    today = local_day(starts_at, zone)
    for day in (today, today - DAY):
        if package.day_of_week and WEEKDAYS[day.weekday()] not in package.day_of_week:
            continue
        arrive_to = _not_before(day, package.arrive_to, package.arrive_from)
        opens, closes = reached(day, package.arrive_from, zone), reached(*arrive_to, zone)
        # An arrival at 24:00 is the next day's.
        if not (opens <= starts_at < closes or (starts_at == closes and package.arrive_to != MIDNIGHT)):
            continue
        leave_day, leave_from = day, package.arrive_from
        if package.leave_from is not None:
            leave_from = package.leave_from
            leave_day = day if leave_from >= package.arrive_from else day + DAY
            if ends_at < reached(leave_day, leave_from, zone):
                continue
        last_day, last = _not_before(leave_day, package.leave_to, leave_from)
        if ends_at <= reached(last_day + package.extra_days * DAY, last, zone):
            return True
    return False


def _not_before(day: date, at: time, begin: time) -> tuple[date, time]:
    return (day if at > begin else day + DAY), at


def to_utc(moment: datetime, name: str) -> datetime:
    """ValueError for a naive time: it would be another moment on every machine."""
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise ValueError(f"{name} needs a time zone.")
    return moment.astimezone(UTC)
