"""Old bookings are proven and frozen; what anybody reads of them stays to the cent what it was."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from accounts import privacy
from accounts.models import User
from bookings import archive, archive_guards, history, integrity, keeping, receipts, services
from bookings.models import Booking, TimelineEntry
from bookings.payments.models import Status
from bookings.tests.factories import HOUR, NOW, make_lot, make_user, park, reserve

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(days=91)


def stayed(*, price: str = "3", is_paid: bool = True) -> Booking:
    driver = make_user()
    booking = park(make_lot(price=price), driver, plate="B AB 123", now=NOW)
    booking = services.release(booking, by=driver, now=NOW + HOUR)
    if is_paid:
        desk = make_user(f"desk{booking.pk}", is_staff=True, is_superuser=True)
        services.record_desk_payment(booking, method="cash", by=desk, now=NOW + HOUR)
    return booking


def test_settled_bookings_of_long_ago_are_archived_once() -> None:
    booking = stayed()

    assert archive.archive_old(now=NOW + timedelta(days=90)) == 0
    assert archive.archive_old(now=LATER) == 1
    assert archive.archive_old(now=LATER + timedelta(days=9)) == 0
    booking.refresh_from_db()
    assert booking.archived_at == LATER


def test_debts_live_bookings_and_what_does_not_add_up_are_left(settings: Any) -> None:
    owing, waiting, wrong = stayed(is_paid=False), stayed(), stayed()
    waiting.payments.update(status=Status.REVIEW)
    Booking.objects.filter(pk=wrong.pk).update(price_lines=[])
    running = park(make_lot(end_of_stay="until_released"), make_user(), now=NOW)
    coming = reserve(make_lot(), make_user(), now=LATER)

    assert archive.archive_old(now=LATER) == 0

    live = Booking.objects.filter(archived_at=None).values_list("pk", flat=True)
    assert set(live) == {owing.pk, waiting.pk, wrong.pk, running.pk, coming.pk}
    settings.ARCHIVE_AFTER_DAYS = 0
    stayed()
    assert archive.archive_old(now=LATER) == 0


@pytest.mark.parametrize(
    "change", [{"total": Decimal(1)}, {"state": "active"}, {"ends_at": LATER}, {"archived_at": None}]
)
def test_the_database_refuses_to_change_an_archived_booking(change: dict[str, Any]) -> None:
    stayed(price="0", is_paid=False)
    rows = Booking.objects.all()
    archive.archive_old(now=LATER)

    with pytest.raises(IntegrityError), transaction.atomic():
        rows.update(**change)
    TimelineEntry.objects.all().delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.delete()

    assert keeping.pseudonymise_plates(now=NOW + timedelta(days=200)) == 1, "plates may still go"


def test_money_still_goes_back_and_is_proven() -> None:
    booking = stayed()
    archive.archive_old(now=LATER)

    desk = User.objects.get(email__startswith="desk")
    services.refund(booking, amount=Decimal(1), reason="Kindness", by=desk, now=LATER + HOUR)

    assert integrity.find(now=LATER + HOUR, archived=True) == []


def test_the_nightly_proof_leaves_out_the_archive_and_the_whole_one_does_not() -> None:
    stayed()
    archive.archive_old(now=LATER)
    with connection.cursor() as cursor:
        for statement in archive_guards.remove_statements(connection.vendor):
            cursor.execute(statement)
    Booking.objects.update(total=Decimal(999))

    assert {finding.check for finding in integrity.find(now=LATER)} == {"guard_missing"}
    assert "lines" in {finding.check for finding in integrity.find(now=LATER, archived=True)}


def test_a_driver_finds_everything_as_it_was() -> None:
    booking = stayed()
    driver = booking.driver
    assert driver
    before = history.summary(driver), receipts.statement(booking, now=LATER).owed
    told = privacy.everything_about(driver)

    assert archive.archive_old(now=LATER) == 1

    booking.refresh_from_db()
    assert (history.summary(driver), receipts.statement(booking, now=LATER).owed) == before
    after = privacy.everything_about(driver)
    for row in (*told["bookings.Booking"], *after["bookings.Booking"]):
        row.pop("archived_at")
    assert after == told
    privacy.erase(user=driver, now=LATER)
    booking.refresh_from_db()
    assert (booking.plate, booking.total) == ("", Decimal(3))


def test_many_are_done_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "BATCH", 2)
    bookings = [stayed(is_paid=random.Random(number).random() < 0.5) for number in range(5)]

    paid = [booking for booking in bookings if booking.payments.exists()]
    assert 0 < len(paid) < 5
    assert archive.archive_old(now=LATER) == len(paid)
