"""Booking beside years of history."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks import load, stage
from benchmarks.measures import booking
from benchmarks.results import Measure
from lots.models import Lot


def past(
    port: int, tokens: Sequence[str], lots: Sequence[Lot], *, rows: Sequence[int], seconds: float, rounds: int
) -> list[Measure]:
    """Booking with so many past bookings, beside the same call that does nothing at that moment.

    The ratio to that call, beside its own ratio with no history: the machine's mood falls out.
    """
    found, first = [], None
    for count in [0, *rows]:
        stage.past_bookings(list(lots), count)
        shares, errors = [], 0
        for _round in range(rounds):
            least = load.run(port, booking.nothing(tokens), clients=booking.CLIENTS, seconds=seconds)
            booked = load.run(port, booking.orders(tokens, lots), clients=booking.CLIENTS, seconds=seconds)
            shares.append(booked.rate / max(least.rate, 0.1))
            errors += booked.errors + least.errors
        share = median(shares)
        if first is None:
            first = share
            continue
        what = f"Booking beside {count:,} past bookings"
        unit, beside = "of a call that does nothing", "with none"
        found.append(Measure(f"past-{count}", what, share, unit, first, beside, 0.9, errors=errors))
    return found
