"""One kind of file: its columns, how its rows are found again, and which service writes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar, TypeVar

import tablib
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from import_export.instance_loaders import BaseInstanceLoader
from import_export.resources import Resource

from accounts import csv_files
from accounts.csv_files import Problem
from accounts.models import User
from bookings.errors import BadBooking, BookingRefused
from reports.sheets.cells import Column, Number, Whole
from reports.sheets.models import ImportRow

CHUNK = 500  # rows read, written or told about at a time
Action = ImportRow.Action
Item = TypeVar("Item")


@dataclass
class Change:
    """One row of ours that a file makes or changes."""

    line: int
    action: str
    name: str
    before: dict[str, str]
    after: dict[str, str]
    instance: Any = None
    notes: dict[str, Any] = field(default_factory=dict)
    """What undoing must know besides; kept in `before` under names no column has."""

    def digest(self) -> list[Any]:
        return [self.line, self.action, self.name, self.before, self.after]


@dataclass(frozen=True)
class Rows:
    """A file in our own columns: the line each row begins on, and its cells."""

    headings: list[str]
    lines: list[int]
    cells: list[list[str]]


class Sheet(Resource):
    """
    What django-import-export calls a resource. It reads cells into rows and finds what differs; a row that
    is new or changed goes to `write`, which calls a service: no rule is passed by.
    """

    kind: ClassVar[str] = ""
    # A new row cannot be made without these.
    required: ClassVar[tuple[str, ...]] = ()
    # What the columns look at besides the row's own table.
    related: ClassVar[tuple[str, ...]] = ()

    class Meta:
        clean_model_instances = True
        skip_unchanged = True
        # Its HTML; `changes` tell the difference.
        skip_diff = True
        store_row_values = False
        instance_loader_class = BaseInstanceLoader

    def __init__(
        self, *, by: User, now: datetime, on_progress: Callable[[int], None] = lambda _done: None
    ) -> None:
        super().__init__()
        self.by = by
        self.now = now
        self.on_progress = on_progress
        self.changes: list[Change] = []
        self.rows = Rows([], [], [])

    # --- What a kind says of itself ---

    @classmethod
    def columns(cls) -> list[Column]:
        return list(cls.fields.values())

    @classmethod
    def headings(cls) -> list[str]:
        return [column.column_name for column in cls.columns()]

    @classmethod
    def numbers(cls) -> set[str]:
        """Where a decimal comma may stand in the files of others."""
        return {column.column_name for column in cls.columns() if isinstance(column.widget, Number | Whole)}

    def load(self, rows: list[dict[str, str]]) -> None:
        """Look up whatever the rows of a file name, in a few queries."""
        raise NotImplementedError

    def key(self, row: dict[str, str]) -> tuple[Any, ...]:
        """What two rows of one file must not share."""
        raise NotImplementedError

    def find(self, row: dict[str, str]) -> Any:
        """Our row, or None for a new one. Raises ValidationError where it may not be touched."""
        raise NotImplementedError

    def make(self, row: dict[str, str]) -> Any:
        """An unsaved row for a new one."""
        raise NotImplementedError

    def check(self, instance: Any, is_new: bool, changed: set[str]) -> None:
        """What the model's own fields do not know. Raises ValidationError."""

    def check_all(self) -> list[Problem]:
        """What can only be seen of all rows together; nothing is written."""
        return []

    def write(self, change: Change, changed: set[str]) -> None:
        """Through the services. Sets `change.instance` to what is kept."""
        raise NotImplementedError

    def write_rest(self) -> list[Problem]:
        """For kinds that write their rows together."""
        return []

    def fetch(self, ids: Sequence[int]) -> dict[int, Any]:
        """Rows by id, with all that `values` wants, for undoing."""
        raise NotImplementedError

    def put_back(self, row: ImportRow, instance: Any, values: dict[str, Any]) -> None:
        """Give a changed row its old values. Raises ValidationError or BookingRefused."""
        raise NotImplementedError

    def unmake(self, instance: Any) -> None:
        """Take a new row away again. Raises ValidationError where somebody uses it."""
        raise NotImplementedError

    def take_back(self, pairs: list[tuple[ImportRow, Any]]) -> list[Problem]:
        """Undo rows that are as the import left them. Returns what stands against it."""
        problems = []
        for row, instance in pairs:
            try:
                with transaction.atomic():
                    if row.action == Action.NEW:
                        self.unmake(instance)
                    else:
                        self.put_back(row, instance, self.old_values(row))
            except (ValidationError, BookingRefused) as error:
                problems.append(Problem(row.line, "", f"{row.name}: {reason(error)}"))
        return problems

    def attach(self, instances: Sequence[Any]) -> None:
        """Give rows what their columns show and the table does not hold."""

    # --- Out ---

    def lines(self, instances: Iterable[Any]) -> Iterator[list[Any]]:
        """The values of each row, typed, in the order of the headings."""
        for chunk in chunks(instances):
            self.attach(chunk)
            for instance in chunk:
                yield [column.value(instance) for column in self.columns()]

    # --- In ---

    def run(self, rows: Rows, *, dry_run: bool) -> list[Problem]:
        """
        Compare a file with what is kept; unless `dry_run`, write it. `changes` say what is or was done.

        Returns what is wrong; where anything is, whoever called takes back what was written.
        """
        self.rows, self.changes = rows, []
        self._seen: dict[tuple[Any, ...], int] = {}
        data = tablib.Dataset(*rows.cells, headers=rows.headings)
        # Without its savepoints: whoever calls writes in one transaction and takes all of it back.
        result = self.import_data_inner(
            data, dry_run, raise_errors=False, using_transactions=False, collect_failed_rows=False
        )
        problems = [p for number, row in enumerate(result.rows) for p in self._problems(number, row)]
        for error in result.base_errors:
            raise error.error
        if not problems:
            problems = self.check_all() if dry_run else self.write_rest()
        return problems[: csv_files.MOST_PROBLEMS]

    def plan(self) -> str:
        """A seal on what would be done, line by line."""
        plan = json.dumps([change.digest() for change in self.changes], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(plan.encode("utf-8", "surrogatepass")).hexdigest()

    def name(self, row: dict[str, str]) -> str:
        return " ".join(str(part) for part in self.key(row))[:300]

    def get_import_id_fields(self) -> list[str]:
        return []  # find() knows

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        self.load([dict(zip(self.rows.headings, cells, strict=True)) for cells in self.rows.cells])

    def get_instance(self, instance_loader: Any, row: dict[str, str]) -> Any:
        return self.find(row)

    def init_instance(self, row: Any = None) -> Any:
        return self.make(row)

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        number = kwargs["row_number"] - 1
        key, line = self.key(row), self.rows.lines[number]
        if key in self._seen:
            raise ValidationError(
                _("Line %(line)d is about the same one: %(name)s.")
                % {"line": self._seen[key], "name": " ".join(map(str, key))}
            )
        self._seen[key] = line
        self._is_new = False
        if number % CHUNK == 0:
            self.on_progress(number)

    def after_init_instance(self, instance: Any, new: bool, row: Any, **kwargs: Any) -> None:
        self._is_new = new
        self._before = {} if new else self.values(instance)

    def values(self, instance: Any) -> dict[str, Any]:
        return {
            column.column_name: column.value(instance)
            for column in self.columns()
            if not self.rows.headings or column.column_name in self.rows.headings
        }

    def skip_row(self, instance: Any, original: Any, row: Any, import_validation_errors: Any = None) -> bool:
        return not self._is_new and not import_validation_errors and self._before == self.values(instance)

    def validate_instance(
        self, instance: Any, import_validation_errors: Any = None, validate_unique: bool = True
    ) -> None:
        """Uniqueness is find()'s business, once for the whole file; here it would be queries a row."""
        errors: dict[str, Any] = dict(import_validation_errors or {})
        changed = self._changed(instance)
        try:
            instance.clean_fields(exclude={*errors, *self.not_ours(instance)})
        except ValidationError as error:
            errors = error.update_error_dict(errors)
        if errors:
            raise ValidationError(errors)
        self.check(instance, self._is_new, changed)

    def not_ours(self, instance: Any) -> set[str]:
        """Columns of the table that a service fills, or that the file leaves as they are."""
        ours = {column.attribute for column in self.columns()}
        return {f.name for f in instance._meta.fields if f.name not in ours}

    def _changed(self, instance: Any) -> set[str]:
        values = self.values(instance)
        return {name for name, value in values.items() if self._is_new or self._before[name] != value}

    def save_instance(self, instance: Any, is_create: bool, row: Any, **kwargs: Any) -> None:
        changed, values = self._changed(instance), self.values(instance)
        change = Change(
            line=self.rows.lines[kwargs["row_number"] - 1],
            action=Action.NEW if is_create else Action.CHANGED,
            name=self.name(row),
            before={name: plain(self._before[name]) for name in sorted(changed) if not is_create},
            after={name: text for name in sorted(changed) if (text := plain(values[name])) or not is_create},
            instance=instance,
        )
        if not self._is_dry_run(kwargs):
            self.write(change, changed)
        self.changes.append(change)

    def after_import(self, dataset: Any, result: Any, **kwargs: Any) -> None:
        self.on_progress(len(self.rows.lines))

    def _problems(self, number: int, row: Any) -> Iterator[Problem]:
        line = self.rows.lines[number]
        if row.validation_error:
            yield from problems_of(row.validation_error, line, self.attributes())
        for found in row.errors:
            # A refusal of a service; anything else is our own mistake, and not the file's.
            if not isinstance(found.error, BookingRefused | BadBooking):
                raise found.error
            yield Problem(line, "", str(found.error))

    def attributes(self) -> dict[str, str]:
        return {column.attribute: column.column_name for column in self.columns()}

    # --- And back ---

    def is_as_left(self, instance: Any, after: dict[str, str]) -> bool:
        """Nobody has changed since what the import wrote."""
        return all(
            column.value(instance) == column.widget.render(column.read(after[column.column_name]))
            for column in self.columns()
            if column.column_name in after
        )

    def old_values(self, row: ImportRow) -> dict[str, Any]:
        """By attribute, what a changed row held before."""
        return {
            column.attribute: column.read(row.before[column.column_name])
            for column in self.columns()
            if column.column_name in row.before
        }


def chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    left = iter(items)
    while some := list(islice(left, CHUNK)):
        yield some


def reason(error: ValidationError | BookingRefused) -> str:
    return "; ".join(error.messages) if isinstance(error, ValidationError) else str(error)


def plain(value: Any) -> str:
    """A value as a cell, without the writer's apostrophe."""
    return csv_files.as_typed(csv_files.cell(value))


def problems_of(error: ValidationError, line: int, columns: dict[str, str]) -> Iterator[Problem]:
    if not hasattr(error, "error_dict"):
        for message in error.messages:
            yield Problem(line, "", message)
        return
    for name, messages in error.message_dict.items():
        column = "" if name == NON_FIELD_ERRORS else columns.get(name, name)
        for message in messages:
            yield Problem(line, column, message)
