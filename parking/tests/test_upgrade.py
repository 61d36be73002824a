"""A database of the release before becomes one of this release, and everything in it still adds up.

On PostgreSQL the old release's statements go on meanwhile (benchmarks/upgrade.py tells how long they wait).
data/release-0.1.0.sql.gz is what release 0.1.0 itself wrote: its schema, two lots, reserved, cancelled and
finished bookings. Its last migrations: accounts 0003, lots 0003, bookings 0007, parking 0001.
"""

from __future__ import annotations

import gzip
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection

RELEASE = Path(__file__).parent / "data" / "release-0.1.0.sql.gz"
BOOKINGS = 13


def manage(database: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "DATABASE_URL": f"sqlite:///{database}",
        "VAR_DIR": str(database.parent / "var"),
        "ENV_FILE": os.devnull,
    }
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old.sqlite3"
    link = sqlite3.connect(path)
    link.executescript(gzip.decompress(RELEASE.read_bytes()).decode())
    link.close()
    return path


@pytest.mark.slow
@pytest.mark.skipif(connection.vendor != "sqlite", reason="the database of the old release is a file")
def test_a_database_of_the_release_before_is_brought_up_to_date(old: Path) -> None:
    migrated = manage(old, "migrate", "-v", "0")
    assert migrated.returncode == 0, migrated.stderr

    proof = manage(old, "check_integrity")
    assert proof.returncode == 0, proof.stdout + proof.stderr
    link = sqlite3.connect(old)
    states = dict(link.execute("SELECT state, count(*) FROM bookings_booking GROUP BY state"))
    assert sum(states.values()) == BOOKINGS
    assert {"confirmed", "cancelled", "completed"} <= set(states)
    link.execute("UPDATE bookings_booking SET total = total + 1 WHERE state = 'completed'")
    link.commit()
    link.close()
    assert manage(old, "check_integrity").returncode == 1, "the proof sees what is wrong"


def upgrade_under_load(*words: str) -> subprocess.CompletedProcess[str]:
    at = connection.settings_dict
    who = f"{quote(at['USER'])}:{quote(at['PASSWORD'])}"
    database = f"postgres://{who}@{at['HOST']}:{at['PORT'] or 5432}/{at['NAME']}"
    environment = os.environ | {"DATABASE_URL": database, "ENV_FILE": os.devnull}
    command = [sys.executable, "benchmarks/upgrade.py", "--bookings", "300", *words]
    return subprocess.run(command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.skipif(connection.vendor != "postgresql", reason="on SQLite one writes at a time anyhow")
@pytest.mark.django_db(transaction=True)
def test_the_old_release_goes_on_writing_while_the_database_is_brought_up_to_date() -> None:
    """How long it waited is for the benchmark to say; that nothing was refused or lost is for here."""
    done = upgrade_under_load("--longest", "60")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "the old code made" in done.stdout
