from datetime import timedelta
from typing import Any

import pytest
from django.core import signing
from django.test import Client

from bookings import services
from bookings.models import Booking, Payment, State
from bookings.payments.models import Status
from bookings.payments.providers.base import ProviderAway
from bookings.payments.providers.demo import DemoProvider
from bookings.tests.api_support import API, at, post, reserved, z
from bookings.tests.factories import NOW, make_lot, reserve
from lots.services import update_lot


@pytest.fixture
def prepaid(db: None) -> Any:
    return make_lot(2, payment_timing="prepaid")


def press(payment: dict[str, Any], answer: str) -> Any:
    """What a driver does on the bank's page."""
    return Client().post(payment["redirect_url"].partition("8000")[2], {"answer": answer})


def pay(client: Any, reference: str, **more: Any) -> Any:
    return post(client, f"bookings/{reference}/pay/", more.pop("data", {}), **more)


# --- Paying ---


@pytest.mark.promise("S3-05")
@pytest.mark.promise("S3-07")
@pytest.mark.promise("S3-19")
def test_book_pay_and_see_the_payment(as_alice: Any, prepaid: Any) -> None:
    booked = post(as_alice, "bookings/", reserved(prepaid)).json()
    assert (booked["state"], booked["held_until"]) == ("held", z(10 / 60))
    assert (booked["paid"], booked["refunded"], booked["due"]) == ("0.00", "0.00", "5.00")

    answer = pay(as_alice, booked["reference"], data={"provider": "demo"})
    assert answer.status_code == 201
    press(answer.json(), "approve")

    booked = as_alice.get(f"{API}bookings/{booked['reference']}/").json()
    assert (booked["state"], booked["paid"], booked["due"]) == ("confirmed", "5.00", "0.00")
    [payment] = as_alice.get(f"{API}payments/").json()["results"]
    assert (payment["booking"], payment["provider"], payment["method"]) == (
        booked["reference"], "demo", "Visa ending in 4242",
    )  # fmt: skip
    assert (payment["status"], payment["amount"], payment["currency"]) == ("succeeded", "5.00", "EUR")
    assert payment["transaction_id"].startswith("demo_pay_")
    assert payment["redirect_url"] is None
    assert as_alice.get(f"{API}payments/{payment['id']}/").json() == payment


def test_a_declined_card_changes_nothing_and_says_so(as_alice: Any, prepaid: Any) -> None:
    reference = post(as_alice, "bookings/", reserved(prepaid)).json()["reference"]
    payment = pay(as_alice, reference).json()

    press(payment, "decline")

    payment = as_alice.get(f"{API}payments/{payment['id']}/").json()
    assert (payment["status"], payment["note"]) == ("failed", "The card was declined.")
    assert as_alice.get(f"{API}bookings/{reference}/").json()["state"] == "held"


def test_a_slow_bank_answers_later_and_the_sweep_hears_it(api: Any, as_alice: Any, prepaid: Any) -> None:
    reference = post(as_alice, "bookings/", reserved(prepaid)).json()["reference"]
    press(pay(as_alice, reference).json(), "slow")
    assert as_alice.get(f"{API}bookings/{reference}/").json()["state"] == "held"

    api.shift(61)
    assert services.reconcile_payments(now=NOW + timedelta(seconds=61)) == 1

    assert as_alice.get(f"{API}bookings/{reference}/").json()["state"] == "confirmed"


def test_the_first_answer_of_the_bank_counts(as_alice: Any, lot: Any) -> None:
    payment = pay(as_alice, post(as_alice, "bookings/", reserved(lot)).json()["reference"]).json()

    press(payment, "decline")
    press(payment, "approve")

    assert Payment.objects.get().status == Status.FAILED


def test_asked_twice_it_is_the_same_payment(as_alice: Any, lot: Any) -> None:
    reference = post(as_alice, "bookings/", reserved(lot)).json()["reference"]

    first, second = pay(as_alice, reference), pay(as_alice, reference)

    assert (first.status_code, first.json()["id"]) == (201, second.json()["id"])
    assert Payment.objects.count() == 1


def test_an_idempotency_key_names_one_payment(api: Any, as_alice: Any, lot: Any) -> None:
    booked = [post(as_alice, "bookings/", reserved(lot)).json()["reference"] for _n in range(2)]
    first = pay(as_alice, booked[0], key="one")
    press(first.json(), "decline")
    api.shift(1)

    again = pay(as_alice, booked[0], key="one")
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    assert pay(as_alice, booked[1], key="one").json()["code"] == "idempotency_key_reused"
    assert pay(as_alice, booked[0], key="two").status_code == 201


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"provider": "desk"}, "unknown_provider"),
        ({"provider": "bitcoin"}, "unknown_provider"),
        ({"amount": "0.01"}, "unknown_field"),
        ({"currency": "JPY"}, "unknown_field"),
        ({"provider": 5}, "invalid"),
    ],
)
def test_the_server_decides_what_is_paid(as_alice: Any, lot: Any, data: Any, code: str) -> None:
    reference = post(as_alice, "bookings/", reserved(lot)).json()["reference"]

    answer = pay(as_alice, reference, data=data)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert not Payment.objects.exists()


def test_nobody_pays_or_sees_what_is_not_theirs(as_alice: Any, as_bob: Any, as_anyone: Any, lot: Any) -> None:
    reference = post(as_alice, "bookings/", reserved(lot)).json()["reference"]
    payment = pay(as_alice, reference).json()

    assert pay(as_bob, reference).status_code == 404
    assert as_bob.get(f"{API}payments/{payment['id']}/").status_code == 404
    assert as_bob.get(f"{API}payments/").json()["results"] == []
    assert as_bob.get(f"{API}payments/?booking={reference}").json()["results"] == []
    assert pay(as_anyone, reference).status_code == 401
    assert as_anyone.get(f"{API}payments/").status_code == 401


def test_refusals_have_a_code(api: Any, as_alice: Any, prepaid: Any) -> None:
    for _hold in range(2):
        reference = post(as_alice, "bookings/", reserved(prepaid)).json()["reference"]
    answer = post(as_alice, "bookings/", reserved(prepaid, 5, 6))
    assert (answer.status_code, answer.json()["code"]) == (409, "hold_limit")

    press(pay(as_alice, reference).json(), "approve")
    answer = pay(as_alice, reference)
    assert (answer.status_code, answer.json()["code"]) == (409, "already_paid")

    other = Booking.objects.exclude(reference=reference).get()
    api.shift(601)
    answer = pay(as_alice, other.reference)
    assert (answer.status_code, answer.json()["code"]) == (409, "hold_expired")


def test_a_provider_that_is_away_is_503_and_asked_again_it_is_one_payment(
    api: Any, as_alice: Any, lot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any) -> None:
        raise ProviderAway

    reference = post(as_alice, "bookings/", reserved(lot)).json()["reference"]
    with monkeypatch.context() as patch:
        patch.setattr(DemoProvider, "start", away)
        answer = pay(as_alice, reference)
    assert (answer.status_code, answer.json()["code"]) == (503, "provider_unavailable")
    assert answer["Retry-After"] == "10"

    api.shift(1)
    assert pay(as_alice, reference).status_code == 200

    assert Payment.objects.count() == 1


def test_what_went_back_stands_with_its_payment(as_alice: Any, prepaid: Any) -> None:
    reference = post(as_alice, "bookings/", reserved(prepaid)).json()["reference"]
    press(pay(as_alice, reference).json(), "approve")

    cancelled = post(as_alice, f"bookings/{reference}/cancel/").json()

    assert (cancelled["paid"], cancelled["refunded"], cancelled["due"]) == ("5.00", "5.00", "0.00")
    [payment] = as_alice.get(f"{API}payments/?status=succeeded").json()["results"]
    assert (payment["refunded"], len(payment["refunds"])) == ("5.00", 1)
    assert payment["refunds"][0]["reason"] == "Cancelled within 10 minutes of booking: nothing is charged."


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_takes_the_same_queries_however_long(
    as_alice: Any, alice: Any, count: int, django_assert_num_queries: Any
) -> None:
    lot = make_lot(3)
    for _payment in range(count):
        services.pay(reserve(lot, alice), by=alice, now=NOW)

    with django_assert_num_queries(2):
        assert len(as_alice.get(f"{API}payments/").json()["results"]) == count


def test_payments_come_in_pages(as_alice: Any, alice: Any) -> None:
    lot = make_lot(3)
    for _payment in range(3):
        services.pay(reserve(lot, alice), by=alice, now=NOW)

    first = as_alice.get(f"{API}payments/?page_size=2").json()
    second = as_alice.get(first["next"]).json()

    assert len({row["id"] for row in first["results"] + second["results"]}) == 3
    assert as_alice.get(second["previous"]).json()["results"] == first["results"]


@pytest.mark.parametrize("pk", ["0" * 32, "zzz", "1", "00000000-0000-0000-0000-00000000000"])
def test_a_payment_that_is_none_is_404(as_alice: Any, pk: str) -> None:
    assert as_alice.get(f"{API}payments/{pk}/").status_code == 404


# --- Quotes ---


def quoted(client: Any, lot: Any, **more: Any) -> dict[str, Any]:
    ask = {"lot": lot.slug, "starts_at": at(1), "ends_at": at(3), **more}
    return dict(post(client, "quotes/", ask).json())


def test_a_quote_keeps_its_price_when_the_tariff_changes(
    api: Any, as_alice: Any, lot: Any, olga: Any
) -> None:
    quote = quoted(as_alice, lot)
    update_lot(lot_id=lot.pk, price_per_hour=99, by=olga, now=NOW)
    api.shift(599)

    kept = post(as_alice, "bookings/", reserved(lot, quote=quote["quote"])).json()
    new = post(as_alice, "bookings/", reserved(lot)).json()

    assert kept["price"] == quote["price"]
    assert new["price"]["total"] == "198.00"


def test_a_quote_holds_the_spot_where_the_lot_is_prepaid(as_alice: Any, prepaid: Any) -> None:
    answer = post(as_alice, "bookings/", reserved(prepaid, quote=quoted(as_alice, prepaid)["quote"]))

    assert (answer.status_code, answer.json()["state"]) == (201, "held")


def test_an_instant_quote_keeps_its_tariff(as_alice: Any, lot: Any, olga: Any) -> None:
    quote = post(as_alice, "quotes/", {"lot": lot.slug, "kind": "instant"}).json()
    update_lot(lot_id=lot.pk, price_per_hour=99, by=olga, now=NOW)

    booked = post(as_alice, "bookings/", {"lot": lot.slug, "kind": "instant", "quote": quote["quote"]}).json()

    assert booked["price"]["total"] == quote["price"]["total"]


def test_an_expired_quote_is_400(api: Any, as_alice: Any, lot: Any) -> None:
    quote = quoted(as_alice, lot)
    api.shift(600)

    answer = post(as_alice, "bookings/", reserved(lot, quote=quote["quote"]))

    assert (answer.status_code, answer.json()["code"]) == (400, "quote_expired")
    assert list(answer.json()["fields"]) == ["quote"]


@pytest.mark.parametrize(
    "change",
    [
        {"ends_at": at(4)},
        {"starts_at": at(2)},
        {"spot": "2"},
        {"features": ["ev"]},
        {"vehicle_kind": "van"},
        {"kind": "instant", "starts_at": None, "ends_at": at(3)},
    ],
)
def test_a_quote_books_what_it_was_for(as_alice: Any, lot: Any, change: Any) -> None:
    quote = quoted(as_alice, lot)

    answer = post(as_alice, "bookings/", {**reserved(lot, quote=quote["quote"]), **change})

    assert (answer.status_code, answer.json()["code"]) == (400, "quote_mismatch")
    assert not Booking.objects.exists()


def test_a_quote_of_another_lot_is_400(as_alice: Any, lot: Any, prepaid: Any) -> None:
    answer = post(as_alice, "bookings/", reserved(lot, quote=quoted(as_alice, prepaid)["quote"]))

    assert answer.json()["code"] == "quote_mismatch"


def test_no_tampered_quote_books(as_alice: Any, lot: Any) -> None:
    token = quoted(as_alice, lot)["quote"]
    forged = [
        *(token[:n] + ("A" if token[n] != "A" else "B") + token[n + 1 :] for n in range(0, len(token), 7)),
        "", " ", "x", token[:-1], token + "A", token * 20,
        signing.dumps({"total": "0"}, salt="bookings.quote"),
        signing.dumps([], salt="bookings.quote"),
        signing.dumps(signing.loads(token, salt="bookings.quote"), salt="elsewhere"),
    ]  # fmt: skip

    for text in forged:
        answer = post(as_alice, "bookings/", reserved(lot, quote=text))
        assert answer.status_code == 400, text
        assert answer.json()["code"] in {"quote_invalid", "blank", "max_length"}
    assert not Booking.objects.exists()


def test_the_canary_an_untouched_quote_books(as_alice: Any, lot: Any) -> None:
    assert post(as_alice, "bookings/", reserved(lot, quote=quoted(as_alice, lot)["quote"])).status_code == 201
    assert Booking.objects.get().state == State.CONFIRMED
