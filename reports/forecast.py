"""How full a lot will be, judged by how full it was. Pure arithmetic: shares in, shares out; no database.

Time is counted in quarter hours of the lot's own wall clock, so that Monday 8:00 is 8:00 in summer and in
winter. A history says which share of the spots was taken at a quarter hour (0 to 1); gaps are fine.

The shape of a week is taken from the last eight weeks, its level from the latest: each week is shifted by
what separates it from the latest one at that hour of the day (weekdays and weekends apart), recent weeks
weigh more, and outliers (holidays, fairs) are pulled in to near the middle one. That is averaged with the
latest week as it was: the two err in different weeks, so together they err less than either. How far the
lot is from that at present counts in full now and less with every hour ahead. docs/figures.md says how well
this does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice, pairwise
from statistics import median
from zoneinfo import ZoneInfo

History = Mapping[int, float]

QUARTER = timedelta(minutes=15)
A_DAY, A_WEEK = 96, 672  # quarter hours
MOST_WEEKS = 8
FADES = 0.9  # what a week weighs, of what the week after it weighs
OUTLIER = 0.05  # share of the spots a week may lie from the middle one before it is pulled in
LOOKS_BACK = 4  # known quarter hours of the last day by which the present is judged
LATEST = 0.3  # what the latest week as it was weighs beside all of them
A_PART = 4  # quarter hours of a part of the day that has a level of its own
FEWEST = 4  # quarter hours two weeks must share in such a part to be compared
LASTS = 48.0  # quarter hours after which an unusual present counts for 1/e
LONGEST_GAP = 5.0  # quarter hours between two readings that can be joined by a line
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  a wall clock has no zone
THURSDAY = 3  # the epoch's weekday, Monday being 0


@dataclass(frozen=True, slots=True)
class Expected:
    """The share of the spots that is likely taken, and by how much the weeks differ from it on average."""

    share: float
    spread: float


@dataclass(frozen=True, slots=True)
class Score:
    """How far forecasts were off, beside "as last week" for the very same quarter hours. Errors in spots."""

    count: int = 0
    error: float = 0.0
    baseline_error: float = 0.0
    hits: int = 0
    baseline_hits: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.count + other.count,
            self.error + other.error,
            self.baseline_error + other.baseline_error,
            self.hits + other.hits,
            self.baseline_hits + other.baseline_hits,
        )

    @property
    def hit_rate(self) -> float | None:
        """Share of quarter hours within max(2, 5 % of the spots) of what came, 0 to 1."""
        return self.hits / self.count if self.count else None

    @property
    def mae(self) -> float | None:
        return self.error / self.count if self.count else None

    @property
    def baseline_mae(self) -> float | None:
        return self.baseline_error / self.count if self.count else None


def tolerance(capacity: float) -> float:
    """How many spots a forecast may be off and still count as right."""
    return max(2.0, 0.05 * capacity)


def position(at: datetime, zone: ZoneInfo) -> float:
    """A moment in quarter hours of the wall clock in `zone`."""
    return (at.astimezone(zone).replace(tzinfo=None) - EPOCH) / QUARTER


def slot(at: datetime, zone: ZoneInfo) -> int:
    """The quarter hour a moment lies in."""
    return math.floor(position(at, zone))


def on_grid(readings: Iterable[tuple[float, float]]) -> dict[int, float]:
    """Readings (position, share) at quarter hours: joined by lines, but for long gaps."""
    known = sorted(readings)
    found: dict[int, float] = {}
    for (before, low), (after, high) in pairwise(known):
        if 0 < after - before <= LONGEST_GAP:
            for number in range(math.ceil(before), math.floor(after) + 1):
                found[number] = low + (high - low) * (number - before) / (after - before)
    for at, share in known:
        found.setdefault(round(at), share)
    return found


def forecast(history: History, slots: Sequence[int], *, known_until: int) -> dict[int, Expected]:
    """What to expect at these quarter hours, from what was known before `known_until`.

    Quarter hours of which nothing like them is known are left out.
    """
    usual = _usual(history, slots, known_until)
    off, seen = _off_at_present(history, known_until)
    found = {}
    for number, expected in usual.items():
        share = expected.share + off * math.exp(-max(number - seen, 0) / LASTS)
        found[number] = Expected(min(max(share, 0.0), 1.0), expected.spread)
    return found


def score(history: History, capacity: float, *, first: int, last: int, ahead: int) -> Score:
    """Forecasts of the quarter hours in [first, last) against what came, made anew every `ahead` of them.

    Only quarter hours that can also be said to be "as last week" count, so that both answer the same.
    """
    made = range(first, last, ahead)
    return sum((_score(history, capacity, one, min(one + ahead, last)) for one in made), Score())


def _score(history: History, capacity: float, first: int, last: int) -> Score:
    asked = [n for n in range(first, last) if n in history and n - A_WEEK in history]
    if not asked:
        return Score()
    found, near = forecast(history, asked, known_until=first), tolerance(capacity)
    ours = [abs(found[n].share - history[n]) * capacity for n in asked]
    theirs = [abs(history[n - A_WEEK] - history[n]) * capacity for n in asked]
    return Score(
        len(asked), sum(ours), sum(theirs), sum(e <= near for e in ours), sum(e <= near for e in theirs)
    )


def _usual(history: History, slots: Iterable[int], known_until: int) -> dict[int, Expected]:
    shifts = _shifts(history, known_until)
    found = {}
    for number in slots:
        part, latest = _part(number), _known(history, number - A_WEEK, known_until)
        alike = [
            (then + shifts[weeks][part], FADES**weeks)
            for weeks in range(1, MOST_WEEKS + 1)
            if part in shifts[weeks]
            and (then := _known(history, number - weeks * A_WEEK, known_until)) is not None
        ]
        if not alike and latest is not None:
            alike = [(latest, 1.0)]
        expected = _middle(alike or _like_days(history, number, known_until))
        if expected and latest is not None:
            expected = replace(expected, share=(1 - LATEST) * expected.share + LATEST * latest)
        if expected:
            found[number] = expected
    return found


def _shifts(history: History, known_until: int) -> dict[int, dict[tuple[bool, int], float]]:
    """For 1 to 8 weeks ago: how much fuller the latest week was, by part of the day."""
    latest = [number for number in range(known_until - A_WEEK, known_until) if number in history]
    found: dict[int, dict[tuple[bool, int], float]] = {1: dict.fromkeys(map(_part, latest), 0.0)}
    for weeks in range(2, MOST_WEEKS + 1):
        differences: dict[tuple[bool, int], list[float]] = {}
        for number in latest:
            then = history.get(number - (weeks - 1) * A_WEEK)
            if then is not None:
                differences.setdefault(_part(number), []).append(history[number] - then)
        found[weeks] = {part: median(of) for part, of in differences.items() if len(of) >= FEWEST}
    return found


def _part(number: int) -> tuple[bool, int]:
    return _is_weekend(number), number % A_DAY // A_PART


def _like_days(history: History, number: int, known_until: int) -> list[tuple[float, float]]:
    """For a lot younger than a week: the same time on the days of the fortnight before it that are alike."""
    days = [number - day * A_DAY for day in range(1, 15)]
    return [
        (share, 1.0)
        for like in days
        if _is_weekend(like) == _is_weekend(number)
        and (share := _known(history, like, known_until)) is not None
    ]


def _middle(found: list[tuple[float, float]]) -> Expected | None:
    """Mean of (share, weight), with what lies far from the weighted median pulled in to OUTLIER of it."""
    if not found:
        return None
    total = sum(weight for _share, weight in found)
    middle, passed = found[0][0], 0.0
    for share, weight in sorted(found):
        passed += weight
        if passed >= total / 2:
            middle = share
            break
    pulled = [(min(max(share, middle - OUTLIER), middle + OUTLIER), weight) for share, weight in found]
    mean = sum(share * weight for share, weight in pulled) / total
    spread = sum(abs(share - mean) * weight for share, weight in found) / total
    return Expected(mean, spread)


def _off_at_present(history: History, known_until: int) -> tuple[float, int]:
    """By how much it was fuller (or emptier) than usual when last looked, and when that was."""
    day = range(known_until - 1, known_until - A_DAY - 1, -1)
    seen = list(islice((number for number in day if number in history), LOOKS_BACK))
    if not seen:
        return 0.0, known_until
    usual = _usual(history, seen, seen[-1])
    if not usual:
        return 0.0, known_until
    return sum(history[n] - expected.share for n, expected in usual.items()) / len(usual), seen[0]


def _known(history: History, number: int, known_until: int) -> float | None:
    return history.get(number) if number < known_until else None


def _is_weekend(number: int) -> bool:
    return (number // A_DAY + THURSDAY) % 7 >= 5
