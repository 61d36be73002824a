"""What is archived is counted as before: every figure of every period, before and after, to the cent."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from accounts.models import User
from bookings import archive, integrity, services
from bookings.models import Booking
from bookings.payments.ledger import account
from lots.models import Lot
from reports import figures
from reports.days import Days
from reports.occupancy import occupancy_series, parked_series
from reports.scope import Scope
from reports.tests.histories import live

pytestmark = pytest.mark.django_db
PERIOD = Days(date(2027, 2, 20), date(2027, 4, 30), ZoneInfo("Europe/Berlin"))


def every_figure(now: datetime) -> list[Any]:
    lots, days = Lot.objects.all(), PERIOD.by_day()
    found: list[Any] = [figures.by_lot(lots, period, now=now) for period in (PERIOD, *days)]
    found += [occupancy_series(lots, days, now=now), figures.money_series(Scope(lots), days)]
    for scope in [Scope(lots), *(Scope(driver=driver) for driver in User.objects.order_by("pk"))]:
        found += [
            figures.money(scope, PERIOD),
            figures.charged(scope, PERIOD),
            figures.activity(scope, PERIOD),
        ]
        found += [parked_series(scope, days, now=now)]
    return found


def pay_every_second(now: datetime) -> None:
    desk = User.objects.get(email__startswith="desk")
    owing = [booking for booking in Booking.objects.over().order_by("pk") if account(booking).due]
    for booking in owing[1::2]:
        services.record_desk_payment(booking, method="cash", by=desk, now=now)


@pytest.mark.parametrize("seed", [3, 4])
def test_every_figure_stays_what_it_was(seed: int) -> None:
    end = live(seed)
    pay_every_second(end)
    now = end + timedelta(days=120)
    before, wrong = every_figure(now), integrity.find(now=now)

    assert archive.archive_old(now=now) > 5
    assert Booking.objects.over().filter(archived_at=None).exists(), "who owes is not archived"

    assert every_figure(now) == before
    assert integrity.find(now=now, archived=True) == wrong
