"""The race for the last spot at the API's door: one 201, and 409 with a reason for all others."""

from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from bookings.models import Booking
from bookings.tests.factories import make_lot, make_user, overlaps
from bookings.tests.test_race import CLIENTS, ROUNDS, at_once, deadlocks, next_quarter

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


def ask(driver, body):
    client = APIClient()
    client.force_authenticate(driver)
    return client.post("/api/v1/bookings/", body, format="json")


@pytest.mark.promise("S1-21")
@pytest.mark.slow
def test_fifty_clients_after_one_spot_get_one_201_and_reasons():
    drivers = [make_user() for _i in range(CLIENTS)]
    starts_at = next_quarter(timezone.now())
    before = deadlocks()

    for number in range(ROUNDS):
        lot = make_lot(1, now=timezone.now())
        body = {"lot": lot.slug, "kind": "reserved"}
        if number % 2:
            body["spot"] = "1"
        begin = starts_at + number * timedelta(hours=1)
        body |= {"starts_at": begin.isoformat(), "ends_at": (begin + timedelta(hours=1)).isoformat()}

        answers = at_once([lambda d=driver, b=body: ask(d, b) for driver in drivers])

        reasons = Counter((answer.status_code, answer.json().get("code")) for answer in answers)
        refusal = "spot_taken" if number % 2 else "lot_full"
        assert reasons == {(201, None): 1, (409, refusal): CLIENTS - 1}
        assert {answer["Content-Type"] for answer in answers if answer.status_code == 409} == {
            "application/problem+json"
        }

    assert Booking.objects.occupying().count() == ROUNDS
    assert overlaps() == []
    assert deadlocks() == before
