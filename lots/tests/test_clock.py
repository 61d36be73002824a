import zoneinfo
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lots import clock
from lots.clock import (
    AmbiguousTime,
    BadTime,
    NaiveTime,
    NonexistentTime,
    as_utc,
    first_reaching,
    fits_zone,
    is_on_grid,
    next_on_grid,
    parse_instant,
    to_utc,
)

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # its summer time is half an hour
SANTIAGO = ZoneInfo("America/Santiago")  # its clocks jump at midnight
APIA = ZoneInfo("Pacific/Apia")  # had no 30 December 2011
ZONES = [BERLIN, NEW_YORK, LORD_HOWE, SANTIAGO, APIA, ZoneInfo("Asia/Kathmandu"), ZoneInfo("UTC")]

# A moment when clocks change, by zone: forward, back.
CHANGES = [
    (BERLIN, "2025-03-30T01:00Z", "2025-10-26T01:00Z"),
    (NEW_YORK, "2025-03-09T07:00Z", "2025-11-02T06:00Z"),
    (LORD_HOWE, "2025-10-04T15:30Z", "2025-04-05T15:00Z"),
]

MINUTE = timedelta(minutes=1)
gently = settings(deadline=None, database=None)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text)


zones = st.sampled_from(ZONES)
moments = st.one_of(
    st.datetimes(local("2010-01-01"), local("2030-01-01"), timezones=st.just(UTC)),
    # Where it is interesting: within a day and a half of a change of clocks.
    st.builds(
        lambda change, seconds: utc(change) + timedelta(seconds=seconds),
        st.sampled_from([change for _, *changes in CHANGES for change in changes] + ["2011-12-30T10:00Z"]),
        st.integers(-130_000, 130_000),
    ),
)


@pytest.mark.parametrize(
    ("zone", "shown", "moment"),
    [
        (BERLIN, "2025-01-15 12:00", "2025-01-15T11:00Z"),
        (BERLIN, "2025-07-15 12:00", "2025-07-15T10:00Z"),
        (BERLIN, "2025-03-30 01:59:59.999999", "2025-03-30T00:59:59.999999Z"),
        (BERLIN, "2025-03-30 03:00", "2025-03-30T01:00Z"),
        (BERLIN, "2025-10-26 03:00", "2025-10-26T02:00Z"),
        (NEW_YORK, "2025-03-09 03:00", "2025-03-09T07:00Z"),
        (LORD_HOWE, "2025-10-05 02:30", "2025-10-04T15:30Z"),
        (LORD_HOWE, "2025-04-06 02:00", "2025-04-05T15:30Z"),
        (ZoneInfo("UTC"), "2025-03-30 02:30", "2025-03-30T02:30Z"),
        (UTC, "2025-03-30 02:30", "2025-03-30T02:30Z"),
    ],
)
def test_to_utc_reads_an_ordinary_local_time(zone: tzinfo, shown: str, moment: str) -> None:
    assert to_utc(local(shown), zone) == utc(moment)
    assert to_utc(local(shown), zone).tzinfo is UTC
    assert to_utc(local(shown), zone, fold=1) == utc(moment)


@pytest.mark.parametrize(
    ("zone", "shown", "next_valid"),
    [
        (BERLIN, "2025-03-30 02:00", "2025-03-30T01:00Z"),
        (BERLIN, "2025-03-30 02:30", "2025-03-30T01:00Z"),
        (BERLIN, "2025-03-30 02:59:59.5", "2025-03-30T01:00Z"),
        (NEW_YORK, "2025-03-09 02:30", "2025-03-09T07:00Z"),
        (LORD_HOWE, "2025-10-05 02:15", "2025-10-04T15:30Z"),
        (SANTIAGO, "2025-09-07 00:00", "2025-09-07T04:00Z"),
        (APIA, "2011-12-30 12:00", "2011-12-30T10:00Z"),
    ],
)
@pytest.mark.parametrize("fold", [None, 0, 1])
def test_to_utc_refuses_a_time_the_clocks_jump_over(
    zone: tzinfo, shown: str, next_valid: str, fold: int | None
) -> None:
    with pytest.raises(NonexistentTime) as refusal:
        to_utc(local(shown), zone, fold)

    assert refusal.value.next_valid == utc(next_valid)


def test_a_time_that_does_not_exist_is_refused_in_words() -> None:
    with pytest.raises(NonexistentTime) as refusal:
        to_utc(local("2025-03-30 02:30"), BERLIN)

    assert (
        refusal.value.sentence
        == str(refusal.value)
        == (
            "2025-03-30 02:30 does not exist: the clocks go forward. "
            "The next time that does is 2025-03-30 03:00."
        )
    )


@pytest.mark.parametrize(
    ("zone", "shown", "first", "second"),
    [
        (BERLIN, "2025-10-26 02:00", "2025-10-26T00:00Z", "2025-10-26T01:00Z"),
        (BERLIN, "2025-10-26 02:30", "2025-10-26T00:30Z", "2025-10-26T01:30Z"),
        (NEW_YORK, "2025-11-02 01:59", "2025-11-02T05:59Z", "2025-11-02T06:59Z"),
        (LORD_HOWE, "2025-04-06 01:45", "2025-04-05T14:45Z", "2025-04-05T15:15Z"),
    ],
)
def test_to_utc_asks_which_of_two_equal_times_is_meant(
    zone: tzinfo, shown: str, first: str, second: str
) -> None:
    with pytest.raises(AmbiguousTime) as question:
        to_utc(local(shown), zone)

    assert (question.value.first, question.value.second) == (utc(first), utc(second))
    assert question.value.first != question.value.second
    assert to_utc(local(shown), zone, fold=0) == utc(first)
    assert to_utc(local(shown), zone, fold=1) == utc(second)


def test_to_utc_does_not_take_the_fold_from_the_time_itself() -> None:
    with pytest.raises(AmbiguousTime) as question:
        to_utc(local("2025-10-26 02:30").replace(fold=1), BERLIN)

    assert question.value.first == utc("2025-10-26T00:30Z")
    assert question.value.sentence == (
        "2025-10-26 02:30 comes twice: the clocks go back. Choose 02:30 (UTC+0200) or 02:30 (UTC+0100)."
    )


def test_to_utc_refuses_a_moment() -> None:
    with pytest.raises(ValueError, match="without an offset"):
        to_utc(utc("2025-01-01T00:00Z"), BERLIN)


def test_as_utc_refuses_a_naive_time() -> None:
    assert as_utc(datetime(2025, 1, 1, 1, tzinfo=BERLIN)) == utc("2025-01-01T00:00Z")
    with pytest.raises(NaiveTime):
        as_utc(local("2025-01-01 00:00"))


@gently
@given(moment=moments, zone=zones)
def test_to_utc_undoes_reading_the_local_clock(moment: datetime, zone: tzinfo) -> None:
    shown = moment.astimezone(zone)

    assert to_utc(shown.replace(tzinfo=None), zone, fold=shown.fold) == moment


@pytest.mark.parametrize(("zone", "forward", "back"), CHANGES)
def test_first_reaching_is_the_first_minute_that_shows_the_time_or_later(
    zone: tzinfo, forward: str, back: str
) -> None:
    for change in (utc(forward), utc(back)):
        minutes = [change + step * MINUTE for step in range(-200, 400)]
        shown = [minute.astimezone(zone).replace(tzinfo=None) for minute in minutes]
        sought = [shown[0] + step * MINUTE for step in range(400)]

        found = [first_reaching(at, zone) for at in sought]

        assert found == [next(m for m, s in zip(minutes, shown, strict=True) if s >= at) for at in sought]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-07-01T10:00:00Z", "2025-07-01T10:00Z"),
        ("2025-07-01T10:00:00+02:00", "2025-07-01T08:00Z"),
        ("2025-07-01 10:00-0330", "2025-07-01T13:30Z"),
        ("2025-07-01T10:00+05:59", "2025-07-01T04:01Z"),
        ("2025-07-01T10:00+14", "2025-06-30T20:00Z"),
        ("2025-07-01t10:00:00z", "2025-07-01T10:00Z"),
        ("2025-07-01T10:00:00-00:00", "2025-07-01T10:00Z"),
        ("2025-07-01T10:00:00.5Z", "2025-07-01T10:00:00.500000Z"),
        ("2025-07-01T10:00:00.000001Z", "2025-07-01T10:00:00.000001Z"),
        ("2025-07-01T10:00:00,123456789Z", "2025-07-01T10:00:00.123456Z"),
        ("2000-01-01T00:00:00+14:00", "1999-12-31T10:00Z"),
        ("2100-12-31T23:59:59-12:00", "2101-01-01T11:59:59Z"),
        ("2024-02-29T00:00Z", "2024-02-29T00:00Z"),
    ],
)
def test_parse_instant_reads_a_time_with_an_offset(text: str, moment: str) -> None:
    assert parse_instant(text) == utc(moment)
    assert parse_instant(text).tzinfo is UTC


@pytest.mark.parametrize("text", ["2025-07-01T10:00:00", "2025-07-01 10:00", "2025-07-01T10:00:00.123"])
def test_parse_instant_refuses_a_naive_time(text: str) -> None:
    with pytest.raises(NaiveTime) as refusal:
        parse_instant(text)

    assert refusal.value.sentence == "Add the offset from UTC, for example 2030-01-31T14:30:00+01:00."


FORM = "This is not a date and time. Write it like 2030-01-31T14:30:00+01:00."
NO_SUCH = "There is no such date or time."
YEAR = "The year must be between 2000 and 2100."
OFFSET = "The offset from UTC must lie between -14:00 and +14:00."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", FORM),
        ("tomorrow", FORM),
        ("2025-07-01T10:00:00 02:00", FORM),  # a plus sign lost in a URL
        ("2025-07-01T10:00:00Z\n", FORM),
        (" 2025-07-01T10:00:00Z", FORM),
        ("2025-07-01T10:00:00Z\x00", FORM),
        ("2025\x00-07-01T10:00:00Z", FORM),
        ("٢٠٢٥-07-01T10:00:00Z", FORM),
        ("2025-W27-2T10:00:00Z", FORM),
        ("20250701T100000Z", FORM),
        ("1751364000", FORM),
        ("-2025-07-01T10:00:00Z", FORM),
        ("12025-07-01T10:00:00Z", FORM),
        ("2025-07-01T10:00:00+1:00", FORM),
        ("2025-07-01T10Z", FORM),
        ("2025-07-01T23:59:99:00Z", FORM),
        ("2025-07-01Z", FORM),
        (
            "2025-07-01",
            "A date alone is not enough: add the time and offset, for example 2030-01-31T14:30:00+01:00.",
        ),
        ("2025-07-01T25:61:00Z", NO_SUCH),
        ("2025-07-01T24:00:00Z", NO_SUCH),
        ("2025-07-01T23:59:99Z", NO_SUCH),
        ("2025-02-29T10:00:00Z", NO_SUCH),
        ("2025-13-01T10:00:00Z", NO_SUCH),
        ("2025-00-00T10:00:00Z", NO_SUCH),
        ("2025-13-01T10:00:00", NO_SUCH),
        ("2016-12-31T23:59:60Z", "Leap seconds are not supported: seconds run from 00 to 59."),
        ("0001-01-01T00:00:00+14:00", YEAR),
        ("0000-01-01T00:00:00Z", YEAR),
        ("9999-12-31T23:59:59-14:00", YEAR),
        ("1999-12-31T23:59:59Z", YEAR),
        ("2101-01-01T00:00:00Z", YEAR),
        ("2025-07-01T10:00:00+14:01", OFFSET),
        ("2025-07-01T10:00:00-23:59", OFFSET),
        ("2025-07-01T10:00:00+25:00", OFFSET),
        ("2025-07-01T10:00:00+01:60", OFFSET),
        ("9" * 100_000, FORM),
    ],
)
def test_parse_instant_refuses_what_is_not_a_moment(text: str, sentence: str) -> None:
    with pytest.raises(BadTime) as refusal:
        parse_instant(text)

    assert refusal.value.sentence == str(refusal.value) == sentence


@pytest.mark.parametrize("value", [None, 5, 1751364000.0, True, b"2025-07-01T10:00Z", ["2025-07-01T10:00Z"]])
def test_parse_instant_refuses_what_is_not_text(value: object) -> None:
    with pytest.raises(BadTime):
        parse_instant(value)  # type: ignore[arg-type]


@gently
@given(st.one_of(st.text(), st.from_regex(clock.INSTANT)))
def test_parse_instant_answers_any_text_with_a_moment_or_a_sentence(text: str) -> None:
    try:
        answer: datetime | str = parse_instant(text)
    except (BadTime, NaiveTime) as refusal:
        answer = refusal.sentence

    assert answer


@gently
@given(moment=moments, hours=st.integers(-14, 14))
def test_parse_instant_reads_what_isoformat_writes(moment: datetime, hours: int) -> None:
    assert parse_instant(moment.astimezone(timezone(timedelta(hours=hours))).isoformat()) == moment


@pytest.mark.parametrize(
    ("zone", "at", "minutes", "expected"),
    [
        (BERLIN, "2025-07-01T08:15Z", 15, True),
        (BERLIN, "2025-07-01T08:16Z", 15, False),
        (BERLIN, "2025-07-01T08:15:01Z", 15, False),
        (BERLIN, "2025-07-01T08:15:00.000001Z", 15, False),
        (BERLIN, "2025-07-01T10:00Z", 120, True),  # noon there
        (BERLIN, "2025-07-01T09:00Z", 120, False),
        (BERLIN, "2025-06-30T22:00Z", 1440, True),
        (ZoneInfo("Asia/Kathmandu"), "2025-07-01T08:15Z", 60, True),  # UTC+05:45
        (ZoneInfo("Asia/Kathmandu"), "2025-07-01T08:00Z", 60, False),
        (BERLIN, "2025-03-30T01:00Z", 60, True),
        (LORD_HOWE, "2025-10-04T15:30Z", 60, False),  # 02:30, the hour began in the gap
        (BERLIN, "2025-07-01T10:01Z", 1, True),
    ],
)
def test_is_on_grid_counts_local_minutes_since_midnight(
    zone: tzinfo, at: str, minutes: int, expected: bool
) -> None:
    assert is_on_grid(utc(at), minutes, zone) is expected


@pytest.mark.parametrize(
    ("zone", "at", "minutes", "expected"),
    [
        (BERLIN, "2025-07-01T08:15Z", 15, "2025-07-01T08:15Z"),
        (BERLIN, "2025-07-01T08:15:00.000001Z", 15, "2025-07-01T08:30Z"),
        (BERLIN, "2025-07-01T21:59:59Z", 15, "2025-07-01T22:00Z"),
        (BERLIN, "2025-07-01T21:21Z", 50, "2025-07-01T22:00Z"),  # 23:21, the grid starts anew at midnight
        (BERLIN, "2025-03-30T00:46Z", 15, "2025-03-30T01:00Z"),
        (BERLIN, "2025-03-30T00:01Z", 120, "2025-03-30T02:00Z"),  # 02:00 is in the gap, so 04:00
        (BERLIN, "2025-10-26T00:01Z", 120, "2025-10-26T01:00Z"),  # 02:00 for the second time
        (LORD_HOWE, "2025-10-04T14:31Z", 60, "2025-10-04T16:00Z"),  # 01:01 to 03:00
        (LORD_HOWE, "2025-04-05T14:31Z", 60, "2025-04-05T15:30Z"),  # 01:31 for the first time to 02:00
        (SANTIAGO, "2025-09-06T12:00Z", 1440, "2025-09-08T03:00Z"),  # the 7th had no midnight
        (APIA, "2011-12-30T09:01Z", 60, "2011-12-30T10:00Z"),
    ],
)
def test_next_on_grid_finds_the_first_grid_time(zone: tzinfo, at: str, minutes: int, expected: str) -> None:
    assert next_on_grid(utc(at), minutes, zone) == utc(expected)


@gently
@given(moment=moments, minutes=st.sampled_from([1, 5, 7, 10, 15, 20, 30, 45, 60, 90, 120, 1440]), zone=zones)
def test_next_on_grid_is_on_the_grid_and_near(moment: datetime, minutes: int, zone: tzinfo) -> None:
    found = next_on_grid(moment, minutes, zone)

    assert found.tzinfo is UTC
    assert is_on_grid(found, minutes, zone)
    # Twice, because a spring gap may swallow a grid time.
    assert moment <= found < moment + 2 * minutes * MINUTE
    assert next_on_grid(found, minutes, zone) == found


@settings(gently, max_examples=50)
@given(moment=moments, minutes=st.sampled_from([1, 7, 15, 45, 60, 120, 240]), zone=zones)
def test_next_on_grid_skips_no_grid_time(moment: datetime, minutes: int, zone: tzinfo) -> None:
    minute = moment.replace(second=0, microsecond=0)
    minute += MINUTE if minute < moment else timedelta(0)

    while not is_on_grid(minute, minutes, zone):
        minute += MINUTE

    assert next_on_grid(moment, minutes, zone) == minute


@pytest.mark.parametrize("minutes", [0, -15, 1441])
def test_a_grid_is_between_a_minute_and_a_day(minutes: int) -> None:
    for ask in (is_on_grid, next_on_grid):
        with pytest.raises(ValueError, match="1 to 1440 minutes"):
            ask(utc("2025-07-01T10:00Z"), minutes, BERLIN)


@pytest.mark.parametrize(
    "name",
    [
        "Europe/Berlin",
        "Europe/Stockholm",
        "Europe/Kyiv",
        "America/New_York",
        "America/Argentina/Ushuaia",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Etc/GMT+5",
        "Etc/UTC",
        "UTC",
    ],
)
def test_fits_zone_takes_the_zone_of_a_place(name: str) -> None:
    assert fits_zone(name)
    assert ZoneInfo(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Mars/Olympus",
        "europe/berlin",
        "Europe/Berlin ",
        "Europe",
        "../etc/passwd",
        "/etc/localtime",
        "localtime",
        "Factory",
        "posix/Europe/Berlin",
        "right/Europe/Berlin",
        "GB",
        "EST",
        "CET",
        "GMT",
        "Zulu",
        "US/Eastern",
        "Asia/Calcutta",
        "Europe/Kiev",
        "UTC\x00",
        "+01:00",
        "Etc/GMT+0",
        "Etc/GMT+13",
    ],
)
def test_fits_zone_refuses_other_names(name: str) -> None:
    assert not fits_zone(name)


@pytest.mark.parametrize("value", [None, 1, [], {}])
def test_fits_zone_refuses_what_is_not_text(value: object) -> None:
    assert not fits_zone(value)  # type: ignore[arg-type]


def test_fits_zone_works_without_the_zone_tables_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    here = clock.zone_names()
    monkeypatch.setattr(zoneinfo, "TZPATH", ())

    assert clock.zone_names.__wrapped__() == here
