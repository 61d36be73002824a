"""The driver's own vehicle fills the booking form, and its kind decides which spots are adequate."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts import services as people
from accounts.models import User
from bookings.models import Booking
from lots.models import Lot

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def at_ten_on_monday(monkeypatch: pytest.MonkeyPatch, now: Any) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)


@pytest.fixture
def motorcycle(alice: User) -> None:
    people.add_vehicle(driver=alice, plate="B CA 1", kind="car")
    people.add_vehicle(driver=alice, plate="B MO 7", kind="motorcycle", is_default=True)


def plate_shown(client: Client, lot: Lot) -> str:
    return client.get(reverse("lots:detail", args=[lot.slug])).context["form"]["plate"].value()


def book(client: Client, lot: Lot, plate: str) -> Any:
    data = {"kind": "instant", "stay": "120", "plate": plate}
    return client.post(reverse("lots:book", args=[lot.slug]), data)


@pytest.mark.promise("S3-20")
def test_the_form_begins_with_the_default_vehicles_plate(
    alice_client: Client, client: Client, lot: Lot, motorcycle: None
):
    assert plate_shown(alice_client, lot) == "B MO 7"
    assert plate_shown(Client(), lot) == ""


@pytest.mark.parametrize(
    ("plate", "kind"), [("b-mo 7", "motorcycle"), ("B CA 1", "car"), ("X 1", ""), ("", "")]
)
def test_the_plates_own_vehicle_tells_the_kind(
    plate: str, kind: str, alice_client: Client, lot: Lot, motorcycle: None
):
    assert book(alice_client, lot, plate).status_code == 302
    assert Booking.objects.get().vehicle_kind == kind


def test_somebody_elses_plate_tells_nothing(alice_client: Client, bob: User, lot: Lot):
    people.add_vehicle(driver=bob, plate="B OB 1", kind="truck")

    assert book(alice_client, lot, "B OB 1").status_code == 302
    assert Booking.objects.get().vehicle_kind == ""


def test_the_spot_is_one_for_that_kind(alice_client: Client, lot: Lot, motorcycle: None):
    lot.spots.filter(number__in=["1", "2"]).update(vehicle_kinds=("car",))
    book(alice_client, lot, "B MO 7")
    assert Booking.objects.get().spot.number == "3"

    # None left that fits: refused, though two are free.
    lot.spots.update(vehicle_kinds=("car",))
    Booking.objects.update(state="completed")
    assert book(alice_client, lot, "B MO 7").status_code == 409
