from datetime import timedelta
from typing import Any

import icalendar
import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from bookings import calendar_feeds, services
from bookings.feed_models import CalendarFeed
from bookings.tests import factories
from bookings.tests.api_support import API, post
from bookings.tests.factories import HOUR, NOW


def entries(address: str) -> list[Any]:
    answer = Client().get(address.split("8000")[-1])
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    calendar: Any = icalendar.Calendar.from_ical(answer.content)
    return list(calendar.walk("VEVENT"))


def test_the_address_shows_all_of_a_driver_s_bookings_and_is_revoked(
    as_alice: Any, as_anyone: Any, lot: Any, alice: Any, bob: Any, settings: Any
) -> None:
    settings.BASE_URL = "http://localhost:8000"
    assert as_anyone.get(f"{API}me/calendar/").status_code == 401
    assert as_alice.get(f"{API}me/calendar/").status_code == 404
    paris = factories.make_lot(1, timezone="Europe/Paris", name="Paris")
    mine = [factories.reserve(lot, alice), factories.reserve(paris, alice, starts_in=5 * HOUR)]
    factories.reserve(lot, bob)
    services.cancel(mine[1], by=alice, now=NOW)

    made = post(as_alice, "me/calendar/")
    assert made.status_code == 201, made.content
    url = made.json()["url"]
    assert as_alice.get(f"{API}me/calendar/").json()["url"] == url
    found = {str(entry["uid"]).split("@")[0]: entry for entry in entries(url)}
    assert set(found) == {booking.reference for booking in mine}
    assert found[mine[1].reference]["status"] == "CANCELLED"
    assert found[mine[0].reference]["dtstart"].dt == mine[0].starts_at

    other = post(as_alice, "me/calendar/").json()["url"]
    assert Client().get(url.split("8000")[-1]).status_code == 404
    assert as_alice.delete(f"{API}me/calendar/").status_code == 204
    assert Client().get(other.split("8000")[-1]).status_code == 404
    assert as_alice.get(f"{API}me/calendar/").status_code == 404


def test_it_is_made_and_revoked_on_a_page(alice_client: Client, alice: Any) -> None:
    page = reverse("bookings:calendar-feed")
    assert page in alice_client.get(reverse("bookings:list")).content.decode()
    assert alice_client.get(page).status_code == 200
    alice_client.post(page)
    feed = CalendarFeed.objects.get(driver=alice)
    assert calendar_feeds.address(feed) in alice_client.get(page).content.decode()
    alice_client.post(page, {"revoke": "1"})
    assert not CalendarFeed.objects.exists()


def test_it_takes_the_same_queries_however_many(lot: Any, alice: Any, django_assert_num_queries: Any) -> None:
    feed = calendar_feeds.make(alice, now=NOW)
    for number in range(3):
        factories.reserve(lot, alice, starts_in=(1 + 3 * number) * HOUR)
    with django_assert_num_queries(2):
        calendar_feeds.content(feed, now=NOW)


@pytest.mark.django_db
def test_what_is_long_over_and_who_is_gone_are_not_in_it(lot: Any, alice: Any) -> None:
    feed = calendar_feeds.make(alice, now=NOW)
    services.release(factories.park(lot, alice), by=alice, now=NOW + HOUR)

    assert b"VEVENT" in calendar_feeds.content(feed, now=NOW + timedelta(days=90))
    assert b"VEVENT" not in calendar_feeds.content(feed, now=NOW + timedelta(days=91))
    alice.is_active = False
    alice.save()
    with time_machine.travel(NOW):
        assert Client().get(reverse("bookings:feed", args=[feed.key])).status_code == 404
