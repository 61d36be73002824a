"""Many clicks on one button that moves money, on real connections: one effect.

Each has its canary: the same race without the lock must move too much, or a zero proves nothing.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from bookings import services
from bookings.models import Booking, LedgerEntry, Payment, ProviderEvent, State
from bookings.payments import guards, ledger, settling
from bookings.payments.models import Refund, Status
from bookings.payments.providers import stripe as stripe_provider
from bookings.payments.providers.base import Outcome
from bookings.services import core
from bookings.tests.factories import make_lot, make_user
from bookings.tests.fake_stripe import FakeStripe, event, serving, signature
from bookings.tests.test_race import at_once, deadlocks, next_quarter, tally
from lots.models import Lot

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
CLICKS = 50
HOUR = timedelta(hours=1)


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def prepaid(transactional_db):
    return make_lot(1, payment_timing="prepaid", cancellation_tiers=[])


def hold(lot, driver, now):
    starts_at = next_quarter(now)
    return services.book(
        lot_id=lot.pk,
        kind="reserved",
        driver=driver,
        starts_at=starts_at,
        ends_at=starts_at + 2 * HOUR,
        now=now,
    )


def approved(payment):
    return Outcome(
        Status.SUCCEEDED,
        amount=payment.amount,
        currency=payment.currency,
        transaction_id=f"t_{payment.pk.hex}",
    )


def paid(lot, driver, now):
    booking = hold(lot, driver, now)
    payment = services.pay(booking, by=driver, now=now)
    services.apply_provider_state(payment, approved(payment), now=now)
    return booking


@contextmanager
def stripe(settings, monkeypatch):
    bank = FakeStripe()
    monkeypatch.setattr(stripe_provider, "RETRIES", 0)
    stripe_provider._client.cache_clear()
    settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = "sk_test", "whsec_race"
    with serving(bank) as settings.STRIPE_API_BASE:
        yield bank


def test_fifty_clicks_on_pay_are_one_attempt(prepaid, now, settings, monkeypatch):
    driver, before = make_user(), deadlocks()
    booking = hold(prepaid, driver, now)

    with stripe(settings, monkeypatch) as bank:
        outcomes = at_once([lambda: services.pay(booking, by=driver, now=now)] * CLICKS)

    assert tally(outcomes) == {"Payment": CLICKS}
    assert {outcome.redirect_url for outcome in outcomes} == {Payment.objects.get().redirect_url}
    assert len(bank.sessions) == 1
    assert deadlocks() == before


def test_fifty_answers_of_the_bank_are_one_charge(prepaid, now):
    driver = make_user()
    payment = services.pay(hold(prepaid, driver, now), by=driver, now=now)

    at_once([lambda: services.apply_provider_state(payment, approved(payment), now=now)] * CLICKS)

    assert LedgerEntry.objects.count() == 1
    assert Booking.objects.get().timeline.count() == 3


def test_one_webhook_twenty_times_at_once_is_one_effect(prepaid, now, settings, monkeypatch):
    driver = make_user()
    with stripe(settings, monkeypatch) as bank:
        payment = services.pay(hold(prepaid, driver, now), by=driver, now=now)
        body = event("checkout.session.completed", bank.card_pays(payment.provider_reference))
        signed = {"Stripe-Signature": signature(body, "whsec_race")}

        def push():
            address = reverse("payments:stripe-webhook")
            return Client().post(address, body, content_type="application/json", headers=signed).status_code

        assert at_once([push] * 20) == [200] * 20

    assert (ProviderEvent.objects.count(), LedgerEntry.objects.count()) == (1, 1)
    assert Booking.objects.get().state == State.CONFIRMED


def test_fifty_full_refunds_are_one(prepaid, now):
    booking, olga = paid(prepaid, make_user(), now), make_user(is_staff=True)

    outcomes = at_once([lambda: services.refund(booking, reason="Sorry", by=olga, now=now)] * CLICKS)

    assert tally(outcomes) == {"list": 1, "AlreadyRefunded": CLICKS - 1}
    assert Refund.objects.count() == LedgerEntry.objects.refunds().count() == 1
    assert ledger.account(booking).refunded == Decimal("5.00")


def test_fifty_cancellations_send_the_money_back_once(prepaid, now):
    driver = make_user()
    booking = paid(prepaid, driver, now)

    at_once([lambda: services.cancel(booking, by=driver, now=now)] * CLICKS)

    assert LedgerEntry.objects.refunds().count() == 1
    assert ledger.account(booking).refunded == Decimal("5.00")


def test_fifty_clicks_at_the_desk_take_the_money_once(prepaid, now):
    booking, olga = hold(prepaid, make_user(), now), make_user(is_staff=True)
    click = lambda: services.record_desk_payment(booking, method="cash", by=olga, now=now)  # noqa: E731

    assert tally(at_once([click] * CLICKS)) == {"Payment": 1, "AlreadyPaid": CLICKS - 1}


def test_a_driver_after_ten_lots_at_once_holds_two(transactional_db, now):
    driver = make_user()
    lots = [make_lot(1, payment_timing="prepaid") for _lot in range(10)]

    outcomes = at_once([lambda lot=lot: hold(lot, driver, now) for lot in lots])

    assert tally(outcomes) == {"Booking": 2, "HoldLimit": 8}


def test_late_money_and_the_next_driver_never_both_get_the_spot(transactional_db, now):
    for _round in range(8):
        lot = make_lot(1, payment_timing="prepaid", cancellation_tiers=[])
        alice, bob = make_user(), make_user()
        booking = hold(lot, alice, now)
        payment = services.pay(booking, by=alice, now=now)
        late = booking.held_until

        at_once(
            [
                lambda p=payment, n=late: services.apply_provider_state(p, approved(p), now=n),
                lambda lt=lot, b=bob, n=late: services.book(
                    lot_id=lt.pk, kind="reserved", driver=b, now=n,
                    starts_at=next_quarter(now), ends_at=next_quarter(now) + HOUR,
                ),
            ]
        )  # fmt: skip

        booking.refresh_from_db()
        kept = ledger.account(booking).paid - ledger.account(booking).refunded
        assert Booking.objects.filter(lot=lot).occupying().count() == 1
        assert (booking.state, kept) in {(State.CONFIRMED, Decimal("5.00")), (State.EXPIRED, Decimal("0.00"))}


# --- The canary ---


@pytest.fixture
def no_lock(monkeypatch):
    """Refunding as the careless do it: look, and then write, with nothing in between to hold others off."""

    def account_slowly(booking):
        account = look(booking)
        time.sleep(0.05)
        return account

    look = ledger.account
    monkeypatch.setattr(settling, "_left", lambda payment: payment.amount)
    monkeypatch.setattr(ledger, "account", account_slowly)
    monkeypatch.setattr(core, "lock_lot", lambda lot_id: Lot.objects.get(pk=lot_id))
    monkeypatch.setattr(
        core, "_locked", lambda pk: Booking.objects.select_related("spot", "tariff").get(pk=pk)
    )
    monkeypatch.setattr(core, "transaction", SimpleNamespace(atomic=nullcontext))
    monkeypatch.setattr(core, "note_refund", lambda *args, **more: None)


@contextmanager
def no_triggers():
    with connection.schema_editor() as editor:
        guards.remove(None, editor)
    try:
        yield
    finally:
        LedgerEntry.objects.all().delete()
        with connection.schema_editor() as editor:
            guards.install(None, editor)


def refund_at_once(booking, olga, now):
    return at_once([lambda: services.refund(booking, reason="Sorry", by=olga, now=now)] * 12)


def test_the_canary_without_lock_and_trigger_too_much_goes_back(prepaid, now, request):
    booking, olga = paid(prepaid, make_user(), now), make_user(is_staff=True)
    request.getfixturevalue("no_lock")

    with no_triggers():
        refund_at_once(booking, olga, now)

        assert LedgerEntry.objects.refunds().total("EUR") > LedgerEntry.objects.charges().total("EUR")


def test_without_the_lock_the_database_itself_refuses(prepaid, now, request):
    booking, olga = paid(prepaid, make_user(), now), make_user(is_staff=True)
    request.getfixturevalue("no_lock")

    outcomes = refund_at_once(booking, olga, now)

    assert tally(outcomes)["IntegrityError"] > 0
    assert LedgerEntry.objects.refunds().total("EUR") == Decimal("5.00")
