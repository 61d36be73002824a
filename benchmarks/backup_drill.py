"""Copies made under write load, each restored into an empty database and proven whole.

    python benchmarks/backup_drill.py --times 20 --writers 4 --bookings 2000

Works on a test database it makes itself beside the configured one and throws away. DATABASE_URL chooses the
kind, as it does for the tests; on PostgreSQL its user must be allowed to make databases. `--canary` writes
one booking more into each manifest than the copy has, as if one were lost, to see that the proof notices.
Exits with 1 unless all copies were whole.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "parking.settings")

import django

ROOT = Path(__file__).resolve().parents[1]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=20, choices=range(1, 1001), metavar="1..1000")
    parser.add_argument("--writers", type=int, default=4, choices=range(9), metavar="0..8")
    parser.add_argument("--bookings", type=int, default=500, help="in the database before the first copy")
    parser.add_argument("--canary", action="store_true")
    return parser.parse_args()


@contextmanager
def test_database(folder: Path) -> Iterator[None]:
    from django.db import connection

    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = str(folder / "drill.sqlite3")
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


class Writers:
    """Book one spot each, release it, and again, until told to stop."""

    def __init__(self, count: int):
        self.booked = 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _write(self) -> None:
        from django.db import connection
        from django.utils import timezone

        from bookings import services
        from bookings.tests import factories

        lot, driver = factories.make_lot(2, now=timezone.now()), factories.make_user()
        while not self._stop.is_set():
            now = timezone.now()
            booking = factories.park(lot, driver, now=now)
            services.release(booking, by=driver, now=now + timedelta(seconds=1))
            self.booked += 1
        connection.close()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


@contextmanager
def empty_database(folder: Path) -> Iterator[str]:
    """The address of a database with nothing in it."""
    from django.db import connection

    if connection.vendor == "sqlite":
        path = folder / "restored.sqlite3"
        yield f"sqlite:///{path}"
        for file in folder.glob("restored.sqlite3*"):
            file.unlink()
        return
    at = connection.settings_dict
    name = f"{at['NAME']}_restored"
    _execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}" TEMPLATE template0')
    yield f"postgres://{quote(at['USER'])}:{quote(at['PASSWORD'])}@{at['HOST']}:{at['PORT'] or 5432}/{name}"
    _execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _execute(*statements: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def restore(copy: Path, database: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "DATABASE_URL": database,
        "ENV_FILE": os.devnull,
        "VAR_DIR": str(folder / "var"),
    }
    command = [sys.executable, "manage.py", "restore", str(copy), "--verify"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def lose_one(copy: Path) -> None:
    from parking import backups

    path = backups.manifest_path(copy)
    told = json.loads(path.read_text())
    told["rows"]["bookings_booking"] += 1
    path.write_text(json.dumps(told))


def drill(number: int, folder: Path, *, canary: bool) -> bool:
    """One copy, made and opened again; tells how long both took."""
    from django.utils import timezone

    from parking import backups

    begin = time.monotonic()
    copy = backups.make(folder / "copies", now=timezone.now() + timedelta(seconds=number))
    made = time.monotonic()
    manifest = backups.Manifest.read(copy)
    if canary:
        lose_one(copy)
    with empty_database(folder) as database:
        done = restore(copy, database, folder)
    whole = done.returncode == 0
    took = time.monotonic() - made
    print(
        f"{number:3}: {manifest.rows['bookings_booking']} bookings, {copy.stat().st_size / 1e6:.1f} MB, "
        f"copied in {made - begin:.1f} s, restored and proven in {took:.1f} s: "
        f"{'whole' if whole else 'NOT WHOLE ' + done.stdout[-300:] + done.stderr[-300:]}",
        flush=True,
    )
    copy.unlink()
    backups.manifest_path(copy).unlink()
    return whole


def main() -> int:
    wanted = arguments()
    django.setup()
    logging.disable()
    from bookings.tests import factories

    with tempfile.TemporaryDirectory() as work, test_database(Path(work)):
        lot = factories.make_lot(20)
        for number in range(wanted.bookings):
            hours = number // 20 % 100 + 1
            factories.reserve(
                lot, factories.make_user(), starts_in=timedelta(hours=hours), hours=1,
                now=factories.NOW - timedelta(days=7 * (number // 2000)),
            )  # fmt: skip
        writers, begin = Writers(wanted.writers), time.monotonic()
        try:
            whole = sum(drill(n, Path(work), canary=wanted.canary) for n in range(1, wanted.times + 1))
        finally:
            writers.stop()
        pace = writers.booked / (time.monotonic() - begin)
    print(
        f"{whole} of {wanted.times} copies whole, while {pace:.0f} bookings a second were made and released"
    )
    return 0 if whole == wanted.times else 1


if __name__ == "__main__":
    raise SystemExit(main())
