from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from bookings import services
from bookings.models import Payment, State
from bookings.payments.models import Status
from bookings.payments.providers.base import ProviderAway
from bookings.payments.providers.demo import DemoProvider
from bookings.tests.factories import make_lot, reserve

pytestmark = pytest.mark.usefixtures("api")


@pytest.fixture
def booking(alice: Any) -> Any:
    return reserve(make_lot(1, payment_timing="prepaid"), alice)


def pay_page(booking: Any) -> str:
    return reverse("bookings:pay", args=[booking.reference])


@pytest.mark.promise("S3-05")
def test_from_the_button_to_the_paid_booking_without_javascript(alice_client: Client, booking: Any) -> None:
    page = alice_client.get(reverse("bookings:detail", args=[booking.reference])).content.decode()
    assert "Still to pay" in page
    assert pay_page(booking) in page

    to_bank = alice_client.post(pay_page(booking), {"provider": "demo"})
    assert to_bank["Location"] == reverse("payments:demo", args=[Payment.objects.get().pk])
    assert "€5.00" in alice_client.get(to_bank["Location"]).content.decode()
    back = alice_client.post(to_bank["Location"], {"answer": "approve"}, follow=True)

    assert "€5.00 arrived" in back.content.decode()
    booking.refresh_from_db()
    assert booking.state == State.CONFIRMED


def test_the_page_back_waits_for_a_slow_bank(api: Any, alice_client: Client, booking: Any) -> None:
    to_bank = alice_client.post(pay_page(booking))["Location"]
    back = alice_client.post(to_bank, {"answer": "slow"})["Location"]

    waiting = alice_client.get(back)
    assert (waiting["Refresh"], "has not answered yet" in waiting.content.decode()) == ("3", True)
    api.shift(16)
    arrived = alice_client.get(back)

    assert "Refresh" not in arrived
    assert "arrived" in arrived.content.decode()


def test_a_declined_card_says_so_and_offers_another_try(alice_client: Client, booking: Any) -> None:
    to_bank = alice_client.post(pay_page(booking))["Location"]

    page = alice_client.post(to_bank, {"answer": "decline"}, follow=True).content.decode()

    assert "The card was declined." in page
    assert pay_page(booking) in page


def test_a_refusal_is_shown_where_the_button_was(
    alice_client: Client, alice: Any, lot: Any, now: Any
) -> None:
    booking = reserve(lot, alice)
    services.cancel(booking, by=alice, now=now)

    answer = alice_client.post(pay_page(booking))

    assert answer.status_code == 409
    assert "Nothing is to be paid" in answer.content.decode()


def test_a_provider_that_is_away_is_said_politely(
    alice_client: Client, booking: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any) -> None:
        raise ProviderAway

    monkeypatch.setattr(DemoProvider, "start", away)

    answer = alice_client.post(pay_page(booking))

    assert answer.status_code == 503
    assert "nothing is paid twice" in answer.content.decode()


@pytest.mark.promise("S3-07")
@pytest.mark.promise("S3-19")
def test_my_payments_say_how_how_much_and_which_transaction(
    alice_client: Client, alice: Any, booking: Any, now: Any
) -> None:
    payment = services.pay(booking, by=alice, now=now)
    alice_client.post(reverse("payments:demo", args=[payment.pk]), {"answer": "approve"})
    services.cancel(booking, by=alice, now=now)

    page = alice_client.get(reverse("payments:list")).content.decode()

    for part in ("€5.00", "Visa ending in 4242", f"demo_pay_{payment.pk.hex}", "refunded", "−€5.00"):
        assert part in page


def test_nobody_sees_another_drivers_payment(
    client: Client, bob: Any, alice: Any, booking: Any, now: Any
) -> None:
    payment = services.pay(booking, by=alice, now=now)
    client.force_login(bob)

    assert client.get(reverse("payments:detail", args=[payment.pk])).status_code == 404
    assert client.get(pay_page(booking)).status_code == 404
    assert client.post(pay_page(booking)).status_code == 404
    assert str(payment.pk) not in client.get(reverse("payments:list")).content.decode()


def test_paying_needs_the_forms_token(alice: Any, booking: Any) -> None:
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(alice)

    assert careful.post(pay_page(booking)).status_code == 403
    assert not Payment.objects.exists()


def test_reading_a_page_changes_nothing(alice_client: Client, booking: Any) -> None:
    alice_client.get(pay_page(booking))

    assert not Payment.objects.exists()


def test_the_demo_page_is_shut_in_production(
    alice_client: Client, booking: Any, alice: Any, now: Any, settings: Any
) -> None:
    payment = services.pay(booking, by=alice, now=now)
    settings.DEMO_PAYMENTS = False

    answers = [
        alice_client.get(reverse("payments:demo", args=[payment.pk])),
        alice_client.post(reverse("payments:demo", args=[payment.pk]), {"answer": "approve"}),
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    payment.refresh_from_db()
    assert payment.status == Status.PENDING


def test_a_button_the_bank_does_not_have(alice_client: Client, alice: Any, booking: Any, now: Any) -> None:
    payment = services.pay(booking, by=alice, now=now)

    answer = alice_client.post(reverse("payments:demo", args=[payment.pk]), {"answer": "free"})

    assert answer.status_code == 400


@pytest.mark.parametrize("count", [1, 3])
def test_my_payments_take_the_same_queries_however_many(
    alice_client: Client, alice: Any, now: Any, count: int, django_assert_max_num_queries: Any
) -> None:
    lot = make_lot(3)
    for _payment in range(count):
        services.pay(reserve(lot, alice), by=alice, now=now)

    with django_assert_max_num_queries(6):
        alice_client.get(reverse("payments:list"))
