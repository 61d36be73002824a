from typing import Any

import pytest

from bookings.models import Booking
from bookings.tests import factories
from bookings.tests.api_support import at, post, reserved, z


def asked(lot: Any, starts: float = 1, ends: float = 3, **more: Any) -> dict[str, Any]:
    return {"lot": lot.slug, "starts_at": at(starts), "ends_at": at(ends), **more}


def test_anyone_gets_an_itemised_price(as_anyone: Any, lot: Any) -> None:
    answer = post(as_anyone, "quotes/", asked(lot))

    assert answer.status_code == 200
    body = answer.json()
    assert (body["lot"], body["spot"], body["free"]) == (lot.slug, "1", 3)
    assert (body["starts_at"], body["ends_at"]) == (z(1), z(3))
    assert (body["price"]["total"], body["price"]["currency"]) == ("5.00", "EUR")
    assert [line["amount"] for line in body["price"]["lines"]] == ["5.00"]
    assert body["expires_at"] == z(10 / 60)
    assert body["alternatives"] == []
    assert not Booking.objects.exists()


def test_a_quote_is_the_price_of_the_booking(as_alice: Any, lot: Any) -> None:
    quoted = post(as_alice, "quotes/", asked(lot, 1, 8)).json()
    booked = post(as_alice, "bookings/", reserved(lot, 1, 8)).json()

    assert quoted["price"] == booked["price"]
    assert quoted["spot"] == booked["spot"]


def test_when_full_it_says_what_could_be_had_instead(as_anyone: Any, lot: Any, alice: Any) -> None:
    for _spot in range(3):
        factories.reserve(lot, alice)

    body = post(as_anyone, "quotes/", asked(lot)).json()

    assert (body["spot"], body["free"], body["price"]["total"]) == (None, 0, "5.00")
    assert [a["kind"] for a in body["alternatives"]] == ["later", "waitlist"]


def test_a_taken_spot_offers_another(as_anyone: Any, lot: Any, alice: Any) -> None:
    factories.reserve(lot, alice, spot_number="2")

    body = post(as_anyone, "quotes/", asked(lot, spot="2")).json()

    assert (body["spot"], body["free"]) == (None, 2)
    assert [(a["kind"], a["spot"]) for a in body["alternatives"]] == [("other_spot", "1")]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"starts_at": at(-1)}, 400, "start_in_the_past"),
        ({"starts_at": "2027-03-01T12:00:00"}, 400, "naive_time"),
        ({"ends_at": "2090-03-01T12:00:00Z"}, 400, "too_long"),
        ({"spot": "99"}, 400, "unknown_spot"),
        ({"total": "1"}, 400, "unknown_field"),
        ({"features": ["ev"]}, 409, "spot_unsuitable"),
    ],
)
def test_what_could_not_be_booked_has_no_price(
    as_anyone: Any, lot: Any, change: Any, status: int, code: str
) -> None:
    answer = post(as_anyone, "quotes/", {**asked(lot), **change})

    assert (answer.status_code, answer.json()["code"]) == (status, code)
