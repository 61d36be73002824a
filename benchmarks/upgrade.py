"""The last release's database, with many bookings, is brought up to date while the old code goes on writing.

    python benchmarks/upgrade.py --bookings 100000

PostgreSQL only (DATABASE_URL); makes a database beside the configured one and throws it away. Two probes run
meanwhile: one books and signs up with the columns the old release knew, one asks for every table what a
writer needs of it. Says how long each waited at most, and exits with 1 where that was more than --longest
seconds, a write was refused, or one that was acknowledged is missing.
"""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "parking.settings")

import django
import psycopg

ROOT = Path(__file__).resolve().parents[1]
# Where release 0.1.0 ended; it had no reports.
RELEASE = {"accounts": "0003", "lots": "0003", "bookings": "0007", "parking": "0001", "reports": None}
SPOTS = 100
LOCK_TIMEOUT = "10s"
MOMENTS = ("starts_at", "ends_at", "booked_from", "booked_until")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bookings", type=int, default=100_000)
    parser.add_argument("--longest", type=float, default=5.0, help="seconds a write may wait")
    parser.add_argument("--canary", action="store_true", help="lock a table for longer, to see it noticed")
    return parser.parse_args()


# --- The old release's database ---


def migrate_to_release() -> Any:
    """Returns the models as that release had them."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] not in RELEASE]
    for app, number in RELEASE.items():
        targets += [node for node in executor.loader.disk_migrations if node[0] == app and number and
                    node[1].startswith(number)]  # fmt: skip
    executor.migrate(targets)
    return executor.loader.project_state(targets).apps


def fill(apps: Any, bookings: int) -> None:
    """One lot, one driver, and so many bookings with three timeline entries each, hour after hour back."""
    from django.db import connection

    at = datetime(2026, 1, 1, tzinfo=UTC)
    user = _make(apps, "accounts.User", email="old@example.com", date_joined=at)
    lot = _make(apps, "lots.Lot", name="Old", slug="old", price_per_hour=Decimal("2.5"))
    tariff = _make(apps, "lots.Tariff", lot=lot, version=1, document={}, valid_from=at, made_at=at)
    spots = [_make(apps, "lots.Spot", lot=lot, number=str(n), number_key=f"{n:08}") for n in range(SPOTS)]
    hour = {"starts_at": at, "ends_at": at + timedelta(hours=1)}
    agreed = {"booked_from": hour["starts_at"], "booked_until": hour["ends_at"]}
    money = {"tariff": tariff, "currency": "EUR", "total": Decimal("2.5"), "created_at": at}
    booking = _make(
        apps, "bookings.Booking", reference="A" * 16, kind="reserved", state="completed", lot=lot,
        spot=spots[0], driver=user, **hour, **agreed, **money,
    )  # fmt: skip
    for sequence, state in enumerate(["confirmed", "active", "completed"], 1):
        told = {"action": state, "to_state": state, "actor": "clock"}
        _make(apps, "bookings.TimelineEntry", booking=booking, sequence=sequence, at=at, **told)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        back = f"{{column}} - (n / {SPOTS} + 1) * interval '1 hour'"
        rows = f"generate_series(0, {bookings - 2}) n"
        cursor.execute(copy_of("bookings_booking", columns("bookings_booking"), back, n=rows))
        names = [name for name in columns("bookings_timelineentry") if name != "booking_id"]
        listed, theirs = ", ".join(names), ", ".join(f"entry.{name}" for name in names)
        cursor.execute(
            f"INSERT INTO bookings_timelineentry (booking_id, {listed}) SELECT b.id, {theirs} "  # noqa: S608
            "FROM bookings_booking b CROSS JOIN bookings_timelineentry entry WHERE b.id <> entry.booking_id"
        )
        cursor.execute("ANALYZE")


def _make(apps: Any, model: str, **values: Any) -> Any:
    return apps.get_model(model).objects.create(**values)


def columns(table: str) -> list[str]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0", [table]
        )
        return [name for (name,) in cursor.fetchall() if name != "id"]


def copy_of(table: str, names: list[str], moment: str, *, n: str, **other: str) -> str:
    """An INSERT of the first row again for each `n`, with a reference, a spot and times of its own."""
    values = {name: name for name in names}
    values |= {name: moment.format(column=name) for name in names if name in MOMENTS}
    values |= {"reference": "upper(substr(md5(random()::text), 1, 16))", "spot_id": f"spot_id + n % {SPOTS}"}
    return again(table, values | other, n)


def again(table: str, values: dict[str, str], n: str) -> str:
    first = f"(SELECT * FROM {table} ORDER BY id LIMIT 1) first"  # noqa: S608  all of it is ours
    return f"INSERT INTO {table} ({', '.join(values)}) SELECT {', '.join(values.values())} FROM {first}, {n}"  # noqa: S608


# --- The probes ---


class Probe(threading.Thread):
    """Does one thing again and again on a connection of its own, and notes how long each took."""

    def __init__(self, server: str, steps: Callable[[int], tuple[str, str]]):
        super().__init__(daemon=True)
        self.longest: dict[str, float] = defaultdict(float)
        self.done: dict[str, int] = defaultdict(int)
        self.refused: list[str] = []
        self._server, self._steps, self._over = server, steps, threading.Event()
        self.start()

    def run(self) -> None:
        with psycopg.connect(
            self._server, autocommit=True, options=f"-c lock_timeout={LOCK_TIMEOUT}"
        ) as link:
            number = 0
            while not self._over.is_set():
                number += 1
                name, statement = self._steps(number)
                begin = time.monotonic()
                try:
                    link.execute(statement)
                    self.done[name] += 1
                except psycopg.Error as error:
                    self.refused.append(f"{name}: {str(error).splitlines()[0]}")
                self.longest[name] = max(self.longest[name], time.monotonic() - begin)
                time.sleep(0.005)

    def stop(self) -> None:
        self._over.set()
        self.join()


def old_code(booking: list[str], user: list[str]) -> Callable[[int], tuple[str, str]]:
    """Books for later, every tenth time signs somebody up, with the columns that release knew."""

    def step(number: int) -> tuple[str, str]:
        n = f"(SELECT {number} AS n) n"
        if number % 10 == 0:
            values = {name: name for name in user}
            values |= {"email": f"'new{number}@example.com'", "username": "NULL"}
            return "sign-up", again("accounts_user", values, n)
        ahead = f"{{column}} + interval '3 years' + (n / {SPOTS}) * interval '1 hour'"
        return "booking", copy_of("bookings_booking", booking, ahead, n=n, state="'confirmed'")

    return step


def writers_of(tables: list[str]) -> Callable[[int], tuple[str, str]]:
    """Asks for the lock a write takes, table after table."""

    def step(number: int) -> tuple[str, str]:
        table = tables[number % len(tables)]
        return table, f'BEGIN; LOCK TABLE "{table}" IN ROW EXCLUSIVE MODE; COMMIT'

    return step


# --- The run ---


def setup(database: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, as an administrator does it."""
    with tempfile.TemporaryDirectory() as var:
        environment = os.environ | {"DATABASE_URL": database, "ENV_FILE": os.devnull, "VAR_DIR": var}
        command = [sys.executable, "manage.py", "setup"]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def hold_a_lock(server: str, seconds: float) -> None:
    with psycopg.connect(server) as link:
        link.execute("LOCK TABLE bookings_booking IN SHARE MODE")
        time.sleep(seconds)


def main() -> int:
    wanted = arguments()
    django.setup()
    logging.disable()
    from django.db import connection

    from benchmarks import stage

    if connection.vendor != "postgresql":
        raise SystemExit("Set DATABASE_URL to a PostgreSQL: on SQLite one writes at a time anyhow.")
    at = connection.settings_dict
    user = f"{at['USER']}:{at['PASSWORD']}" if at["PASSWORD"] else at["USER"]
    host = f"postgres://{user}@{at['HOST'] or '127.0.0.1'}:{at['PORT'] or 5432}"
    name = f"{at['NAME']}_upgrade"
    stage.recreate(f"{host}/{at['NAME']}", name)
    try:
        connection.close_pool()
        at["NAME"] = name
        return run(wanted, f"{host}/{name}")
    finally:
        connection.close()
        connection.close_pool()
        stage.drop(f"{host}/postgres", name)


def run(wanted: argparse.Namespace, server: str) -> int:
    from django.db import connection

    fill(migrate_to_release(), wanted.bookings)
    tables = connection.introspection.table_names()
    there = _count("bookings_booking"), _count("accounts_user")
    connection.close()
    print(f"Release 0.1.0 with {there[0]:,} bookings; upgrading while its own statements go on", flush=True)
    probes = [
        Probe(server, old_code(columns("bookings_booking"), columns("accounts_user"))),
        Probe(server, writers_of(tables)),
    ]
    connection.close()
    begin = time.monotonic()
    done = setup(server)
    took = time.monotonic() - begin
    if wanted.canary:
        hold_a_lock(server, wanted.longest + 1)
    time.sleep(1)  # the old code on the new schema, with nothing under way
    for probe in probes:
        probe.stop()

    writer, locks = probes
    added = _count("bookings_booking") - there[0], _count("accounts_user") - there[1]
    longest = sorted(locks.longest.items(), key=lambda row: -row[1])
    print(
        f"upgraded in {took:.1f} s; the old code made {added[0]} bookings and {added[1]} sign-ups meanwhile"
    )
    for what, wait in writer.longest.items():
        print(f"longest wait of a {what}: {wait:.2f} s")
    print("longest wait for a table: " + ", ".join(f"{table} {wait:.2f} s" for table, wait in longest[:5]))
    wrong = [*writer.refused[:5], *locks.refused[:5]]
    wrong += [done.stderr[-1000:]] if done.returncode else []
    wrong += (
        ["acknowledged writes are missing"]
        if added != (writer.done["booking"], writer.done["sign-up"])
        else []
    )
    wrong += ["nothing was written meanwhile"] if not all(added) else []
    slowest = max(*writer.longest.values(), *locks.longest.values())
    wrong += [f"a write waited {slowest:.1f} s"] if slowest > wanted.longest else []
    for line in wrong:
        print(f"NOT GOOD: {line}")
    if not wrong:
        print(f"Nobody waited longer than {slowest:.2f} s")
    return 1 if wrong else 0


def _count(table: str) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f'SELECT count(*) FROM "{table}"')  # noqa: S608  our own tables
        return int(cursor.fetchone()[0])


if __name__ == "__main__":
    raise SystemExit(main())
