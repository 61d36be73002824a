"""Random lives of bookings through the real services, and the same figures counted by hand."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from bookings import services
from bookings.errors import BadBooking, BookingRefused
from bookings.models import Booking, LedgerEntry
from bookings.tests.factories import HOUR, NOW, make_lot, make_user, park, reserve
from lots.models import Lot

Moment = datetime


def live(seed: int, moves: int = 60) -> Moment:
    """Three lots in two currencies, three drivers, some weeks; returns the moment it ends at."""
    dice = random.Random(seed)
    staff = make_user("desk", is_staff=True, is_superuser=True)
    drivers = [make_user(f"driver{number}", timezone="Europe/Berlin") for number in range(3)]
    lots = [
        make_lot(3, name="Alpha"),
        make_lot(2, name="Beta", currency="JPY", price="300"),
        make_lot(2, name="Gamma", end_of_stay="until_released", needs_check_in=True),
    ]
    now = NOW
    for _number in range(moves):
        now += timedelta(minutes=dice.randrange(1, 20 * 60))
        _sweep(now)
        _move(dice, lots, drivers, staff, now)
    return now


def _sweep(now: Moment) -> None:
    for sweep in (
        services.lapse_holds,
        services.start_stays,
        services.end_stays,
        services.mark_no_shows,
        services.roll_on_overstays,
    ):
        sweep(now=now)


def _move(dice: random.Random, lots: list[Lot], drivers: list[Any], staff: Any, now: Moment) -> None:
    booking = dice.choice(list(Booking.objects.all()) or [None])  # type: ignore[list-item]
    todo = dice.choice(["reserve", "reserve", "park", "release", "cancel", "pay", "pay", "refund", "arrive"])
    try:
        if todo == "reserve":
            start = now.replace(minute=0, second=0, microsecond=0) + dice.randrange(2, 40) * HOUR
            reserve(
                dice.choice(lots),
                dice.choice(drivers),
                now=now,
                starts_in=start - now,
                hours=dice.randrange(1, 30),
            )
        elif todo == "park":
            park(dice.choice(lots), dice.choice(drivers), now=now)
        elif booking is None:
            return
        elif todo == "release":
            services.release(booking, by=booking.driver, now=now)
        elif todo == "arrive":
            services.check_in(booking, by=booking.driver, now=now)
        elif todo == "cancel":
            services.cancel(booking, by=booking.driver, now=now)
        elif todo == "pay":
            services.record_desk_payment(booking, method="cash", by=staff, now=now)
        elif todo == "refund":
            services.refund(booking, amount=Decimal(1), reason="Kindness", by=staff, now=now)
    except (BookingRefused, BadBooking):
        return


def moved(starts_at: Moment, ends_at: Moment, **which: Any) -> dict[tuple[str, str], Decimal]:
    """(currency, kind) → sum of the ledger, entry by entry."""
    found: dict[tuple[str, str], Decimal] = {}
    for entry in LedgerEntry.objects.filter(**which):
        if starts_at <= entry.at < ends_at:
            key = (entry.currency, entry.kind)
            found[key] = found.get(key, Decimal(0)) + entry.amount
    return found


def stood(starts_at: Moment, ends_at: Moment, **which: Any) -> timedelta:
    """How long cars stood in [starts_at, ends_at), stay by stay."""
    sums = timedelta()
    for booking in Booking.objects.filter(state__in=["active", "completed"], **which):
        part = min(booking.ends_at, ends_at) - max(booking.starts_at, starts_at)
        sums += max(part, timedelta())
    return sums
