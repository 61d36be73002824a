"""The waitlist on pages: offered where it is full, listed with one's bookings, answered with buttons."""

from __future__ import annotations

import re
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from bookings import services
from bookings.models import Booking, WaitlistEntry
from bookings.tests.factories import HOUR, NOW, make_lot, make_user, reserve
from bookings.tests.test_lot_views import text_of

pytestmark = pytest.mark.promise("S0-09")
WINDOW = {"kind": "reserved", "starts": "2027-03-01T12:00", "ends": "2027-03-01T14:00"}  # in Berlin


@pytest.fixture(autouse=True)
def clock(db: None) -> Any:
    with time_machine.travel(NOW, tick=False) as moment:
        yield moment


@pytest.fixture
def full(clock: Any) -> Any:
    lot = make_lot(1)
    lot.taken = reserve(lot, make_user("zoe"))
    return lot


def wait_form(page: Any) -> dict[str, str]:
    """What the button "Wait" sends."""
    form = re.search(r'<form method="post" action="[^"]*/wait/">.*?</form>', page.content.decode(), re.S)
    assert form, "no way to wait"
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[0]))


@pytest.fixture
def entry(alice_client: Client, full: Any) -> WaitlistEntry:
    alice_client.post(reverse("lots:wait", args=[full.slug]), WINDOW)
    return WaitlistEntry.objects.get()


@pytest.fixture
def offer(entry: WaitlistEntry, full: Any) -> WaitlistEntry:
    services.cancel(full.taken, by=full.taken.driver, now=NOW)
    entry.refresh_from_db()
    return entry


def do(client: Client, name: str, entry: WaitlistEntry) -> Any:
    return client.post(reverse(f"bookings:waitlist-{name}", args=[entry.reference]))


def test_a_full_lot_offers_to_wait_and_says_when_and_where_else(alice_client: Client, full: Any) -> None:
    page = alice_client.get(reverse("lots:detail", args=[full.slug]), WINDOW)

    text = text_of(page)
    assert "Full for that time. Instead: Later" in text
    answer = alice_client.post(reverse("lots:wait", args=[full.slug]), wait_form(page))
    entry = WaitlistEntry.objects.get()
    assert answer["Location"] == reverse("bookings:waiting", args=[entry.reference])
    assert (entry.starts_at, entry.ends_at) == (full.taken.starts_at, full.taken.ends_at)


def test_a_lot_with_room_does_not(alice_client: Client, lot: Any) -> None:
    page = alice_client.get(reverse("lots:detail", args=[lot.slug]), WINDOW)

    assert "Instead" not in text_of(page)


def test_the_full_answer_lives_with_the_plan(client: Client, full: Any) -> None:
    address = reverse("lots:live", args=[full.slug])
    page = client.get(address, WINDOW)
    same = client.get(address, WINDOW, headers={"If-None-Match": page["ETag"]})
    services.cancel(full.taken, by=full.taken.driver, now=NOW)
    freed = client.get(address, WINDOW, headers={"If-None-Match": page["ETag"]})

    assert wait_form(page)["kind"] == "reserved"
    assert (same.status_code, freed.status_code) == (304, 200)
    assert "Instead" not in text_of(freed)


def test_a_refused_booking_offers_to_wait(alice_client: Client, full: Any) -> None:
    refused = alice_client.post(reverse("lots:book", args=[full.slug]), {**WINDOW, "plate": "B 1"})

    assert refused.status_code == 409
    alice_client.post(reverse("lots:wait", args=[full.slug]), wait_form(refused))
    assert WaitlistEntry.objects.get().plate == "B 1"


def test_who_is_not_signed_in_comes_back_to_the_form(client: Client, full: Any) -> None:
    answer = client.post(reverse("lots:wait", args=[full.slug]), WINDOW)

    assert answer["Location"].startswith("/accounts/login/?next=/lots/")
    assert not WaitlistEntry.objects.exists()


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        ({"starts": "2027-03-01T12:07"}, 422, "steps of 15"),
        ({"starts": "soon"}, 422, "Write a date and a time"),
        ({"starts": "2027-03-01T14:00", "ends": "2027-03-01T16:00"}, 409, "A spot is free for that time"),
    ],
)
def test_what_cannot_be_waited_for_says_why(
    alice_client: Client, full: Any, more: dict[str, str], status: int, said: str
) -> None:
    answer = alice_client.post(reverse("lots:wait", args=[full.slug]), WINDOW | more)

    assert answer.status_code == status
    assert said in text_of(answer)


def test_my_bookings_show_where_i_stand(
    alice_client: Client, entry: WaitlistEntry, full: Any, bob: Any
) -> None:
    page = alice_client.get(reverse("bookings:list"))
    assert "Waiting" in text_of(page)
    assert "Number 1 in line." in text_of(page)

    bobs = Client()
    bobs.force_login(bob)
    bobs.post(reverse("lots:wait", args=[full.slug]), WINDOW)
    assert "Number 2 in line." in text_of(bobs.get(reverse("bookings:list")))


def test_accepting_with_one_button(alice_client: Client, offer: WaitlistEntry) -> None:
    page = reverse("bookings:waiting", args=[offer.reference])
    looked = alice_client.get(page)
    assert "It is your turn: spot 1 is held for you." in text_of(looked)
    assert "5,00" in text_of(looked) or "5.00" in text_of(looked)
    assert WaitlistEntry.objects.get().state == "offered"  # looking is not answering

    answer = do(alice_client, "accept", offer)

    assert answer["Location"] == reverse("bookings:detail", args=[offer.offer.reference])
    assert Booking.objects.get(pk=offer.offer_id).state == "confirmed"
    assert "You took the spot." in text_of(alice_client.get(page))


def test_accepting_too_late_says_so(alice_client: Client, offer: WaitlistEntry, clock: Any) -> None:
    clock.shift(HOUR / 4)

    answer = do(alice_client, "accept", offer)

    assert answer.status_code == 409
    assert "The time to confirm this booking is over." in text_of(answer)


def test_a_prepaid_offer_leads_to_paying(alice_client: Client) -> None:
    lot = make_lot(1, payment_timing="prepaid")
    taken = reserve(lot, None, hold=False)
    alice_client.post(reverse("lots:wait", args=[lot.slug]), WINDOW)
    services.cancel(taken, by=None, now=NOW)
    entry = WaitlistEntry.objects.get()

    pay = reverse("bookings:pay", args=[entry.offer.reference])
    assert pay in alice_client.get(reverse("bookings:waiting", args=[entry.reference])).content.decode()
    assert do(alice_client, "accept", entry)["Location"] == pay


def test_not_now_and_leaving(alice_client: Client, offer: WaitlistEntry) -> None:
    assert do(alice_client, "snooze", offer)["Location"] == reverse("bookings:list")
    assert "Snoozed until" in text_of(alice_client.get(reverse("bookings:list")))
    do(alice_client, "leave", offer)

    offer.refresh_from_db()
    assert offer.state == "left"
    assert "Waiting" not in text_of(alice_client.get(reverse("bookings:list")))
    assert do(alice_client, "snooze", offer).status_code == 409


def test_the_page_of_a_place_tells_htmx_when_nothing_is_new(
    alice_client: Client, entry: WaitlistEntry, full: Any
) -> None:
    address = reverse("bookings:waiting", args=[entry.reference])
    first = alice_client.get(address, headers={"HX-Request": "true"})
    same = {"HX-Request": "true", "If-None-Match": first["ETag"]}

    assert alice_client.get(address, headers=same).status_code == 304
    services.cancel(full.taken, by=full.taken.driver, now=NOW)
    assert "It is your turn" in text_of(alice_client.get(address, headers=same))
