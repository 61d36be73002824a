"""Booking by the API, beside the least the same server can do and the least the database can do."""

from __future__ import annotations

import itertools
import json
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median

from django.db import connection

from benchmarks import load, stage
from benchmarks.load import Next, Round
from benchmarks.results import Measure
from lots.models import Lot

CLIENTS = 16
HOT_CLIENTS = 100
# Each round books days of its own, so that it finds the lots as empty as the one before.
_rounds = itertools.count()
HOURS = 24  # of a round

# The least the database can do: lock the lot, look, insert. The tables are the product's.
ONE_STATEMENT = """
\\set lot random(:first, :last)
\\set hours random(1, 4000)
SELECT benchmark_book(:lot, now() + interval '200 days' + :hours * interval '1 hour');
"""
FUNCTION = """
CREATE OR REPLACE FUNCTION benchmark_book(lot bigint, at timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE free bigint; made bigint; tariff bigint;
BEGIN
    PERFORM 1 FROM lots_lot WHERE id = lot FOR NO KEY UPDATE;
    SELECT s.id INTO free FROM lots_spot s WHERE s.lot_id = lot AND s.is_in_service AND COALESCE(
        (SELECT b.ends_at FROM bookings_booking b WHERE b.spot_id = s.id
            AND b.state IN ('held', 'confirmed', 'active') AND b.starts_at < at + interval '1 hour'
            ORDER BY b.starts_at DESC LIMIT 1) <= at, true) ORDER BY s.number_key LIMIT 1;
    IF free IS NULL THEN RETURN NULL; END IF;
    SELECT id INTO tariff FROM lots_tariff WHERE lot_id = lot LIMIT 1;
    INSERT INTO bookings_booking (reference, kind, state, lot_id, spot_id, plate, plate_normalised,
        vehicle_kind, features, starts_at, ends_at, booked_from, booked_until, is_open_ended, tariff_id,
        cancellation_tiers, no_show_fee_percent, early_release, overstay_percent, currency, total,
        price_lines, created_at)
    VALUES (upper(substr(md5(random()::text), 1, 16)), 'reserved', 'confirmed', lot, free, '', '', '', '[]',
        at, at + interval '1 hour', at, at + interval '1 hour', false, tariff, '[]', 100, 'keep', 100, 'EUR',
        2.5, '[]', now()) RETURNING id INTO made;
    RETURN made;
END $$
"""


def orders(tokens: Sequence[str], lots: Sequence[Lot]) -> Next:
    """Bookings that all find a spot: lot after lot, then the next hour."""
    start, _end = stage.window(days=2 + next(_rounds))
    numbers = itertools.count()

    def following(client: int) -> bytes:
        number = next(numbers)
        at = start + timedelta(hours=number // len(lots) % HOURS)
        wish = {
            "lot": lots[number % len(lots)].slug,
            "kind": "reserved",
            "starts_at": at.isoformat(),
            "ends_at": (at + timedelta(hours=1)).isoformat(),
            "plate": "B AB 1234",
        }
        token = tokens[client % len(tokens)]
        return load.request("POST", "/api/v1/bookings/", token=token, body=json.dumps(wish).encode())

    return following


def nothing(tokens: Sequence[str]) -> Next:
    wish = {"lot": "nothing", "kind": "reserved", "starts_at": "", "ends_at": "", "plate": ""}
    body, path = json.dumps(wish).encode(), "/api/v1/benchmark/nothing/"
    requests = [load.request("POST", path, token=token, body=body) for token in tokens]
    return lambda client: requests[client % len(requests)]


def warm_up(port: int, tokens: Sequence[str], lots: Sequence[Lot]) -> None:
    """A web process loads most of its code with its first requests."""
    for following in (nothing(tokens), orders(tokens, lots)):
        while not load.run(port, following, clients=CLIENTS, seconds=1).times:
            pass


def spread(
    port: int, tokens: Sequence[str], lots: Sequence[Lot], *, database: str, seconds: float, rounds: int
) -> list[Measure]:
    """The three in turn, so that a noisy machine is noisy for all of them."""
    booked, least, plain = [], [], []
    with connection.cursor() as cursor:
        cursor.execute(FUNCTION)
    for _round in range(rounds):
        least.append(load.run(port, nothing(tokens), clients=CLIENTS, seconds=seconds))
        booked.append(load.run(port, orders(tokens, lots), clients=CLIENTS, seconds=seconds))
        plain.append(one_statement(database, lots, seconds=seconds))
    what = f"POST bookings/, {len(lots)} lots, {CLIENTS} clients"
    rate, more = median(one.rate for one in booked), latency(booked)
    beside = median(one.rate for one in least)
    errors = sum(one.errors for one in [*booked, *least])
    return [
        Measure(
            "booking",
            what,
            rate,
            "a second",
            beside,
            "an authenticated POST that does nothing",
            0.4,
            errors=errors + _refused(booked),
            more=more,
        ),
        Measure(
            "booking-sql",
            what,
            rate,
            "a second",
            median(plain),
            "one statement, by pgbench",
            0.1,
        ),
    ]


def hot_lot(
    port: int, tokens: Sequence[str], lots: Sequence[Lot], *, seconds: float, rounds: int
) -> list[Measure]:
    """Everybody on one lot, beside everybody on a lot of their own."""
    hot, spread_out = [], []
    for _round in range(rounds):
        spread_out.append(load.run(port, orders(tokens, lots), clients=HOT_CLIENTS, seconds=seconds))
        hot.append(load.run(port, orders(tokens, lots[:1]), clients=HOT_CLIENTS, seconds=seconds))
    found = Measure(
        "hot-lot",
        f"One lot of 100 spots, {HOT_CLIENTS} clients",
        median(one.rate for one in hot),
        "a second",
        median(one.rate for one in spread_out),
        "the same, spread over lots",
        0.6,
        errors=sum(one.errors for one in [*hot, *spread_out]),
        more=latency(hot),
    )
    tail = Measure(
        "hot-lot-tail",
        f"One lot, {HOT_CLIENTS} clients: p99",
        found.more["p99_ms"],
        "ms",
        found.more["p50_ms"],
        "its p50",
        10,
        is_at_least=False,
    )
    return [found, tail]


def one_statement(database: str, lots: Sequence[Lot], *, seconds: float) -> float:
    """Bookings a second by pgbench."""
    ids = [lot.pk for lot in lots]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "book.sql"
        script.write_text(ONE_STATEMENT)
        command = [
            *("pgbench", "--no-vacuum", f"--client={CLIENTS}", "--jobs=1", "--protocol=prepared"),
            *(f"--time={max(round(seconds), 1)}", f"--define=first={min(ids)}", f"--define=last={max(ids)}"),
            *(f"--file={script}", database),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return next(float(line.split()[2]) for line in done.stdout.splitlines() if line.startswith("tps"))


def _refused(rounds: Sequence[Round]) -> int:
    """Every one of these orders can be had."""
    return sum(count for one in rounds for status, count in one.statuses.items() if 300 <= status < 500)


def latency(rounds: Sequence[Round]) -> dict[str, float]:
    return {
        "p50_ms": median(one.percentile(0.5) for one in rounds) * 1000,
        "p99_ms": median(one.percentile(0.99) for one in rounds) * 1000,
    }
