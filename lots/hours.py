"""When a lot is open: a weekly pattern on its local clock, with exceptions. No database, no clock.

The document has the shape of OCPI's `Hours`. A period is half-open and runs from the first moment
when the local clock shows its begin (or later) to the first moment when it shows its end (or later):
- a time the spring gap swallows means the moment of the jump: on that night 01:00-02:30 is an hour;
- a time that comes twice in autumn means the first of the two, for begins and ends alike. So nobody
  is sold an hour in which the gate may already be down, 20:00-02:30 is as long as on any other night,
  and 20:00-02:30 followed by 02:30-08:00 leaves neither a hole nor an overlap.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import groupby
from typing import Any

from lots.clock import MINUTES_A_DAY, ClockError, as_utc, first_reaching, parse_instant

Period = tuple[datetime, datetime]

WEEKDAYS = range(1, 8)  # ISO: Monday is 1
DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
HOLIDAYS = ("PH", "SH")
HOW_TO_WRITE = "Write it like: Mo-Fr 08:00-20:00; Sa 09:00-18:00; Su off. Or: 24/7."
MINUTES_A_WEEK = 7 * MINUTES_A_DAY
DAY = timedelta(days=1)
LOOK_AHEAD = (2, 9, 40, 400)  # days; most lots close or open within two

TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")


class HoursError(ValueError):
    """Opening hours that cannot be used: where they are wrong, and a sentence that says why."""

    def __init__(self, field_path: str, sentence: str) -> None:
        super().__init__(f"{field_path}: {sentence}" if field_path else sentence)
        self.field_path = field_path
        self.sentence = sentence


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """One opening a week. Minutes after local midnight of `weekday`; past midnight `ends` is over 1440."""

    weekday: int
    begins: int
    ends: int

    @classmethod
    def of(cls, weekday: int, begins: int, ends: int) -> Window:
        """From two clock times; an end not after the begin is on the next day."""
        # 23:59 is how forms without a 24:00 write midnight; nobody closes for a minute.
        ends = MINUTES_A_DAY if ends == MINUTES_A_DAY - 1 else ends
        return cls(weekday, begins, ends if ends > begins else ends + MINUTES_A_DAY)

    @property
    def is_whole_day(self) -> bool:
        return (self.begins, self.ends) == (0, MINUTES_A_DAY)

    @property
    def from_monday(self) -> tuple[int, int]:
        offset = (self.weekday - 1) * MINUTES_A_DAY
        return offset + self.begins, offset + self.ends

    def __str__(self) -> str:
        return f"{DAYS[self.weekday - 1]} {self.times('-')}"

    def times(self, dash: str) -> str:
        return f"{clock_time(self.begins)}{dash}{clock_time(self.ends)}"


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """Weekly windows or around the clock, plus `openings`, minus `closings` (which win); all sorted."""

    twentyfourseven: bool = True
    weekly: tuple[Window, ...] = ()
    openings: tuple[Period, ...] = ()
    closings: tuple[Period, ...] = ()

    @classmethod
    def from_json(cls, document: Any) -> OpeningHours:
        """Read a stored document; {} is always open. Raises HoursError."""
        if document == {}:
            return ALWAYS_OPEN
        _check_keys(document, "", allowed=FIELDS)
        always = document.get("twentyfourseven", False)
        if not isinstance(always, bool):
            raise HoursError("twentyfourseven", "Write true or false.")
        if "twentyfourseven" not in document and "regular_hours" not in document:
            raise HoursError("twentyfourseven", "Say whether the lot is open around the clock.")

        entries = _entries(document, "regular_hours")
        weekly = tuple(sorted(_read_window(entry, path) for entry, path in entries))
        if always and weekly:
            raise HoursError("regular_hours", "A lot open around the clock has no weekly hours.")
        _check_disjoint(weekly)
        openings, closings = (
            tuple(sorted(_read_period(entry, path) for entry, path in _entries(document, field)))
            for field in ("exceptional_openings", "exceptional_closings")
        )
        return cls(always, weekly, openings, closings)

    def to_json(self) -> dict[str, Any]:
        """The document: empty lists left out, midnight as an end written 24:00."""
        document: dict[str, Any] = {"twentyfourseven": self.twentyfourseven}
        if self.weekly or not self.twentyfourseven:
            document["regular_hours"] = [
                {
                    "weekday": window.weekday,
                    "period_begin": clock_time(window.begins),
                    "period_end": clock_time(window.ends),
                }
                for window in self.weekly
            ]
        for field, periods in (
            ("exceptional_openings", self.openings),
            ("exceptional_closings", self.closings),
        ):
            if periods:
                document[field] = [
                    {"period_begin": _iso(start), "period_end": _iso(end)} for start, end in periods
                ]
        return document

    def with_weekly_of(self, other: OpeningHours) -> OpeningHours:
        """The weekly pattern of `other` with this lot's own exceptions, which a text form does not show."""
        return replace(self, twentyfourseven=other.twentyfourseven, weekly=other.weekly)

    def on(self, weekday: int) -> list[Window]:
        """The windows that begin on this weekday (1 is Monday)."""
        return [window for window in self.weekly if window.weekday == weekday]

    @property
    def is_around_the_clock(self) -> bool:
        """Never closes but for `closings`; seven whole days count too."""
        minutes = sum(window.ends - window.begins for window in self.weekly)
        return self.twentyfourseven or minutes == MINUTES_A_WEEK

    @property
    def is_always_open(self) -> bool:
        return not self.closings and self.is_around_the_clock

    def is_open(self, at: datetime, zone: tzinfo) -> bool:
        at = as_utc(at)
        return self.is_always_open or bool(self._between(at, at + timedelta.resolution, zone))

    def is_open_throughout(self, starts_at: datetime, ends_at: datetime, zone: tzinfo) -> bool:
        """Whether no moment of [starts_at, ends_at) is closed. An empty or backward window never is."""
        starts_at, ends_at = as_utc(starts_at), as_utc(ends_at)
        if starts_at >= ends_at:
            return False
        return self.is_always_open or self._between(starts_at, ends_at, zone) == [(starts_at, ends_at)]

    def open_until(self, at: datetime, zone: tzinfo) -> datetime | None:
        """The end of the open period around `at`, in UTC; None if it lasts 400 days or more.

        `at` itself when the lot is closed then: nothing is open from there on.
        """
        at = as_utc(at)
        if self.is_always_open:
            return None
        for days in LOOK_AHEAD:
            horizon = at + days * DAY
            periods = self._between(at, horizon, zone)
            if not periods or periods[0][0] > at:
                return at
            if periods[0][1] < horizon:
                return periods[0][1]
        return None

    def next_opening(self, at: datetime, zone: tzinfo) -> datetime | None:
        """The first open moment from `at` on, in UTC: `at` itself when open; None if 400 days are closed."""
        at = as_utc(at)
        for days in LOOK_AHEAD:
            if periods := self._between(at, at + days * DAY, zone):
                return periods[0][0]
        return None

    def periods(self, from_date: date, to_date: date, zone: tzinfo) -> list[Period]:
        """Open periods of the local days from `from_date` up to, not including, `to_date`.

        In UTC, sorted, apart from each other, cut at the first and the last midnight.
        """
        start, end = (first_reaching(datetime.combine(day, time.min), zone) for day in (from_date, to_date))
        return self._between(start, end, zone)

    def _between(self, start: datetime, end: datetime, zone: tzinfo) -> list[Period]:
        if start >= end:
            return []
        if self.is_around_the_clock:
            opened: list[Period] = [(start, end)]
        else:
            opened = _merged([*self._weekly_between(start, end, zone), *self.openings])
        cut = ((max(start, opens), min(end, closes)) for opens, closes in opened)
        return _without([period for period in cut if period[0] < period[1]], self.closings)

    def _weekly_between(self, start: datetime, end: datetime, zone: tzinfo) -> Iterator[Period]:
        # A day more on each side: a window may begin the evening before, and where the clocks go
        # back over midnight the date does too.
        day = start.astimezone(zone).date() - DAY
        last = end.astimezone(zone).date() + DAY
        while self.weekly and day <= last:
            midnight = datetime.combine(day, time.min)
            for window in self.on(day.isoweekday()):
                opens, closes = (
                    first_reaching(midnight + timedelta(minutes=minutes), zone)
                    for minutes in (window.begins, window.ends)
                )
                yield opens, closes
            day += DAY


ALWAYS_OPEN = OpeningHours()
FIELDS = ("twentyfourseven", "regular_hours", "exceptional_openings", "exceptional_closings")


def clock_time(minutes: int) -> str:
    """Minutes after midnight as "08:00"; 1440 is "24:00", and beyond it the next day's time."""
    minutes = minutes if minutes <= MINUTES_A_DAY else minutes - MINUTES_A_DAY
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _merged(periods: Iterable[Period]) -> list[Period]:
    merged: list[Period] = []
    for opens, closes in sorted(periods):
        if opens >= closes:
            continue  # swallowed whole by a spring gap
        if merged and opens <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], closes))
        else:
            merged.append((opens, closes))
    return merged


def _without(periods: list[Period], closings: Iterable[Period]) -> list[Period]:
    for closes, reopens in closings:
        periods = [
            piece
            for opens, ends in periods
            for piece in ((opens, min(ends, closes)), (max(opens, reopens), ends))
            if piece[0] < piece[1]
        ]
    return periods


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _check_keys(entry: Any, path: str, *, allowed: Iterable[str], all_of_them: bool = False) -> None:
    if not isinstance(entry, Mapping):
        raise HoursError(path, "Write an object with named fields.")
    prefix = f"{path}." if path else ""
    for key in entry:
        if key not in allowed:
            raise HoursError(f"{prefix}{key}", f"No such field; the fields are {', '.join(allowed)}.")
    for key in allowed:
        if all_of_them and key not in entry:
            raise HoursError(f"{prefix}{key}", "This field is missing.")


def _entries(document: Mapping[str, Any], field: str) -> list[tuple[Any, str]]:
    entries = document.get(field, [])
    if not isinstance(entries, list):
        raise HoursError(field, "Write a list.")
    return [(entry, f"{field}[{index}]") for index, entry in enumerate(entries)]


def _read_window(entry: Any, path: str) -> Window:
    _check_keys(entry, path, allowed=("weekday", "period_begin", "period_end"), all_of_them=True)
    weekday = entry["weekday"]
    if type(weekday) is not int or weekday not in WEEKDAYS:  # True is an int too
        raise HoursError(f"{path}.weekday", "A weekday is a number from 1 (Monday) to 7 (Sunday).")
    begins, ends = (_read_time(entry[key], f"{path}.{key}") for key in ("period_begin", "period_end"))
    if begins == MINUTES_A_DAY:
        raise HoursError(f"{path}.period_begin", "24:00 is an end only; a day begins at 00:00.")
    return Window.of(weekday, begins, ends)


def _read_time(text: Any, path: str) -> int:
    if not isinstance(text, str) or not TIME.fullmatch(text):
        raise HoursError(path, "Write a time as 08:00, from 00:00 to 24:00.")
    return int(text[:2]) * 60 + int(text[3:])


def _read_period(entry: Any, path: str) -> Period:
    _check_keys(entry, path, allowed=("period_begin", "period_end"), all_of_them=True)
    moments = []
    for key in ("period_begin", "period_end"):
        try:
            moments.append(parse_instant(entry[key]))
        except ClockError as error:
            raise HoursError(f"{path}.{key}", error.sentence) from error
    if moments[0] >= moments[1]:
        raise HoursError(f"{path}.period_end", "The end must be after the begin.")
    return moments[0], moments[1]


def _check_disjoint(weekly: tuple[Window, ...]) -> None:
    for index, window in enumerate(weekly):
        later = weekly[(index + 1) % len(weekly)]
        week = MINUTES_A_WEEK if index == len(weekly) - 1 else 0
        if window.from_monday[1] > later.from_monday[0] + week:
            raise HoursError("regular_hours", f"{window} overlaps {later}.")


def describe(document: Any) -> list[tuple[int, str]]:
    """Seven rows for people, Monday (1) first: "08:00–12:00, 14:00–20:00", "24 h" or "closed".

    Exceptions are not in it. What lasts past midnight stands at the day it begins.
    """
    hours = OpeningHours.from_json(document)
    return [(weekday, _day_for_people(hours, weekday)) for weekday in WEEKDAYS]


def describe_grouped(document: Any) -> list[tuple[int, int, str]]:
    """The rows of `describe`, days in a row that are alike as one: (first weekday, last weekday, text)."""
    return _runs(describe(document))


def from_text(text: str) -> OpeningHours:
    """Read weekly hours as people note them: a part of OpenStreetMap's opening_hours.

    "24/7", or rules such as "Mo-Fr 08:00-12:00,14:00-20:00; Sa 09:00-18:00; Su off". A rule without
    days means every day, one without times the whole day; a later rule replaces an earlier one on
    its days. Days no rule names are closed. Raises HoursError; the path names the rule.
    """
    rules = [" ".join(rule.split()) for rule in text.replace("–", "-").split(";") if rule.strip()]
    if not rules:
        raise HoursError("", f"Say when the lot is open. {HOW_TO_WRITE}")
    if rules == ["24/7"]:
        return ALWAYS_OPEN

    week: dict[int, list[Window]] = {}
    for index, rule in enumerate(rules):
        weekdays, spans = _read_rule(rule, f"rules[{index}]")
        week |= {weekday: [Window.of(weekday, *span) for span in spans] for weekday in weekdays}
    weekly = tuple(sorted(window for windows in week.values() for window in windows))
    _check_disjoint(weekly)
    return OpeningHours(False, weekly)


def to_text(hours: OpeningHours) -> str:
    """The weekly hours in the notation `from_text` reads. Exceptions are not in it."""
    if hours.twentyfourseven:
        return "24/7"
    days = [(weekday, ",".join(window.times("-") for window in hours.on(weekday))) for weekday in WEEKDAYS]
    rules = [
        f"{DAYS[first - 1]}{f'-{DAYS[last - 1]}' if last > first else ''} {times}"
        for first, last, times in _runs(days)
        if times
    ]
    return "; ".join(rules) or "off"


def _day_for_people(hours: OpeningHours, weekday: int) -> str:
    windows = hours.on(weekday)
    if hours.twentyfourseven or any(window.is_whole_day for window in windows):
        return "24 h"
    return ", ".join(window.times("–") for window in windows) or "closed"


def _runs(days: list[tuple[int, str]]) -> list[tuple[int, int, str]]:
    runs = [(list(run), text) for text, run in groupby(days, key=lambda day: day[1])]
    return [(run[0][0], run[-1][0], text) for run, text in runs]


def _read_rule(rule: str, path: str) -> tuple[list[int], list[tuple[int, int]]]:
    words = re.sub(r" ?([-,]) ?", r"\1", rule).split()
    days = words.pop(0) if words[0][:2].title() in DAYS else "Mo-Su"
    times = words.pop(0) if words else "24/7"
    if days[:2].upper() in HOLIDAYS or times[:2].upper() in HOLIDAYS:
        raise HoursError(path, "Weekly hours do not know holidays; add these days to the exceptions.")
    try:
        if words:
            raise ValueError
        return _read_days(days), _read_spans(times)
    except ValueError:
        shown = rule if len(rule) <= 40 else f"{rule[:40]}…"
        raise HoursError(path, f"“{shown}” cannot be read. {HOW_TO_WRITE}") from None


def _read_days(text: str) -> list[int]:
    weekdays = []
    for part in text.title().split(","):
        first, _, last = part.partition("-")
        start, length = DAYS.index(first), (DAYS.index(last or first) - DAYS.index(first)) % 7
        if last == "" and "-" in part:
            raise ValueError
        weekdays += [(start + step) % 7 + 1 for step in range(length + 1)]
    return weekdays


def _read_spans(text: str) -> list[tuple[int, int]]:
    if text.lower() in ("off", "closed"):
        return []
    if text == "24/7":
        return [(0, MINUTES_A_DAY)]
    spans = []
    for part in text.split(","):
        # People write 8:00; a rule with more than two times falls out with the unpacking.
        begins, ends = (_read_time(clock.zfill(5), "") for clock in part.split("-"))
        if begins == MINUTES_A_DAY:
            raise ValueError
        spans.append((begins, ends))
    return spans
