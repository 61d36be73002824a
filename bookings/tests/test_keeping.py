"""Plates do not outlive their use, and debts keep theirs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bookings import keeping, services
from bookings.models import Booking
from bookings.tests import factories
from lots.models import Lot

NOW = factories.NOW
LATER = NOW + timedelta(days=181)


@pytest.fixture
def free_lot(db: None) -> Lot:
    return factories.make_lot(price="0")


def stay(lot: Lot, plate: str, days: int = 0) -> Booking:
    begin = NOW + timedelta(days=days)
    driver = factories.make_user(f"{plate.lower().replace(' ', '')}@example.com")
    booking = factories.park(lot, driver, plate=plate, now=begin)
    return services.release(booking, by=driver, now=begin + timedelta(hours=1))


def test_an_old_plate_becomes_a_pseudonym_that_stays_the_same(free_lot: Lot) -> None:
    first, young = stay(free_lot, "B AB 123"), stay(free_lot, "M XY 9", days=100)
    assert keeping.pseudonymise_plates(now=LATER) == 1
    first.refresh_from_db()
    young.refresh_from_db()
    assert young.plate == "M XY 9"
    assert first.plate == first.plate_normalised == keeping.pseudonym("BAB123")
    assert "AB" not in first.plate.replace(keeping.pseudonym("BAB123"), "")
    assert keeping.pseudonymise_plates(now=LATER) == 0, "a pseudonym is no plate"


def test_who_has_not_paid_keeps_the_plate(db: None) -> None:
    lot = factories.make_lot(price="3")
    owing = stay(lot, "B AB 123")
    assert keeping.pseudonymise_plates(now=LATER) == 0
    desk = factories.make_user("desk@example.com", is_staff=True)
    services.record_desk_payment(owing, method="cash", by=desk, now=LATER)
    assert keeping.pseudonymise_plates(now=LATER) == 1


def test_many_are_done_in_batches(free_lot: Lot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "BATCH", 2)
    for number in range(5):
        stay(free_lot, f"B AB {number}")
    assert keeping.pseudonymise_plates(now=LATER) == 5


def test_nought_days_keep_them(free_lot: Lot, settings: Any) -> None:
    stay(free_lot, "B AB 123")
    settings.KEEP_PLATES_DAYS = 0
    assert keeping.pseudonymise_plates(now=LATER) == 0
