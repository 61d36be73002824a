"""A lot's local clock: text and wall-clock times in, moments in UTC out. Reads no clock itself."""

from __future__ import annotations

import re
import zoneinfo
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from importlib import resources
from pathlib import Path

MINUTE = timedelta(minutes=1)
MINUTES_A_DAY = 24 * 60
FIRST_YEAR, LAST_YEAR = 2000, 2100
NO_OFFSET = timedelta(0)
WIDEST_OFFSET = timedelta(hours=14)  # Pacific/Kiritimati; no clock on Earth is further from UTC

INSTANT = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"(?:[Tt ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r"(?P<offset>[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
PARTS = ("year", "month", "day", "hour", "minute", "second")
EXAMPLE = "2030-01-31T14:30:00+01:00"


class ClockError(ValueError):
    """A time that cannot be used as it stands."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class BadTime(ClockError):
    """Text that is not a moment we can use."""


class NaiveTime(ClockError):
    """A time without an offset from UTC: a different moment in every zone."""

    def __init__(self, sentence: str = f"Add the offset from UTC, for example {EXAMPLE}.") -> None:
        super().__init__(sentence)


class NonexistentTime(ClockError):
    """A local time that the clocks jump over. `next_valid` is the moment of the jump, in UTC."""

    def __init__(self, sentence: str, next_valid: datetime) -> None:
        super().__init__(sentence)
        self.next_valid = next_valid


class AmbiguousTime(ClockError):
    """A local time that comes twice that night. `first` and `second` are its moments, in UTC.

    They are in UTC because Python compares two times of one zone without their fold: in the
    lot's zone, first == second.
    """

    def __init__(self, sentence: str, first: datetime, second: datetime) -> None:
        super().__init__(sentence)
        self.first = first
        self.second = second


def as_utc(at: datetime) -> datetime:
    """The same moment in UTC, where comparing and adding mean elapsed time. Raises NaiveTime."""
    if at.tzinfo is None:
        raise NaiveTime
    return at.astimezone(UTC)


def to_utc(naive_local: datetime, zone: tzinfo, fold: int | None = None) -> datetime:
    """The moment when the clock in `zone` shows this time, in UTC.

    Raises NonexistentTime in a spring gap, and AmbiguousTime when the time comes twice and `fold`
    (0 the first, 1 the second) does not say which.
    """
    if naive_local.tzinfo is not None:
        raise ValueError("to_utc takes a local time without an offset; use as_utc for a moment.")

    early, late = _offsets(naive_local, zone)
    shown = f"{naive_local:%Y-%m-%d %H:%M}"
    if early < late:
        jump = _jump_over(naive_local, zone)
        raise NonexistentTime(
            f"{shown} does not exist: the clocks go forward. The next time that does is "
            f"{jump.astimezone(zone):%Y-%m-%d %H:%M}.",
            jump,
        )

    first, second = _moment(naive_local, early), _moment(naive_local, late)
    if first == second or fold == 0:
        return first
    if fold == 1:
        return second
    raise AmbiguousTime(
        f"{shown} comes twice: the clocks go back. Choose "
        f"{first.astimezone(zone):%H:%M (UTC%z)} or {second.astimezone(zone):%H:%M (UTC%z)}.",
        first,
        second,
    )


def first_reaching(naive_local: datetime, zone: tzinfo) -> datetime:
    """The first moment when the clock in `zone` shows this time or a later one, in UTC. Never raises.

    For rules nobody types in on the night itself, such as opening hours: in a spring gap it is
    the moment of the jump, in autumn the first of the two. The one reading for starts and ends
    alike keeps windows that touch touching, and windows in order in order.
    """
    early, late = _offsets(naive_local, zone)
    return _jump_over(naive_local, zone) if early < late else _moment(naive_local, early)


def parse_instant(text: str) -> datetime:
    """Read ISO 8601 with an offset ("2030-01-31T14:30:00+01:00"); the moment in UTC.

    Years 2000 to 2100 as written; digits past the microsecond are cut. Raises NaiveTime without
    an offset, and BadTime for anything else that is not such a moment.
    """
    match = INSTANT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise BadTime(f"This is not a date and time. Write it like {EXAMPLE}.")
    if match["hour"] is None:
        raise BadTime(f"A date alone is not enough: add the time and offset, for example {EXAMPLE}.")
    if match["second"] is not None and int(match["second"]) == 60:
        raise BadTime("Leap seconds are not supported: seconds run from 00 to 59.")
    if not FIRST_YEAR <= int(match["year"]) <= LAST_YEAR:
        raise BadTime(f"The year must be between {FIRST_YEAR} and {LAST_YEAR}.")

    year, month, day, hour, minute, second = (int(match[part] or 0) for part in PARTS)
    microsecond = int((match["fraction"] or "").ljust(6, "0")[:6])
    zone = _offset(match["offset"]) if match["offset"] else None
    try:
        at = datetime(year, month, day, hour, minute, second, microsecond, tzinfo=zone)
    except ValueError:
        raise BadTime("There is no such date or time.") from None
    return as_utc(at)


def is_on_grid(at: datetime, minutes: int, zone: tzinfo) -> bool:
    """Whether the local clock, in minutes since midnight, shows a whole multiple of `minutes`."""
    _check_grid(minutes)
    local = as_utc(at).astimezone(zone)
    is_whole = not local.second and not local.microsecond
    return is_whole and (local.hour * 60 + local.minute) % minutes == 0


def next_on_grid(at: datetime, minutes: int, zone: tzinfo) -> datetime:
    """The first grid moment not before `at`, in UTC. The grid starts anew at each local midnight."""
    _check_grid(minutes)
    candidate = as_utc(at)
    while True:
        local = candidate.astimezone(zone)
        past_the_minute = timedelta(seconds=local.second, microseconds=local.microsecond)
        if past_the_minute:
            candidate += MINUTE - past_the_minute
            continue

        since_midnight = local.hour * 60 + local.minute
        wait = min(-since_midnight % minutes, MINUTES_A_DAY - since_midnight)
        ahead = candidate + wait * MINUTE
        if not _changes_between(candidate, ahead, zone):
            return ahead
        # The clocks change on the way: walk there first, then count again on the new clock.
        candidate = _change_between(candidate, ahead, zone)


def fits_zone(name: str) -> bool:
    """Whether this is the IANA name of a zone a lot can lie in: "Europe/Berlin", not "GB" or "CET"."""
    return isinstance(name, str) and name in zone_names()


@cache
def zone_names() -> frozenset[str]:
    """Zones a place can be in (the tz database's own table of places), open sea, and UTC.

    Old spellings (US/Eastern, Asia/Calcutta) and bare offsets without a place (EST) are left out,
    so that one place is always stored under one name.
    """
    at_sea = {f"Etc/GMT{hours:+d}" for hours in range(-12, 13) if hours}
    return frozenset(zoneinfo.available_timezones() & (_zones_of_places() | at_sea | {"UTC", "Etc/UTC"}))


def _zones_of_places() -> set[str]:
    folders = [Path(folder) for folder in zoneinfo.TZPATH]
    tables = [folder / "zone.tab" for folder in folders if (folder / "zone.tab").is_file()]
    table = tables[0] if tables else resources.files("tzdata") / "zoneinfo" / "zone.tab"
    lines = table.read_text(encoding="utf-8").splitlines()
    return {line.split("\t")[2].strip() for line in lines if line and not line.startswith("#")}


def _offsets(naive_local: datetime, zone: tzinfo) -> tuple[timedelta, timedelta]:
    """Offsets before and after a change of clocks nearby; they differ in a gap and in a repeated hour."""
    early = naive_local.replace(tzinfo=zone, fold=0).utcoffset()
    late = naive_local.replace(tzinfo=zone, fold=1).utcoffset()
    return early or NO_OFFSET, late or NO_OFFSET


def _moment(naive_local: datetime, offset: timedelta) -> datetime:
    return (naive_local - offset).replace(tzinfo=UTC)


def _jump_over(naive_local: datetime, zone: tzinfo) -> datetime:
    early, late = _offsets(naive_local, zone)
    # The old clock would show this time after the jump, the new one showed it before.
    return _change_between(_moment(naive_local, late), _moment(naive_local, early), zone)


def _changes_between(start: datetime, end: datetime, zone: tzinfo) -> bool:
    return start.astimezone(zone).utcoffset() != end.astimezone(zone).utcoffset()


def _change_between(start: datetime, end: datetime, zone: tzinfo) -> datetime:
    """The moment in (start, end] at which the zone's offset changes. Changes fall on whole seconds."""
    start = start.replace(microsecond=0)
    low, high = 0, -(-(end - start) // timedelta(seconds=1))
    while high - low > 1:
        middle = (low + high) // 2
        if _changes_between(start, start + timedelta(seconds=middle), zone):
            high = middle
        else:
            low = middle
    return start + timedelta(seconds=high)


def _offset(text: str) -> tzinfo:
    if text in "Zz":
        return UTC
    hours, minutes = int(text[1:3]), int(text[3:].lstrip(":") or 0)
    offset = timedelta(hours=hours, minutes=minutes)
    if minutes > 59 or offset > WIDEST_OFFSET:
        raise BadTime("The offset from UTC must lie between -14:00 and +14:00.")
    return timezone(-offset if text[0] == "-" else offset)


def _check_grid(minutes: int) -> None:
    if not 1 <= minutes <= MINUTES_A_DAY:
        raise ValueError("A grid is 1 to 1440 minutes.")
