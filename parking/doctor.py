"""What is wrong with an installation, in plain words. Looks only; changes nothing that stays."""

from __future__ import annotations

import math
import secrets
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.core.cache import cache
from django.core.mail import get_connection
from django.db import Error, connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.http.request import validate_host
from django.utils import timezone

from accounts import replica as replicas
from accounts.models import User
from lots.models import Lot
from parking import backups, readings
from parking.celery import app

OK, WARN, BAD = "ok", "warn", "bad"
LEAST_DISK = 1_000_000_000  # bytes
CLOCK_OFF = timedelta(seconds=2)
PATIENCE = timedelta(minutes=3)  # sweeps come by every few seconds
BACKUP_DUE = timedelta(days=2)
LAG_ALLOWED = timedelta(minutes=1)
# Who has replayed all that is written is not behind, however long ago that was.
LAG = """
    SELECT pg_is_in_recovery(), CASE WHEN pg_last_wal_replay_lsn() >= %s THEN 0
        ELSE COALESCE(EXTRACT(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0) END
"""


class Finding(NamedTuple):
    level: str
    about: str
    what: str


Check = Callable[[datetime], Iterator[Finding]]


def examine(*, now: datetime) -> Iterator[Finding]:
    """All findings, in an order that makes sense to mend them in; without a database only the first ones."""
    for check in OUTSIDE:
        yield from _safely(check, now)
    found = list(database(now))
    yield from found
    if all(finding.level != BAD for finding in found):
        for check in INSIDE:
            yield from _safely(check, now)


def _safely(check: Check, now: datetime) -> Iterator[Finding]:
    try:
        yield from check(now)
    except Exception as error:  # one sick part must not hide the others
        yield Finding(BAD, check.__name__.replace("_", " "), f"could not be looked at: {_line(error)}")


# --- Without the database ---


def keys(now: datetime) -> Iterator[Finding]:
    if settings.DEBUG:
        yield Finding(
            WARN, "keys", "DEBUG is on: good for trying out, never for real drivers. Set DEBUG=false."
        )
    else:
        yield Finding(OK, "keys", "SECRET_KEY and JWT_SECRET_KEY are long, made at random, and differ.")


def addresses(now: datetime) -> Iterator[Finding]:
    base = urlsplit(settings.BASE_URL)
    if not validate_host(base.hostname or "", settings.ALLOWED_HOSTS):
        yield Finding(
            BAD, "addresses", f"BASE_URL is {settings.BASE_URL}, but ALLOWED_HOSTS does not name its host."
        )
    elif base.scheme != "https" and not settings.DEBUG:
        yield Finding(
            BAD, "addresses", f"BASE_URL is {settings.BASE_URL}; links in mails and on QR labels need https."
        )
    else:
        yield Finding(OK, "addresses", f"Links lead to {settings.BASE_URL}.")


def proxy(now: datetime) -> Iterator[Finding]:
    count = settings.TRUSTED_PROXY_COUNT
    if count:
        yield Finding(
            OK,
            "proxy",
            f"{count} of your proxies are believed; each must set X-Forwarded-For and -Proto itself.",
        )
    elif settings.DEBUG:
        yield Finding(OK, "proxy", "None; X-Forwarded-… headers are not believed.")
    else:
        yield Finding(
            WARN,
            "proxy",
            "TRUSTED_PROXY_COUNT is 0: behind a proxy everybody would share one address and its limits, and"
            " pages would redirect to https for ever.",
        )


def time_zones(now: datetime) -> Iterator[Finding]:
    if not available_timezones():
        yield Finding(BAD, "time zones", "This machine has no time zone data; install tzdata.")
        return
    # Berlin's summer time is a rule every complete data set has.
    summer = datetime(2027, 7, 1, tzinfo=ZoneInfo("Europe/Berlin")).utcoffset()
    good = summer == timedelta(hours=2)
    yield Finding(OK if good else BAD, "time zones", "Known." if good else "The time zone data is not right.")


def disk(now: datetime) -> Iterator[Finding]:
    for folder in {Path(settings.VAR), Path(settings.BACKUP_DIR)}:
        place = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(place).free
        level = OK if free >= LEAST_DISK else BAD
        yield Finding(level, "disk", f"{free / 1e9:.1f} GB free for {folder}.")


def static_files(now: datetime) -> Iterator[Finding]:
    if settings.DEBUG or (Path(settings.STATIC_ROOT) / "staticfiles.json").exists():
        yield Finding(OK, "static files", "There.")
    else:
        yield Finding(BAD, "static files", "Not collected: run manage.py collectstatic.")


def broker(now: datetime) -> Iterator[Finding]:
    name = app.connection_for_write().as_uri()
    try:
        with app.connection_for_write() as link:
            link.ensure_connection(max_retries=1, timeout=3)
    except Exception as error:
        yield Finding(BAD, "broker", f"{name} does not answer ({_line(error)}); worker and beat wait for it.")
    else:
        yield Finding(OK, "broker", f"{name} answers.")


def mail(now: datetime) -> Iterator[Finding]:
    if "smtp" not in settings.EMAIL_TRANSPORT:
        level = WARN if not settings.DEBUG else OK
        yield Finding(level, "mail", "Is written to files, not sent; set EMAIL_URL=smtp://… to send it.")
        return
    server = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    link = get_connection(settings.EMAIL_TRANSPORT, timeout=5)
    try:
        link.open()
        link.close()
    except (TimeoutError, OSError) as error:
        yield Finding(BAD, "mail", f"{server} does not take our mail ({_line(error)}).")
    else:
        yield Finding(OK, "mail", f"{server} takes our mail.")
    if "localhost" in settings.DEFAULT_FROM_EMAIL:
        yield Finding(
            WARN, "mail", "DEFAULT_FROM_EMAIL is at localhost: other servers will refuse such mail."
        )


# --- The database and what is in it ---


def try_writing() -> None:
    """Writes and takes it back: a file without rights and a read-only replica open without complaint.

    Raises django.db.Error.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE parkwell_may_write (yes integer)")
        transaction.set_rollback(True)


def database(now: datetime) -> Iterator[Finding]:
    name = f"{connection.vendor} {connection.settings_dict['NAME']}"
    try:
        try_writing()
        version = ".".join(map(str, connection.get_database_version()))
    except Error as error:
        yield Finding(
            BAD, "database", f"{name} cannot be written ({_line(error)}); everything else waits for it."
        )
        return
    yield Finding(OK, "database", f"{name}, version {version}, can be written.")
    if connection.vendor == "sqlite" and not settings.DEBUG:
        yield Finding(
            WARN, "database", "SQLite serves one machine; for several, or many writers, take PostgreSQL."
        )
    if connection.vendor == "postgresql" and shutil.which("pg_dump") is None:
        yield Finding(WARN, "database", "pg_dump is not installed here: manage.py backup needs it.")


def migrations(now: datetime) -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        yield Finding(BAD, "migrations", f"{len(missing)} are missing: run manage.py setup.")
    else:
        yield Finding(OK, "migrations", "All are applied.")


def replica(now: datetime) -> Iterator[Finding]:
    if replicas.NAME not in connections.settings:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_lsn()")
        written = cursor.fetchone()[0]
    with connections[replicas.NAME].cursor() as cursor:
        cursor.execute(LAG, [written])
        is_replica, lag = cursor.fetchone()
    if not is_replica:
        yield Finding(WARN, "replica", "REPLICA_DATABASE_URL is no replica: it follows nothing we write.")
    else:
        level = OK if lag <= LAG_ALLOWED.total_seconds() else WARN
        yield Finding(level, "replica", f"It is {lag:.1f} s behind: figures and exports are of then.")


def clock_of_the_database(now: datetime) -> Iterator[Finding]:
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        before = timezone.now()
        cursor.execute("SELECT clock_timestamp()")
        theirs = cursor.fetchone()[0]
        after = timezone.now()
    off = max(before - theirs, theirs - after, timedelta(0))
    level = OK if off <= CLOCK_OFF else BAD
    yield Finding(level, "clock", f"This machine and the database differ by {off.total_seconds():.1f} s.")


def the_cache(now: datetime) -> Iterator[Finding]:
    word = secrets.token_hex(8)
    cache.set("doctor", word, 10)
    if cache.get("doctor") == word:
        yield Finding(OK, "cache", "Keeps what it is given.")
    else:
        yield Finding(
            WARN, "cache", "Forgets what it is given (is Redis up?); pages are slower, nothing is lost."
        )


def sweeps(now: datetime) -> Iterator[Finding]:
    late = {reading.name: reading.value for reading in readings.read(now=now)}
    overdue = max(late["outbox_oldest_seconds"], late["holds_overdue_seconds"], late["stays_overdue_seconds"])
    if overdue > PATIENCE.total_seconds():
        yield Finding(
            BAD,
            "clock",
            f"Work is {overdue / 60:.0f} minutes late: do worker and beat, or run_sweeps --loop, run?",
        )
    else:
        yield Finding(OK, "clock", "No mail, hold or stay waits for its sweep.")
    beat = late["clock_heartbeat_seconds"]
    if beat == math.inf:
        yield Finding(WARN, "clock", "It has not beaten yet: start worker and beat, or run_sweeps --loop.")
    elif beat > PATIENCE.total_seconds():
        yield Finding(BAD, "clock", "It stands still: do worker and beat, or run_sweeps --loop, run?")
    else:
        yield Finding(OK, "clock", f"It beat {beat:.0f} s ago.")
    if late["job_runs_wrong"]:
        count = f"{late['job_runs_wrong']:.0f}"
        yield Finding(WARN, "clock", f"{count} job runs failed or were missed this week; see Job runs.")
    if late["outbox_failed"]:
        yield Finding(
            WARN, "mail", f"{late['outbox_failed']:.0f} mails were given up on; see Notices in the admin."
        )


def lots_time_zones(now: datetime) -> Iterator[Finding]:
    unknown = sorted(set(Lot.objects.values_list("timezone", flat=True)) - available_timezones())
    for zone in unknown:
        yield Finding(BAD, "time zones", f"Lots are in {zone}, which this machine does not know.")


def staff(now: datetime) -> Iterator[Finding]:
    if User.objects.filter(is_staff=True, is_active=True).exists():
        yield Finding(OK, "staff", "There is somebody who may run the lots.")
    else:
        yield Finding(WARN, "staff", "Nobody may run the lots: manage.py create_operator.")


def backup(now: datetime) -> Iterator[Finding]:
    made = [at for path in Path(settings.BACKUP_DIR).glob("*") if (at := backups.made_at(path))]
    newest = max(made, default=None)
    level = OK if settings.DEBUG or (newest and now - newest < BACKUP_DUE) else WARN
    what = (
        f"The newest in {settings.BACKUP_DIR} is of {newest:%Y-%m-%d %H:%M} UTC." if newest else "None yet."
    )
    yield Finding(level, "backup", what)


OUTSIDE: list[Check] = [keys, addresses, proxy, time_zones, disk, static_files, broker, mail]
INSIDE: list[Check] = [
    migrations,
    replica,
    clock_of_the_database,
    the_cache,
    sweeps,
    lots_time_zones,
    staff,
    backup,
]


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
