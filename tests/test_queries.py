"""What each page of drivers and guests asks the database: eight questions at most, in its worst state."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User, Vehicle
from bookings import services
from bookings.models import Booking
from bookings.services.closing import Closing
from bookings.tests.factories import HOUR, make_lot, make_user, park, reserve
from lots import reviews
from lots.models import Lot

pytestmark = pytest.mark.django_db
MOST = 8
FAR_AWAY = {"Europe/Berlin": "Berlin", "America/Toronto": "Toronto", "Asia/Tokyo": "Tokyo"}

FOR_ALL = [
    *("/", "/?q=a&sort=name", "/?sort=price", "/?sort=free", "/?sort=rating&lat=52.5&lon=13.4", "/results/"),
    *("/?at={tomorrow}&stay=120", "/places/", "/help/rules/", "/lots/full/", "/lots/full/?spot=2"),
    *("/lots/full/?kind=instant&stay=60&features=ev", "/lots/full/live/", "/lots/full/rules/"),
    *("/lots/full/?kind=reserved&starts={tomorrow}&ends={later}", "/lots/full/quote/?kind=instant&stay=60"),
    *("/lots/empty/", "/lots/empty/live/", "/lots/full/usually/", "/lots/shut/", "/lots/shut/live/"),
]
FOR_GUESTS = ["/s/{code}/", "/s/{code}/live/"]
FOR_DRIVERS = [
    *("/bookings/", "/dashboard/", "/payments/", "/exports/", "/bookings/calendar/", "/lots/full/review/"),
    *("/accounts/profile/", "/accounts/vehicles/", "/accounts/privacy/"),
    *(f"/bookings/{{{state}}}/{page}" for state in ("active", "over", "coming") for page in ("", "live/")),
    *(f"/bookings/{{active}}/{page}/" for page in ("extend", "release", "move", "problem", "pass", "pay")),
    *("/bookings/{coming}/cancel/", "/bookings/{coming}/move/", "/bookings/{over}/receipt/"),
]


@pytest.fixture
def world(alice: User, bob: User, olga: User) -> dict[str, str]:
    """Lots in three zones; one full, with reviews, others near it and someone coming; one closed."""
    now = timezone.now()
    before = now - timedelta(days=40)
    Vehicle.objects.create(driver=alice, plate="B AL 1", is_default=True)
    full = make_lot(
        2, now=before, name="Full", slug="full", city="Berlin", latitude="52.52", longitude="13.40"
    )
    for number, (zone, city) in enumerate(FAR_AWAY.items()):
        make_lot(5, now=before, name=f"Other {number}", city=city, timezone=zone)
    make_lot(5, now=before, name="Empty", slug="empty", latitude="52.521", longitude="13.401")
    shut = make_lot(3, now=before, name="Shut", slug="shut")
    services.close(Closing(shut.pk, (), now, None, "tell"), by=olga, now=now)
    over = _was_there(full, alice, now - timedelta(days=3), olga)
    for number in range(3):
        _was_there(full, make_user(f"old{number}"), now - timedelta(days=4 + number), olga)
    active = park(full, alice, now=now - HOUR / 2)
    start = now.replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
    coming = reserve(full, alice, now=now, starts_in=start - now)
    reserve(full, bob, now=now, starts_in=start - now)
    park(full, bob, now=now - HOUR / 2)
    return {
        "active": active.reference,
        "over": over.reference,
        "coming": coming.reference,
        "code": full.code,
        "tomorrow": f"{start.astimezone(full.zone):%Y-%m-%dT%H:%M}",
        "later": f"{start.astimezone(full.zone) + HOUR:%Y-%m-%dT%H:%M}",
    }


def _was_there(lot: Lot, driver: User, now: Any, by: User) -> Booking:
    stay = services.release(park(lot, driver, now=now), by=driver, now=now + HOUR)
    services.record_desk_payment(stay, method="card", by=by, now=now + HOUR)
    reviews.write(lot=lot, author=driver, rating=4, text="Dry.", now=now + HOUR)
    return stay


def asked(client: Client, pages: list[str], world: dict[str, str]) -> dict[str, int]:
    found = {}
    for page in pages:
        client.get(page.format(**world))  # what is made once, as a receipt, is no part of looking at it
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(page.format(**world))
        assert answer.status_code == 200, (page, answer.status_code)
        found[page] = len(queries)
    return found


def test_no_page_asks_more_than_eight_questions_of_somebody_unknown(client, world):
    counts = asked(client, [*FOR_ALL, *FOR_GUESTS], world)

    assert {page: count for page, count in counts.items() if count > MOST} == {}


def test_no_page_asks_more_than_eight_questions_of_a_driver(alice_client, world):
    counts = asked(alice_client, [*FOR_ALL, *FOR_DRIVERS], world)

    assert {page: count for page, count in counts.items() if count > MOST} == {}
