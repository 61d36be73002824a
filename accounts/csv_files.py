"""
CSV files, written so that no spreadsheet runs them, and read strictly. No database here.

A spreadsheet takes a cell that begins with = + - @ (or TAB, CR, LF, and more) for a formula, whatever its
quotes. The writer puts an apostrophe before such text, and only before text: numbers, dates, moments and
booleans are what they are, -5.00 included. The reader takes one apostrophe off again, so a file that is
written and read is the same. See OWASP "CSV Injection" and RFC 4180.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import IO, Any

from django.utils.translation import gettext as _

BOM = "\ufeff"
LARGEST_FILE = 2 * 1024 * 1024  # bytes
MOST_ROWS = 10_000
MOST_PROBLEMS = 100  # so many a refusal names; a file of another shape has one on every line

# What spreadsheets (also of other writing systems) and shells take for the start of something to do,
# looked for behind blanks, invisible letters and apostrophes of its own.
STARTS_A_FORMULA = re.compile("'*[\\s\u200b\u200e\u200f\u2060\ufeff]*[=+\\-@|%\t\r\n\0＝＋－＠]")


@dataclass(frozen=True)
class Problem:
    """What is wrong, and where: the line as an editor counts, and the heading of the column."""

    line: int
    column: str
    sentence: str

    def __str__(self) -> str:
        where = [_("line %(line)d") % {"line": self.line}] if self.line else []
        where += [_("column %(column)s") % {"column": self.column}] if self.column else []
        return f"{', '.join(where)}: {self.sentence}" if where else self.sentence


class CsvRefused(Exception):
    """The file cannot be used, and nothing of it was taken."""

    def __init__(self, problems: Sequence[Problem], *, is_too_large: bool = False) -> None:
        self.problems = list(problems)
        self.is_too_large = is_too_large
        super().__init__("; ".join(map(str, self.problems)))


@dataclass(frozen=True)
class Table:
    """A file as it is: headings, and rows of exactly as many cells."""

    headings: list[str]
    rows: list[tuple[int, list[str]]]
    """The line a row begins on, and its cells."""


@dataclass(frozen=True)
class Row:
    line: int
    cells: dict[str, str]


def write(
    fields: Sequence[str], rows: Iterable[Sequence[Any]], *, for_spreadsheets: bool = False
) -> Iterator[bytes]:
    """
    A CSV file line by line: UTF-8, comma, CR LF. `rows` hold their values in the order of `fields`.

    `for_spreadsheets` puts a byte order mark in front and semicolons between, as the spreadsheets of
    most of Europe want it. Raises ValueError where a row has more or fewer values than fields.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=";" if for_spreadsheets else ",", lineterminator="\r\n")
    if for_spreadsheets:
        buffer.write(BOM)
    writer.writerow([inert(field) for field in fields])
    yield _taken(buffer)
    for row in rows:
        if len(row) != len(fields):
            raise ValueError(f"a row of {len(row)} values for {len(fields)} fields")
        writer.writerow([cell(value) for value in row])
        yield _taken(buffer)


def cell(value: Any) -> str:
    """One value as it stands in the file (before quoting)."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return inert(str(value))


def inert(text: str) -> str:
    return f"'{text}" if STARTS_A_FORMULA.match(text) else text


def as_typed(text: str) -> str:
    """The opposite of inert()."""
    return text[1:] if text.startswith("'") and STARTS_A_FORMULA.match(text, 1) else text


def read(
    file: IO[bytes] | bytes,
    fields: Sequence[str],
    *,
    delimiter: str = ",",
    largest: int = LARGEST_FILE,
    most_rows: int = MOST_ROWS,
) -> list[Row]:
    """
    All rows of a UTF-8 file whose headings are exactly `fields`, in any order. Raises CsvRefused.
    """
    found = table(decode(content(file, largest)), delimiter=delimiter, most_rows=most_rows)
    missing = [field for field in fields if field not in found.headings]
    unknown = [heading for heading in found.headings if heading not in fields]
    problems = [Problem(1, name, _("this column is missing")) for name in missing]
    problems += [Problem(1, name, _("there is no such column here")) for name in unknown]
    if problems:
        raise CsvRefused(problems)
    return [Row(line, dict(zip(found.headings, cells, strict=True))) for line, cells in found.rows]


def content(file: IO[bytes] | bytes, largest: int = LARGEST_FILE) -> bytes:
    """The bytes of a file of at most `largest` bytes; never reads more. Raises CsvRefused."""
    data = file if isinstance(file, bytes) else file.read(largest + 1)
    if len(data) > largest:
        size = f"{largest / 1024 / 1024:g} MB"
        problem = Problem(0, "", _("the file is larger than %(size)s") % {"size": size})
        raise CsvRefused([problem], is_too_large=True)
    return data


def decode(data: bytes, encoding: str = "utf-8-sig") -> str:
    """Text without NUL. Raises CsvRefused naming the line."""
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        name = encoding.upper().removesuffix("-SIG")
        sentence = _("the file is not %(encoding)s text") % {"encoding": name}
        raise CsvRefused([Problem(line, "", sentence)]) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise CsvRefused([Problem(line, "", _("there is a NUL character, so this is no text file"))])
    return text


def table(
    text: str, *, delimiter: str = ",", most_rows: int | None = MOST_ROWS, as_exported: bool = False
) -> Table:
    """Headings and rows, whatever they are called. Lines without anything are no rows. Raises CsvRefused.

    `as_exported`: by a spreadsheet, which also writes the empty columns to the right of a table and the
    empty rows below it; these are left out.
    """
    numbered = records(text, delimiter)
    if as_exported:
        numbered = ((line, cells) for line, cells in numbered if any(cell.strip() for cell in cells))
    line, cells = next(numbered, (1, []))
    headings = [as_typed(heading).strip() for heading in cells]
    while as_exported and headings and not headings[-1]:
        headings.pop()
    _check_headings(line, headings)
    rows: list[tuple[int, list[str]]] = []
    problems: list[Problem] = []
    for line, cells in numbered:
        if as_exported and not any(cell.strip() for cell in cells[len(headings) :]):
            cells = cells[: len(headings)]
        if len(cells) != len(headings):
            counts = {"found": len(cells), "wanted": len(headings)}
            problems.append(Problem(line, "", _("%(found)d columns instead of %(wanted)d") % counts))
        if len(problems) == MOST_PROBLEMS:
            break
        if most_rows is not None and len(rows) == most_rows:
            sentence = _("the file has more than %(most)d rows") % {"most": most_rows}
            raise CsvRefused([Problem(line, "", sentence)], is_too_large=True)
        rows.append((line, [as_typed(text) for text in cells]))
    if problems:
        raise CsvRefused(problems)
    return Table(headings, rows)


def records(text: str, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """The line a row begins on, and its cells as they stand there. Raises CsvRefused."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        sentence = _("this is not CSV (%(reason)s)") % {"reason": error}
        raise CsvRefused([Problem(line, "", sentence)]) from None


def _check_headings(line: int, headings: list[str]) -> None:
    if not headings:
        raise CsvRefused([Problem(line, "", _("the file is empty"))])
    seen: set[str] = set()
    problems = []
    for number, heading in enumerate(headings, start=1):
        if not heading:
            problems.append(Problem(line, str(number), _("this column has no heading")))
        elif heading in seen:
            problems.append(Problem(line, heading, _("two columns have this heading")))
        seen.add(heading)
    if problems:
        raise CsvRefused(problems[:MOST_PROBLEMS])


def _taken(buffer: io.StringIO) -> bytes:
    line = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    # Half of a surrogate pair, which a database may hold, has no UTF-8.
    return line.encode("utf-8", "replace")
