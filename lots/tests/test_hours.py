import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lots.clock import NaiveTime, is_on_grid
from lots.hours import (
    ALWAYS_OPEN,
    HoursError,
    OpeningHours,
    Window,
    describe,
    describe_grouped,
    from_text,
    to_text,
)

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
ZONES = [BERLIN, NEW_YORK, LORD_HOWE, ZoneInfo("America/Santiago"), ZoneInfo("UTC")]

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parent / "data"
GOLDEN = {case["id"]: case for case in json.loads((DATA / "hours_golden.json").read_text("utf-8"))["cases"]}

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
gently = settings(deadline=None, database=None)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text)


def spans(*texts: str) -> list[tuple[datetime, datetime]]:
    return [(utc(text.split()[0]), utc(text.split()[1])) for text in texts]


def window(weekday: Any = 1, begin: Any = "08:00", end: Any = "20:00") -> dict[str, Any]:
    return {"weekday": weekday, "period_begin": begin, "period_end": end}


def period(begin: Any = "2025-12-24T12:00:00Z", end: Any = "2025-12-27T05:00:00Z") -> dict[str, Any]:
    return {"period_begin": begin, "period_end": end}


def weekly(*windows: dict[str, Any]) -> dict[str, Any]:
    return {"twentyfourseven": False, "regular_hours": list(windows)}


def days(hours: OpeningHours, first: str, last: str, zone: tzinfo) -> list[tuple[datetime, datetime]]:
    return hours.periods(date.fromisoformat(first), date.fromisoformat(last), zone)


zones = st.sampled_from(ZONES)
moments = st.datetimes(local("2025-01-01"), local("2025-12-31"), timezones=st.just(UTC))
nights = st.sampled_from(
    [
        "2025-03-30",
        "2025-10-26",
        "2025-03-09",
        "2025-11-02",
        "2025-10-05",
        "2025-04-06",
        "2025-09-07",
        "2025-04-05",
        "2025-07-01",
    ]
).map(date.fromisoformat)


@st.composite
def some_hours(draw: st.DrawFn) -> OpeningHours:
    """Any hours that can be stored. Cutting the week at sorted points keeps the windows apart."""
    cuts = sorted(draw(st.sets(st.integers(0, 7 * 96 - 1), max_size=12)))
    windows = [
        Window.of(begin // 96 + 1, begin % 96 * 15, end % 96 * 15)
        for begin, end in zip(cuts[::2], cuts[1::2], strict=False)
        if end - begin <= 96
    ]
    starts = draw(st.lists(st.tuples(moments, st.integers(1, 100)), max_size=4))
    exceptions = [
        (start.replace(microsecond=0), start.replace(microsecond=0) + length * HOUR)
        for start, length in starts
    ]
    return OpeningHours(
        not windows and draw(st.booleans()),
        tuple(sorted(windows)),
        tuple(sorted(exceptions[::2])),
        tuple(sorted(exceptions[1::2])),
    )


# The document


def test_an_empty_document_is_always_open() -> None:
    hours = OpeningHours.from_json({})

    assert hours == OpeningHours.from_json({"twentyfourseven": True}) == from_text("24/7") == ALWAYS_OPEN
    assert hours.is_always_open
    assert hours.to_json() == {"twentyfourseven": True}


def test_a_document_comes_back_as_it_was() -> None:
    document = {
        "twentyfourseven": False,
        "regular_hours": [
            window(1, "08:00", "12:00"),
            window(1, "13:00", "24:00"),
            window(5, "20:00", "06:00"),
        ],
        "exceptional_openings": [period("2025-12-28T09:00:00Z", "2025-12-28T12:30:00Z")],
        "exceptional_closings": [period(), period("2026-01-01T00:00:00.500000Z", "2026-01-02T00:00:00Z")],
    }

    assert OpeningHours.from_json(document).to_json() == document


def test_a_document_is_sorted_and_put_into_one_form() -> None:
    document = {
        "regular_hours": [window(5), window(1, "08:00", "00:00"), window(3, "00:00", "23:59")],
        "exceptional_openings": [],
        "exceptional_closings": [period(), period("2025-12-01T01:00:00+01:00", "2025-12-02T00:00:00+01:00")],
    }

    assert OpeningHours.from_json(document).to_json() == {
        "twentyfourseven": False,
        "regular_hours": [window(1, "08:00", "24:00"), window(3, "00:00", "24:00"), window(5)],
        "exceptional_closings": [period("2025-12-01T00:00:00Z", "2025-12-01T23:00:00Z"), period()],
    }


def test_a_lot_without_any_hours_never_opens() -> None:
    hours = OpeningHours.from_json({"twentyfourseven": False})

    assert hours.to_json() == weekly()
    assert not hours.is_open(utc("2025-07-01T10:00Z"), BERLIN)
    assert hours.next_opening(utc("2025-07-01T10:00Z"), BERLIN) is None
    assert days(hours, "2025-07-01", "2025-07-08", BERLIN) == []


KEYS = "No such field; the fields are"
NO_TIME = "Write a time as 08:00, from 00:00 to 24:00."
NO_WEEKDAY = "A weekday is a number from 1 (Monday) to 7 (Sunday)."
NO_OBJECT = "Write an object with named fields."


@pytest.mark.parametrize(
    ("document", "path", "sentence"),
    [
        (None, "", NO_OBJECT),
        ([], "", NO_OBJECT),
        ("24/7", "", NO_OBJECT),
        (
            {"twentyfourseven ": True},
            "twentyfourseven ",
            f"{KEYS} twentyfourseven, regular_hours, exceptional_openings, exceptional_closings.",
        ),
        ({"twentyfourseven": 1}, "twentyfourseven", "Write true or false."),
        ({"twentyfourseven": None}, "twentyfourseven", "Write true or false."),
        (
            {"exceptional_closings": [period()]},
            "twentyfourseven",
            "Say whether the lot is open around the clock.",
        ),
        (
            {"twentyfourseven": True, "regular_hours": [window()]},
            "regular_hours",
            "A lot open around the clock has no weekly hours.",
        ),
        ({"regular_hours": window()}, "regular_hours", "Write a list."),
        ({"regular_hours": None}, "regular_hours", "Write a list."),
        (weekly(window(), "Mo"), "regular_hours[1]", NO_OBJECT),  # type: ignore[arg-type]
        (
            weekly({"weekday": 1, "period_begin": "08:00"}),
            "regular_hours[0].period_end",
            "This field is missing.",
        ),
        (
            weekly(window() | {"period_end ": "20:00"}),
            "regular_hours[0].period_end ",
            f"{KEYS} weekday, period_begin, period_end.",
        ),
        (weekly(window(8)), "regular_hours[0].weekday", NO_WEEKDAY),
        (weekly(window(0)), "regular_hours[0].weekday", NO_WEEKDAY),
        (weekly(window("1")), "regular_hours[0].weekday", NO_WEEKDAY),
        (weekly(window(True)), "regular_hours[0].weekday", NO_WEEKDAY),
        (weekly(window(1.0)), "regular_hours[0].weekday", NO_WEEKDAY),
        (weekly(window(), window(2, end="23:59:99Z")), "regular_hours[1].period_end", NO_TIME),
        (weekly(window(begin="8:00")), "regular_hours[0].period_begin", NO_TIME),
        (weekly(window(begin="08:60")), "regular_hours[0].period_begin", NO_TIME),
        (weekly(window(end="25:00")), "regular_hours[0].period_end", NO_TIME),
        (weekly(window(end="24:01")), "regular_hours[0].period_end", NO_TIME),
        (weekly(window(end="20:00\n")), "regular_hours[0].period_end", NO_TIME),
        (weekly(window(end="٢٠:00")), "regular_hours[0].period_end", NO_TIME),
        (weekly(window(end=2000)), "regular_hours[0].period_end", NO_TIME),
        (
            weekly(window(begin="24:00")),
            "regular_hours[0].period_begin",
            "24:00 is an end only; a day begins at 00:00.",
        ),
        (weekly(window(), window()), "regular_hours", "Mo 08:00-20:00 overlaps Mo 08:00-20:00."),
        (
            weekly(window(2), window(1, "20:00", "08:01")),
            "regular_hours",
            "Mo 20:00-08:01 overlaps Tu 08:00-20:00.",
        ),
        (
            weekly(window(1), window(7, "22:00", "08:30")),
            "regular_hours",
            "Su 22:00-08:30 overlaps Mo 08:00-20:00.",
        ),
        (
            {"twentyfourseven": True, "exceptional_closings": [period(), period(end="2025-12-27T23:59:99Z")]},
            "exceptional_closings[1].period_end",
            "There is no such date or time.",
        ),
        (
            {"twentyfourseven": True, "exceptional_closings": [period(begin="2025-12-24T12:00:00")]},
            "exceptional_closings[0].period_begin",
            "Add the offset from UTC, for example 2030-01-31T14:30:00+01:00.",
        ),
        (
            {"twentyfourseven": False, "exceptional_openings": [period(end="2025-12-24T12:00:00Z")]},
            "exceptional_openings[0].period_end",
            "The end must be after the begin.",
        ),
        (
            {"twentyfourseven": False, "exceptional_openings": [period() | {"period_end ": "x"}]},
            "exceptional_openings[0].period_end ",
            f"{KEYS} period_begin, period_end.",
        ),
        (
            {"twentyfourseven": False, "exceptional_openings": [{"period_begin": "2025-12-24T12:00:00Z"}]},
            "exceptional_openings[0].period_end",
            "This field is missing.",
        ),
        ({"twentyfourseven": False, "exceptional_openings": "none"}, "exceptional_openings", "Write a list."),
    ],
)
def test_a_malformed_document_is_refused_naming_the_place(document: Any, path: str, sentence: str) -> None:
    with pytest.raises(HoursError) as refusal:
        OpeningHours.from_json(document)

    assert (refusal.value.field_path, refusal.value.sentence) == (path, sentence)
    assert str(refusal.value) == (f"{path}: {sentence}" if path else sentence)


def test_windows_may_touch_also_over_midnight_and_the_end_of_the_week() -> None:
    hours = OpeningHours.from_json(
        weekly(window(1, "08:00", "20:00"), window(1, "20:00", "08:00"), window(7, "20:00", "08:00"))
    )

    assert days(hours, "2025-06-30", "2025-07-02", BERLIN) == spans("2025-06-29T22:00Z 2025-07-01T06:00Z")


# Ordinary days


@pytest.mark.parametrize(
    ("at", "is_open", "until", "opening"),
    [
        ("2025-07-04T05:59:59Z", False, "2025-07-04T05:59:59Z", "2025-07-04T06:00Z"),
        ("2025-07-04T06:00Z", True, "2025-07-04T18:00Z", "2025-07-04T06:00Z"),
        ("2025-07-04T17:59:59.999999Z", True, "2025-07-04T18:00Z", "2025-07-04T17:59:59.999999Z"),
        ("2025-07-04T18:00Z", False, "2025-07-04T18:00Z", "2025-07-05T07:00Z"),
        ("2025-07-05T16:00Z", False, "2025-07-05T16:00Z", "2025-07-07T06:00Z"),
    ],
)
def test_a_lot_opens_at_its_begin_and_is_closed_at_its_end(
    at: str, is_open: bool, until: str, opening: str
) -> None:
    hours = from_text("Mo-Fr 08:00-20:00; Sa 09:00-18:00")

    assert hours.is_open(utc(at), BERLIN) is is_open
    assert hours.open_until(utc(at), BERLIN) == utc(until)
    assert hours.next_opening(utc(at), BERLIN) == utc(opening)


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "expected"),
    [
        ("2025-07-04T06:00Z", "2025-07-04T18:00Z", True),
        ("2025-07-04T05:59:59Z", "2025-07-04T18:00Z", False),
        ("2025-07-04T06:00Z", "2025-07-04T18:00:01Z", False),
        ("2025-07-04T06:00Z", "2025-07-05T10:00Z", False),  # open at both ends, closed between
        ("2025-07-04T19:00Z", "2025-07-04T20:00Z", False),
        ("2025-07-04T10:00Z", "2025-07-04T10:00Z", False),
        ("2025-07-04T11:00Z", "2025-07-04T10:00Z", False),
    ],
)
def test_is_open_throughout_wants_every_moment_of_the_window(
    starts_at: str, ends_at: str, expected: bool
) -> None:
    hours = from_text("Mo-Fr 08:00-20:00; Sa 09:00-18:00")

    assert hours.is_open_throughout(utc(starts_at), utc(ends_at), BERLIN) is expected


def test_is_open_throughout_sees_a_closing_of_a_minute_in_two_years() -> None:
    starts_at, ends_at = utc("2025-01-01T00:00Z"), utc("2027-01-01T00:00Z")
    closed = spans("2026-12-31T23:58Z 2026-12-31T23:59Z")

    assert ALWAYS_OPEN.is_open_throughout(starts_at, ends_at, BERLIN)
    assert not replace(ALWAYS_OPEN, closings=tuple(closed)).is_open_throughout(starts_at, ends_at, BERLIN)


@pytest.mark.parametrize("text", ["24/7", "Mo-Su", "Mo-Su 08:00-08:00", "Mo-Su 00:00-12:00,12:00-00:00"])
def test_a_lot_without_a_gap_never_closes(text: str) -> None:
    hours, at = from_text(text), utc("2025-07-04T10:00Z")

    assert hours.is_always_open
    assert hours.is_open(at, BERLIN)
    assert hours.open_until(at, BERLIN) is None
    assert hours.next_opening(at, BERLIN) == at
    assert hours.is_open_throughout(at, at + 3000 * DAY, BERLIN)
    assert not hours.is_open_throughout(at, at, BERLIN)
    assert days(hours, "2025-03-01", "2025-04-01", BERLIN) == spans("2025-02-28T23:00Z 2025-03-31T22:00Z")


def test_an_always_open_lot_is_answered_without_looking_at_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OpeningHours, "_between", None)

    assert ALWAYS_OPEN.is_open_throughout(utc("2025-01-01T00:00Z"), utc("2099-01-01T00:00Z"), BERLIN)


def test_an_evening_lot_is_open_past_midnight() -> None:
    hours = from_text("Fr 18:00-02:00")

    assert days(hours, "2025-07-04", "2025-07-07", BERLIN) == spans("2025-07-04T16:00Z 2025-07-05T00:00Z")
    assert hours.is_open_throughout(utc("2025-07-04T21:00Z"), utc("2025-07-04T23:30Z"), BERLIN)


def test_periods_are_cut_at_the_first_and_the_last_midnight() -> None:
    hours = from_text("Mo-Su 18:00-02:00")

    assert days(hours, "2025-07-05", "2025-07-06", BERLIN) == spans(
        "2025-07-04T22:00Z 2025-07-05T00:00Z", "2025-07-05T16:00Z 2025-07-05T22:00Z"
    )
    assert days(hours, "2025-07-05", "2025-07-05", BERLIN) == []
    assert days(hours, "2025-07-06", "2025-07-05", BERLIN) == []


def test_periods_that_touch_are_one() -> None:
    hours = from_text("Mo,Tu; We 00:00-06:00,06:00-10:00")

    assert days(hours, "2025-06-30", "2025-07-07", BERLIN) == spans("2025-06-29T22:00Z 2025-07-02T08:00Z")
    assert hours.open_until(utc("2025-06-30T10:00Z"), BERLIN) == utc("2025-07-02T08:00Z")


def test_hours_refuse_a_naive_time() -> None:
    at = local("2025-07-04 10:00")

    for hours in (ALWAYS_OPEN, from_text("Mo-Fr 08:00-20:00")):
        for ask in (hours.is_open, hours.open_until, hours.next_opening):
            with pytest.raises(NaiveTime):
                ask(at, BERLIN)
        with pytest.raises(NaiveTime):
            hours.is_open_throughout(utc("2025-07-04T08:00Z"), at, BERLIN)


def test_a_window_in_lot_local_time_is_compared_as_moments() -> None:
    hours = from_text("Sa 20:00-02:30")
    first, second = (datetime(2025, 10, 26, 2, 15, tzinfo=BERLIN, fold=fold) for fold in (0, 1))

    assert hours.is_open(first, BERLIN)
    assert not hours.is_open(second, BERLIN)
    # To Python the two are equal: the hour between them shows only in UTC.
    assert from_text("24/7").is_open_throughout(first, second, BERLIN)


# Exceptions


def test_an_exceptional_opening_adds_to_the_week_and_joins_it() -> None:
    hours = OpeningHours.from_json(
        weekly(window(6, "09:00", "18:00"))
        | {
            "exceptional_openings": [
                period("2025-07-05T16:00:00Z", "2025-07-05T20:00:00Z"),
                period("2025-07-05T19:00:00Z", "2025-07-05T22:00:00Z"),
                period("2025-07-06T08:00:00Z", "2025-07-06T10:00:00Z"),
            ]
        }
    )

    assert days(hours, "2025-07-05", "2025-07-07", BERLIN) == spans(
        "2025-07-05T07:00Z 2025-07-05T22:00Z", "2025-07-06T08:00Z 2025-07-06T10:00Z"
    )


def test_an_exceptional_closing_wins_over_week_and_opening() -> None:
    hours = OpeningHours.from_json(
        weekly(window(6, "09:00", "18:00"))
        | {
            "exceptional_openings": [period("2025-07-05T16:00:00Z", "2025-07-05T20:00:00Z")],
            "exceptional_closings": [
                period("2025-07-05T10:00:00Z", "2025-07-05T11:00:00Z"),
                period("2025-07-05T10:30:00Z", "2025-07-05T12:00:00Z"),
                period("2025-07-05T15:00:00Z", "2025-07-05T17:00:00Z"),
                period("2025-07-05T20:00:00Z", "2025-07-05T21:00:00Z"),
            ],
        }
    )

    assert days(hours, "2025-07-05", "2025-07-06", BERLIN) == spans(
        "2025-07-05T07:00Z 2025-07-05T10:00Z",
        "2025-07-05T12:00Z 2025-07-05T15:00Z",
        "2025-07-05T17:00Z 2025-07-05T20:00Z",
    )


def test_a_lot_open_around_the_clock_closes_for_its_exception() -> None:
    hours = OpeningHours.from_json({"twentyfourseven": True, "exceptional_closings": [period()]})
    before, within = utc("2025-07-01T00:00Z"), utc("2025-12-25T00:00Z")

    assert not hours.is_always_open
    assert hours.open_until(before, BERLIN) == utc("2025-12-24T12:00Z")
    assert hours.next_opening(within, BERLIN) == utc("2025-12-27T05:00Z")
    assert hours.open_until(within, BERLIN) == within
    assert hours.open_until(utc("2025-12-27T05:00Z"), BERLIN) is None
    assert hours.is_open_throughout(before, utc("2025-12-24T12:00Z"), BERLIN)
    assert not hours.is_open_throughout(before, utc("2025-12-24T12:00:01Z"), BERLIN)


def test_the_look_ahead_ends_after_400_days() -> None:
    at = utc("2025-01-01T00:00Z")
    soon, late = (
        replace(ALWAYS_OPEN, closings=((at + offset, at + 401 * DAY),)) for offset in (399 * DAY, 400 * DAY)
    )
    reopening = replace(ALWAYS_OPEN, closings=((at, at + 399 * DAY),))
    closed = replace(ALWAYS_OPEN, closings=((at, at + 400 * DAY),))

    assert soon.open_until(at, BERLIN) == at + 399 * DAY
    assert late.open_until(at, BERLIN) is None
    assert reopening.next_opening(at, BERLIN) == at + 399 * DAY
    assert closed.next_opening(at, BERLIN) is None


def test_new_weekly_hours_keep_the_exceptions_of_the_lot() -> None:
    lot = OpeningHours.from_json({"twentyfourseven": True, "exceptional_closings": [period()]})

    changed = lot.with_weekly_of(from_text("Mo 08:00-20:00"))

    assert changed.to_json() == weekly(window()) | {"exceptional_closings": [period()]}


# The hours and exceptions of OCPI 2.3.0's own examples (location_hours_*.json), in these tests' words.


def test_ocpi_around_the_clock_with_a_closing() -> None:
    closing = period("2018-12-25T03:00:00Z", "2018-12-25T05:00:00Z")
    hours = OpeningHours.from_json({"twentyfourseven": True, "exceptional_closings": [closing]})

    assert days(hours, "2018-12-25", "2018-12-26", UTC) == spans(
        "2018-12-25T00:00Z 2018-12-25T03:00Z", "2018-12-25T05:00Z 2018-12-26T00:00Z"
    )


def test_ocpi_weekly_hours_with_a_closing() -> None:
    closing = period("2018-12-25T03:00:00Z", "2018-12-25T05:00:00Z")
    hours = OpeningHours.from_json(
        weekly(*(window(day, "01:00", "06:00") for day in (1, 2))) | {"exceptional_closings": [closing]}
    )

    assert days(hours, "2018-12-24", "2018-12-26", UTC) == spans(
        "2018-12-24T01:00Z 2018-12-24T06:00Z",
        "2018-12-25T01:00Z 2018-12-25T03:00Z",
        "2018-12-25T05:00Z 2018-12-25T06:00Z",
    )


def test_ocpi_weekly_hours_with_an_opening() -> None:
    opening = period("2018-12-25T05:00:00Z", "2018-12-25T06:00:00Z")
    hours = OpeningHours.from_json(
        weekly(*(window(day, "00:00", "04:00") for day in (1, 2))) | {"exceptional_openings": [opening]}
    )

    assert days(hours, "2018-12-24", "2018-12-26", UTC) == spans(
        "2018-12-24T00:00Z 2018-12-24T04:00Z",
        "2018-12-25T00:00Z 2018-12-25T04:00Z",
        "2018-12-25T05:00Z 2018-12-25T06:00Z",
    )


def test_ocpi_working_days_with_an_opening_and_a_closing() -> None:
    hours = OpeningHours.from_json(
        weekly(*(window(day) for day in range(1, 6)))
        | {
            "exceptional_openings": [period("2014-06-21T09:00:00Z", "2014-06-21T12:00:00Z")],
            "exceptional_closings": [period("2014-06-24T00:00:00Z", "2014-06-25T00:00:00Z")],
        }
    )

    assert days(hours, "2014-06-20", "2014-06-26", UTC) == spans(
        "2014-06-20T08:00Z 2014-06-20T20:00Z",
        "2014-06-21T09:00Z 2014-06-21T12:00Z",
        "2014-06-23T08:00Z 2014-06-23T20:00Z",
        "2014-06-25T08:00Z 2014-06-25T20:00Z",
    )


# Nights when the clocks change


@pytest.mark.parametrize(
    ("zone", "text", "day", "expected"),
    [
        # Forward: 02:30 is skipped, the jump stands for it.
        (BERLIN, "Sa 20:00-02:30", "2025-03-30", ["2025-03-29T23:00Z 2025-03-30T01:00Z"]),
        (BERLIN, "Su 02:30-08:00", "2025-03-30", ["2025-03-30T01:00Z 2025-03-30T06:00Z"]),
        (BERLIN, "Su 02:15-02:45", "2025-03-30", []),
        (BERLIN, "Su 01:00-03:00", "2025-03-30", ["2025-03-30T00:00Z 2025-03-30T01:00Z"]),
        (NEW_YORK, "Su 01:00-02:30", "2025-03-09", ["2025-03-09T06:00Z 2025-03-09T07:00Z"]),
        (LORD_HOWE, "Su 01:00-02:15", "2025-10-05", ["2025-10-04T14:30Z 2025-10-04T15:30Z"]),
        (LORD_HOWE, "Su 02:15-03:00", "2025-10-05", ["2025-10-04T15:30Z 2025-10-04T16:00Z"]),
        (UTC, "Su 01:00-02:30", "2025-03-30", ["2025-03-30T01:00Z 2025-03-30T02:30Z"]),
        # Back: of two 02:30 the first counts; 03:00 comes once, so the hour in between is open.
        (BERLIN, "Sa 20:00-02:30", "2025-10-26", ["2025-10-25T22:00Z 2025-10-26T00:30Z"]),
        (BERLIN, "Su 02:30-08:00", "2025-10-26", ["2025-10-26T00:30Z 2025-10-26T07:00Z"]),
        (BERLIN, "Su 02:15-02:45", "2025-10-26", ["2025-10-26T00:15Z 2025-10-26T00:45Z"]),
        (BERLIN, "Su 02:00-03:00", "2025-10-26", ["2025-10-26T00:00Z 2025-10-26T02:00Z"]),
        (NEW_YORK, "Su 01:30-02:00", "2025-11-02", ["2025-11-02T05:30Z 2025-11-02T07:00Z"]),
        (LORD_HOWE, "Su 01:00-01:45", "2025-04-06", ["2025-04-05T14:00Z 2025-04-05T14:45Z"]),
        (LORD_HOWE, "Su 01:45-02:00", "2025-04-06", ["2025-04-05T14:45Z 2025-04-05T15:30Z"]),
        (UTC, "Su 01:00-02:30", "2025-10-26", ["2025-10-26T01:00Z 2025-10-26T02:30Z"]),
    ],
)
def test_a_period_follows_the_local_clock_where_it_changes(
    zone: tzinfo, text: str, day: str, expected: list[str]
) -> None:
    hours = from_text(text)
    night = date.fromisoformat(day)

    assert hours.periods(night, night + DAY, zone) == spans(*expected)
    for starts_at, ends_at in spans(*expected):
        assert hours.is_open(starts_at, zone)
        assert not hours.is_open(ends_at, zone)
        assert hours.open_until(starts_at, zone) == ends_at
        assert hours.is_open_throughout(starts_at, ends_at, zone)


def test_a_lot_stays_open_when_the_clocks_go_back_over_midnight() -> None:
    zone = ZoneInfo("America/St_Johns")  # until 2011 from Sunday 00:01 back to Saturday 23:01
    hours = from_text("Su 00:00-06:00")
    saturday_again = utc("2010-11-07T03:00Z")

    assert saturday_again.astimezone(zone).isoweekday() == 6
    assert hours.is_open(saturday_again, zone)
    assert hours.open_until(saturday_again, zone) == utc("2010-11-07T09:30Z")


@pytest.mark.parametrize("zone", ZONES)
def test_windows_that_touch_leave_no_hole_on_any_night(zone: tzinfo) -> None:
    # One short gap a week, so that the windows are looked at and not just added up to a whole week.
    hours = from_text("Mo-Su 02:15-20:00,20:00-02:15; We 02:15-20:00,20:01-02:15")

    periods = days(hours, "2025-01-01", "2026-01-01", zone)

    gaps = [(closed, opens) for (_, closed), (opens, _) in pairwise(periods)]
    assert [opens - closed for closed, opens in gaps] == [MINUTE] * 53
    assert {closed.astimezone(zone).isoweekday() for closed, _ in gaps} == {3}


# Properties


@gently
@given(hours=some_hours(), first=nights, length=st.integers(0, 9), zone=zones)
def test_periods_are_sorted_apart_and_within_the_days(
    hours: OpeningHours, first: date, length: int, zone: tzinfo
) -> None:
    periods = hours.periods(first, first + length * DAY, zone)

    flat = [moment for opens_closes in periods for moment in opens_closes]
    assert flat == sorted(set(flat))
    assert all(moment.tzinfo is UTC for moment in flat)
    assert all(first <= moment.astimezone(zone).date() < first + length * DAY for moment in flat[::2])


@gently
@given(hours=some_hours(), day=nights, minute=st.integers(0, 24 * 60), zone=zones)
def test_a_lot_is_open_exactly_in_its_periods(
    hours: OpeningHours, day: date, minute: int, zone: tzinfo
) -> None:
    at = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC) + minute * MINUTE
    around = hours.periods(day - 2 * DAY, day + 3 * DAY, zone)
    here = [(opens, closes) for opens, closes in around if opens <= at < closes]

    assert hours.is_open(at, zone) == bool(here)
    assert hours.is_open_throughout(at, at + 4 * HOUR, zone) == any(at + 4 * HOUR <= end for _, end in here)
    until = hours.open_until(at, zone)
    if not here:
        assert until == at
    elif here[0] != around[-1]:
        assert until == here[0][1]
    coming = [max(opens, at) for opens, closes in around if closes > at]
    if coming:
        assert hours.next_opening(at, zone) == coming[0]


@gently
@given(hours=some_hours(), at=moments)
def test_in_utc_the_clock_on_the_wall_decides(hours: OpeningHours, at: datetime) -> None:
    minute = (at.isoweekday() - 1) * 1440 + at.hour * 60 + at.minute
    regular = hours.twentyfourseven or any(
        begins <= minute + week < ends
        for begins, ends in (window.from_monday for window in hours.weekly)
        for week in (0, 7 * 1440)
    )
    added = any(opens <= at < closes for opens, closes in hours.openings)
    taken = any(closes <= at < reopens for closes, reopens in hours.closings)

    assert hours.is_open(at, UTC) == ((regular or added) and not taken)


@gently
@given(hours=some_hours())
def test_any_hours_survive_their_document_and_their_notation(hours: OpeningHours) -> None:
    assert OpeningHours.from_json(json.loads(json.dumps(hours.to_json()))) == hours
    assert hours.with_weekly_of(from_text(to_text(hours))) == hours


@gently
@given(st.one_of(st.text(), st.text(alphabet="MoTuWeThFrSaSu0123456789:-,; /off", max_size=40)))
def test_from_text_answers_any_text_with_hours_or_a_sentence(text: str) -> None:
    try:
        hours = from_text(text)
    except HoursError:
        return

    assert from_text(to_text(hours)) == hours


# For people


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("24/7", "24/7"),
        ("Mo-Fr 08:00-20:00; Sa 09:00-18:00", "Mo-Fr 08:00-20:00; Sa 09:00-18:00"),
        ("Mo-Su 06:00-01:00", "Mo-Su 06:00-01:00"),
        ("mo - fr 8:00 – 12:00 , 14:00-18:00;", "Mo-Fr 08:00-12:00,14:00-18:00"),
        ("Mo,We-Th 08:00-20:00", "Mo 08:00-20:00; We-Th 08:00-20:00"),
        ("Sa-Mo 10:00-16:00", "Mo 10:00-16:00; Sa-Su 10:00-16:00"),
        ("Mo-Su 08:00-20:00; Su off", "Mo-Sa 08:00-20:00"),
        ("Mo-Su 20:00-06:00; Su closed", "Mo-Sa 20:00-06:00"),
        ("24/7; Su OFF", "Mo-Sa 00:00-24:00"),
        ("Mo-Su 00:00-23:59", "Mo-Su 00:00-24:00"),
        ("Mo 08:00-00:00", "Mo 08:00-24:00"),
        ("06:00-22:00", "Mo-Su 06:00-22:00"),
        ("off", "off"),
    ],
)
def test_weekly_hours_are_read_and_written_in_short(text: str, written: str) -> None:
    assert to_text(from_text(text)) == written
    assert to_text(from_text(written)) == written


# Opening hours of the car parks in Nuremberg (skedgo/de-nuremberg-api, locations-official.json, MIT).
@pytest.mark.parametrize(
    ("published", "grouped"),
    [
        (["Mo-Su"], [(1, 7, "24 h")]),
        (["Mo-Su 06:00-23:00"], [(1, 7, "06:00–23:00")]),
        (
            ["Mo-Fr 06:30-21:00", "Sa 08:00-14:00"],
            [(1, 5, "06:30–21:00"), (6, 6, "08:00–14:00"), (7, 7, "closed")],
        ),
        (["Mo-Su 05:30-21:00"], [(1, 7, "05:30–21:00")]),
    ],
)
def test_published_hours_are_read_and_described(
    published: list[str], grouped: list[tuple[int, int, str]]
) -> None:
    assert describe_grouped(from_text("; ".join(published)).to_json()) == grouped


HOW = "Write it like: Mo-Fr 08:00-20:00; Sa 09:00-18:00; Su off. Or: 24/7."


@pytest.mark.parametrize(
    ("text", "path", "sentence"),
    [
        ("", "", f"Say when the lot is open. {HOW}"),
        (" ; ;", "", f"Say when the lot is open. {HOW}"),
        (
            "Mo-Fr 08:00-20:00; PH off",
            "rules[1]",
            "Weekly hours do not know holidays; add these days to the exceptions.",
        ),
        ("Di 08:00-20:00", "rules[0]", f"“Di 08:00-20:00” cannot be read. {HOW}"),
        ("Mo-Fr 08:00-20:00; Sa 08:00", "rules[1]", f"“Sa 08:00” cannot be read. {HOW}"),
        ("Mo 25:00-26:00", "rules[0]", f"“Mo 25:00-26:00” cannot be read. {HOW}"),
        ("Mo 20:00-26:00", "rules[0]", f"“Mo 20:00-26:00” cannot be read. {HOW}"),
        ("Mo 24:00-06:00", "rules[0]", f"“Mo 24:00-06:00” cannot be read. {HOW}"),
        ("Mo 08:00-10:00-12:00", "rules[0]", f"“Mo 08:00-10:00-12:00” cannot be read. {HOW}"),
        ("Mo-", "rules[0]", f"“Mo-” cannot be read. {HOW}"),
        ("Mo- 08:00-10:00", "rules[0]", f"“Mo- 08:00-10:00” cannot be read. {HOW}"),
        ("Mo-Xx 08:00-10:00", "rules[0]", f"“Mo-Xx 08:00-10:00” cannot be read. {HOW}"),
        ("Mo 08:00-10:00 open", "rules[0]", f"“Mo 08:00-10:00 open” cannot be read. {HOW}"),
        ("Mo 08:00-10:00,", "rules[0]", f"“Mo 08:00-10:00,” cannot be read. {HOW}"),
        ("Mo 0800-1000", "rules[0]", f"“Mo 0800-1000” cannot be read. {HOW}"),
        ("Mo 08:00-10:00\x00", "rules[0]", f"“Mo 08:00-10:00\x00” cannot be read. {HOW}"),
        ("x" * 10_000, "rules[0]", f"“{'x' * 40}…” cannot be read. {HOW}"),
        ("Mo 08:00-12:00,11:00-14:00", "regular_hours", "Mo 08:00-12:00 overlaps Mo 11:00-14:00."),
        ("Mo-Fr 20:00-06:00; Tu 05:00-08:00", "regular_hours", "Mo 20:00-06:00 overlaps Tu 05:00-08:00."),
    ],
)
def test_a_notation_nobody_can_read_is_refused_in_words(text: str, path: str, sentence: str) -> None:
    with pytest.raises(HoursError) as refusal:
        from_text(text)

    assert (refusal.value.field_path, refusal.value.sentence) == (path, sentence)


def test_describe_has_a_row_for_each_weekday() -> None:
    document = from_text("Mo-Tu 08:00-12:00,14:00-20:00; Fr 18:00-02:00; Su").to_json()

    assert describe(document) == [
        (1, "08:00–12:00, 14:00–20:00"),
        (2, "08:00–12:00, 14:00–20:00"),
        (3, "closed"),
        (4, "closed"),
        (5, "18:00–02:00"),
        (6, "closed"),
        (7, "24 h"),
    ]
    assert describe_grouped(document) == [
        (1, 2, "08:00–12:00, 14:00–20:00"),
        (3, 4, "closed"),
        (5, 5, "18:00–02:00"),
        (6, 6, "closed"),
        (7, 7, "24 h"),
    ]
    assert describe_grouped({}) == [(1, 7, "24 h")]


# What other booking projects expect (data/hours_golden.json)


def starts(case: dict[str, Any], hours: OpeningHours, day: str, zone: tzinfo) -> list[datetime]:
    """Grid times of the local day from which the wanted length is open; the grid is the day's own."""
    midnight = datetime.fromisoformat(day).replace(tzinfo=zone).astimezone(UTC)
    length = case["given"]["length_min"] * MINUTE
    grid = [
        at
        for at in (midnight + step * MINUTE for step in range(1440))
        if is_on_grid(at, case["given"]["every_min"], zone)
    ]
    return [at.astimezone(zone) for at in grid if hours.is_open_throughout(at, at + length, zone)]


def open_on_thursday(case: dict[str, Any]) -> OpeningHours:
    return from_text("Th " + ",".join("-".join(span) for span in case["given"]["open"]))


def test_golden_an_end_at_midnight_does_not_touch_that_day() -> None:
    case = GOLDEN["iv-06"]
    hours = OpeningHours.from_json(
        {
            "twentyfourseven": False,
            "exceptional_openings": [period(*(f"{at[:-1]}:00Z" for at in case["given"]["range"]))],
        }
    )
    day = utc(case["when"]["date_of"]).date()

    assert bool(hours.periods(day, day + DAY, UTC)) is case["expect"]["occurs"]
    assert hours.periods(day - DAY, day, UTC)


@pytest.mark.parametrize("case_id", ["rule-01", "rule-02"])
def test_golden_bookable_days(case_id: str) -> None:
    case = GOLDEN[case_id]
    hours = from_text("Mo-Fr")

    window = utc(case["when"]["start"]), utc(case["when"]["end"])

    assert hours.is_open_throughout(*window, ZoneInfo(case["given"]["timezone"])) is case["expect"]["valid"]


def test_golden_the_first_start_is_the_opening() -> None:
    case = GOLDEN["free-05"]
    hours = from_text(case["given"]["open"])

    opening = hours.next_opening(utc("2024-01-01T00:00Z"), UTC)

    assert opening is not None
    assert f"{opening:%H:%M}" == case["expect"]["first_start"]


@pytest.mark.parametrize("case_id", ["slot-02", "slot-09"])
def test_golden_starts_in_a_day(case_id: str) -> None:
    case = GOLDEN[case_id]

    assert len(starts(case, open_on_thursday(case), "2023-07-13", UTC)) == case["expect"]["count"]


def test_golden_starts_in_hours_that_overlap() -> None:
    case = GOLDEN["slot-08"]
    hours = OpeningHours.from_json(
        {
            "twentyfourseven": False,
            "exceptional_openings": [
                period(*(f"2023-07-13T{at}:00Z" for at in span)) for span in case["given"]["open"]
            ],
        }
    )

    assert len(starts(case, hours, "2023-07-13", UTC)) == case["expect"]["count"]
    with pytest.raises(HoursError):
        open_on_thursday(case)


def test_golden_the_last_start_must_fit_wholly() -> None:
    case = GOLDEN["slot-10"]
    zone = ZoneInfo(case["given"]["timezone"])
    openings = tuple((utc(start), utc(end)) for start, end in case["given"]["open_utc"])
    whole = (openings[0], (openings[1][0], openings[1][1] + timedelta(seconds=1)))

    last, last_of_whole = (
        starts(case, OpeningHours(False, openings=some), "2023-07-13", zone)[-1] for some in (openings, whole)
    )

    assert last.isoformat() == case["here"]["last"]
    assert last_of_whole.isoformat() == case["expect"]["last"]


def test_golden_starts_in_a_half_hour_zone() -> None:
    case = GOLDEN["slot-11"]

    found = starts(case, open_on_thursday(case), "2023-07-13", ZoneInfo(case["given"]["timezone"]))

    assert found == [datetime.fromisoformat(case["expect"]["first"])]


def test_golden_starts_lie_on_the_clock_not_on_the_opening() -> None:
    case = GOLDEN["slot-13"]

    found = starts(case, open_on_thursday(case), "2023-07-13", UTC)

    assert [f"{at:%H:%M}" for at in found] == case["here"]["starts"]
    assert len(found) == case["expect"]["count"]


def test_golden_a_day_closed_by_exception() -> None:
    case = GOLDEN["hours-03"]
    hours = replace(
        from_text("Mo-Fr 08:00-17:00"), closings=tuple(spans("2023-06-13T00:00+01:00 2023-06-14T00:00+01:00"))
    )

    # The case names both days; here the last day is not included, so it is the one after.
    periods = days(hours, case["when"]["from_"], "2023-06-15", ZoneInfo(case["given"]["timezone"]))

    assert [opens for opens, _ in periods] == [utc(at) for at in case["expect"]["ranges_utc_first"]]


def test_golden_an_end_before_the_begin_is_past_midnight() -> None:
    case = GOLDEN["hours-04"]
    day = date.fromisoformat(case["when"]["day"])

    periods = from_text("08:00-07:00").periods(day, day + DAY, ZoneInfo(case["given"]["timezone"]))

    assert case["expect"]["ranges_utc"] == []
    assert periods == [(utc(start), utc(end)) for start, end in case["here"]["ranges_utc"]]


def test_hours_and_clock_need_no_django() -> None:
    check = "import sys, lots.hours, lots.clock; sys.exit('django' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=False).returncode == 0
