"""The house itself: how it grows with processes, how fast it starts, and what it does on SQLite."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from statistics import median

from benchmarks import load, server
from benchmarks.measures import booking
from benchmarks.results import Measure
from bookings.models import Booking, State
from lots.models import Lot

# Servers behind a balancer, and the worker processes of each; every process has two threads.
HOUSES = [(1, 1), (1, 2), (1, 4), (2, 2)]


def scaling(
    environment: dict[str, str], tokens: Sequence[str], lots: Sequence[Lot], *, seconds: float, rounds: int
) -> list[Measure]:
    """Booking with 1, 2 and 4 web processes, and with two servers of two. All are up, one works at a time."""
    found: dict[tuple[int, int], list[load.Round]] = {house: [] for house in HOUSES}
    with ExitStack() as up:
        ports = {}
        for servers, workers in HOUSES:
            running = (server.running(environment, workers=workers, threads=2) for _ in range(servers))
            ports[servers, workers] = [up.enter_context(one) for one in running]
            for port in ports[servers, workers]:
                booking.warm_up(port, tokens, lots)
        for _round in range(rounds):
            for house in HOUSES:
                orders = booking.orders(tokens, lots)
                found[house].append(load.run(ports[house], orders, clients=booking.CLIENTS, seconds=seconds))
    return [_of_house(house, found[house], found[HOUSES[0]]) for house in HOUSES]


def _of_house(house: tuple[int, int], rounds: Sequence[load.Round], least: Sequence[load.Round]) -> Measure:
    servers, workers = house
    return Measure(
        f"web-{servers}x{workers}",
        f"Booking with {servers} × {workers} web processes × 2",
        median(one.rate for one in rounds),
        "a second",
        median(one.rate for one in least),
        "one process",
        errors=sum(one.errors for one in rounds),
        more=booking.latency(rounds),
    )


def start(environment: dict[str, str], *, rounds: int) -> list[Measure]:
    """`manage.py check` and web until it answers, beside Django alone."""
    bare, check, web = [], [], []
    for _round in range(rounds):
        bare.append(_seconds(["-m", "django", "version"]))
        check.append(_seconds(["manage.py", "check"]))
        begin = time.perf_counter()
        with server.running(environment) as port:
            load.run(port, lambda _n: load.request("GET", "/healthz"), clients=1, seconds=0.1, warm_up=0)
            web.append(time.perf_counter() - begin - 0.1)
    beside, what = median(bare), "django-admin version"
    return [
        Measure("check", "manage.py check", median(check), "s", beside, what),
        Measure("start", "Start of web until it answers", median(web), "s", beside, what),
    ]


# What it is of, and how much is meant; benchmarks.on_memory has the jobs.
LARGE_JOBS = {
    "import": "Import of 10,000 spots",
    "export": "Export of {rows:,} past bookings",
    "figures": "Statistics and charts among {rows:,} bookings",
    "daily": "Daily report among {rows:,} bookings",
    "monthly": "Monthly report among {rows:,} bookings",
}
MOST_GROWTH = 100  # MB


def memory() -> list[Measure]:
    """By how much the peak of a process grows with a large job; each has a process of its own."""
    found, rows = [], Booking.objects.in_state(State.COMPLETED).count()
    for job, what in LARGE_JOBS.items():
        begin = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.on_memory", job],
            cwd=server.ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        failed = done.returncode != 0
        found.append(
            Measure(
                f"memory-{job}",
                what.format(rows=rows),
                0.0 if failed else float(done.stdout.split()[-1]),
                "MB more",
                MOST_GROWTH,
                "at most",
                1,
                is_at_least=False,
                errors=int(failed),
                more={"seconds": round(time.perf_counter() - begin, 1)},
            )
        )
    return found


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
            more=booking.latency([booked]),
        )
    ]
