"""A page's form books at the price it showed, or says what it costs now. Never at another, silently."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from bookings.models import Booking
from bookings.tests.factories import HOUR, make_user, park
from bookings.tests.test_guests import label
from bookings.tests.test_lot_views import LOCAL, text_of
from lots.models import Lot
from lots.rates import Tariff
from lots.services import publish_tariff, update_lot

pytestmark = pytest.mark.django_db
SHOWN = re.compile(r'name="quote" value="([^"]+)"')
CHANGED = "The price has changed since you looked"


@pytest.fixture(autouse=True)
def at_home(api: Any) -> None:
    """The clock stands still, until it is moved."""


@pytest.fixture
def form(lot: Lot, now: Any) -> dict[str, str]:
    times = {"starts": now + 2 * HOUR, "ends": now + 4 * HOUR}
    return {"kind": "reserved"} | {k: f"{at.astimezone(lot.zone):{LOCAL}}" for k, at in times.items()}


def shown(client: Any, lot: Lot, form: dict[str, str]) -> dict[str, str]:
    page = client.get(reverse("lots:quote", args=[lot.slug]), form).content.decode()
    return form | {"quote": SHOWN.findall(page)[0]}


def book(client: Any, lot: Lot, form: dict[str, str]) -> Any:
    return client.post(reverse("lots:book", args=[lot.slug]), form)


def reprice(lot: Lot, price: str) -> None:
    update_lot(lot_id=lot.pk, price_per_hour=Decimal(price), by=None, now=timezone.now())


def charge_large_spots(lot: Lot, price: str) -> None:
    """The last spot is large, and every other costs 2.50 an hour."""
    lot.spots.filter(number="3").update(kind="large")
    time = {"type": "TIME", "step_size": 60}
    large = {
        "price_components": [{**time, "price": price}],
        "restrictions": {"spot_kinds": ["large"]},
    }
    document = {"currency": "EUR", "elements": [large, {"price_components": [{**time, "price": "2.50"}]}]}
    publish_tariff(lot, Tariff.from_json(document), by=None, now=timezone.now())


def test_the_price_shown_is_kept_for_ten_minutes(api: Any, alice_client: Any, lot: Lot, form: Any) -> None:
    seen = shown(alice_client, lot, form)
    reprice(lot, "99")
    api.shift(599)

    book(alice_client, lot, seen)

    assert Booking.objects.get().total == Decimal("5.00")


def test_a_price_that_changed_is_told_and_booked_when_it_was_seen(
    api: Any, alice_client: Any, lot: Lot, form: Any
) -> None:
    seen = shown(alice_client, lot, form)
    reprice(lot, "3")
    api.shift(601)

    told = book(alice_client, lot, seen)
    assert told.status_code == 409
    assert f"{CHANGED}: it is €6.00 now." in text_of(told)
    assert not Booking.objects.exists()

    again = form | {"quote": SHOWN.findall(told.content.decode())[0]}
    assert book(alice_client, lot, again).status_code == 302
    assert Booking.objects.get().total == Decimal("6.00")


def test_a_page_that_stood_open_for_long_asks_nothing_where_nothing_changed(
    api: Any, alice_client: Any, lot: Lot, form: Any
) -> None:
    seen = shown(alice_client, lot, form)
    api.shift(3600)

    assert book(alice_client, lot, seen).status_code == 302


def test_another_period_without_javascript_is_booked_by_the_rules_that_were_shown(
    api: Any, alice_client: Any, lot: Lot, form: Any, now: Any
) -> None:
    later = {"ends": f"{(now + 5 * HOUR).astimezone(lot.zone):{LOCAL}}"}
    seen = shown(alice_client, lot, form)
    reprice(lot, "3")
    api.shift(1)
    told = book(alice_client, lot, seen | later)
    seen_since = shown(alice_client, lot, form)

    assert CHANGED in text_of(told)
    assert book(alice_client, lot, seen_since | later).status_code == 302
    assert Booking.objects.get().total == Decimal("9.00")


@pytest.mark.parametrize(("price", "status"), [("2.50", 302), ("9.00", 409)])
def test_a_spot_of_another_kind_is_given_where_it_costs_the_same(
    alice_client: Any, lot: Lot, bob: Any, price: str, status: int
) -> None:
    charge_large_spots(lot, price)
    seen = shown(alice_client, lot, {"kind": "instant", "stay": "120"})
    for driver in (bob, make_user("carol")):
        park(lot, driver)

    told = book(alice_client, lot, seen)

    assert told.status_code == status
    assert (CHANGED in text_of(told)) == (status == 409)
    assert Booking.objects.filter(spot__number="3").exists() == (status == 302)


@pytest.mark.parametrize("minutes", [9, 11])
def test_an_instant_stay_is_priced_by_the_rules_shown(
    api: Any, alice_client: Any, lot: Lot, minutes: int
) -> None:
    seen = shown(alice_client, lot, {"kind": "instant", "stay": "120"})
    reprice(lot, "99")
    api.shift(timedelta(minutes=minutes))

    answer = book(alice_client, lot, seen)

    assert answer.status_code == (302 if minutes < 10 else 409)
    assert [booking.total for booking in Booking.objects.all()] == ([Decimal("5.00")] if minutes < 10 else [])


@pytest.mark.parametrize("token", ["x", "x" * 5000])
def test_what_was_never_shown_is_no_price(alice_client: Any, lot: Lot, form: Any, token: str) -> None:
    answer = book(alice_client, lot, form | {"quote": token})

    assert (answer.status_code, Booking.objects.exists()) == (409, False)


def test_a_guest_pays_what_the_label_showed(api: Any, client: Any, lot: Lot, now: Any) -> None:
    page = client.get(label(lot)).content.decode()
    reprice(lot, "99")
    fields = {"leaving": (now + HOUR).isoformat(), "plate": "B GU 1", "quote": SHOWN.findall(page)[0]}
    api.shift(601)
    told = client.post(label(lot) + "book/", fields)
    assert CHANGED in text_of(told)
    api.shift(-601)

    client.post(label(lot) + "book/", fields)

    assert Booking.objects.get().total == Decimal("2.50")


def test_a_form_says_why_it_has_no_price(client: Any, lot: Lot) -> None:
    page = client.get(reverse("lots:quote", args=[lot.slug]), {"kind": "instant", "stay": "60", "spot": "77"})

    assert "This lot has no spot 77." in text_of(page)


def test_a_lot_that_sells_nothing_for_that_time_is_listed_without_a_price(client: Any, lot: Lot) -> None:
    night = {
        "name": "Night",
        "price": "8.00",
        "arrive_from": "20:00",
        "arrive_to": "23:00",
        "leave_to": "06:00",
    }
    publish_tariff(
        lot, Tariff.from_json({"currency": "EUR", "packages": [night]}), by=None, now=timezone.now()
    )

    for sort in ("", "price"):
        page = text_of(client.get("/", {"stay": "60", "sort": sort}))
        assert "Alexanderplatz" in page
        assert "no price for that time" in page
