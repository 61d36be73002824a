"""An export's file, written row by row: what is in memory is one chunk, never the file."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import IO, Any

from accounts import csv_files
from reports import export_pdf
from reports.export_models import Export, Format, Kind
from reports.export_tables import Sheet, in_chunks, sheets

# Told after each chunk: the rows written so far, and how many there will be about.
Told = Callable[[int, int], None]


def write(export: Export, file: IO[bytes], *, told: Told, now: datetime) -> int:
    """Returns the number of rows. Raises export_pdf.TooManyForPaper."""
    wanted = sheets(export)
    counter = _Counter(told, sum(sheet.rows.count() for sheet in wanted))
    if export.kind == Kind.ALL_DATA:
        _write_zip(wanted, file, counter, for_spreadsheets=export.format == Format.XLSX_CSV)
    elif export.format == Format.PDF:
        export_pdf.write(export, counter.rows(wanted[0]), file, count=counter.expected, printed_at=now)
    else:
        for line in _lines(wanted[0], counter, for_spreadsheets=export.format == Format.XLSX_CSV):
            file.write(line)
    return counter.written


class _Counter:
    def __init__(self, told: Told, expected: int):
        self.told, self.expected, self.written = told, expected, 0

    def rows(self, sheet: Sheet) -> Iterator[Any]:
        for chunk in in_chunks(sheet):
            yield from chunk
            self.written += len(chunk)
            self.told(self.written, self.expected)


def _write_zip(
    wanted: Iterable[Sheet], file: IO[bytes], counter: _Counter, *, for_spreadsheets: bool
) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for sheet in wanted:
            with archive.open(f"{sheet.name}.csv", "w", force_zip64=True) as part:
                for line in _lines(sheet, counter, for_spreadsheets=for_spreadsheets):
                    part.write(line)


def _lines(sheet: Sheet, counter: _Counter, *, for_spreadsheets: bool) -> Iterator[bytes]:
    rows: Iterable[list[Any]] = (sheet.values(row) for row in counter.rows(sheet))
    if for_spreadsheets:
        rows = ([as_spreadsheets_read(value) for value in row] for row in rows)
    return csv_files.write(sheet.fields, rows, for_spreadsheets=for_spreadsheets)


def as_spreadsheets_read(value: Any) -> Any:
    """Moments without "T" and offset, amounts with a decimal comma.

    A spreadsheet that splits a file at semicolons writes numbers with a comma, and makes a date of 2.50.
    """
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, Decimal):
        return f"{value:f}".replace(".", ",")
    return value
