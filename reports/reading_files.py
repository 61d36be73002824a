"""Files of readings: each row is taken or refused by itself, and who loads the file is told which and why.

Columns: `lot` (its slug or its source id), `at` (ISO 8601; without an offset the lot's own clock),
`occupied`, `capacity`. Files with the columns of Birmingham's open data are read as they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts import csv_files
from accounts.csv_files import CsvRefused, Problem
from accounts.models import User
from lots import clock
from lots.clock import ClockError
from lots.models import Lot
from reports.readings import OccupancyImport, Reading

COLUMNS = ["lot", "at", "occupied", "capacity"]
# What other publishers call these columns, in the same order.
BIRMINGHAM = ["SystemCodeNumber", "LastUpdated", "Occupancy", "Capacity"]
LARGEST_FILE = 20 * 1024 * 1024  # bytes
MOST_ROWS = 500_000
MOST_SPOTS = 100_000
LONGEST_NUMBER, LONGEST_MOMENT = 9, 40  # letters
BATCH = 2000


class RowRefused(Exception):
    def __init__(self, column: str, sentence: str):
        self.column = column
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class Line:
    """A row as it stands in the file."""

    number: int
    lot: str
    at: str
    occupied: str
    capacity: str


@dataclass(frozen=True, slots=True)
class Count:
    """A row that could be read. `at` is UTC."""

    line: int
    lot: str
    at: datetime
    occupied: int
    capacity: int


@dataclass
class Counts:
    rows: int = 0
    taken: list[Count] = field(default_factory=list)
    refused: list[Problem] = field(default_factory=list)


def lines(content: bytes) -> list[Line | Problem]:
    """The rows of a file; of one without the right number of cells, what is wrong. Raises CsvRefused."""
    records = csv_files.records(csv_files.decode(csv_files.content(content, LARGEST_FILE)))
    headings = [csv_files.as_typed(cell).strip() for cell in next(records, (1, []))[1]]
    columns = next((names for names in (COLUMNS, BIRMINGHAM) if sorted(names) == sorted(headings)), None)
    if columns is None:
        wanted = {"ours": ", ".join(COLUMNS), "theirs": ", ".join(BIRMINGHAM)}
        raise CsvRefused([Problem(1, "", _("the columns must be: %(ours)s; or: %(theirs)s") % wanted)])
    places = [headings.index(name) for name in columns]
    found: list[Line | Problem] = []
    for number, cells in records:
        if len(found) == MOST_ROWS:
            sentence = _("the file has more than %(most)d rows") % {"most": MOST_ROWS}
            raise CsvRefused([Problem(number, "", sentence)], is_too_large=True)
        if len(cells) != len(headings):
            counts = {"found": len(cells), "wanted": len(headings)}
            found.append(Problem(number, "", _("%(found)d columns instead of %(wanted)d") % counts))
        else:
            found.append(Line(number, *(csv_files.as_typed(cells[place]).strip() for place in places)))
    return found


def read(rows: Iterable[Line | Problem], zones: dict[str, Any], *, now: datetime) -> Counts:
    """What can be taken of these rows. `zones` has the clock of each lot that may be named."""
    found = Counts()
    first: dict[tuple[str, datetime], Count] = {}
    for row in rows:
        found.rows += 1
        if isinstance(row, Problem):
            found.refused.append(row)
            continue
        try:
            count = _count(row, zones, now)
            before = first.get((count.lot, count.at))
            if before is not None:
                is_same = (before.occupied, before.capacity) == (count.occupied, count.capacity)
                raise RowRefused("", _twice(before.line, is_same))
        except RowRefused as refusal:
            found.refused.append(Problem(row.number, refusal.column, str(refusal)))
            continue
        first[count.lot, count.at] = count
        found.taken.append(count)
    return found


def load(
    content: bytes, lots: QuerySet[Lot], *, file_name: str, by: User | None, now: datetime
) -> OccupancyImport:
    """Store what a file tells of these lots. A second time it changes nothing. Raises CsvRefused."""
    rows = lines(content)
    names = {row.lot for row in rows if isinstance(row, Line)}
    known = _by_name(lots, names)
    found = read(rows, {name: lot.zone for name, lot in known.items()}, now=now)
    with transaction.atomic():
        # Two loads of the same readings wait for each other here.
        ids = sorted({known[count.lot].pk for count in found.taken})
        list(Lot.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk").values_list("pk"))
        new, refused = _unknown(found, known)
        batch = OccupancyImport.objects.create(
            by=by,
            file_name=file_name[:120],
            imported_at=now,
            row_count=found.rows,
            new_count=len(new),
            known_count=len(found.taken) - len(new) - len(refused),
            refused=[[p.line, p.column, p.sentence] for p in sorted([*found.refused, *refused], key=_line)],
            refused_count=len(found.refused) + len(refused),
        )
        readings = (
            Reading(
                lot=known[count.lot],
                at=count.at,
                occupied=count.occupied,
                capacity=count.capacity,
                source=batch,
            )
            for count in new
        )
        while some := list(islice(readings, BATCH)):
            Reading.objects.bulk_create(some)
    return batch


def refusals_csv(batch: OccupancyImport) -> Iterator[bytes]:
    rows = ([line or None, column, sentence] for line, column, sentence in batch.refused)
    return csv_files.write(["line", "column", "problem"], rows)


def _by_name(lots: QuerySet[Lot], names: set[str]) -> dict[str, Lot]:
    """Lots by whatever they are called here: a slug wins over the same source id of another lot."""
    found: dict[str, Lot] = {}
    for lot in lots.order_by("pk").only("slug", "source_id", "timezone"):
        if lot.source_id in names:
            found.setdefault(lot.source_id, lot)
    for lot in lots.only("slug", "source_id", "timezone"):
        if lot.slug in names:
            found[lot.slug] = lot
    return found


def _unknown(found: Counts, known: dict[str, Lot]) -> tuple[list[Count], list[Problem]]:
    """What is not stored yet, and what contradicts what is."""
    by_lot: dict[int, list[Count]] = defaultdict(list)
    for count in found.taken:
        by_lot[known[count.lot].pk].append(count)
    new: list[Count] = []
    refused: list[Problem] = []
    for pk, counts in by_lot.items():
        moments = [count.at for count in counts]
        stored = Reading.objects.filter(lot=pk, at__gte=min(moments), at__lte=max(moments))
        there = {row[0]: row[1:] for row in stored.values_list("at", "occupied", "capacity")}
        for count in counts:
            before = there.get(count.at)
            if before is None:
                new.append(count)
                # A lot may be named by its slug in one row and by its source id in the next.
                there[count.at] = (count.occupied, count.capacity)
            elif before != (count.occupied, count.capacity):
                refused.append(Problem(count.line, "", _("another reading of this moment is stored already")))
    return new, refused


def _count(row: Line, zones: dict[str, Any], now: datetime) -> Count:
    zone = zones.get(row.lot)
    if zone is None:
        raise RowRefused("lot", _("there is no such lot"))
    at = _moment(row.at, zone)
    if at > now:
        raise RowRefused("at", _("this is still to come"))
    occupied, capacity = _whole("occupied", row.occupied), _whole("capacity", row.capacity)
    if not 0 < capacity <= MOST_SPOTS:
        raise RowRefused("capacity", _("a lot has between 1 and %(most)d spots") % {"most": MOST_SPOTS})
    if occupied < 0:
        raise RowRefused("occupied", _("fewer than none cannot be occupied"))
    if occupied > capacity:
        numbers = {"occupied": occupied, "capacity": capacity}
        raise RowRefused("occupied", _("%(occupied)d of %(capacity)d cannot be occupied") % numbers)
    return Count(row.number, row.lot, at, occupied, capacity)


def _moment(text: str, zone: Any) -> datetime:
    try:
        at = datetime.fromisoformat(text[:LONGEST_MOMENT])
        found = clock.to_utc(at, zone) if at.tzinfo is None else at.astimezone(UTC)
    except ClockError as error:
        raise RowRefused("at", error.sentence) from None
    except (ValueError, OverflowError):
        raise RowRefused("at", _("this is not a time")) from None
    if not clock.FIRST_YEAR <= found.year < clock.LAST_YEAR:
        raise RowRefused("at", _("this is not a time"))
    return found


def _whole(column: str, text: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_NUMBER):
        raise RowRefused(column, _("this is not a whole number"))
    return int(text)


def _twice(line: int, is_same: bool) -> str:
    if is_same:
        return _("the same as line %(line)d") % {"line": line}
    return _("line %(line)d says otherwise of the same moment") % {"line": line}


def _line(problem: Problem) -> int:
    return problem.line
