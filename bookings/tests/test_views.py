import re
from datetime import timedelta

import pytest
from django.urls import reverse

from bookings import services
from bookings.models import Booking, State
from bookings.tests.factories import HOUR, make_lot, park, reserve
from bookings.tests.test_lot_views import text_of

MOST_QUERIES = 8
HTMX = {"HX-Request": "true"}
ACTIONS = ["check-in", "extend", "release", "cancel"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(monkeypatch, now):
    """The time the pages read; a test may turn it on."""

    class Clock:
        time = now

    monkeypatch.setattr("django.utils.timezone.now", lambda: Clock.time)
    return Clock


@pytest.fixture(autouse=True)
def at_ten_on_monday(clock):
    return clock


def page(booking, name="detail"):
    return reverse(f"bookings:{name}", args=[booking.reference])


def later(booking, minutes):
    """What the button "+15 min" sends."""
    return (booking.ends_at + timedelta(minutes=minutes)).isoformat()


# The list


@pytest.mark.promise("S1-12")
@pytest.mark.promise("S4-23")
@pytest.mark.promise("S3-06")
def test_list_shows_my_bookings_by_what_is_running_upcoming_and_past(alice_client, alice, bob, lot, now):
    ended = park(lot, alice, now=now - 3 * HOUR)
    services.release(ended, by=alice, now=now - 2 * HOUR)
    park(lot, alice)
    reserve(lot, alice, starts_in=24 * HOUR)
    reserve(make_lot(name="Bob's place"), bob)

    shown = text_of(alice_client.get("/bookings/"))

    running, _, rest = shown.partition("Upcoming")
    upcoming, _, past = rest.partition("Past")
    assert "Running Alexanderplatz Today, 11:00–13:00" in running
    assert "Tomorrow, 11:00–13:00" in upcoming
    assert "Today, 08:00–09:00" in past
    assert "€2.50" in past
    assert "Bob" not in shown


@pytest.mark.promise("S2-06")
@pytest.mark.promise("S3-08")
def test_list_adds_up_stays_time_and_money_by_currency(alice_client, alice, lot, now):
    francs = make_lot(1, currency="CHF", price="4.00")
    for where in (lot, francs):
        stay = park(where, alice, now=now - 3 * HOUR)
        services.release(stay, by=alice, now=now - 2 * HOUR)

    shown = text_of(alice_client.get("/bookings/"))

    assert "2 stays 2 h parked CHF 4.00 + €2.50 in all" in shown


def test_empty_list_says_what_to_do(alice_client):
    assert "No bookings yet" in text_of(alice_client.get("/bookings/"))


def test_own_pages_need_signing_in(client, alice, lot):
    booking = park(lot, alice)

    for address in ["/bookings/", page(booking), page(booking, "live"), page(booking, "extend")]:
        assert client.get(address).url.startswith(reverse("account_login"))
    assert client.post(page(booking, "release")).url.startswith(reverse("account_login"))
    assert Booking.objects.get().state == State.ACTIVE


@pytest.mark.parametrize("count", [1, 3])
def test_pages_need_few_queries(alice_client, alice, django_assert_max_num_queries, count, now):
    for _number in range(count):
        where = make_lot()
        reserve(where, alice)
        services.release(park(where, alice, now=now - 3 * HOUR), by=alice, now=now - HOUR)
    booking = park(where, alice)

    for address in ["/bookings/", page(booking), page(booking, "extend"), page(booking, "release")]:
        with django_assert_max_num_queries(MOST_QUERIES):
            alice_client.get(address)


# One booking


@pytest.mark.promise("S2-04")
def test_booking_shows_where_until_when_plate_price_and_what_happened(alice_client, alice, now):
    lot = make_lot(1, name="Harbour", address_line1="Quay 5", city="Hamburg")
    lot.spots.update(building="Hall B", floor="2")
    booking = park(lot, alice, plate="HH AB 12")

    response = alice_client.get(page(booking))

    shown = text_of(response)
    for part in [
        "Harbour",
        "Quay 5, Hamburg",
        "Spot 1 Hall B floor 2",
        "HH AB 12",
        "€5.00 if you stay",
        "Booked",
    ]:
        assert part in shown
    assert f'data-countdown datetime="{booking.ends_at.isoformat()}"' in response.content.decode()


@pytest.mark.parametrize("name", ["detail", "live", "extend", "release", "cancel"])
def test_somebody_elses_booking_does_not_exist(alice_client, bob, lot, name):
    booking = park(lot, bob)

    assert alice_client.get(page(booking, name)).status_code == 404


@pytest.mark.promise("S4-21")
@pytest.mark.parametrize("name", ACTIONS)
def test_nobody_changes_somebody_elses_booking(alice_client, bob, lot, name):
    booking = park(lot, bob)

    assert alice_client.post(page(booking, name), {"ends": later(booking, 15)}).status_code == 404
    booking.refresh_from_db()
    assert (booking.state, booking.duration) == (State.ACTIVE, timedelta(hours=2))


@pytest.mark.parametrize("name", ACTIONS)
def test_looking_changes_nothing(alice_client, alice, lot, name):
    booking = reserve(lot, alice)

    alice_client.get(page(booking, name))

    booking.refresh_from_db()
    assert booking.state == State.CONFIRMED
    assert booking.timeline.count() == 1


def test_live_part_is_sent_again_only_when_something_changed(alice_client, alice, lot, now):
    booking = park(lot, alice)
    first = alice_client.get(page(booking, "live"))

    again = alice_client.get(page(booking, "live"), headers={"If-None-Match": first["ETag"]})
    services.extend(booking, ends_at=booking.ends_at + HOUR, by=alice, now=now)
    later = alice_client.get(page(booking, "live"), headers={"If-None-Match": first["ETag"]})

    assert (again.status_code, later.status_code) == (304, 200)
    assert "Extended" in text_of(later)


# Extending


@pytest.mark.promise("S0-06")
@pytest.mark.promise("S0-15")
def test_extend_offers_steps_of_15_minutes_and_two_taps_count_once(alice_client, alice, lot, now):
    booking = park(lot, alice)

    asked = alice_client.get(page(booking, "extend"))
    button = re.search(r'name="ends" value="([^"]+)"', asked.content.decode())[1]
    response = alice_client.post(page(booking, "extend"), {"ends": button})
    alice_client.post(page(booking, "extend"), {"ends": button})

    assert "+15 min 13:15 +30 min 13:30" in text_of(asked)
    assert response.url == page(booking)
    booking.refresh_from_db()
    assert booking.ends_at == now + 2.25 * HOUR


def test_extend_takes_a_time_on_the_lots_clock(alice_client, alice, lot, now):
    booking = park(lot, alice)

    alice_client.post(page(booking, "extend"), {"ends": "2027-03-01T14:20"})

    booking.refresh_from_db()
    assert booking.ends_at == now + timedelta(hours=3, minutes=20)


def test_extend_into_the_next_booking_offers_the_latest_end_with_one_tap(alice_client, alice, bob, now):
    lot = make_lot(1)
    booking = park(lot, alice)
    reserve(lot, bob, starts_in=3 * HOUR)

    refused = alice_client.post(page(booking, "extend"), {"ends": later(booking, 120)})
    one_tap = refused.content.decode().partition("Until then")[0]
    latest = re.search(r'name="ends" value="([^"]+)"', one_tap)[1]
    alice_client.post(page(booking, "extend"), {"ends": latest})

    assert refused.status_code == 409
    assert "Somebody comes after you" in text_of(refused)
    booking.refresh_from_db()
    assert booking.ends_at == now + 3 * HOUR


@pytest.mark.parametrize(
    "fields", [{}, {"ends": "later"}, {"ends": "2027-13-01T11:00"}, {"ends": "2027-03-01T11:00"}]
)
def test_extend_explains_bad_input(alice_client, alice, lot, fields):
    booking = park(lot, alice)

    response = alice_client.post(page(booking, "extend"), fields)

    assert response.status_code == 422
    assert re.search('class="pw-errors"|role="alert"', response.content.decode())
    booking.refresh_from_db()
    assert booking.duration == timedelta(hours=2)


# Leaving


@pytest.mark.promise("S0-07")
@pytest.mark.promise("S4-47")
def test_release_shows_the_cost_before_and_after(alice_client, alice, lot, now, clock):
    booking = park(lot, alice)
    clock.time = now + timedelta(minutes=30)

    asked = text_of(alice_client.get(page(booking, "release")))
    after = text_of(alice_client.post(page(booking, "release"), follow=True))

    assert "Total €1.25" in asked
    assert "completed" in after
    assert "Total €1.25" in after
    assert "The spot is free again." in after


def test_release_twice_changes_nothing_more(alice_client, alice, lot, now, clock):
    booking = park(lot, alice)
    clock.time = now + timedelta(minutes=30)
    alice_client.post(page(booking, "release"))
    clock.time = now + timedelta(minutes=90)

    alice_client.post(page(booking, "release"))

    booking.refresh_from_db()
    assert booking.ends_at == now + timedelta(minutes=30)


def test_release_of_what_has_not_begun_is_refused_in_words(alice_client, alice, lot):
    booking = reserve(lot, alice)

    refused = alice_client.post(page(booking, "release"))

    assert refused.status_code == 409
    assert "cancel it instead" in text_of(refused)


# Cancelling


def test_cancel_shows_what_comes_back_before_it_does_anything(alice_client, alice, now, clock):
    lot = make_lot(1, cancellation_tiers=[{"notice_minutes": 60, "refund_percent": 50}])
    booking = reserve(lot, alice, starts_in=24 * HOUR)
    clock.time = now + HOUR

    asked = text_of(alice_client.get(page(booking, "cancel")))
    after = text_of(alice_client.post(page(booking, "cancel"), follow=True))

    assert "50 % comes back. €2.50" in asked
    assert "You pay €2.50" in asked
    assert "cancelled" in after
    assert "Total €2.50" in after


# Arriving


def test_check_in_starts_the_stay(alice_client, alice, now, clock):
    booking = reserve(make_lot(1, needs_check_in=True), alice)
    clock.time = now + HOUR + timedelta(minutes=5)

    offered = text_of(alice_client.get(page(booking)))
    alice_client.post(page(booking, "check-in"))

    assert "Check in" in offered
    booking.refresh_from_db()
    assert (booking.state, booking.checked_in_at) == (State.ACTIVE, clock.time)


def test_check_in_too_early_is_refused_in_words(alice_client, alice):
    booking = reserve(make_lot(1, needs_check_in=True), alice)

    refused = alice_client.post(page(booking, "check-in"))

    assert refused.status_code == 409
    assert "Your booking starts at" in text_of(refused)


# With htmx


def test_htmx_gets_the_renewed_booking_and_the_message(alice_client, alice, lot):
    booking = park(lot, alice)

    response = alice_client.post(page(booking, "extend"), {"ends": later(booking, 15)}, headers=HTMX)

    markup = response.content.decode()
    assert markup.lstrip().startswith('<div id="booking"')
    assert "<html" not in markup
    assert 'hx-swap-oob="beforeend"' in markup
    assert "Extended." in text_of(response)


def test_htmx_gets_a_refusal_into_the_dialog(alice_client, alice, lot):
    booking = reserve(lot, alice)

    response = alice_client.post(page(booking, "release"), headers=HTMX)

    assert response.status_code == 409
    assert response["HX-Retarget"] == "#dialog-body"
    assert "<html" not in response.content.decode()


# Every page


def test_pages_keep_the_strict_content_policy(alice_client, alice, lot, now):
    booking = park(lot, alice)
    later = reserve(lot, alice)
    pages = ["/", f"/lots/{lot.slug}/", "/bookings/", "/nowhere/", reverse("account_change_password")]
    pages += [page(booking), page(booking, "extend"), page(booking, "release"), page(later, "cancel")]

    for address in pages:
        markup = alice_client.get(address, follow=True).content.decode()
        assert "<html" in markup, address
        assert not re.search(r"\sstyle=|\son\w+=|<style|javascript:", markup), address
        assert not re.search(r"<script(?![^>]*\ssrc=)", markup), address
        assert not re.search(r'(src|href)="(https?:)?//(?!www\.openstreetmap\.org)', markup), address
