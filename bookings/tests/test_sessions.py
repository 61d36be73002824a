from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from bookings.sessions import Session, SessionError, read_sessions

DATA = Path(__file__).parent / "data"
CALTECH = DATA / "caltech_2019-05-01_2019-08-31.csv"
EPFL = DATA / "epfl_two_plugs.xlsx"
BERLIN = ZoneInfo("Europe/Berlin")


def written(folder: Path, *lines: str, headings: str = "station,arrival,departure,id") -> Path:
    path = folder / "log.csv"
    path.write_text("\n".join([headings, *lines]) + "\n")
    return path


def test_a_csv_keeps_its_offsets():
    sessions = read_sessions(CALTECH)

    assert len(sessions) == 3527
    assert len({session.station for session in sessions}) == 52
    assert sessions[0] == Session(
        arrival=datetime(2019, 5, 1, 8, 18, 45, tzinfo=UTC),
        departure=datetime(2019, 5, 1, 22, 52, 36, tzinfo=UTC),
        timezone="America/Los_Angeles",
        station="CA-305",
        source_id="2_39_131_30_2019-05-01 08:18:44.595638",
        kwh=44.069,
    )


def test_a_workbook_of_the_two_plug_station_is_read_on_the_clock_of_zurich():
    sessions = read_sessions(EPFL)

    assert len(sessions) == 117
    assert {session.station for session in sessions} == {"CCS1", "CCS2"}
    first = min(sessions, key=lambda session: session.arrival)
    # 19:27 on the wall, in summer; energy is published in Wh.
    assert first.arrival == datetime(2022, 4, 12, 17, 27, tzinfo=UTC)
    assert first.timezone == "Europe/Zurich"
    assert 0 < first.kwh < 200


def test_headings_are_matched_whatever_their_order_case_and_units(tmp_path):
    path = written(
        tmp_path,
        "2026-05-01T10:00+02:00,A1,7,1500,2026-05-01T08:00+02:00",
        headings="End Time,Spot,Session ID,Energy [Wh] (Wh),START TIME",
    )

    assert read_sessions(path) == [
        Session(
            arrival=datetime(2026, 5, 1, 6, tzinfo=UTC),
            departure=datetime(2026, 5, 1, 8, tzinfo=UTC),
            timezone="",
            station="A1",
            source_id="7",
            kwh=1.5,
        )
    ]


def test_a_session_without_an_id_gets_one_that_stays(tmp_path):
    path = written(tmp_path, "A1,2026-05-01T08:00Z,2026-05-01T09:00Z", headings="station,arrival,departure")

    assert [session.source_id for session in read_sessions(path)] == ["A1@2026-05-01T08:00:00+00:00"]


def test_a_naive_time_needs_a_zone(tmp_path):
    path = written(tmp_path, "A1,2026-05-01 08:00,2026-05-01 09:00,1")

    with pytest.raises(SessionError, match=r"line 2, column 'arrival': .* has no offset"):
        read_sessions(path)
    assert read_sessions(path, BERLIN)[0].arrival == datetime(2026, 5, 1, 6, tzinfo=UTC)


def test_a_local_time_that_comes_twice_is_after_the_arrival(tmp_path):
    path = written(tmp_path, "A1,2026-10-25 02:40,2026-10-25 02:10,1")

    session = read_sessions(path, BERLIN)[0]

    assert session.departure == datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    assert (session.departure - session.arrival).total_seconds() == 30 * 60


def test_an_offset_wins_over_the_zone(tmp_path):
    path = written(tmp_path, "A1,2026-05-01T08:00-07:00,2026-05-01T09:00-07:00,1")

    assert read_sessions(path, BERLIN)[0].arrival == datetime(2026, 5, 1, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("A1,2026-05-01 08:00,soon,2", "line 3, column 'departure': 'soon' is not a date and time"),
        ("A1,,2026-05-01 09:00,2", "line 3, column 'arrival': the time is missing"),
        ("A1,2026-05-01 08:00,2026-05-01 08:00,2", "line 3, column 'departure': the departure is not after"),
        ("A1,2026-03-29 02:30,2026-03-29 04:00,2", "line 3, column 'arrival': .* does not exist in Europe"),
        ("A1,2026-05-01 08:00,2026-05-01 09:00", "line 3: 3 columns instead of 4"),
        ("A1,2026-05-02 08:00,2026-05-02 09:00,1", "line 3: session '1' is already on line 2"),
        ('A1,2026-05-02 08:00,"2026-05-02" 09:00,2', "line 3: this is not CSV"),
    ],
)
def test_a_wrong_row_is_named_by_line_and_column(tmp_path, row, message):
    path = written(tmp_path, "A1,2026-05-01 08:00,2026-05-01 09:00,1", row)

    with pytest.raises(SessionError, match=r"^log\.csv, " + message):
        read_sessions(path, BERLIN)


@pytest.mark.parametrize("energy", ["a lot", "-1", "nan", "inf"])
def test_an_energy_that_cannot_be_is_named(tmp_path, energy):
    path = written(
        tmp_path,
        f"A1,2026-05-01T08:00Z,2026-05-01T09:00Z,{energy}",
        headings="station,arrival,departure,kWh",
    )

    with pytest.raises(SessionError, match="line 2, column 'kWh'"):
        read_sessions(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: no column for the arrival"),
        (b"station,departure\n", "line 1: no column for the arrival"),
        (b"station,arrival,departure\n", "the file has no sessions"),
        (b"station,arrival,departure\nZ\xfcrich,1,2\n", "line 2: the file is not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_session_log_is_refused(tmp_path, content, message):
    path = tmp_path / "log.csv"
    path.write_bytes(content)

    with pytest.raises(SessionError, match=message):
        read_sessions(path)


def test_a_workbook_that_is_none_is_refused(tmp_path):
    path = tmp_path / "log.xlsx"
    path.write_bytes(b"not a zip file")

    with pytest.raises(SessionError, match=r"not an Excel workbook"):
        read_sessions(path)
    with pytest.raises(SessionError, match="cannot be read"):
        read_sessions(tmp_path / "missing.xlsx")


def test_a_workbook_is_read_and_a_wrong_cell_named_by_row_and_heading(tmp_path):
    path = tmp_path / "log.xlsx"
    book = openpyxl.Workbook()
    book.active.append(["Session", "CCS", "Arrival", "Departure"])
    eight = datetime.fromisoformat("2026-05-01T08:00")
    book.active.append([278.0, "CCS1", eight, eight.replace(hour=9)])
    book.save(path)
    assert [session.source_id for session in read_sessions(path, BERLIN)] == ["278"]
    book.active.append([279, "CCS1", eight, None])
    book.save(path)

    with pytest.raises(SessionError, match=r"line 3, column 'Departure': the time is missing"):
        read_sessions(path, BERLIN)
