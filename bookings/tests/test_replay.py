from datetime import datetime
from decimal import Decimal
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from bookings import services
from bookings.management.commands import replay as command
from bookings.models import Booking, State
from lots.models import Lot

DATA = Path(__file__).parent / "data"
CALTECH = DATA / "caltech_2019-05-01_2019-08-31.csv"
EPFL = DATA / "epfl_two_plugs.xlsx"
pytestmark = pytest.mark.django_db


def replay(file: Path, **options) -> str:
    out = StringIO()
    call_command("replay", str(file), stdout=out, **options)
    return out.getvalue()


def written(folder: Path, *rows: str) -> Path:
    """Rows are "station arrival departure" on 2026-05-01 in UTC; the id is the number of the row."""
    path = folder / "log.csv"
    lines = ["station,arrival,departure,id"]
    for number, row in enumerate(rows, start=1):
        station, arrival, departure = row.split()
        lines.append(f"{station},2026-05-01T{arrival}Z,2026-05-01T{departure}Z,{number}")
    path.write_text("\n".join(lines))
    return path


def first_rows(folder: Path, count: int) -> Path:
    path = folder / CALTECH.name
    path.write_text("".join(CALTECH.read_text().splitlines(keepends=True)[: count + 1]))
    return path


def stays() -> list[tuple[str, str]]:
    """Spot and source row of every booking, in order of arrival."""
    rows = Booking.objects.order_by("starts_at", "pk").values_list("spot__number", "source_id")
    return [(number, source_id.rpartition(":")[2]) for number, source_id in rows]


def assert_no_overlap() -> None:
    rows = Booking.objects.order_by("spot", "starts_at").values_list("spot", "starts_at", "ends_at")
    for (spot, _start, end), (next_spot, next_start, _end) in pairwise(rows):
        assert spot != next_spot or end <= next_start


@pytest.mark.slow
def test_the_caltech_sessions_fit_on_their_52_spots():
    told = replay(CALTECH)

    assert "3,527 sessions, 52 spots" in told
    assert "accepted 3,527 (3,527 now, 0 before)" in told
    assert "refused 0" in told
    assert "minutes 1,309,773.867" in told
    assert "at once 34 at most" in told
    assert_no_overlap()


@pytest.mark.slow
def test_ten_spots_are_enough_for_1901_of_the_caltech_sessions():
    told = replay(CALTECH, pool=10)

    assert "accepted 1,901 (1,901 now, 0 before)" in told
    assert "refused 1,626 (lot_full 1,626)" in told
    assert "at once 10 at most" in told
    assert_no_overlap()


def test_the_first_caltech_sessions_are_replayed_at_their_own_times(tmp_path):
    told = replay(first_rows(tmp_path, 60))

    assert "accepted 60 (60 now, 0 before)" in told
    assert "minutes 27,693.150" in told
    booking = Booking.objects.earliest("starts_at")
    assert (booking.spot.number, booking.state) == ("CA-305", State.COMPLETED)
    assert booking.starts_at == datetime.fromisoformat("2019-05-01T01:18:45-07:00")
    assert booking.ends_at == booking.checked_out_at == datetime.fromisoformat("2019-05-01T15:52:36-07:00")
    assert booking.booked_until == booking.ends_at
    # 14 h 33 min 51 s at 1.00 an hour.
    assert booking.total == Decimal("14.56")
    assert (booking.lot.timezone, booking.lot.currency) == ("America/Los_Angeles", "USD")


def test_a_small_pool_refuses_some_of_the_first_caltech_sessions(tmp_path):
    told = replay(first_rows(tmp_path, 60), pool=5)

    accepted = Booking.objects.count()
    assert 5 < accepted < 60
    assert f"refused {60 - accepted} (lot_full {60 - accepted})" in told
    assert "at once 5 at most" in told
    assert_no_overlap()


def test_the_two_plugs_have_no_conflict():
    told = replay(EPFL)

    assert "117 sessions, 2 spots" in told
    assert "refused 0" in told
    assert set(Lot.objects.values_list("timezone", "currency", "country")) == {("Europe/Zurich", "CHF", "CH")}
    assert_no_overlap()


def test_who_leaves_makes_room_for_who_comes_at_the_same_moment(tmp_path):
    replay(written(tmp_path, "A 08:00 10:00", "A 10:00 12:00"))

    assert stays() == [("A", "1"), ("A", "2")]


@pytest.mark.promise("S4-20")
def test_whose_spot_is_taken_is_refused_and_nothing_is_booked(tmp_path):
    told = replay(written(tmp_path, "A 08:00 10:00", "A 09:00 09:30", "B 09:00 11:00"))

    assert stays() == [("A", "1"), ("B", "3")]
    assert "refused 1 (spot_taken 1)" in told
    assert "minutes 240.000" in told
    assert "at once 2 at most" in told
    assert "revenue 4.00 EUR" in told


@pytest.mark.promise("S4-16")
@pytest.mark.promise("S4-19")
def test_a_pool_gives_the_first_free_spot_by_number(tmp_path):
    rows = ["A 08:00 12:00", "A 08:30 09:00", "A 09:00 10:00", "A 09:30 11:00", "A 09:45 11:00"]

    told = replay(written(tmp_path, *rows), pool=3)

    assert stays() == [("1", "1"), ("2", "2"), ("2", "3"), ("3", "4")]
    assert "refused 1 (lot_full 1)" in told


@pytest.mark.parametrize("pool", [None, 1])
def test_a_second_run_does_nothing_twice(tmp_path, pool):
    path = written(tmp_path, "A 08:00 10:00", "A 09:00 11:00", "A 10:00 12:00", "A 11:30 11:45")
    replay(path, pool=pool)
    before = list(Booking.objects.order_by("pk").values())

    told = replay(path, pool=pool)

    assert list(Booking.objects.order_by("pk").values()) == before
    assert "accepted 2 (0 now, 2 before)" in told
    assert "refused 2 (passed_in_an_earlier_run 2)" in told


def test_a_run_that_broke_off_goes_on_where_it_was(tmp_path, monkeypatch):
    path = written(
        tmp_path, "A 08:00 10:00", "A 09:00 11:00", "A 10:00 12:00", "A 11:00 11:30", "A 12:00 13:00"
    )
    whole_book, calls = services.book, []

    def book_twice_then_break(**wish):
        calls.append(wish)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole_book(**wish)

    monkeypatch.setattr(command, "BATCH", 1)
    monkeypatch.setattr(services, "book", book_twice_then_break)
    with pytest.raises(KeyboardInterrupt):
        replay(path, pool=1)
    assert stays() == [("1", "1")]
    monkeypatch.setattr(services, "book", whole_book)

    told = replay(path, pool=1)

    assert stays() == [("1", "1"), ("1", "3"), ("1", "5")]
    assert "accepted 3 (2 now, 1 before)" in told


def test_the_clocks_sweeps_do_not_end_a_stay_that_is_being_replayed(tmp_path, monkeypatch):
    path = written(tmp_path, "A 08:00 10:00", "A 09:00 11:00")
    book = services.book

    def book_and_sweep(**wish):
        booking = book(**wish)
        long_after = datetime.fromisoformat("2026-06-01T00:00Z")
        services.end_stays(now=long_after)
        services.roll_on_overstays(now=long_after)
        return booking

    monkeypatch.setattr(services, "book", book_and_sweep)

    told = replay(path, pool=1)

    assert "refused 1 (lot_full 1)" in told
    assert Booking.objects.get().ends_at == datetime.fromisoformat("2026-05-01T10:00Z")


def test_replay_uses_the_lot_it_is_told_and_adds_missing_spots(tmp_path):
    path = written(tmp_path, "A 08:00 10:00")
    replay(path, lot="campus")

    replay(written(tmp_path, "A 08:00 10:00", "B 10:30 11:00"), lot="campus")

    lot = Lot.objects.get()
    assert lot.slug == "campus"
    assert sorted(lot.spots.values_list("number", flat=True)) == ["A", "B"]


def test_replay_does_not_take_over_a_lot_of_the_same_name(tmp_path):
    path = written(tmp_path, "A 08:00 10:00")
    replay(path)
    Lot.objects.update(source_id=None)

    with pytest.raises(CommandError, match="There is another lot 'log'; say --lot log"):
        replay(path)


def test_naive_times_are_read_on_the_clock_of_the_option(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("station,arrival,departure,id\nA,2026-05-01 08:00,2026-05-01 09:00,1\n")

    with pytest.raises(CommandError, match=r"log\.csv, line 2, column 'arrival': .* has no offset"):
        replay(path)
    replay(path, timezone="Asia/Tokyo")

    assert Booking.objects.get().starts_at == datetime.fromisoformat("2026-04-30T23:00Z")
    assert Lot.objects.get().currency == "JPY"


@pytest.mark.parametrize(
    ("rows", "options", "sentence"),
    [
        (["A 08:00 10:00"], {"pool": 0}, "--pool must be 1 or more."),
        (
            ["A 08:00 10:00"],
            {"timezone": "Mars/Olympus"},
            "--timezone must be a zone such as Europe/Zurich, not 'Mars/Olympus'.",
        ),
        (
            ["A 08:00 10:00"],
            {"price_per_hour": "x"},
            "--price-per-hour must be an amount such as 1.00, not 'x'.",
        ),
        (
            ["A 10:00 08:00"],
            {},
            "log.csv, line 2, column 'departure': the departure is not after the arrival",
        ),
        (["A 08:00 10:00", "a 08:00 10:00"], {}, "log.csv: two stations differ in capitals only"),
        ([f"{'A' * 21} 08:00 10:00"], {}, "is longer than 20 characters."),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(tmp_path, rows, options, sentence):
    with pytest.raises(CommandError) as caught:
        replay(written(tmp_path, *rows), **options)

    assert sentence in str(caught.value)
    assert not Booking.objects.exists()


def test_sessions_without_a_station_need_a_pool(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("arrival,departure\n2026-05-01T08:00Z,2026-05-01T09:00Z\n")

    with pytest.raises(CommandError, match="replay it with --pool N"):
        replay(path)
    replay(path, pool=1)

    assert Booking.objects.count() == 1
