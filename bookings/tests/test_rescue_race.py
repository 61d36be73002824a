"""Who is rescued and who books after the same spot at the same time: one gets it, the other is told."""

from __future__ import annotations

import time
from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace

import pytest

from bookings import services
from bookings.models import Booking
from bookings.services import core, making, rescue
from bookings.tests.factories import HOUR, NOW, make_lot, make_user, overlaps, park, reserve
from bookings.tests.test_race import at_once, no_guard
from lots.models import Lot

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
ROUNDS = 6
NEXT = NOW + 2 * HOUR


def collide():
    """Spot 1 is stayed on, its next driver must go elsewhere, and spot 2 is the only one left."""
    lot = make_lot(2, end_of_stay="until_released")
    park(lot, make_user(), ends_at=NOW + HOUR, spot_number="1")
    return lot, reserve(lot, make_user(), starts_in=2 * HOUR, spot_number="1")


def rush(lot, drivers):
    """Three sweeps and some drivers, all at the moment of the rescue."""
    now = NEXT - timedelta(minutes=9)

    def books(driver):
        return lambda: services.book(
            lot_id=lot.pk, kind="reserved", driver=driver, starts_at=NEXT, ends_at=NEXT + HOUR, now=now
        )

    return at_once([lambda: services.rescue_bookings(now=now)] * 3 + [books(driver) for driver in drivers])


def test_the_spot_that_is_left_goes_to_one_of_them_in_every_round():
    drivers = [make_user() for _i in range(5)]
    for _round in range(ROUNDS):
        lot, booking = collide()

        rush(lot, drivers)

        assert overlaps() == []
        booking.refresh_from_db()
        on_spot_2 = Booking.objects.occupying().filter(lot=lot, spot__number="2").count()
        assert on_spot_2 == 1
        # Moved or called off, once; never still where somebody stands.
        assert (booking.spot.number, booking.state) in {("2", "confirmed"), ("1", "cancelled")}
        told = booking.timeline.filter(action__in=["moved", "cancelled", "called_off"]).count()
        assert told == 1


def grow_careless(monkeypatch):
    """Nobody waits for the lot, and all look first and write later."""

    def slowed(look):
        def slowly(*args, **kwargs):
            spot = look(*args, **kwargs)
            time.sleep(0.2)
            return spot

        return slowly

    monkeypatch.setattr(rescue, "equal_spot", slowed(rescue.equal_spot))
    monkeypatch.setattr(making, "_choose", slowed(making._choose))
    monkeypatch.setattr(core, "lock_lot", lambda lot_id: Lot.objects.get(pk=lot_id))
    # Catching up with the same booking first would make them wait for each other all the same.
    in_a_hurry = SimpleNamespace(**{**vars(core), "catch_up_lot": lambda *_: None})
    monkeypatch.setattr(making, "core", in_a_hurry)
    monkeypatch.setattr(making, "transaction", SimpleNamespace(atomic=nullcontext))


def test_the_canary_without_lock_and_guard_it_goes_to_two(monkeypatch):
    collisions = [collide() for _round in range(4)]
    grow_careless(monkeypatch)
    with no_guard():
        for lot, _booking in collisions:
            rush(lot, [make_user() for _i in range(2)])
            doubled = overlaps()
            if doubled:
                break
    assert doubled
