"""Files asked for now and made later: a row is owed, a sweep makes it, a signed link opens it.

The row is the queue. A worker claims it for a while (a lease) and renews that with every chunk it writes; one
that is killed is not heard of again, its lease runs out, and the next sweep begins anew. What it had written
was in a nameless temporary file and is gone with it.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import IO
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.core.files import File
from django.core.files.storage import Storage, storages
from django.core.signing import BadSignature, Signer
from django.db import IntegrityError, transaction
from django.db.models import F
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts import limits, outbox
from accounts.models import User
from bookings.errors import BadBooking, BookingRefused
from lots.models import Lot
from reports import export_files
from reports.days import zone_of
from reports.export_models import FORMATS, Export, ExportQuerySet, Format, Kind, State
from reports.export_pdf import TooManyForPaper

logger = logging.getLogger(__name__)
Moment = Callable[[], datetime]

KEPT = timedelta(hours=24)  # the file, and the link in the mail
LINK_LIFE = timedelta(hours=1)  # the link a page or an API answer shows
ROW_KEPT = timedelta(days=30)
LEASE = timedelta(minutes=2)
ATTEMPTS = 3
WAIT = timedelta(seconds=10)  # until the next attempt, times the number of attempts
# A worker has four threads; the other sweeps need some.
AT_A_TIME = 2
TOLD_WITHIN = timedelta(days=2)  # that it failed; afterwards nobody waits for it
TOLD_EVERY = 0.5  # seconds; progress is a write
LARGEST_ATTACHMENT = 100_000  # bytes
STRAY = timedelta(minutes=15)  # a file no row knows is older than that when it is thrown away
SALT = "reports.exports"

REASONS = {
    "gave_up": _("It went wrong three times. We have been told; please try again later."),
    "not_allowed": _("You may not export this any more."),
    "too_many_for_pdf": _("There are too many bookings for a PDF. Choose a shorter time, or CSV."),
}


class ExportUnderWay(BookingRefused):
    code = "export_under_way"
    message = _("One export at a time: yours is being made. Wait until it is done.")


class LinkUnknown(Exception):
    """Not one of our links, or what it led to is not there for its owner any more."""


class LinkOver(Exception):
    """It was one of our links."""


class _Failed(Exception):
    def __init__(self, code: str):
        self.code = code
        super().__init__(code)


class _LeaseLost(Exception):
    """Another worker has begun anew, or the row is gone with its owner."""


# --- Asking ---


def may_export_all(user: User) -> bool:
    return user.is_active and user.is_staff and user.has_perm("reports.export_all_data")


def ask(
    *,
    owner: User,
    kind: str,
    format: str = "",
    period: tuple[datetime | None, datetime | None] = (None, None),
    lots: Sequence[str] = (),
    now: datetime,
) -> Export:
    """Owe somebody a file. Raises ExportUnderWay, BadBooking, PermissionDenied, TooOften.

    `lots` are slugs of lots they run, and make all data that of these lots.
    """
    if kind == Kind.ALL_DATA and not may_export_all(owner):
        raise PermissionDenied
    format = format or FORMATS[kind][0]
    if format not in FORMATS[kind]:
        choices = ", ".join(FORMATS[kind])
        raise BadBooking("format", f"This can be had as {choices}.", code="invalid_choice")
    if all(period) and period[0] >= period[1]:  # type: ignore[operator]
        raise BadBooking("to", "The end lies after the start.", code="end_before_start")
    named = _named(lots, owner, kind)
    try:
        with transaction.atomic():
            # The constraint decides between two that ask at once; only what is made counts for the limit.
            export = Export.objects.create(
                owner=owner,
                kind=kind,
                format=format,
                period_from=period[0],
                period_until=period[1],
                created_at=now,
            )
            export.lots.set(named)
            limit = limits.EXPORT_STAFF if owner.is_staff else limits.EXPORT
            limits.take((limit, str(owner.pk)))
            return export
    except IntegrityError as error:
        other = Export.objects.of(owner).unfinished().first()
        raise ExportUnderWay(export=str(other.pk) if other else None) from error


def _named(slugs: Sequence[str], owner: User, kind: str) -> list[Lot]:
    if slugs and kind != Kind.ALL_DATA:
        raise BadBooking("lots", "Lots can be chosen for all data only.", code="invalid_choice")
    found = list(Lot.objects.run_by(owner).filter(slug__in=slugs)) if slugs else []
    if strange := set(slugs) - {lot.slug for lot in found}:
        raise BadBooking("lots", f"You run no lot {min(strange)[:40]}.", code="does_not_exist")
    return found


# --- Making ---


def make_due(*, now: datetime) -> int:
    """Make what is owed, the oldest first; returns how many were begun. Safe to run at any time."""
    started = time.monotonic()

    def moment() -> datetime:
        return now + timedelta(seconds=time.monotonic() - started)

    made = 0
    for pk in list(Export.objects.due(now).order_by("created_at").values_list("pk", flat=True)[:20]):
        export = _claim(pk, moment())
        if export is not None:
            _make(export, moment)
            made += 1
    return made


def _claim(pk: UUID, now: datetime) -> Export | None:
    """Compare and set: of two workers after one row, one gets it."""
    if Export.objects.in_work(now).count() >= AT_A_TIME:
        return None
    claimed = (
        Export.objects.due(now)
        .filter(pk=pk)
        .update(
            state=State.RUNNING,
            started_at=now,
            locked_until=now + LEASE,
            attempts=F("attempts") + 1,
            progress=0,
            rows=0,
        )
    )
    return Export.objects.select_related("owner").filter(pk=pk).first() if claimed else None


def _make(export: Export, moment: Moment) -> None:
    try:
        if export.attempts > ATTEMPTS:
            # It never came back to say what went wrong: the worker died with it, each time.
            raise _Failed("gave_up")
        _check_allowed(export)
        with tempfile.TemporaryFile() as file:
            rows = export_files.write(export, file, told=_telling(export, moment), now=moment())
            _keep(export, file, rows, moment)
    except _LeaseLost:
        logger.warning("export %s: somebody else has it now", export.pk)
    except TooManyForPaper:
        _fail(export, "too_many_for_pdf", moment())
    except _Failed as failed:
        _fail(export, failed.code, moment())
    except Exception:
        logger.exception("export %s, attempt %d", export.pk, export.attempts)
        if export.attempts >= ATTEMPTS:
            _fail(export, "gave_up", moment())
        else:
            _still_mine(export).update(
                state=State.QUEUED, locked_until=moment() + WAIT * export.attempts, progress=0, rows=0
            )


def _check_allowed(export: Export) -> None:
    """What somebody may see now, not when they asked."""
    allowed = may_export_all(export.owner) if export.kind == Kind.ALL_DATA else export.owner.is_active
    if not allowed:
        raise _Failed("not_allowed")


def _telling(export: Export, moment: Moment) -> export_files.Told:
    last = -TOLD_EVERY

    def told(written: int, expected: int) -> None:
        nonlocal last
        if time.monotonic() - last < TOLD_EVERY:
            return
        last = time.monotonic()
        # 100 is only said when the file is there.
        progress = min(99, written * 100 // max(expected, 1))
        _renew(export, moment(), progress=progress, rows=written)

    return told


def _renew(export: Export, now: datetime, **facts: int) -> None:
    if not _still_mine(export).update(locked_until=now + LEASE, **facts):
        raise _LeaseLost


def _still_mine(export: Export) -> ExportQuerySet:
    return Export.objects.filter(pk=export.pk, state=State.RUNNING, attempts=export.attempts)


def _keep(export: Export, file: IO[bytes], rows: int, moment: Moment) -> None:
    size = file.tell()
    attachment = _attachment(export, file, size)
    file.seek(0)
    _renew(export, moment(), progress=99, rows=rows)
    name = _storage().save(f"{export.pk.hex}-{export.attempts}.{export.suffix}", File(file))
    now = moment()
    facts = {"file_name": name, "size": size, "rows": rows, "finished_at": now, "expires_at": now + KEPT}
    with transaction.atomic():
        done = _still_mine(export).update(state=State.DONE, progress=100, locked_until=None, **facts)
        if done:
            for field, value in facts.items():
                setattr(export, field, value)
            _owe_mail(export, attachment, now)
    if not done:
        _storage().delete(name)
        raise _LeaseLost


def _attachment(export: Export, file: IO[bytes], size: int) -> list[tuple[str, bytes, str]]:
    """A small file of one's own comes with the mail; other people's data never does."""
    if export.kind == Kind.ALL_DATA or export.format == Format.PDF or size > LARGEST_ATTACHMENT:
        return []
    file.seek(0)
    return [(export.download_name, file.read(), "text/csv")]


def _owe_mail(export: Export, attachments: list[tuple[str, bytes, str]], now: datetime) -> None:
    assert export.expires_at  # noqa: S101  for the type checker
    zone = zone_of(export.owner)
    outbox.owe(
        template="reports/email/export_ready",
        recipient=export.owner.email,
        user=export.owner,
        event=f"export:{export.pk}:ready",
        context={
            "kind": export.kind,
            "rows": export.rows,
            "path": _way_to(export),
            "expires_at": export.expires_at.astimezone(zone).isoformat(),
            "timezone": zone.key,
            "is_attached": bool(attachments),
        },
        attachments=attachments,
        now=now,
        expires_at=export.expires_at,
    )


def _way_to(export: Export) -> str:
    """A mail can be passed on: other people's data is fetched behind the back office's second factor."""
    assert export.expires_at  # noqa: S101  for the type checker
    if export.kind == Kind.ALL_DATA:
        return _place(export)
    return path(export, until=export.expires_at)


def _fail(export: Export, code: str, now: datetime) -> None:
    """Whoever waits for the file is told: not by a page alone, which they may have closed."""
    with transaction.atomic():
        facts = {"state": State.FAILED, "error_code": code, "finished_at": now}
        if _still_mine(export).update(locked_until=None, **facts):
            outbox.owe(
                template="reports/email/export_failed",
                recipient=export.owner.email,
                user=export.owner,
                event=f"export:{export.pk}:failed",
                context={"kind": export.kind, "code": code, "path": _place(export)},
                now=now,
                expires_at=now + TOLD_WITHIN,
            )


def _place(export: Export) -> str:
    """Where its owner sees their exports, and asks for another."""
    is_all = export.kind == Kind.ALL_DATA
    return reverse("admin:reports_export_changelist") if is_all else reverse("exports:list")


# --- The file ---


def link(export: Export, *, now: datetime) -> str | None:
    """The path of the file, good for an hour; None while, or since, there is no file."""
    if not export.has_file(now) or export.expires_at is None:
        return None
    return path(export, until=min(now + LINK_LIFE, export.expires_at))


def path(export: Export, *, until: datetime) -> str:
    key = Signer(salt=SALT).sign_object([export.pk.hex, int(until.timestamp())])
    return f"{reverse('exports:file', args=[export.pk])}?{urlencode({'key': key})}"


def opened(pk: UUID, key: str, *, now: datetime) -> Export:
    """The export a link opens. Needs no session, so its owner's rights are asked for again.

    Raises LinkUnknown, LinkOver.
    """
    try:
        signed_pk, until = Signer(salt=SALT).unsign_object(key)
    except (BadSignature, ValueError, TypeError) as error:
        raise LinkUnknown from error
    export = Export.objects.select_related("owner").filter(pk=pk).first()
    if export is None or signed_pk != pk.hex:
        raise LinkUnknown
    if now.timestamp() >= until or not export.has_file(now):
        raise LinkOver
    try:
        _check_allowed(export)
    except _Failed as failed:
        raise LinkUnknown from failed
    return export


def reason(export: Export) -> str:
    """Why it failed, for people."""
    return str(REASONS.get(export.error_code, ""))


def open_file(export: Export) -> IO[bytes]:
    """Raises LinkOver where the file is gone."""
    try:
        return _storage().open(export.file_name)
    except FileNotFoundError as error:
        raise LinkOver from error


# --- Cleaning up ---


def tidy_up(*, now: datetime) -> int:
    """Throw away files whose time is over and files nobody asked for, and forget old rows."""
    gone = 0
    for export in Export.objects.past_their_time(now).iterator():
        _storage().delete(export.file_name)
        gone += Export.objects.past_their_time(now).filter(pk=export.pk).update(
            state=State.EXPIRED, file_name="", size=0
        )  # fmt: skip
    old = Export.objects.exclude(state__in=[State.QUEUED, State.RUNNING, State.DONE])
    old.filter(created_at__lt=now - ROW_KEPT).delete()
    return gone + _throw_away_strays(now)


def _throw_away_strays(now: datetime) -> int:
    """Of workers that died between file and row, and of people who erased themselves."""
    storage = _storage()
    try:
        names = storage.listdir("")[1]
    except FileNotFoundError:  # nothing was ever exported
        return 0
    known = set(Export.objects.filter(state=State.DONE).values_list("file_name", flat=True))
    strays = [name for name in names if name not in known and storage.get_modified_time(name) < now - STRAY]
    for name in strays:
        storage.delete(name)
    return len(strays)


def _storage() -> Storage:
    return storages["exports"]
