"""The waitlist for programs: join, look, accept, snooze, leave."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bookings import services
from bookings.models import WaitlistEntry
from bookings.tests.api_support import API, at, post, reserved, z
from bookings.tests.factories import HOUR, NOW, make_lot, make_user, reserve

pytestmark = pytest.mark.promise("S0-09")
FIELDS = [
    *("reference", "state", "lot", "starts_at", "ends_at", "local", "plate", "vehicle_kind", "features"),
    *("position", "offer", "offered_until", "snoozed_until", "joined_at"),
]


@pytest.fixture
def full(db: None) -> Any:
    lot = make_lot(1)
    lot.taken = reserve(lot, make_user("zoe"))
    return lot


def join(client: Any, lot: Any, /, key: str | None = None, **more: Any) -> Any:
    window = {"lot": lot.slug, "starts_at": at(1), "ends_at": at(3)}
    return post(client, "waitlist/", window | more, key)


def free(lot: Any) -> None:
    services.cancel(lot.taken, by=lot.taken.driver, now=NOW)


def test_a_full_answer_names_the_window_to_wait_for(as_alice: Any, full: Any) -> None:
    refusal = post(as_alice, "bookings/", reserved(full)).json()

    waiting = refusal["alternatives"][-1]
    assert (waiting["kind"], waiting["spot"], waiting["free"]) == ("waitlist", None, 0)
    window = {name: waiting[name] for name in ("lot", "starts_at", "ends_at")}
    assert post(as_alice, "waitlist/", window).status_code == 201


def test_who_cannot_park_now_waits_for_the_next_quarter(as_alice: Any, api: Any) -> None:
    lot = make_lot(1)
    reserve(lot, None, starts_in=HOUR / 4, hours=9)
    api.shift(HOUR / 10)

    refusal = post(as_alice, "bookings/", {"lot": lot.slug, "kind": "instant", "ends_at": at(2)}).json()

    waiting = refusal["alternatives"][-1]
    assert (waiting["kind"], waiting["starts_at"], waiting["ends_at"]) == ("waitlist", z(0.5), z(2.5))


def test_joining_answers_with_the_place_in_line(as_alice: Any, as_bob: Any, full: Any) -> None:
    answer = join(as_alice, full, plate="B AB 1")
    second = join(as_bob, full).json()

    assert answer.status_code == 201
    body = answer.json()
    assert list(body) == FIELDS
    assert (body["state"], body["lot"], body["plate"]) == ("waiting", full.slug, "B AB 1")
    assert (body["starts_at"], body["ends_at"], body["joined_at"]) == (z(1), z(3), z(0))
    assert body["local"]["starts_at"] == "2027-03-01T12:00:00+01:00"
    assert (body["position"], second["position"]) == (1, 2)
    assert (body["offer"], body["offered_until"], body["snoozed_until"]) == (None, None, None)


def test_everybody_sees_their_own_places_only(as_alice: Any, as_bob: Any, full: Any) -> None:
    entry = join(as_alice, full).json()

    assert as_alice.get(f"{API}waitlist/").json()["results"] == [entry]
    assert as_alice.get(f"{API}waitlist/{entry['reference']}/").json() == entry
    assert as_bob.get(f"{API}waitlist/").json()["results"] == []
    assert as_bob.get(f"{API}waitlist/{entry['reference']}/").status_code == 404
    assert post(as_bob, f"waitlist/{entry['reference']}/leave/").status_code == 404
    assert as_alice.get(f"{API}waitlist/?state=left").json()["results"] == []


def test_an_offer_names_the_booking_and_is_accepted(as_alice: Any, full: Any) -> None:
    path = f"waitlist/{join(as_alice, full).json()['reference']}/"
    early = post(as_alice, f"{path}accept/")
    free(full)

    offered = as_alice.get(API + path).json()
    accepted = post(as_alice, f"{path}accept/").json()

    assert (early.status_code, early.json()["code"]) == (409, "no_offer")
    assert (offered["state"], offered["offered_until"], offered["position"]) == ("offered", z(0.25), 1)
    assert accepted["state"] == "accepted"
    assert (accepted["offer"], accepted["position"]) == (offered["offer"], None)
    booking = as_alice.get(f"{API}bookings/{accepted['offer']}/").json()
    assert (booking["state"], booking["starts_at"]) == ("confirmed", z(1))


def test_snooze_and_leave(as_alice: Any, as_bob: Any, full: Any) -> None:
    path = f"waitlist/{join(as_alice, full).json()['reference']}/"
    other = f"waitlist/{join(as_bob, full).json()['reference']}/"
    free(full)

    snoozed = post(as_alice, f"{path}snooze/").json()
    assert (snoozed["state"], snoozed["snoozed_until"], snoozed["offer"]) == ("waiting", z(0.5), None)
    assert as_bob.get(API + other).json()["state"] == "offered"
    assert post(as_bob, f"{other}leave/").json()["state"] == "left"
    gone = post(as_bob, f"{other}snooze/")
    assert (gone.status_code, gone.json()["code"]) == (409, "invalid_transition")


def test_an_offer_that_has_run_out_is_shown_as_none(as_alice: Any, full: Any, api: Any) -> None:
    path = f"waitlist/{join(as_alice, full).json()['reference']}/"
    free(full)
    api.shift(HOUR / 4)

    body = as_alice.get(API + path).json()
    late = post(as_alice, f"{path}accept/")

    assert (body["offer"], body["offered_until"]) == (None, None)
    assert (late.status_code, late.json()["code"]) == (409, "hold_expired")


def test_a_prepaid_offer_names_the_booking_to_pay(as_alice: Any) -> None:
    lot = make_lot(1, payment_timing="prepaid")
    lot.taken = reserve(lot, make_user("zoe"), hold=False)
    path = f"waitlist/{join(as_alice, lot).json()['reference']}/"
    free(lot)

    refusal = post(as_alice, f"{path}accept/").json()
    assert refusal["code"] == "payment_due"
    payment = post(as_alice, f"bookings/{refusal['booking']}/pay/", {"provider": "demo"})

    assert payment.status_code == 201


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"starts_at": "2027-03-01T12:00"}, 400, "naive_time"),
        ({"starts_at": at(-1)}, 400, "start_in_the_past"),
        ({"ends_at": at(0.5)}, 400, "end_before_start"),
        ({"starts_at": at(1.1)}, 400, "off_grid"),
        ({"lot": "nowhere"}, 400, "does_not_exist"),
        ({"position": 1}, 400, "unknown_field"),
        ({"features": ["ev"]}, 409, "spot_unsuitable"),
        ({"starts_at": at(3), "ends_at": at(5)}, 409, "not_full"),
    ],
)
def test_what_cannot_be_waited_for(
    as_alice: Any, full: Any, more: dict[str, Any], status: int, code: str
) -> None:
    answer = join(as_alice, full, **more)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not WaitlistEntry.objects.exists()


def test_a_place_is_taken_once_a_key_and_once_a_window(as_alice: Any, full: Any) -> None:
    first, again = (join(as_alice, full, key="k") for _i in range(2))
    without_key = join(as_alice, full)
    overlapping = join(as_alice, full, ends_at=at(2))

    assert again["Idempotent-Replayed"] == "true"
    assert first.json() == again.json() == without_key.json()
    assert (overlapping.status_code, overlapping.json()["code"]) == (409, "already_waiting")
    assert overlapping.json()["entry"] == first.json()["reference"]


def test_strangers_are_asked_to_sign_in(as_anyone: Any, full: Any) -> None:
    assert as_anyone.get(f"{API}waitlist/").status_code == 401
    assert join(as_anyone, full).status_code == 401


def test_a_longer_list_asks_no_more_questions(as_alice: Any, full: Any) -> None:
    def count() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert as_alice.get(f"{API}waitlist/").status_code == 200
        return len(queries)

    join(as_alice, full)
    one = count()
    for _i in range(2):
        lot = make_lot(1)
        reserve(lot, None)
        join(as_alice, lot)

    assert count() == one
