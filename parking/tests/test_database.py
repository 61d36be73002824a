"""What the database does by itself: references hold, indexes are used, connections are shared."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction

from accounts.models import User
from bookings.models import Booking
from bookings.tests import factories
from lots.models import Lot

on_postgres = pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's")


@pytest.mark.promise("S2-16")
@pytest.mark.django_db
@pytest.mark.parametrize("column", ["spot_id", "driver_id", "lot_id"])
def test_a_booking_refers_to_what_there_is(column: str, lot: Lot, alice: User):
    booking = factories.park(lot, alice)

    def refer_to_nothing() -> None:
        with transaction.atomic():
            Booking.objects.filter(pk=booking.pk).update(**{column: 10**9})
            connection.check_constraints()

    with pytest.raises(IntegrityError):
        refer_to_nothing()


@pytest.mark.promise("S4-42")
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (lambda alice: Booking.objects.filter(driver=alice).order_by("-starts_at"), "booking_driver_history"),
        (lambda alice: Booking.objects.filter(state="held").order_by("held_until"), "booking_holds"),
        (lambda alice: Booking.objects.order_by("-starts_at", "-id"), "booking_newest"),
    ],
)
def test_the_lists_people_open_are_read_from_an_index(wanted: Any, index: str, alice: User):
    with connection.cursor() as cursor, transaction.atomic():
        if connection.vendor == "postgresql":  # on a table of no rows it would read the table
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
        assert index in wanted(alice)[:20].explain()


@on_postgres
@pytest.mark.promise("S4-43")
@pytest.mark.django_db(transaction=True)
def test_connections_come_from_a_pool_and_go_back_to_it(alice: User):
    most = settings.DATABASES["default"]["OPTIONS"]["pool"]["max_size"]
    connection.close()
    connection.close_pool()  # with however many connections the tests before left in it
    served = set()
    for _time in range(most + 5):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            served.add(cursor.fetchone()[0])
        connection.close()

    assert connection.pool is not None
    assert len(served) < most
