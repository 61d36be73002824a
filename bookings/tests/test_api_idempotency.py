import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connections

from bookings import idempotency
from bookings.api.bookings import BookingViewSet
from bookings.keys import IdempotencyKey
from bookings.models import Booking
from bookings.tests import factories
from bookings.tests.api_support import API, at, client_for, post, reserved


def test_the_same_request_twice_books_once_and_answers_the_same(as_alice: Any, lot: Any) -> None:
    first = post(as_alice, "bookings/", reserved(lot), key="k1")
    second = post(as_alice, "bookings/", reserved(lot), key="k1")

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert "Idempotent-Replayed" not in first
    assert second["Idempotent-Replayed"] == "true"
    assert Booking.objects.count() == 1


def test_the_order_of_members_is_no_difference(as_alice: Any, lot: Any) -> None:
    body = reserved(lot)
    first = post(as_alice, "bookings/", body, key="k1")
    second = post(as_alice, "bookings/", dict(reversed(body.items())), key="k1")

    assert second.json() == first.json()


def test_a_key_for_another_request_is_refused(as_alice: Any, lot: Any) -> None:
    post(as_alice, "bookings/", reserved(lot, 1, 3), key="k1")

    answer = post(as_alice, "bookings/", reserved(lot, 1, 4), key="k1")

    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "idempotency_key_reused"
    assert Booking.objects.count() == 1


def test_a_key_is_of_one_user(as_alice: Any, as_bob: Any, lot: Any) -> None:
    hers = post(as_alice, "bookings/", reserved(lot), key="k1").json()
    his = post(as_bob, "bookings/", reserved(lot), key="k1").json()

    assert his["reference"] != hers["reference"]


def test_a_refusal_leaves_no_key_and_nothing_else_behind(as_alice: Any, lot: Any, bob: Any) -> None:
    theirs = [factories.reserve(lot, bob) for _spot in range(3)]

    full = post(as_alice, "bookings/", reserved(lot), key="k1")
    bad = post(as_alice, "bookings/", {**reserved(lot), "price": 1}, key="k1")
    assert (full.status_code, bad.status_code) == (409, 400)
    assert full.json()["alternatives"]
    assert not IdempotencyKey.objects.exists()

    post(client_for(bob), f"bookings/{theirs[0].reference}/cancel/")
    assert post(as_alice, "bookings/", reserved(lot), key="k1").status_code == 201


@pytest.mark.parametrize("verb", ["extend", "release", "cancel", "check-in"])
def test_every_action_takes_a_key(as_alice: Any, api: Any, lot: Any, alice: Any, verb: str) -> None:
    early = factories.reserve(lot, alice) if verb == "cancel" else factories.park(lot, alice)
    data = {"ends_at": at(4)} if verb == "extend" else {}

    first = post(as_alice, f"bookings/{early.reference}/{verb}/", data, key="k1")
    second = post(as_alice, f"bookings/{early.reference}/{verb}/", data, key="k1")

    assert first.status_code == 200
    assert (second.content, second["Idempotent-Replayed"]) == (first.content, "true")


def test_vehicles_and_lots_take_a_key_as_well(as_alice: Any, as_olga: Any) -> None:
    for client, path, data in (
        (as_alice, "vehicles/", {"plate": "B AB 1"}),
        (as_olga, "lots/", {"name": "Zoo", "capacity": 1, "price_per_hour": 1}),
    ):
        first, second = (post(client, path, data, key="k1") for _time in range(2))
        assert (second.status_code, second.content) == (201, first.content)


def test_after_two_days_a_key_is_new_again(as_alice: Any, api: Any, lot: Any) -> None:
    first = post(as_alice, "bookings/", reserved(lot, 60, 61), key="k1").json()
    api.shift(timedelta(hours=47))
    assert post(as_alice, "bookings/", reserved(lot, 60, 61), key="k1").json() == first
    api.shift(timedelta(hours=2))

    assert (
        post(as_alice, "bookings/", reserved(lot, 60, 61), key="k1").json()["reference"] != first["reference"]
    )


def test_old_keys_are_forgotten(as_alice: Any, lot: Any, now: Any) -> None:
    post(as_alice, "bookings/", reserved(lot), key="k1")

    assert idempotency.forget_old_keys(now=now + timedelta(hours=48)) == 0
    assert idempotency.forget_old_keys(now=now + timedelta(hours=49)) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
def test_a_bad_key_is_400(as_alice: Any, lot: Any, key: str) -> None:
    answer = as_alice.post(API + "bookings/", reserved(lot), format="json", headers={"Idempotency-Key": key})

    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == ["Idempotency-Key"]
    assert not Booking.objects.exists()


def test_a_crash_takes_the_key_back(as_alice: Any, lot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise OperationalError("server closed the connection")

    with monkeypatch.context() as patched:
        patched.setattr(idempotency, "_keep", fail)
        assert post(as_alice, "bookings/", reserved(lot), key="k1").status_code == 503
    assert not Booking.objects.exists()

    assert post(as_alice, "bookings/", reserved(lot), key="k1").status_code == 201


def test_who_lost_the_answer_gets_it_by_asking_again(
    alice: Any, lot: Any, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server dies when all is written and nothing was sent yet; the driver signs in anew and repeats."""

    class Killed(BaseException):
        pass

    def die(*args: Any, **kwargs: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(BookingViewSet, "finalize_response", die)
        with pytest.raises(Killed):
            post(client_for(alice), "bookings/", reserved(lot), key="k1")
    booking = Booking.objects.get()

    again = post(client_for(alice), "bookings/", reserved(lot), key="k1")

    assert (again.status_code, again["Idempotent-Replayed"]) == (201, "true")
    assert again.json()["reference"] == booking.reference
    assert Booking.objects.count() == 1


def test_who_waits_too_long_for_the_first_is_told_to_ask_again(
    as_alice: Any, lot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("canceling statement due to lock timeout")

    monkeypatch.setattr(IdempotencyKey, "save", wait)
    monkeypatch.setattr(idempotency, "connection", SimpleNamespace(vendor="postgresql"))

    answer = post(as_alice, "bookings/", reserved(lot), key="k1")

    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (409, "in_progress", "1")
    assert not Booking.objects.exists()


def _at_once(alice: Any, body: dict[str, Any], count: int) -> list[Any]:
    barrier, answers = threading.Barrier(count), []

    def send() -> None:
        client = client_for(alice)
        barrier.wait()
        try:
            answers.append(post(client, "bookings/", body, key="k1"))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_many_at_once_with_one_key_book_once(alice: Any, lot: Any) -> None:
    with time_machine.travel(factories.NOW, tick=False):
        answers = _at_once(alice, reserved(lot), 50)

    assert [a.status_code for a in answers] == [201] * 50
    assert len({a.content for a in answers}) == 1
    assert Booking.objects.count() == 1
    assert sorted(a.get("Idempotent-Replayed", "") for a in answers) == [""] + ["true"] * 49


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_without_the_key_the_same_many_book_more_than_once(
    alice: Any, lot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The canary: the race above is one."""
    monkeypatch.setattr(idempotency, "_once", lambda handler, key: handler)

    with time_machine.travel(factories.NOW, tick=False):
        answers = _at_once(alice, reserved(lot), 8)

    assert sorted(a.status_code for a in answers) == [201] * 3 + [409] * 5
