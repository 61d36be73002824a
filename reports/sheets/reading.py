"""A file of anybody's: its letters, its separators, and which of its columns are which of ours."""

from __future__ import annotations

import codecs
import hashlib
import json
import re
import unicodedata
from dataclasses import asdict, dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from accounts import csv_files
from accounts.csv_files import CsvRefused, Problem, Table
from lots.feeds.records import EntryRefused
from reports.sheets import known
from reports.sheets.sheet import Rows, Sheet

DELIMITERS = [",", ";", "\t", "|"]
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?', re.IGNORECASE)
# Letters no text file has: the file is something else, or of another encoding.
CONTROL = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Opened:
    """The file as it stands there."""

    encoding: str
    delimiter: str
    table: Table


@dataclass(frozen=True)
class Reading:
    """How a file becomes rows of ours."""

    encoding: str
    delimiter: str
    columns: dict[str, str]
    """Ours → theirs."""
    constants: dict[str, str] = field(default_factory=dict)
    """Ours → what stands where they have no column, or an empty cell."""
    decimal_comma: bool = False
    feed: str = ""
    """The known publisher whose habits this file has."""
    is_own: bool = False
    """Written by us: cells are taken as they are."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def is_certain(self) -> bool:
        return self.is_own or bool(self.feed)


def open_file(content: bytes) -> Opened:
    """Raises CsvRefused."""
    if content.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"["):
        return Opened("utf-8-sig", "json", _json_table(csv_files.decode(content)))
    encoding, text = _decoded(content)
    said, text = _without_separator_line(text)
    found: list[tuple[int, str, Table]] = []
    refusals: list[tuple[int, CsvRefused]] = []
    for delimiter in [said] if said else DELIMITERS:
        try:
            table = csv_files.table(text, delimiter=delimiter, as_exported=True)
            found.append((len(table.headings), delimiter, table))
        except CsvRefused as refused:
            if refused.is_too_large:
                raise
            refusals.append((text.partition("\n")[0].count(delimiter), refused))
    # The separator that makes most of the headings is the one; a file it does not fit is out of shape.
    best = max(found, key=lambda one: one[0], default=None)
    worst = max(refusals, key=lambda one: one[0], default=None)
    if worst and (best is None or worst[0] + 1 > best[0]):
        raise worst[1]
    assert best is not None  # noqa: S101  each separator is either found or refused
    if not best[2].rows:
        raise CsvRefused([Problem(0, "", _("the file has headings and no rows"))])
    return Opened(encoding, best[1], best[2])


def _without_separator_line(text: str) -> tuple[str, str]:
    """What Excel's own first line `sep=;` says, and the file with that line left empty: lines are counted."""
    first, end, rest = text.partition("\n")
    match = SEPARATOR_LINE.fullmatch(first.strip("\r"))
    return (match[1], end + rest) if match else ("", text)


def _decoded(content: bytes) -> tuple[str, str]:
    """UTF-8 or, failing that, what Windows writes in western Europe: the page says which, and shows rows.

    UTF-16, which Excel calls Unicode text, says itself what it is.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding, text = "utf-16", csv_files.decode(content, "utf-16")
    else:
        try:
            encoding, text = "utf-8-sig", csv_files.decode(content)
        except CsvRefused as refused:
            try:
                encoding, text = "cp1252", csv_files.decode(content, "cp1252")
            except CsvRefused:
                raise refused from None
    if match := CONTROL.search(text):
        line = text.count("\n", 0, match.start()) + 1
        raise CsvRefused([Problem(line, "", _("there are control characters, so this is no text file"))])
    return encoding, text


def _json_table(text: str) -> Table:
    """The one list of objects in a JSON document; what lies deeper in them is left out."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise CsvRefused([Problem(error.lineno, "", _("this is not valid JSON"))]) from None
    except (ValueError, RecursionError):
        raise CsvRefused([Problem(0, "", _("this is not valid JSON"))]) from None
    lists = (
        [document] if isinstance(document, list) else [v for v in document.values() if isinstance(v, list)]
    )
    entries = lists[0] if len(lists) == 1 else []
    if not entries or not all(isinstance(entry, dict) for entry in entries):
        raise CsvRefused([Problem(0, "", _("this JSON file is no list of rows; CSV is what is read here"))])
    if len(entries) > csv_files.MOST_ROWS:
        sentence = _("the file has more than %(most)d rows") % {"most": csv_files.MOST_ROWS}
        raise CsvRefused([Problem(0, "", sentence)], is_too_large=True)
    headings = list(
        dict.fromkeys(key for entry in entries for key, value in entry.items() if _is_flat(value))
    )
    return Table(
        headings,
        [(number, [_flat(entry.get(name)) for name in headings]) for number, entry in enumerate(entries, 1)],
    )


def _is_flat(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _flat(value: Any) -> str:
    if not _is_flat(value):
        return ""
    return csv_files.as_typed(csv_files.cell(value)).replace("\0", "")


def headings_sha256(kind: str, headings: list[str]) -> str:
    return hashlib.sha256("\n".join([kind, *sorted(headings)]).encode("utf-8", "replace")).hexdigest()


def guess(sheet: type[Sheet], opened: Opened) -> Reading:
    """Our own files and those of known publishers are read as they are; else whatever names look alike."""
    headings = opened.table.headings
    form: dict[str, Any] = {"encoding": opened.encoding, "delimiter": opened.delimiter}
    if set(headings) == set(sheet.headings()):
        return Reading(columns={name: name for name in headings}, is_own=True, **form)
    feed = known.recognise(sheet.kind, headings)
    if feed:
        return Reading(columns=dict(feed.columns), constants=dict(feed.constants), feed=feed.name, **form)
    plain = {known.plain(heading): heading for heading in reversed(headings)}
    columns: dict[str, str] = {}
    for name in sheet.headings():
        names = [name, *known.SYNONYMS.get(name, [])]
        theirs = next((plain[word] for word in names if word in plain), None)
        if theirs is not None and theirs not in columns.values():
            columns[name] = theirs
    return Reading(columns=columns, decimal_comma=_has_decimal_commas(sheet, opened, columns), **form)


def _has_decimal_commas(sheet: type[Sheet], opened: Opened, columns: dict[str, str]) -> bool:
    """Semicolons stand where commas are taken; else the numbers say it, if they are all written so."""
    if opened.delimiter in (";", ","):
        return opened.delimiter == ";"
    places = [opened.table.headings.index(columns[name]) for name in sheet.numbers() if name in columns]
    cells = [cells[place].strip() for _line, cells in opened.table.rows for place in places]
    return any(map(DECIMAL_COMMA.fullmatch, cells)) and not any("." in cell for cell in cells)


def to_rows(sheet: type[Sheet], table: Table, reading: Reading) -> Rows:
    """The file in our columns. Raises CsvRefused."""
    ours = [name for name in sheet.headings() if name in reading.columns or name in reading.constants]
    feed = known.FEEDS.get(reading.feed)
    if not reading.columns:
        raise CsvRefused([Problem(1, "", _("none of these columns is known here"))])
    lines, rows, problems = [], [], []
    for line, cells in table.rows:
        theirs = dict(zip(table.headings, cells, strict=True))
        if feed:
            try:
                theirs |= feed.read(theirs)
            except EntryRefused as refusal:
                problems.append(Problem(line, "", str(refusal)))
                continue
        rows.append([_cell(name, theirs, reading, sheet) for name in ours])
        lines.append(line)
    if problems:
        raise CsvRefused(problems[: csv_files.MOST_PROBLEMS])
    return Rows(ours, lines, rows)


def _cell(name: str, theirs: dict[str, str], reading: Reading, sheet: type[Sheet]) -> str:
    cell = theirs.get(reading.columns.get(name, ""), "")
    if reading.is_own:
        return cell
    cell = unicodedata.normalize("NFC", " ".join(cell.split())) or reading.constants.get(name, "")
    is_number = name in sheet.numbers()
    if is_number and reading.decimal_comma and DECIMAL_COMMA.fullmatch(cell):
        return cell.replace(",", ".")
    return cell
