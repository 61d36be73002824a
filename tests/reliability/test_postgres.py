"""PostgreSQL stopped and started under load: nothing acknowledged is lost, and nobody sees a raw error."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.utils import timezone

from bookings.tests.factories import make_lot, make_user
from tests.reliability.house import LONG, House, database_url, free_port, house, once, until
from tests.reliability.load import Drivers, signed_in

__all__ = ["house"]
BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
INITDB = shutil.which("initdb") or (BINARIES and shutil.which("initdb", path=str(BINARIES)))
pytestmark = [
    pytest.mark.slow,
    once,
    pytest.mark.skipif(INITDB is None, reason="there is no initdb to make a PostgreSQL of one's own with"),
]
STOPS = 3 if LONG else 1
DRIVERS = 4
PAGES = ["/", "/accounts/profile/", "/admin/", "/api/v1/bookings/"]


class Cluster:
    """A PostgreSQL in a folder of the test's, as the user postgres where we are root."""

    def __init__(self) -> None:
        # Not in pytest's own folder: nobody else may look into that one.
        self.folder, self.port = Path(tempfile.mkdtemp(prefix="parkwell-postgres-")), free_port()
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        self._run("initdb", "-D", str(self.folder / "data"), "-A", "trust", "-U", "postgres", "--no-sync")

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1"
        self._ctl("start", "-w", "-o", options, "-l", str(self.folder / "log"))

    def stop(self) -> None:
        """As a machine that loses its power: no farewell, and a recovery at the next start."""
        self._ctl("stop", "-m", "immediate")

    def url(self, name: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{name}"

    def _ctl(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(Path(str(INITDB)).with_name(program)), *arguments]
        before = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        subprocess.run([*before, *command], check=True, stdout=subprocess.DEVNULL, cwd=self.folder)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    cluster.start()
    yield cluster
    with contextlib.suppress(subprocess.CalledProcessError):  # it was stopped when the test failed
        cluster.stop()
    shutil.rmtree(cluster.folder)


def copy_database(cluster: Cluster) -> None:
    """All of the test's database, so that nothing has to be migrated again."""
    dump = subprocess.run(["pg_dump", database_url()], check=True, capture_output=True).stdout
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as link:
        link.execute("CREATE DATABASE house")
    target = ["psql", "-q", "-v", "ON_ERROR_STOP=1", cluster.url("house")]
    subprocess.run(target, input=dump, check=True, stdout=subprocess.DEVNULL)


def test_nothing_acknowledged_is_lost_and_nobody_sees_an_error(house: House, cluster: Cluster):
    lot = make_lot(DRIVERS, now=timezone.now(), name="Alexanderplatz")
    users = [make_user(f"driver{number}") for number in range(DRIVERS)]
    headers = [signed_in(user) for user in users]
    copy_database(cluster)
    house.environment["DATABASE_URL"] = cluster.url("house")
    house.start_web()
    drivers = Drivers(house, lot, headers)
    seen = {}

    for stop in range(STOPS):
        begun = len(drivers.booked)
        until(lambda begun=begun: len(drivers.booked) > begun + 20)
        cluster.stop()
        for path in PAGES:
            status, told, text = house.get(path, headers[0])
            seen[path, stop] = (status, "retry-after" in told, "Traceback" in text)
        cluster.start()
        back = time.monotonic()
        begun = len(drivers.booked)
        until(lambda begun=begun: len(drivers.booked) > begun)
        print(f"stop {stop + 1}: booking again {time.monotonic() - back:.1f} s after")  # noqa: T201
    drivers.stop()

    assert {answer: path for path, answer in seen.items()}.keys() == {(503, True, False)}, seen
    assert drivers.odd == []
    with psycopg.connect(cluster.url("house")) as link:
        kept = {row[0] for row in link.execute("SELECT reference FROM bookings_booking")}
    lost = set(drivers.booked) - kept
    told = f"{len(drivers.booked)} acknowledged, {len(lost)} lost, {len(kept) - len(drivers.booked)} not told"
    print(f"{told}; answers {dict(drivers.statuses)}, slowest {drivers.slowest:.1f} s")  # noqa: T201
    assert lost == set()
    assert drivers.statuses[503] > 0
