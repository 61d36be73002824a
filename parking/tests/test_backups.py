"""A copy is whole, opens again on an empty server, and says so itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pyrage
import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections

from bookings.models import Booking
from bookings.tests import factories
from parking import backups

NOW = datetime(2027, 3, 1, 10, tzinfo=UTC)


@pytest.fixture
def filled(transactional_db: None) -> None:
    lot = factories.make_lot(capacity=4)
    for number in range(3):
        factories.reserve(lot, factories.make_user(f"driver{number}@example.com"))


@pytest.fixture
def empty_database(tmp_path: Path):
    """The address of a database with nothing in it."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{tmp_path / 'other' / 'restored.sqlite3'}"
        return
    name = f"{connection.settings_dict['NAME']}_restored"
    with connection.cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    at = connection.settings_dict
    yield f"postgres://{quote(at['USER'])}:{quote(at['PASSWORD'])}@{at['HOST']}:{at['PORT'] or 5432}/{name}"
    with connection.cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def restore(copy: Path, database: str, var: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "DATABASE_URL": database,
        "ENV_FILE": os.devnull,
        "VAR_DIR": str(var),
        **environment,
    }
    command = [sys.executable, "manage.py", "restore", str(copy), "--verify"]
    return subprocess.run(command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True)


def test_a_copy_made_while_others_write_opens_on_an_empty_server(
    filled: None, empty_database: str, tmp_path: Path
) -> None:
    stop = threading.Event()

    def write() -> None:
        lot = factories.make_lot(name="Busy", capacity=30)
        while not stop.is_set():
            factories.park(lot, None)
            Booking.objects.filter(lot=lot, state="active").update(state="completed")
        connections.close_all()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        copy = backups.make(tmp_path / "copies", now=NOW)
    finally:
        stop.set()
        writer.join()

    done = restore(copy, empty_database, tmp_path / "var")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tables have the rows they had" in done.stdout
    manifest = json.loads(backups.manifest_path(copy).read_text())
    assert manifest["rows"]["bookings_booking"] >= 3
    assert copy.stat().st_mode & 0o077 == 0, "others may read it"


def test_an_encrypted_copy_opens_with_its_identity_only(
    filled: None, empty_database: str, tmp_path: Path
) -> None:
    key = pyrage.x25519.Identity.generate()
    copy = backups.make(tmp_path / "copies", now=NOW, recipient=str(key.to_public()))
    assert b"driver0@example.com" not in copy.read_bytes()
    stranger = str(pyrage.x25519.Identity.generate())
    refused = restore(copy, empty_database, tmp_path / "var", BACKUP_IDENTITY=stranger)
    assert refused.returncode == 1
    assert "cannot be opened with this identity" in refused.stderr
    done = restore(copy, empty_database, tmp_path / "var", BACKUP_IDENTITY=str(key))
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_not_right_is_refused_in_words(filled: None, empty_database: str, tmp_path: Path) -> None:
    copy = backups.make(tmp_path / "copies", now=NOW)
    with pytest.raises(CommandError, match="is not empty"):
        call_command("restore", str(copy))
    with pytest.raises(CommandError, match="exists already"):
        backups_again(copy)
    with copy.open("r+b") as file:
        file.seek(100)
        file.write(b"\0\1\2")
    assert "is damaged" in restore(copy, empty_database, tmp_path / "var").stderr
    backups.manifest_path(copy).unlink()
    assert "is missing" in restore(copy, empty_database, tmp_path / "var").stderr


def backups_again(copy: Path) -> None:
    try:
        backups.make(copy.parent, now=NOW)
    except backups.BackupError as error:
        raise CommandError(str(error)) from error


def test_a_difference_is_named(filled: None, tmp_path: Path) -> None:
    manifest = backups.Manifest.read(backups.make(tmp_path, now=NOW))
    assert backups.differences(manifest) == []
    factories.make_user("late@example.com")
    assert any(text.startswith("accounts_user: 4 rows, 3") for text in backups.differences(manifest))


def test_old_copies_go_but_never_the_last_nor_anything_else(tmp_path: Path) -> None:
    for days in (0, 20, 40, 60):
        name = f"parkwell-{(NOW - timedelta(days=days)).strftime(backups.STAMP)}.dump"
        (tmp_path / name).touch()
        (tmp_path / f"{name}.json").touch()
    (tmp_path / "parkwell-notes.txt").touch()
    gone = backups.forget_old(tmp_path, now=NOW, days=30)
    assert len(gone) == 2
    assert len(list(tmp_path.glob("*.dump"))) == 2
    assert (tmp_path / "parkwell-notes.txt").exists()
    later = NOW + timedelta(days=400)
    backups.forget_old(tmp_path, now=later, days=30)
    assert len(list(tmp_path.glob("*.dump"))) == 1


def test_nothing_half_made_stays(filled: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backups, "_digest", lambda path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        backups.make(tmp_path, now=NOW)
    assert list(tmp_path.iterdir()) == []
