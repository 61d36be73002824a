"""The stage of exports: a folder of the test's own, and stays to export."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from bookings import services
from bookings.models import Booking
from bookings.tests.conftest import api, as_alice, as_anyone, as_bob, as_olga  # noqa: F401
from bookings.tests.factories import HOUR, NOW, park


@pytest.fixture(autouse=True)
def exports_folder(settings: Any, tmp_path: Path) -> Path:
    before = settings.STORAGES["exports"]
    options = {**before["OPTIONS"], "location": str(tmp_path / "exports")}
    settings.STORAGES = {**settings.STORAGES, "exports": {**before, "OPTIONS": options}}
    return tmp_path / "exports"


@pytest.fixture
def stays(lot: Any, alice: Any, bob: Any) -> Any:
    """Two of Alice's, in January and February, and one of Bob's; gives hers."""
    for driver, days in ((alice, 40), (alice, 1), (bob, 1)):
        then = NOW - timedelta(days=days)
        services.release(park(lot, driver, now=then, plate="B AB 1"), by=driver, now=then + 2 * HOUR)
    return Booking.objects.filter(driver=alice)


@pytest.fixture
def clock() -> Any:
    """Stands at NOW; clock.move_to() moves it."""
    with time_machine.travel(NOW, tick=False) as travel:
        yield travel
