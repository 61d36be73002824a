"""What a lot's page says of the next hours."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.urls import reverse

from bookings import services
from bookings.tests.factories import HOUR, NOW, make_lot, make_user, park, reserve
from lots.models import Lot
from reports.days import Days
from reports.models import OccupancyImport, Reading
from reports.outlook import counted_series, outlook

pytestmark = pytest.mark.django_db
QUARTER = timedelta(minutes=15)


@pytest.fixture(autouse=True)
def forgotten():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def lot(db):
    return make_lot(10, now=NOW - timedelta(days=90), name="Quay", slug="quay")


def count_at(lot: Lot, taken: int, *, weeks: int = 6) -> None:
    """Every half hour of the weeks before NOW, so many of 10."""
    batch = OccupancyImport.objects.create(
        file_name="f.csv", imported_at=NOW, row_count=1, new_count=1, known_count=0, refused_count=0
    )
    Reading.objects.bulk_create(
        Reading(lot=lot, at=NOW - number * 2 * QUARTER, occupied=taken, capacity=10, source=batch)
        for number in range(weeks * 7 * 48)
    )


def test_of_a_new_lot_nothing_is_said(lot):
    assert outlook(lot, now=NOW) is None


def test_what_was_counted_is_expected_and_judged(lot):
    count_at(lot, 4)

    found = outlook(lot, now=NOW)

    assert [free.spots for free in found.free] == [6] * 48
    assert found.free[0].at == NOW
    assert found.hit_rate == 1.0


def test_our_own_stays_are_counted_where_nobody_else_did(lot):
    for weeks in range(1, 6):
        for number in range(3):
            then = NOW - timedelta(weeks=weeks)
            driver = make_user(f"d{weeks}{number}")
            services.release(park(lot, driver, now=then), by=driver, now=then + HOUR)

    found = outlook(lot, now=NOW)

    assert [free.spots for free in found.free[:5]] == [7, 7, 7, 7, 10]


def test_what_is_booked_already_is_the_least_that_is_taken(lot, alice, bob):
    count_at(lot, 1)
    before = outlook(lot, now=NOW).free
    for driver in (alice, bob):
        reserve(lot, driver, starts_in=2 * HOUR, hours=1)

    after = outlook(lot, now=NOW).free

    assert {free.spots for free in before} == {9}
    assert [free.spots for free in after[7:13]] == [9, 8, 8, 8, 8, 9]


def test_nothing_is_said_of_hours_when_it_is_closed(lot):
    count_at(lot, 4)
    Lot.objects.filter(pk=lot.pk).update(
        opening_hours={
            "twentyfourseven": False,
            "regular_hours": [{"weekday": 1, "period_begin": "08:00", "period_end": "12:00"}],
        }
    )

    found = outlook(Lot.objects.get(pk=lot.pk), now=NOW)

    assert [free.at for free in found.free] == [NOW + number * QUARTER for number in range(4)]  # 11:00 there


def test_the_page_says_it_in_whole_and_in_part(lot, client, monkeypatch, django_assert_max_num_queries):
    count_at(lot, 4)
    monkeypatch.setattr("reports.outlook_views.timezone.now", lambda: NOW)
    address = reverse("reports:usually", args=[lot.slug])
    client.get(address)

    with django_assert_max_num_queries(6):
        part = client.get(address, headers={"HX-Request": "true"}).content.decode()
    whole = client.get(address).content.decode()

    for page in (part, whole):
        assert "About 6 of 10 spots." in page
        assert "100.0" in page
    assert ("<html" in part, "<html" in whole) == (False, True)
    assert address in client.get(reverse("lots:detail", args=[lot.slug])).content.decode()


def test_a_lot_that_is_not_listed_says_nothing(lot, client):
    Lot.objects.update(is_active=False)

    assert client.get(reverse("reports:usually", args=[lot.slug])).status_code == 404


def test_what_was_counted_stands_beside_our_own(lot):
    count_at(lot, 4, weeks=1)
    days = Days((NOW - timedelta(days=8)).date(), NOW.date(), NOW.tzinfo).by_day()

    found = counted_series(Lot.objects.all(), days)

    assert found[0] is None
    assert found[3] == pytest.approx(0.4)
