"""`make bench`: what Parkwell does, measured beside the limit, in one run on real services.

Every figure stands beside another one of the same run, taken in turn with it, so that ratios hold on any
machine. Exits with 1 where something failed or took more statements than it may; never because of time.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.results import Measure

    Part = Callable[[], list[Measure]]

SERVER = os.environ.get("BENCH_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:6379/12")
DOCS = Path("docs/benchmarks")
PARTS = ("booking", "hot", "pages", "polling", "counts", "history", "memory", "scaling", "start", "sqlite")
QUICK = {"seconds": 2.0, "rounds": 1, "past": [20_000], "occupying": 20_000, "spots": 50, "lots": 100}
USUAL = {"seconds": 5.0, "rounds": 3, "past": [1_000_000], "occupying": 1_000_000, "spots": 500, "lots": 1000}
FULL = USUAL | {"past": [1_000_000, 5_000_000], "occupying": 2_000_000}


def main() -> int:
    options = _options()
    # Stopped from outside: servers are ended and the database dropped, as at the usual end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    begin = time.monotonic()
    _refuse_without_services()
    with tempfile.TemporaryDirectory(prefix="parkwell-bench-") as var:
        environment = _environment(var, options.database)
        os.environ.update(environment)
        import django

        django.setup()
        from benchmarks import results

        found = list(_measure(options, environment))
    about = {
        "seconds a round": options.seconds,
        "rounds": options.rounds,
        "minutes in all": round((time.monotonic() - begin) / 60, 1),
    }
    folder = Path(options.out)
    results.write(found, folder, about)
    say(f"written to {folder}")
    if folder == DOCS:
        results.put_into(folder.parent / "speed.md", folder)
    faults = [f"{one.what}: {fault}" for one in found for fault in one.faults]
    for fault in faults:
        say(f"FAULT {fault}")
    return 1 if faults else 0


def _measure(options: argparse.Namespace, environment: dict[str, str]) -> Iterator[Measure]:
    from django.db import connection

    from benchmarks import stage

    say(f"making database {options.database}")
    stage.recreate(SERVER, options.database)
    try:
        stage.set_up()
        for name, part in _parts(options, environment):
            say(f"-- {name}")
            for one in part():
                say(one.line())
                yield one
    finally:
        connection.close()
        stage.drop(SERVER, options.database)


def _parts(options: argparse.Namespace, environment: dict[str, str]) -> Iterator[tuple[str, Part]]:
    """Each when its turn comes. History stands late: what it writes stays."""
    from benchmarks import server, stage
    from benchmarks.measures import booking, history, machine, reading

    chosen, seconds, rounds = set(options.only or PARTS), options.seconds, options.rounds
    lots, tokens = stage.lots(100, spots=100), stage.drivers(16)
    often = {"seconds": seconds, "rounds": rounds}
    with server.running(environment) as port:
        booking.warm_up(port, tokens, lots)
        if "booking" in chosen:
            database = environment["DATABASE_URL"]
            yield "booking", lambda: booking.spread(port, tokens, lots, database=database, **often)
        if "hot" in chosen:
            yield "hot", lambda: booking.hot_lot(port, tokens, lots, **often)
        if "pages" in chosen:
            session, reference = stage.booked(lots[0])
            yield "pages", lambda: reading.pages(port, lots[0], session, reference, seconds=seconds)
        if "polling" in chosen:
            open_pages = options.open_pages
            yield "polling", lambda: reading.polling(port, tokens, lots, open_pages=open_pages, **often)
        if "counts" in chosen:
            say(f"writing {options.occupying:,} bookings to come")
            large = stage.lots(50, spots=options.spots, name="Large")
            stage.history(large, options.occupying, is_past=False)
            yield "counts", lambda: reading.free_counts(large, rounds=max(rounds, 5))
            say(f"making {options.lots:,} lots around")
            stage.lots_around(options.lots)
            yield "near me", lambda: reading.near_me(rounds=max(rounds, 5))
        if "history" in chosen:
            say(f"writing up to {max(options.past):,} past bookings")
            yield "history", lambda: history.past(port, tokens, lots, rows=options.past, **often)
    if "memory" in chosen:
        stage.past_bookings(lots, min(options.past))
        yield "memory", machine.memory
    if "scaling" in chosen:
        yield "scaling", lambda: machine.scaling(environment, tokens, lots, **often)
    if "start" in chosen:
        yield "start", lambda: machine.start(environment, rounds=rounds)
    if "sqlite" in chosen:
        yield "sqlite", lambda: _on_sqlite(seconds)


def _on_sqlite(seconds: float) -> list[Measure]:
    """In a process of its own: this one speaks to PostgreSQL."""
    import json
    import subprocess

    from benchmarks.results import Measure

    with tempfile.TemporaryDirectory(prefix="parkwell-bench-") as var:
        environment = {**os.environ, **_environment(var, ""), "REDIS_URL": ""}
        environment["DATABASE_URL"] = f"sqlite:///{var}/bench.sqlite3"
        command = [sys.executable, "-m", "benchmarks.on_sqlite", str(seconds)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    # The last line: what setting up has to say stands before it.
    return [Measure(**one) for one in json.loads(done.stdout.splitlines()[-1])]


def _environment(var: str, database: str) -> dict[str, str]:
    """As in production; nothing of the caller's own settings."""
    return {
        "DJANGO_SETTINGS_MODULE": "benchmarks.site",
        "DATABASE_URL": f"{SERVER.rsplit('/', 1)[0]}/{database}",
        "REDIS_URL": REDIS,
        "ENV_FILE": os.devnull,
        "VAR_DIR": var,
        "DEBUG": "false",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "JWT_SECRET_KEY": secrets.token_urlsafe(64),
        "LOG_LEVEL": "ERROR",
        "SLOW_QUERY_MS": "0",
    }


def _refuse_without_services() -> None:
    """A clean sentence where a service is missing."""
    import psycopg
    import redis

    try:
        psycopg.connect(SERVER, connect_timeout=3).close()
    except psycopg.OperationalError as error:
        raise SystemExit(f"PostgreSQL does not answer at BENCH_DATABASE_URL ({SERVER}): {error}") from error
    try:
        redis.Redis.from_url(REDIS, socket_connect_timeout=3).ping()
    except redis.RedisError as error:
        raise SystemExit(f"Redis does not answer at BENCH_REDIS_URL ({REDIS}): {error}") from error
    if shutil.which("pgbench") is None:
        raise SystemExit("pgbench is missing; it comes with PostgreSQL (Debian: postgresql-contrib).")


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two minutes: little data, short rounds")
    parser.add_argument("--full", action="store_true", help="5 million past bookings, 2 million to come")
    parser.add_argument("--seconds", type=float, help="of each round")
    parser.add_argument("--rounds", type=int, help="of each measure; the median counts")
    parser.add_argument("--past", type=int, nargs="+", help="rows of history")
    parser.add_argument("--occupying", type=int, help="bookings to come, for the free counts")
    parser.add_argument("--spots", type=int, help="of each of the 50 lots that are counted")
    parser.add_argument("--lots", type=int, help="around the place that `near me` asks about")
    parser.add_argument("--open-pages", type=int, default=1000)
    parser.add_argument("--database", default="parkwell_bench", help="its name; made anew, then dropped")
    parser.add_argument("--only", nargs="+", choices=PARTS)
    parser.add_argument(
        "--out",
        default=tempfile.gettempdir() + "/parkwell-benchmarks",
        help=f"folder for the table, the file and the plots; {DOCS} shows them in docs/speed.md as well",
    )
    options = parser.parse_args()
    usual = QUICK if options.quick else FULL if options.full else USUAL
    for name, value in usual.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


if __name__ == "__main__":
    sys.exit(main())
