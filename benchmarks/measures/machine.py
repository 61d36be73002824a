"""The house itself: how it grows with processes, how fast it starts, and what it does on SQLite."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median

from benchmarks import load, server
from benchmarks.measures import booking
from benchmarks.results import Measure
from lots.models import Lot


def scaling(
    environment: dict[str, str], tokens: Sequence[str], lots: Sequence[Lot], *, seconds: float
) -> list[Measure]:
    """Booking with 1, 2 and 4 web processes of two threads each."""
    found, first = [], None
    for workers in (1, 2, 4):
        with server.running(environment, workers=workers, threads=2) as port:
            booking.warm_up(port, tokens, lots)
            booked = load.run(port, booking.orders(tokens, lots), clients=booking.CLIENTS, seconds=seconds)
        first = first or booked.rate
        what = f"Booking with {workers} web processes × 2"
        found.append(
            Measure(
                f"web-{workers}",
                what,
                booked.rate,
                "a second",
                first,
                "one process",
                errors=booked.errors,
            )
        )
    return found


def start(environment: dict[str, str], *, rounds: int) -> list[Measure]:
    """`manage.py check` beside Django alone, and web until it answers."""
    bare = median(_seconds(["-m", "django", "version"]) for _round in range(rounds))
    check = median(_seconds(["manage.py", "check"]) for _round in range(rounds))
    web = []
    for _round in range(rounds):
        begin = time.perf_counter()
        with server.running(environment) as port:
            load.run(port, lambda _n: load.request("GET", "/healthz"), clients=1, seconds=0.1, warm_up=0)
            web.append(time.perf_counter() - begin)
    return [
        Measure("check", "manage.py check", check, "s", bare, "django-admin version"),
        Measure("start", "Start of web until it answers", median(web), "s", bare, "django-admin version"),
    ]


def _seconds(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, *command], cwd=server.ROOT, check=True, capture_output=True)
    return time.perf_counter() - begin


def all_processes(port: int, tokens: Sequence[str], lots: Sequence[Lot], *, seconds: float) -> list[Measure]:
    """Booking with worker and beat running beside web, whatever the database."""
    booking.warm_up(port, tokens, lots)
    least = load.run(port, booking.nothing(tokens), clients=booking.CLIENTS, seconds=seconds)
    booked = load.run(port, booking.orders(tokens, lots), clients=booking.CLIENTS, seconds=seconds)
    bad = sum(count for status, count in booked.statuses.items() if status != 201)
    return [
        Measure(
            "sqlite",
            "Booking on SQLite, worker and beat running",
            booked.rate,
            "a second",
            least.rate,
            "a POST that does nothing, on SQLite",
            errors=bad,
            more={"p50_ms": booked.percentile(0.5) * 1000, "p99_ms": booked.percentile(0.99) * 1000},
        )
    ]
