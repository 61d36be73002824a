"""A driver's pass and what staff see of it; another spot; how far a stay can be stretched."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from accounts.tests.staff import verify
from bookings import availability, passes, services
from bookings.models import State
from bookings.tests.factories import HOUR, make_lot, make_user, park, reserve
from bookings.tests.test_lot_views import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def at_ten_on_monday(monkeypatch, now):
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)


def page(booking, name):
    return reverse(f"bookings:{name}", args=[booking.reference])


# The pass


def test_the_pass_carries_the_address_at_which_staff_verify_it(
    alice_client, alice, lot, settings, monkeypatch
):
    settings.BASE_URL = "https://park.example"
    booking, made = park(lot, alice), []
    monkeypatch.setattr("bookings.passes.segno.make", lambda text, **how: made.append(text) or _Drawn())

    shown = alice_client.get(page(booking, "pass"))

    assert made == [f"https://park.example/admin/bookings/booking/pass/{booking.reference}/"]
    assert "<svg drawn" in shown.content.decode()
    assert booking.reference in text_of(shown)


class _Drawn:
    def svg_inline(self, **look):
        return "<svg drawn></svg>"


def test_the_pass_asks_the_network_for_nothing_once_it_is_open(alice_client, alice, lot):
    shown = alice_client.get(page(park(lot, alice), "pass")).content.decode()
    main = shown[shown.index("<main") : shown.index("</main>")]

    assert "<svg" in main
    assert "hx-get" not in main
    assert "<img" not in main


def test_the_picture_of_a_pass_is_a_png_to_keep(alice_client, alice, lot):
    booking = park(lot, alice)

    answer = alice_client.get(page(booking, "pass-picture"))

    assert answer.content.startswith(b"\x89PNG")
    assert answer["Content-Disposition"] == f'attachment; filename="pass-{booking.reference}.png"'


def test_what_is_over_has_no_pass(alice_client, alice, lot, now):
    booking = services.release(park(lot, alice, now=now - HOUR), by=alice, now=now)

    assert alice_client.get(page(booking, "pass")).url == page(booking, "detail")
    assert alice_client.get(page(booking, "pass-picture")).status_code == 302


@pytest.mark.parametrize(
    ("after", "tone"),
    [(timedelta(0), "lamp"), (HOUR, "go"), (3 * HOUR - timedelta(seconds=1), "go"), (3 * HOUR, "lamp")],
)
def test_a_pass_is_worth_something_from_its_start_to_its_end(alice, lot, now, after, tone):
    booking = reserve(lot, alice, starts_in=HOUR, hours=2)

    assert passes.verdict(booking, now + after).tone == tone


@pytest.mark.parametrize("state", sorted(set(State) - passes.WITH_PASS))
def test_a_pass_of_anything_else_is_worth_nothing(alice, lot, now, state):
    booking = park(lot, alice)
    booking.state = state

    assert passes.verdict(booking, now).tone == "stop"


def test_staff_see_what_a_pass_is_worth_and_check_in_with_it(olga, alice, now):
    lot = make_lot(2, needs_check_in=True, name="Gate", now=now - 9 * HOUR)
    booking = reserve(lot, alice, now=now - HOUR, starts_in=HOUR, plate="B AB 1")
    verifier = verify(Client(), olga)

    shown = verifier.get(reverse("admin:bookings_booking_pass", args=[booking.reference.lower()]))

    assert shown.context["verdict"].tone == "go"
    assert "B AB 1" in text_of(shown)
    assert shown.context["check_in"] == reverse("admin:bookings_booking_check_in", args=[booking.pk])


# Another spot


def test_a_driver_moves_to_another_free_spot(alice_client, alice, lot):
    booking = park(lot, alice)
    assert "Spot 1 stays yours" in text_of(alice_client.get(page(booking, "move")))

    answer = alice_client.post(page(booking, "move"), {"spot": "3"})

    booking.refresh_from_db()
    assert (answer.status_code, booking.spot.number) == (302, "3")


def test_a_spot_that_was_taken_meanwhile_leaves_the_driver_where_they_are(alice_client, alice, bob, lot):
    booking = park(lot, alice)
    park(lot, bob, spot_number="2")

    answer = alice_client.post(page(booking, "move"), {"spot": "2"})

    booking.refresh_from_db()
    assert (answer.status_code, booking.spot.number) == (409, "1")
    assert "This spot is taken" in text_of(answer)


def test_a_spot_of_another_kind_is_neither_offered_nor_given(alice_client, alice, lot):
    lot.spots.filter(number="2").update(kind="large")
    booking = park(lot, alice)

    offered = alice_client.get(page(booking, "move")).context["floors"]
    answer = alice_client.post(page(booking, "move"), {"spot": "2"})

    booking.refresh_from_db()
    assert [spot.number for floor in offered for spot in floor.spots] == ["3"]
    assert (answer.status_code, booking.spot.number) == (409, "1")


def test_only_the_owner_moves_a_booking(client, alice, lot):
    booking = park(lot, alice)
    client.force_login(make_user("eve"))

    assert client.post(page(booking, "move"), {"spot": "2"}).status_code == 404


# How far


def test_a_stay_can_be_stretched_until_somebody_comes(alice_client, alice, bob, lot, now):
    booking = park(lot, alice, ends_at=now + HOUR)
    reserve(lot, bob, starts_in=2 * HOUR, spot_number="1")

    context = alice_client.get(page(booking, "extend")).context

    assert [minutes for minutes, _at in context["steps"]] == [15, 30, 60]
    assert (context["slider"]["step"], context["slider"]["most"]) == (15, 60)


@pytest.mark.parametrize(
    "rules",
    [
        {"max_stay_minutes": 90},
        # In Berlin, where it is an hour later than in UTC.
        {
            "opening_hours": {
                "regular_hours": [{"weekday": 1, "period_begin": "08:00", "period_end": "12:30"}]
            }
        },
    ],
)
def test_a_stay_can_be_stretched_until_the_lot_closes_or_its_longest_stay(alice, now, rules):
    booking = park(make_lot(1, **rules), alice, ends_at=now + HOUR)

    assert availability.longest_end(booking, now=now) == now + 1.5 * HOUR


def test_a_stay_that_cannot_go_on_says_so(alice_client, alice, now):
    booking = park(make_lot(1, max_stay_minutes=60), alice, ends_at=now + HOUR)

    shown = alice_client.get(page(booking, "extend"))

    assert shown.context["steps"] == []
    assert "This booking cannot go on for longer." in text_of(shown)
