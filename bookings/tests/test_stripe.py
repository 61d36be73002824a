"""Stripe, against a fake of its endpoints on this machine: whatever goes wrong, its books and ours agree."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from bookings import services
from bookings.errors import BadBooking
from bookings.models import LedgerEntry, Payment, ProviderEvent, State
from bookings.payments import ledger
from bookings.payments.models import Status
from bookings.payments.providers import stripe as stripe_provider
from bookings.payments.providers.base import ProviderAway
from bookings.payments.providers.stripe import from_minor, to_minor
from bookings.tests.factories import make_lot, make_user, reserve
from bookings.tests.fake_stripe import FakeStripe, event, serving, signature

pytestmark = pytest.mark.django_db
SECRET = "whsec_for_tests_only"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def bank(settings, monkeypatch):
    bank = FakeStripe()
    monkeypatch.setattr(stripe_provider, "RETRIES", 0)
    monkeypatch.setattr(stripe_provider, "TIMEOUT", 0.2)
    stripe_provider._client.cache_clear()
    with serving(bank) as address:
        settings.STRIPE_SECRET_KEY = "sk_test_parkwell"
        settings.STRIPE_WEBHOOK_SECRET = SECRET
        settings.STRIPE_API_BASE = address
        yield bank


@pytest.fixture
def start():
    """Stripe has its own clock, so these tests live now."""
    return timezone.now().replace(microsecond=0)


@pytest.fixture
def held(db, alice, start):
    return held_by(alice, start)


def held_by(driver, start, lot=None):
    lot = lot or make_lot(1, payment_timing="prepaid", grid_minutes=1)
    begin = start.replace(second=0) + timedelta(hours=3) - start
    return reserve(lot, driver, now=start, starts_in=begin)


def pushed(client, kind, thing, event_id="", body=None, **headers):
    body = body if body is not None else event(kind, thing, event_id)
    headers = {"Stripe-Signature": signature(body, SECRET), **headers}
    return client.post(
        reverse("payments:stripe-webhook"), body, content_type="application/json", headers=headers
    )


def only_session(bank):
    [session] = bank.sessions.values()
    return session


def books_agree(bank):
    ours = {row.reference: to_minor(row.amount, row.currency) for row in LedgerEntry.objects.charges()}
    back = {row.reference: to_minor(row.amount, row.currency) for row in LedgerEntry.objects.refunds()}
    assert ours == bank.captured
    assert back == {r["id"]: r["amount"] for r in bank.refunds.values() if r["status"] == "succeeded"}


# --- The way it goes when nothing goes wrong ---


def test_the_driver_is_sent_to_checkout_and_the_hold_lasts_as_long(bank, held, alice, start):
    payment = services.pay(held, by=alice, now=start)

    session = only_session(bank)
    assert payment.redirect_url == session["url"]
    assert (session["amount_total"], session["currency"]) == (500, "eur")
    assert session["client_reference_id"] == held.reference
    assert session["metadata"] == {"payment": str(payment.pk), "booking": held.reference}
    held.refresh_from_db()
    assert held.held_until == payment.expires_at == start + 31 * MINUTE


def test_a_second_attempt_does_not_keep_the_spot_longer(bank, held, alice, start):
    first = services.pay(held, by=alice, now=start)
    bank.sessions[first.provider_reference].update(status="expired")
    services.reconcile_payments(now=start + 2 * MINUTE)

    second = services.pay(held, by=alice, now=start + 3 * MINUTE)

    held.refresh_from_db()
    assert second.pk != first.pk
    assert held.held_until == start + 31 * MINUTE


def test_a_webhook_confirms(bank, client, held, alice, start):
    payment = services.pay(held, by=alice, now=start)
    session = bank.card_pays(payment.provider_reference)

    assert pushed(client, "checkout.session.completed", session).status_code == 200

    held.refresh_from_db()
    payment.refresh_from_db()
    assert (held.state, payment.status) == (State.CONFIRMED, Status.SUCCEEDED)
    assert payment.transaction_id == session["payment_intent"]
    books_agree(bank)


def test_the_way_back_confirms_where_the_webhook_is_late(bank, alice_client, held, alice, start):
    payment = services.pay(held, by=alice, now=start)
    session = bank.card_pays(payment.provider_reference)

    page = alice_client.get(reverse("payments:detail", args=[payment.pk]))
    pushed(alice_client, "checkout.session.completed", session)

    assert "arrived" in page.content.decode()
    assert LedgerEntry.objects.count() == 1
    books_agree(bank)


def test_the_reconciler_confirms_where_neither_came(bank, held, alice, start):
    payment = services.pay(held, by=alice, now=start)
    bank.card_pays(payment.provider_reference)

    assert services.reconcile_payments(now=start + 2 * MINUTE) == 1

    held.refresh_from_db()
    assert held.state == State.CONFIRMED
    books_agree(bank)


def test_a_cancellation_sends_the_money_back_by_the_sweep(bank, held, alice, start):
    payment = services.pay(held, by=alice, now=start)
    bank.card_pays(payment.provider_reference)
    services.reconcile_payments(now=start + 2 * MINUTE)

    services.cancel(held, by=alice, now=start + 3 * MINUTE)
    assert (bank.sent_back, ledger.account(held).on_its_way) == (0, Decimal("5.00"))
    services.reconcile_payments(now=start + 4 * MINUTE)
    services.reconcile_payments(now=start + 6 * MINUTE)

    assert bank.sent_back == 500
    assert ledger.account(held).refunded == Decimal("5.00")
    books_agree(bank)


def test_a_page_whose_hold_is_over_is_closed(bank, held, alice, start):
    payment = services.pay(held, by=alice, now=start)
    services.cancel(held, by=alice, now=start + MINUTE)

    services.reconcile_payments(now=start + 2 * MINUTE)

    payment.refresh_from_db()
    assert (only_session(bank)["status"], payment.status) == ("expired", Status.FAILED)


def test_the_desk_is_faster_and_the_page_is_closed(bank, held, alice, olga, start):
    services.pay(held, by=alice, now=start)
    services.record_desk_payment(held, method="cash", by=olga, now=start + MINUTE)

    services.reconcile_payments(now=start + 2 * MINUTE)

    assert only_session(bank)["status"] == "expired"


def test_paid_at_the_desk_and_by_card_the_card_gets_its_money_back(bank, client, held, alice, olga, start):
    payment = services.pay(held, by=alice, now=start)
    session = bank.card_pays(payment.provider_reference)
    services.record_desk_payment(held, method="cash", by=olga, now=start)

    pushed(client, "checkout.session.completed", session)
    services.reconcile_payments(now=start + 2 * MINUTE)

    account = ledger.account(held)
    assert (account.paid, account.refunded) == (Decimal("10.00"), Decimal("5.00"))
    assert bank.sent_back == 500


# --- Things that go wrong on the way ---


@pytest.mark.parametrize("fault", ["drop before", "drop after", "500", "delay"])
def test_a_start_nobody_knows_about_is_found_again(bank, held, alice, start, fault):
    bank.faults = [fault]
    with pytest.raises(ProviderAway):
        services.pay(held, by=alice, now=start)
    assert Payment.objects.get().status == Status.PENDING

    payment = services.pay(held, by=alice, now=start + MINUTE)

    assert payment.provider_reference == only_session(bank)["id"]
    assert Payment.objects.count() == 1


@pytest.mark.parametrize("fault", ["drop before", "drop after", "500", "delay"])
def test_a_refund_nobody_knows_about_is_sent_once(bank, held, alice, olga, start, fault):
    payment = services.pay(held, by=alice, now=start)
    bank.card_pays(payment.provider_reference)
    services.reconcile_payments(now=start + 2 * MINUTE)
    services.refund(held, amount=Decimal("2.00"), reason="Sorry", by=olga, now=start + 3 * MINUTE)

    bank.faults = [fault]
    services.reconcile_payments(now=start + 4 * MINUTE)
    services.reconcile_payments(now=start + 5 * MINUTE)

    assert bank.sent_back == 200
    books_agree(bank)


def test_a_refund_on_its_way_arrives_later(bank, client, held, alice, olga, start):
    payment = services.pay(held, by=alice, now=start)
    bank.card_pays(payment.provider_reference)
    services.reconcile_payments(now=start + 2 * MINUTE)
    bank.refund_status = "pending"
    [refund] = services.refund(held, reason="Sorry", by=olga, now=start + 3 * MINUTE)
    services.reconcile_payments(now=start + 4 * MINUTE)
    refund.refresh_from_db()
    assert (refund.status, refund.transaction_id) == (Status.PENDING, next(iter(bank.refunds)))

    next(iter(bank.refunds.values()))["status"] = "succeeded"
    pushed(client, "refund.updated", next(iter(bank.refunds.values())))
    services.reconcile_payments(now=start + 6 * MINUTE)

    refund.refresh_from_db()
    assert refund.status == Status.SUCCEEDED
    assert len(bank.refunds) == 1
    books_agree(bank)


def test_a_refund_refused_is_given_to_a_person(bank, held, alice, olga, start):
    payment = services.pay(held, by=alice, now=start)
    bank.card_pays(payment.provider_reference)
    services.reconcile_payments(now=start + 2 * MINUTE)
    [refund] = services.refund(held, reason="Sorry", by=olga, now=start + 3 * MINUTE)
    bank.captured.clear()

    services.reconcile_payments(now=start + 4 * MINUTE)

    refund.refresh_from_db()
    assert refund.status == Status.FAILED
    assert refund.flagged_at is not None


def test_a_refund_whose_key_is_too_old_is_not_sent_again(bank, held, alice, olga, start):
    payment = services.pay(held, by=alice, now=start)
    bank.card_pays(payment.provider_reference)
    services.reconcile_payments(now=start + 2 * MINUTE)
    [refund] = services.refund(held, reason="Sorry", by=olga, now=start)
    bank.faults = ["drop after"]
    services.reconcile_payments(now=start + 3 * MINUTE)
    bank.answers.clear()

    services.reconcile_payments(now=start + timedelta(hours=25))

    refund.refresh_from_db()
    assert (bank.sent_back, refund.status) == (500, Status.PENDING)
    assert refund.flagged_at is not None


def test_one_that_does_not_answer_holds_up_nobody(bank, start):
    lot = make_lot(3, payment_timing="prepaid", grid_minutes=1)
    for driver in [make_user() for _i in range(3)]:
        services.pay(held_by(driver, start, lot), by=driver, now=start)
    for reference in list(bank.sessions):
        bank.card_pays(reference)
    bank.faults = ["drop before"]

    assert services.reconcile_payments(now=start + 2 * MINUTE) == 2
    assert services.reconcile_payments(now=start + 3 * MINUTE) == 1


def test_what_stays_unknown_for_a_day_is_flagged(bank, held, alice, start):
    payment = services.pay(held, by=alice, now=start)
    bank.faults = ["drop before"] * 5

    services.reconcile_payments(now=start + timedelta(hours=24))

    payment.refresh_from_db()
    assert payment.flagged_at == start + timedelta(hours=24)


def test_two_sweeps_at_once_ask_once(bank, held, alice, start):
    services.pay(held, by=alice, now=start)
    asked = len(bank.requests)

    for _worker in range(2):
        services.reconcile_payments(now=start + 2 * MINUTE)

    assert len(bank.requests) == asked + 1


@pytest.mark.slow
def test_whatever_goes_wrong_its_books_and_ours_agree(bank, client, start):
    """Two hundred payments with every fault there is, webhooks lost, doubled and out of order."""
    chance = random.Random(4)
    bookings, now = [], start
    lot = make_lot(200, payment_timing="prepaid", grid_minutes=1)
    for _n in range(200):
        driver = make_user()
        booking = held_by(driver, start, lot)
        bookings.append(booking)
        bank.faults = chance.choices(["", "drop before", "drop after", "500"], [5, 1, 1, 1], k=1)
        for _click in range(chance.randrange(1, 3)):
            with suppress(ProviderAway):
                services.pay(booking, by=driver, now=start)
        bank.faults = []
        mine = [s for s in bank.sessions.values() if s["client_reference_id"] == booking.reference]
        if mine and chance.random() < 0.8:
            session = bank.card_pays(mine[0]["id"])
            # Lost altogether, or told at least once: among late news, and in any order.
            events = ["completed"] * chance.randrange(0, 3)
            events += ["expired"] if events else []
            chance.shuffle(events)
            late = {**session, "payment_status": "unpaid", "status": "expired"}
            for word in events:
                thing = session if word == "completed" else late
                assert pushed(client, f"checkout.session.{word}", thing).status_code == 200
        if chance.random() < 0.3:
            services.cancel(booking, by=driver, now=start + MINUTE)

    for minutes in (2, 4, 6, 32, 34, 36):
        now = start + minutes * MINUTE
        bank.faults = chance.choices(["", "drop before", "drop after", "500"], [9, 1, 1, 1], k=30)
        services.reconcile_payments(now=now)
    bank.faults = []
    for minutes in (40, 42):
        services.reconcile_payments(now=start + minutes * MINUTE)

    books_agree(bank)
    assert not Payment.objects.pending().exists()
    for booking in bookings:
        intents = [s["payment_intent"] for s in bank.sessions.values()
                   if s["client_reference_id"] == booking.reference and s["payment_intent"]]  # fmt: skip
        assert len(intents) <= 1
        assert ledger.account(booking).excess == 0
    assert len(bank.captured) > 100
    assert bank.sent_back > 0


# --- The webhook's door ---


def test_what_is_not_signed_changes_nothing(bank, client, held, alice, start):
    payment = services.pay(held, by=alice, now=start)
    session = bank.card_pays(payment.provider_reference)
    body = event("checkout.session.completed", session)
    other = body.replace(b"evt_", b"evil_")
    good = signature(body, SECRET)
    headers = [
        "", "nonsense", "t=,v1=", f"t={int(time.time())}", good.replace("v1=", "v0="),
        signature(body, "whsec_another"), signature(other, SECRET),
        signature(body, SECRET, time.time() - 301),
        good[:-1] + ("0" if good[-1] != "0" else "1"), good.replace("t=", "t=1"),
    ]  # fmt: skip

    for header in headers:
        answer = pushed(client, "", {}, body=body, **{"Stripe-Signature": header})
        assert answer.status_code == 400, header

    held.refresh_from_db()
    assert held.state == State.HELD
    assert not ProviderEvent.objects.exists()
    assert not LedgerEntry.objects.exists()


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", b'{"id": 5}', b"\xff\xfe", b'{"id":"e","type":"x","data":{}}', b"1"]
)
def test_signed_nonsense_is_refused(bank, client, body):
    assert pushed(client, "", {}, body=body).status_code == 400
    assert not ProviderEvent.objects.exists()


def test_a_huge_body_is_not_read(bank, client):
    body = b" " * (64 * 1024 + 1)

    assert pushed(client, "", {}, body=body).status_code == 413


def test_reading_the_door_is_no_answer(client):
    assert client.get(reverse("payments:stripe-webhook")).status_code == 405


def test_without_a_secret_there_is_no_door(bank, client, settings):
    settings.STRIPE_WEBHOOK_SECRET = ""

    assert pushed(client, "x", {"id": "y"}).status_code == 404


def test_the_same_event_again_and_again_is_one_effect(bank, client, held, alice, start):
    session = bank.card_pays(services.pay(held, by=alice, now=start).provider_reference)

    answers = [pushed(client, "checkout.session.completed", session).status_code for _n in range(5)]

    assert answers == [200] * 5
    assert (ProviderEvent.objects.count(), LedgerEntry.objects.count()) == (1, 1)


@pytest.mark.parametrize("order", [("completed", "expired"), ("expired", "completed")])
def test_events_out_of_order_end_in_the_same_state(bank, client, held, alice, start, order):
    session = bank.card_pays(services.pay(held, by=alice, now=start).provider_reference)
    things = {"completed": session, "expired": {**session, "payment_status": "unpaid", "status": "expired"}}

    for word in order:
        assert pushed(client, f"checkout.session.{word}", things[word]).status_code == 200

    held.refresh_from_db()
    assert (held.state, held.payments.get().status) == (State.CONFIRMED, Status.SUCCEEDED)
    books_agree(bank)


@pytest.mark.parametrize("change", [{"amount_total": 1}, {"currency": "usd"}, {"amount_total": 50000}])
def test_another_amount_needs_a_person_and_changes_nothing(bank, client, held, alice, start, change):
    session = bank.card_pays(services.pay(held, by=alice, now=start).provider_reference)

    assert pushed(client, "checkout.session.completed", {**session, **change}).status_code == 200

    held.refresh_from_db()
    assert (held.state, held.payments.get().status) == (State.HELD, Status.REVIEW)
    assert ProviderEvent.objects.get().review.startswith("The provider took")
    assert not LedgerEntry.objects.exists()


@pytest.mark.parametrize(
    "metadata", [{}, None, {"payment": "x"}, {"payment": "00000000-0000-4000-8000-000000000000"}]
)
def test_what_is_none_of_ours_is_kept_for_a_person(bank, client, held, alice, start, metadata):
    session = bank.card_pays(services.pay(held, by=alice, now=start).provider_reference)

    assert pushed(client, "checkout.session.completed", {**session, "metadata": metadata}).status_code == 200

    assert ProviderEvent.objects.get().review != ""
    held.refresh_from_db()
    assert held.state == State.HELD


def test_another_session_that_names_our_payment_is_not_believed(bank, client, held, alice, start):
    session = bank.card_pays(services.pay(held, by=alice, now=start).provider_reference)

    pushed(client, "checkout.session.completed", {**session, "id": "cs_other"})

    assert ProviderEvent.objects.get().review == "A Checkout Session that is none of ours."
    assert not LedgerEntry.objects.exists()


def test_a_refund_made_elsewhere_is_kept_for_a_person(bank, client, held, alice, start):
    payment = services.pay(held, by=alice, now=start)
    session = bank.card_pays(payment.provider_reference)
    pushed(client, "checkout.session.completed", session)
    refund = {"id": "re_x", "object": "refund", "payment_intent": session["payment_intent"], "amount": 500,
              "currency": "eur", "status": "succeeded", "metadata": {}}  # fmt: skip

    assert pushed(client, "refund.created", refund).status_code == 200

    row = ProviderEvent.objects.get(kind="refund.created")
    assert (row.review, row.payment) == ("A refund we did not ask for.", payment)
    assert not LedgerEntry.objects.refunds().exists()


def test_events_of_other_kinds_are_thanked_for(bank, client):
    assert pushed(client, "customer.created", {"id": "cus_1", "object": "customer"}).status_code == 200


# --- Amounts ---


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [
        ("12.34", "EUR", 1234),
        ("500", "JPY", 500),
        ("1.230", "KWD", 1230),
        ("7", "ISK", 700),  # no decimals by ISO 4217, and Stripe wants two all the same
        ("900", "UGX", 90000),
    ],
)
def test_amounts_in_smallest_units(amount, currency, units):
    assert to_minor(Decimal(amount), currency) == units
    assert from_minor(units, currency) == Decimal(amount)


def test_stripe_takes_no_single_fils(bank, alice, start):
    lot = make_lot(1, price="0.617", currency="KWD", payment_timing="prepaid", grid_minutes=1)
    booking = held_by(alice, start, lot)

    with pytest.raises(BadBooking) as refused:
        services.pay(booking, by=alice, now=start)

    assert refused.value.code == "not_taken"


def test_a_lot_in_yen_is_paid_in_yen(bank, client, alice, start):
    lot = make_lot(1, price="300", currency="JPY", payment_timing="prepaid", grid_minutes=1)
    payment = services.pay(held_by(alice, start, lot), by=alice, now=start)
    session = bank.card_pays(payment.provider_reference)
    assert (session["amount_total"], session["currency"]) == (600, "jpy")

    pushed(client, "checkout.session.completed", session)

    payment.refresh_from_db()
    assert payment.status == Status.SUCCEEDED
    books_agree(bank)
