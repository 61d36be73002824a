"""
An import's life: uploaded, mapped, checked, confirmed, done, undone. All or nothing, one after the other.

Small files are worked on while their operator waits; larger ones by a sweep. Checking writes nothing but the
batch's own rows. What is confirmed is what was shown: if the lots have changed since, nothing is imported.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, OperationalError, transaction
from django.utils.translation import gettext as _

from accounts import changes
from accounts.csv_files import MOST_PROBLEMS, CsvRefused, Problem
from accounts.models import User
from reports.sheets import reading as readings
from reports.sheets.kinds import SHEETS
from reports.sheets.models import ImportBatch, ImportRow
from reports.sheets.reading import Reading
from reports.sheets.sheet import Change, Rows, Sheet, chunks

logger = logging.getLogger(__name__)

WHILE_WAITING = 2_000  # rows; more are worked on in the background
LEASE = timedelta(minutes=5)  # as long as a worker's task may take
KEPT = timedelta(days=90)  # files hold plates and addresses, and nobody undoes an import after a season

State = ImportBatch.State


class ImportRefused(Exception):
    """Not possible in this state; the sentence says why."""


class _TakenOver(Exception):
    """This worker was too slow: its lease is over, and another does the work."""


def upload(*, kind: str, file_name: str, content: bytes, by: User, now: datetime) -> ImportBatch:
    """Keep a file and say how it would be read. Raises CsvRefused where it is none."""
    opened = readings.open_file(content)
    guessed = readings.guess(SHEETS[kind], opened)
    seal = readings.headings_sha256(kind, opened.table.headings)
    if not guessed.is_certain:
        guessed = _remembered(kind, seal, guessed)
    return ImportBatch.objects.create(
        kind=kind,
        state=State.CHECKING if guessed.is_certain else State.MAPPING,
        by=by,
        file_name=file_name,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        reading=guessed.to_json(),
        headings_sha256=seal,
        row_count=len(opened.table.rows),
        uploaded_at=now,
    )


def _remembered(kind: str, seal: str, guessed: Reading) -> Reading:
    """What was said the last time about a file of these headings."""
    before = (
        ImportBatch.objects.filter(kind=kind, headings_sha256=seal, imported_at__isnull=False)
        .order_by("-imported_at")
        .first()
    )
    if before is None:
        return guessed
    said = before.reading | {"encoding": guessed.encoding, "delimiter": guessed.delimiter}
    return Reading(**said)


def set_reading(batch: ImportBatch, reading: Reading) -> None:
    """Say which column is which, and have the file checked. Raises ImportRefused."""
    _move(batch, (State.MAPPING, State.REFUSED, State.READY), State.CHECKING, reading=reading.to_json())


def confirm(batch: ImportBatch, plan_sha256: str) -> None:
    """Do what was shown. Raises ImportRefused."""
    if not batch.plan_sha256 or plan_sha256 != batch.plan_sha256:
        raise ImportRefused(_("What you confirmed is not what was checked last. Look at it again."))
    _move(batch, (State.READY,), State.CONFIRMED)


def undo(batch: ImportBatch) -> None:
    """Have an import undone. Raises ImportRefused."""
    _move(batch, (State.DONE,), State.UNDOING)


def _move(batch: ImportBatch, states: tuple[str, ...], to: str, **fields: Any) -> None:
    """Compare and set: of two who click at once, one does it."""
    fields |= {"state": to, "rows_done": 0, "problems": []}
    if not ImportBatch.objects.filter(pk=batch.pk, state__in=states, slot=None).update(**fields):
        raise ImportRefused(_("Somebody was faster; see what became of it."))
    batch.refresh_from_db()


def is_for_waiting(batch: ImportBatch) -> bool:
    return batch.row_count <= WHILE_WAITING


def run_due(*, now: datetime) -> int:
    """Work on whatever waits; returns how many. Safe to run at any time."""
    waiting = ImportBatch.objects.waiting(now).order_by("pk")
    return sum(work_on(batch, now=now) for batch in waiting)


def forget_old(*, now: datetime) -> int:
    """Files and rows of imports nobody will undo any more."""
    return ImportBatch.objects.filter(uploaded_at__lt=now - KEPT, slot=None).delete()[0]


def work_on(batch: ImportBatch, *, now: datetime) -> bool:
    """Take the next step. False where another import is being worked on: a sweep does it then."""
    lease = now + LEASE
    if not _claim(batch, now, lease):
        return False
    steps: dict[str, Callable[[ImportBatch, datetime], None]] = {
        State.CHECKING: _check,
        State.CONFIRMED: _import,
        State.UNDOING: _undo,
    }
    try:
        steps[batch.state](batch, now)
    except CsvRefused as refused:
        _fail(batch, refused.problems)
    except _TakenOver:
        logger.warning("import %s was taken over by another worker", batch.pk)
    except IntegrityError:
        # Somebody made the same row between our looking and our writing.
        _fail(batch, [Problem(0, "", _changed_since())])
    except OperationalError:
        _release(batch, lease)
        raise  # the database is busy or away: the next sweep does it
    except Exception:
        logger.exception("import %s failed", batch.pk)
        sentence = _("Something went wrong here; nothing was changed. The log says what.")
        _fail(batch, [Problem(0, "", sentence)])
    return True


def _fail(batch: ImportBatch, problems: list[Problem]) -> None:
    try:
        _close(batch, State.DONE if batch.state == State.UNDOING else State.REFUSED, problems=problems)
    except _TakenOver:
        logger.warning("import %s was taken over by another worker", batch.pk)


def _claim(batch: ImportBatch, now: datetime, lease: datetime) -> bool:
    """The one slot there is, unless a living worker has it."""
    ImportBatch.objects.filter(slot=1, lease_until__lt=now).update(slot=None)
    try:
        with transaction.atomic():
            free = ImportBatch.objects.filter(pk=batch.pk, state__in=ImportBatch.WORK, slot=None)
            claimed = free.update(slot=1, lease_until=lease)
    except IntegrityError:
        return False
    batch.refresh_from_db()
    return bool(claimed)


def _release(batch: ImportBatch, lease: datetime) -> None:
    ImportBatch.objects.filter(pk=batch.pk, slot=1, lease_until=lease).update(slot=None)


def _close(batch: ImportBatch, state: str, *, problems: list[Problem] | None = None, **fields: Any) -> None:
    """The step is over. Raises _TakenOver."""
    shown = [{"line": p.line, "column": p.column, "sentence": p.sentence} for p in problems or []]
    mine = ImportBatch.objects.filter(pk=batch.pk, slot=1, lease_until=batch.lease_until)
    if not mine.update(slot=None, state=state, problems=shown, **fields):
        raise _TakenOver
    batch.refresh_from_db()


def _rows(batch: ImportBatch) -> Rows:
    """Raises CsvRefused."""
    opened = readings.open_file(bytes(batch.content))
    return readings.to_rows(SHEETS[batch.kind], opened.table, Reading(**batch.reading))


def _sheet(batch: ImportBatch, now: datetime) -> Sheet:
    def on_progress(done: int) -> None:
        ImportBatch.objects.filter(pk=batch.pk).update(rows_done=done)

    return SHEETS[batch.kind](by=batch.by, now=now, on_progress=on_progress)


def _check(batch: ImportBatch, now: datetime) -> None:
    """Find out what the file would do. Writes nothing of it."""
    sheet = _sheet(batch, now)
    problems = sheet.run(_rows(batch), dry_run=True)
    with transaction.atomic():
        batch.rows.all().delete()
        if not problems:
            _keep(batch, sheet.changes)
        _close(
            batch,
            State.REFUSED if problems else State.READY,
            problems=problems,
            plan_sha256="" if problems else sheet.plan(),
            row_count=len(sheet.rows.lines),
            **_counts(sheet.changes),
        )


def _import(batch: ImportBatch, now: datetime) -> None:
    """Everything or nothing, and only what was shown."""
    rows, sheet = _rows(batch), _sheet(batch, now)
    with transaction.atomic(), changes.through(batch.file_name):
        problems = sheet.run(rows, dry_run=False)
        if problems:
            raise CsvRefused(problems)
        if sheet.plan() != batch.plan_sha256:
            raise CsvRefused([Problem(0, "", _changed_since())])
        batch.rows.all().delete()
        _keep(batch, sheet.changes)
        _close(batch, State.DONE, imported_at=now, **_counts(sheet.changes))


def _changed_since() -> str:
    return _("What is kept here has changed since the file was checked. Check it again.")


def _keep(batch: ImportBatch, changes: list[Change]) -> None:
    for some in chunks(changes):
        ImportRow.objects.bulk_create(
            ImportRow(
                batch=batch,
                line=change.line,
                action=change.action,
                name=change.name,
                object_id=change.instance.pk,
                before={**change.before, **{f"*{name}": note for name, note in change.notes.items()}},
                after=change.after,
            )
            for change in some
        )


def _counts(changes: list[Change]) -> dict[str, Any]:
    new = sum(change.action == ImportRow.Action.NEW for change in changes)
    return {"new_count": new, "changed_count": len(changes) - new}


def _undo(batch: ImportBatch, now: datetime) -> None:
    """Every row as it was, if nobody has touched any since; else none, and the rows are named."""
    sheet, rows = _sheet(batch, now), list(batch.rows.order_by("-line"))
    with transaction.atomic(), changes.through(_("undone: %(file)s") % {"file": batch.file_name}):
        problems, pairs = [], []
        for some in chunks(rows):
            kept = sheet.fetch([row.object_id for row in some if row.object_id is not None])
            for row in some:
                instance = kept.get(row.object_id or 0)
                if instance is None:
                    problems.append(Problem(row.line, "", _("%(name)s is gone.") % {"name": row.name}))
                elif not sheet.is_as_left(instance, row.after):
                    problems.append(
                        Problem(row.line, "", _("%(name)s was changed since.") % {"name": row.name})
                    )
                pairs.append((row, instance))
        problems = problems or sheet.take_back(pairs)
        if problems:
            raise CsvRefused(problems[:MOST_PROBLEMS])
        _close(batch, State.UNDONE, undone_at=now)
