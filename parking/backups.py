"""Copies of the whole database that are known to open again.

A backup is two files: the copy itself (`pg_dump`'s custom format, or a SQLite file made by its online
backup) and beside it a manifest in JSON: when, of what, the rows of every table in the very snapshot that
was copied, the migrations it needs and the copy's SHA-256. With a recipient the copy is an age file
(https://age-encryption.org): the server holds the public key only, and `age -d` opens it without us.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyrage
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder

STAMP = "%Y%m%dT%H%M%SZ"
PREFIX = "parkwell-"
CHUNK = 1 << 20


class BackupError(Exception):
    """A sentence for whoever runs the command."""


@dataclass(frozen=True, slots=True)
class Manifest:
    made_at: str
    vendor: str
    copy: str  # file name
    sha256: str
    rows: dict[str, int]
    migrations: list[str]

    @classmethod
    def read(cls, copy: Path) -> Manifest:
        path = manifest_path(copy)
        try:
            return cls(**json.loads(path.read_text()))
        except FileNotFoundError:
            raise BackupError(f"{path} is missing: it says what must be in the copy.") from None
        except (TypeError, ValueError) as error:
            raise BackupError(f"{path} is no manifest of ours ({error}).") from None


def manifest_path(copy: Path) -> Path:
    return copy.with_name(copy.name + ".json")


# --- Making ---


def make(folder: Path, *, now: datetime, recipient: str = "") -> Path:
    """Copy the database while it is in use; returns the copy's path. Nothing half made keeps its name."""
    folder.mkdir(parents=True, exist_ok=True)
    kind = "dump" if connection.vendor == "postgresql" else "sqlite3"
    target = folder / f"{PREFIX}{now.astimezone(UTC).strftime(STAMP)}.{kind}{'.age' if recipient else ''}"
    if target.exists():
        raise BackupError(f"{target} exists already.")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as work:
        plain = Path(work) / "copy"
        rows, migrations = _dump(plain) if kind == "dump" else _copy_sqlite(plain)
        copy = _encrypted(plain, recipient) if recipient else plain
        copy.chmod(0o600)
        manifest = Manifest(now.isoformat(), connection.vendor, target.name, _digest(copy), rows, migrations)
        _write_private(manifest_path(target), json.dumps(asdict(manifest), indent=1))
        copy.replace(target)  # last: a copy that can be seen is whole
    return target


def _dump(target: Path) -> tuple[dict[str, int], list[str]]:
    """pg_dump and the counting see one snapshot; writers are not held up."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute("SELECT pg_export_snapshot()")
        snapshot = cursor.fetchone()[0]
        _postgres_tool(
            "pg_dump", "--format=custom", "--no-owner", "--no-privileges",
            f"--snapshot={snapshot}", f"--file={target}",
        )  # fmt: skip
        return _rows(), _migrations()


def _copy_sqlite(target: Path) -> tuple[dict[str, int], list[str]]:
    source = sqlite3.connect(f"file:{connection.settings_dict['NAME']}?mode=ro", uri=True)
    copy = sqlite3.connect(target)
    try:
        source.backup(copy)  # in one step: what is written meanwhile is not in it
        # A file of its own, without the write-ahead log beside it.
        copy.execute("PRAGMA journal_mode=DELETE")
        return sqlite_rows(copy), [
            f"{app}.{name}"
            for app, name in copy.execute("SELECT app, name FROM django_migrations ORDER BY 1, 2")
        ]
    finally:
        copy.close()
        source.close()


def _encrypted(plain: Path, recipient: str) -> Path:
    try:
        key = pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError as error:
        raise BackupError(f"BACKUP_RECIPIENT is no age public key ({error}).") from None
    target = plain.with_name("copy.age")
    with plain.open("rb") as reader, target.open("wb") as writer:
        pyrage.encrypt_io(reader, writer, [key])
    plain.unlink()
    return target


def forget_old(folder: Path, *, now: datetime, days: int) -> list[Path]:
    """Delete the copies older than `days`, but never the newest one; returns what went."""
    copies = sorted(path for path in folder.glob(f"{PREFIX}*") if made_at(path))
    old = [path for path in copies[:-1] if (made_at(path) or now) < now - timedelta(days=days)]
    for path in old:
        path.unlink()
        manifest_path(path).unlink(missing_ok=True)
    return old


def made_at(copy: Path) -> datetime | None:
    """When a copy of ours was made, by its name; None for any other file."""
    if copy.suffix not in (".dump", ".sqlite3", ".age"):
        return None
    try:
        stamp = copy.name.removeprefix(PREFIX).split(".", 1)[0]
        return datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


# --- Opening again ---


def restore(copy: Path, *, identity: str = "") -> Manifest:
    """Put a copy into the configured database, which must be empty."""
    manifest = Manifest.read(copy)
    if manifest.vendor != connection.vendor:
        raise BackupError(f"This is a copy of {manifest.vendor}; DATABASE_URL names {connection.vendor}.")
    if _digest(copy) != manifest.sha256:
        raise BackupError(f"{copy.name} is damaged: its SHA-256 is not the manifest's.")
    if connection.introspection.table_names():
        raise BackupError(f"The database {connection.settings_dict['NAME']} is not empty; name an empty one.")
    connection.close()
    with opened(copy, identity) as plain:
        if connection.vendor == "postgresql":
            _postgres_tool("pg_restore", "--exit-on-error", "--no-owner", "--no-privileges", plain)
        else:
            _put_sqlite(plain)
    return manifest


@contextmanager
def opened(copy: Path, identity: str) -> Iterator[Path]:
    if copy.suffix != ".age":
        yield copy
        return
    try:
        key = pyrage.x25519.Identity.from_str(identity)
    except pyrage.IdentityError:
        raise BackupError(
            "The copy is encrypted: give the age identity (AGE-SECRET-KEY-…) it is for."
        ) from None
    with tempfile.TemporaryDirectory() as work:
        plain = Path(work) / "copy"
        plain.touch(mode=0o600)
        try:
            with copy.open("rb") as reader, plain.open("wb") as writer:
                pyrage.decrypt_io(reader, writer, [key])
        except pyrage.DecryptError as error:
            raise BackupError(f"{copy.name} cannot be opened with this identity ({error}).") from None
        yield plain


def _put_sqlite(plain: Path) -> None:
    name = Path(connection.settings_dict["NAME"])
    name.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=name.parent, delete=False) as file:
        shutil.copyfile(plain, file.name)
    for suffix in ("-wal", "-shm"):
        name.with_name(name.name + suffix).unlink(missing_ok=True)
    os.replace(file.name, name)


def differences(manifest: Manifest) -> list[str]:
    """What the database has otherwise than the snapshot had; empty when it is the same."""
    rows = _rows()
    tables = sorted(set(rows) | set(manifest.rows))
    wrong = [
        f"{table}: {rows.get(table, 'no table')} rows, {manifest.rows.get(table, 'no table')} in the copy"
        for table in tables
        if rows.get(table) != manifest.rows.get(table)
    ]
    if _migrations() != manifest.migrations:
        wrong.append("the migrations are not those of the copy")
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA integrity_check")
            wrong += [f"the file: {text}" for (text,) in cursor.fetchall() if text != "ok"]
    return wrong


# --- What both need ---


def _rows() -> dict[str, int]:
    with connection.cursor() as cursor:
        counts = {}
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608
            counts[table] = cursor.fetchone()[0]
        return counts


def sqlite_rows(database: sqlite3.Connection) -> dict[str, int]:
    tables = database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    return {
        name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608
        for (name,) in sorted(tables)
    }


def _migrations() -> list[str]:
    return sorted(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())


def _postgres_tool(tool: str, *arguments: str | Path) -> None:
    """The password goes through the environment: a command line can be read by everybody on the machine."""
    settings = connection.settings_dict
    names = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    environment = os.environ | {ours: str(settings[name]) for ours, name in names.items() if settings[name]}
    command = [tool, f"--dbname={settings['NAME']}", *map(str, arguments)]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True)  # noqa: S603
    except FileNotFoundError:
        raise BackupError(f"{tool} is not installed (on Debian: postgresql-client).") from None
    if done.returncode:
        raise BackupError(
            f"{tool} failed: {done.stderr.strip().splitlines()[-1] if done.stderr else 'no word'}"
        )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_private(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
