"""
Recorded parking and charging sessions, read from files. No database, no clock.

CSV or XLSX, one session a row, the columns found by their headings. A file is read whole or not at
all: SessionError names the first place that is wrong.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from accounts import csv_files

# Our word -> the headings it goes by (lower case, without units, words joined by "_").
HEADINGS = {
    "arrival": ["arrival", "arrived_at", "arrival_time", "start", "starts_at", "start_time",
                "connection_time", "connected_at", "from"],
    "departure": ["departure", "departed_at", "departure_time", "end", "ends_at", "end_time",
                  "disconnect_time", "disconnected_at", "to"],
    "station": ["station_id", "station", "spot", "spot_id", "spot_number", "evse", "evse_id",
                "connector_id", "plug", "ccs"],
    "source_id": ["session_id", "session", "source_id", "transaction_id", "id"],
    "energy": ["delivered_energy", "energy_delivered", "kwh_delivered", "energy", "kwh"],
}  # fmt: skip
REQUIRED = ["arrival", "departure"]

# Local clocks of files known by their headings, used when the caller names no zone: the EPFL
# station writes naive times, the ACN files offsets only.
ZONES = [
    ({"session", "ccs", "controlled_session", "soc_arrival"}, "Europe/Zurich"),
    ({"requested_energy", "estimated_departure", "claimed"}, "America/Los_Angeles"),
]

UNIT = re.compile(r"[(\[].*?[)\]]")


class SessionError(Exception):
    """The file cannot be used; nothing of it was taken."""

    def __init__(self, path: Path, where: str, sentence: str) -> None:
        self.path = path
        self.where = where
        self.sentence = sentence
        place = f"{path.name}, {where}" if where else path.name
        super().__init__(f"{place}: {sentence}")


@dataclass(frozen=True, kw_only=True)
class Session:
    """One stay as recorded."""

    arrival: datetime
    departure: datetime
    """UTC, and the period half-open. (Two times of one local zone would subtract as wall clocks.)"""
    timezone: str
    """IANA zone of the place, as far as the caller or the file's shape says; else empty."""
    station: str
    source_id: str
    kwh: float | None = None


@dataclass(frozen=True)
class _Table:
    headings: list[str]
    rows: Iterable[tuple[int, list[Any]]]
    """Line or row number as the file's reader counts, then the cells."""


def read_sessions(path: str | Path, zone: ZoneInfo | None = None) -> list[Session]:
    """
    All sessions in the file's order. `zone` is the local clock of times without an offset; files of
    a known shape bring their own. Raises SessionError.
    """
    path = Path(path)
    table = _xlsx(path) if path.suffix.lower() in {".xlsx", ".xlsm"} else _csv(path)
    names = [_plain(heading) for heading in table.headings]
    zone = zone or _known_zone(names)
    columns = _columns(path, names)
    reader = _RowReader(path, table.headings, columns, zone)

    sessions: list[Session] = []
    seen: dict[str, int] = {}
    for line, cells in table.rows:
        session = reader.session(line, cells)
        if session.source_id in seen:
            sentence = f"session {session.source_id!r} is already on line {seen[session.source_id]}"
            raise SessionError(path, f"line {line}", sentence)
        seen[session.source_id] = line
        sessions.append(session)
    if not sessions:
        raise SessionError(path, "", "the file has no sessions")
    return sessions


def _plain(heading: Any) -> str:
    words = re.findall(r"[a-z0-9]+", UNIT.sub(" ", str(heading or "")).lower())
    return "_".join(words)


def _known_zone(names: list[str]) -> ZoneInfo | None:
    return next((ZoneInfo(zone) for marks, zone in ZONES if marks <= set(names)), None)


def _columns(path: Path, names: list[str]) -> dict[str, int]:
    """Our word -> column number; the heading first in our list wins."""
    columns = {}
    for word, headings in HEADINGS.items():
        found = next((heading for heading in headings if heading in names), None)
        if found is not None:
            columns[word] = names.index(found)
        elif word in REQUIRED:
            known = ", ".join(headings[:4])
            raise SessionError(path, "line 1", f"no column for the {word} (one of {known}, …)")
    return columns


class _RowReader:
    """Turns the cells of a row into a Session, and complains about the exact cell."""

    def __init__(
        self, path: Path, headings: list[str], columns: dict[str, int], zone: ZoneInfo | None
    ) -> None:
        self.path = path
        self.headings = headings
        self.columns = columns
        self.zone = zone

    def session(self, line: int, cells: list[Any]) -> Session:
        if len(cells) != len(self.headings):
            sentence = f"{len(cells)} columns instead of {len(self.headings)}"
            raise SessionError(self.path, f"line {line}", sentence)
        arrival = self._cell(line, cells, "arrival", self._moment)
        departure = self._cell(line, cells, "departure", self._moment)
        if arrival.tzinfo is departure.tzinfo is self.zone and departure <= arrival:
            # Both are naive in the file. A local time that comes twice (clocks go back) is the
            # first one, unless that would lie before the arrival.
            departure = departure.replace(fold=1)
        arrival, departure = arrival.astimezone(UTC), departure.astimezone(UTC)
        if departure <= arrival:
            self._refuse(line, "departure", "the departure is not after the arrival")
        station = self._cell(line, cells, "station", _name)
        source_id = self._cell(line, cells, "source_id", _name)
        return Session(
            arrival=arrival,
            departure=departure,
            timezone=self.zone.key if self.zone else "",
            station=station,
            # A file without ids gets one that stays the same when it is read again.
            source_id=source_id or f"{station}@{arrival.isoformat()}",
            kwh=self._cell(line, cells, "energy", self._kwh),
        )

    def _cell(self, line: int, cells: list[Any], word: str, convert: Callable[[Any], Any]) -> Any:
        column = self.columns.get(word)
        try:
            return convert(None if column is None else cells[column])
        except ValueError as error:
            self._refuse(line, word, str(error))

    def _refuse(self, line: int, word: str, sentence: str) -> None:
        heading = self.headings[self.columns[word]]
        raise SessionError(self.path, f"line {line}, column {heading!r}", sentence)

    def _moment(self, value: Any) -> datetime:
        moment = value if isinstance(value, datetime) else _parsed(value)
        if moment.tzinfo is not None:
            return moment
        if self.zone is None:
            raise ValueError(f"the time {value} has no offset; say which zone's clock it is (--timezone)")
        local = moment.replace(tzinfo=self.zone)
        if local.astimezone(UTC).astimezone(self.zone).replace(tzinfo=None) != moment:
            raise ValueError(f"the time {value} does not exist in {self.zone.key} (clocks go forward)")
        return local

    def _kwh(self, value: Any) -> float | None:
        """Energy in kWh; a column headed (Wh) is divided by a thousand."""
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        try:
            energy = float(value)
        except (TypeError, ValueError):
            raise ValueError(f"the energy {value!r} is not a number") from None
        if not 0 <= energy < float("inf"):
            raise ValueError(f"the energy {value!r} cannot be")
        in_wh = "(wh)" in str(self.headings[self.columns["energy"]]).lower()
        return energy / 1000 if in_wh else energy


def _parsed(value: Any) -> datetime:
    text = str(value).strip() if value is not None else ""
    if not text:
        raise ValueError("the time is missing")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a date and time such as 2026-05-01 08:00:00+02:00") from None


def _name(value: Any) -> str:
    """An id as text: a spreadsheet's 278.0 is 278."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return " ".join(str(value).split()) if value is not None else ""


def _csv(path: Path) -> _Table:
    try:
        with _refusals(path):
            rows = _csv_rows(path, csv_files.decode(path.read_bytes()))
    except OSError as error:
        raise SessionError(path, "", f"the file cannot be read ({error.strerror})") from None
    _, headings = next(rows, (1, []))
    return _Table(headings, rows)


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, list[Any]]]:
    with _refusals(path):
        yield from csv_files.records(text)


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except csv_files.CsvRefused as refused:
        first = refused.problems[0]
        raise SessionError(path, f"line {first.line}", first.sentence) from None


def _xlsx(path: Path) -> _Table:
    try:
        workbook = openpyxl.load_workbook(path, read_only=True, data_only=True)
        sheet = workbook.worksheets[0]
        rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    except OSError as error:
        raise SessionError(path, "", f"the file cannot be read ({error.strerror})") from None
    except (zipfile.BadZipFile, InvalidFileException, KeyError, IndexError, ValueError):
        raise SessionError(path, "", "this is not an Excel workbook (.xlsx)") from None
    workbook.close()
    numbered = ((n, row) for n, row in enumerate(rows[1:], start=2) if any(c is not None for c in row))
    return _Table([str(cell or "") for cell in rows[0]] if rows else [], numbered)
