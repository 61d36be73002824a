"""Money in the back office: the desk takes and gives back, and everything that moved can be looked up."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.tests.staff import verify
from bookings import services
from bookings.models import Booking, LedgerEntry, Payment
from bookings.payments.models import Provider, Refund, Status
from bookings.tests.factories import HOUR, make_lot, make_user, reserve
from bookings.tests.test_own_lots import make_staff
from lots.models import Lot

PAYMENTS = reverse("admin:bookings_payment_changelist")
REFUNDS = reverse("admin:bookings_refund_changelist")
LEDGER = reverse("admin:bookings_ledgerentry_changelist")
LISTS = [PAYMENTS, REFUNDS, LEDGER]


@pytest.fixture
def hour() -> datetime:
    """The full hour that runs: the admin reads the real clock."""
    return timezone.now().replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def open_lot(db: None, hour: datetime) -> Lot:
    return make_lot(5, now=hour - timedelta(days=9), name="Alexanderplatz", city="Berlin")


@pytest.fixture
def booking(open_lot: Lot, alice: User, hour: datetime) -> Booking:
    """Alice's, for two hours tomorrow: 5.00 EUR."""
    return reserve(open_lot, alice, now=hour - HOUR, starts_in=timedelta(hours=25))


@pytest.fixture
def clerk(db: None) -> User:
    return make_staff("clerk", "cashier")


@pytest.fixture
def desk(clerk: User) -> Client:
    return verify(Client(), clerk)


def page(booking: Booking) -> str:
    return reverse("admin:bookings_booking_change", args=[booking.pk])


def command(booking: Booking, name: str) -> str:
    return reverse(f"admin:bookings_booking_{name}", args=[booking.pk])


def text(answer: Any) -> str:
    return answer.content.decode().replace("\xa0", " ")


def fill(client: Client, booking: Booking, name: str, **fields: Any) -> dict[str, Any]:
    """The form as it is offered, with some fields written over."""
    form = client.get(command(booking, name)).context["form"]
    return {field: form[field].value() for field in form.fields if form[field].value()} | fields


def take(booking: Booking, by: User, amount: str | None = None) -> Payment:
    return services.record_desk_payment(
        booking, method="cash", by=by, now=timezone.now(), amount=Decimal(amount) if amount else None
    )


def make_paid(lot: Lot, hour: datetime, by: User) -> Booking:
    booking = reserve(lot, make_user(), now=hour - HOUR, starts_in=timedelta(hours=25))
    take(booking, by)
    return booking


def waiting(booking: Booking, by: User) -> Refund:
    """The desk owes it: the booking was paid and is cancelled."""
    take(booking, by)
    services.cancel(booking, by=by, by_operator=True, now=timezone.now())
    return Refund.objects.get(booking=booking)


def buttons(client: Client, booking: Booking) -> list[str]:
    shown = text(client.get(page(booking)))
    return [name for name in ("record_payment", "refund") if command(booking, name) in shown]


# --- Taking money ---


def test_the_desk_takes_what_is_due(booking: Booking, desk: Client, clerk: User):
    form = fill(desk, booking, "record_payment", method="card")
    assert str(form["amount"]) == "5.00"

    answer = desk.post(command(booking, "record_payment"), form, follow=True)

    payment = Payment.objects.get()
    assert (payment.amount, payment.method, payment.by, payment.status) == (5, "card", clerk, "succeeded")
    assert "5.00 EUR paid, 0.00 EUR sent back, 0.00 EUR due." in text(answer)


def test_the_desk_takes_a_part(booking: Booking, desk: Client):
    form = fill(desk, booking, "record_payment", amount="1.50")

    answer = desk.post(command(booking, "record_payment"), form, follow=True)

    assert "1.50 EUR paid, 0.00 EUR sent back, 3.50 EUR due." in text(answer)
    assert str(fill(desk, booking, "record_payment")["amount"]) == "3.50"


def test_sending_the_form_twice_takes_the_money_once(booking: Booking, desk: Client):
    form = fill(desk, booking, "record_payment", amount="2")

    for _ in range(2):
        assert desk.post(command(booking, "record_payment"), form).status_code == 302

    assert [entry.amount for entry in LedgerEntry.objects.all()] == [2]


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"amount": "5.01"}, "amount", "At most 5.00 EUR."),
        ({"amount": "0"}, "amount", "above nothing"),
        ({"amount": "1.005"}, "amount", "to the cent"),
        ({"amount": "-1"}, "amount", "above nothing"),
        ({"amount": "a lot"}, "amount", "Enter a number."),
        ({"method": "gold"}, "method", "Select a valid choice"),
        ({"request_id": "again"}, "__all__", "Please open this page again."),
    ],
)
def test_a_payment_that_cannot_be_is_refused_once_at_its_field(
    fields: dict[str, str], field: str, sentence: str, booking: Booking, desk: Client
):
    answer = desk.post(command(booking, "record_payment"), fill(desk, booking, "record_payment", **fields))

    assert sentence in str(answer.context["form"].errors[field])
    assert text(answer).count(sentence) == 1
    assert not Payment.objects.exists()


def test_a_paid_booking_is_not_paid_again(booking: Booking, desk: Client, clerk: User):
    form = fill(desk, booking, "record_payment")
    take(booking, clerk)

    answer = desk.post(command(booking, "record_payment"), form)

    assert text(answer).count("This booking is paid.") == 1
    assert Payment.objects.count() == 1


# --- Giving it back ---


def test_the_desk_gives_a_part_back_with_a_reason(booking: Booking, desk: Client, clerk: User):
    take(booking, clerk)
    form = fill(desk, booking, "refund", amount="2", reason="The charger was broken")

    answer = desk.post(command(booking, "refund"), form, follow=True)

    refund = Refund.objects.get()
    assert (refund.amount, refund.reason, refund.by) == (2, "The charger was broken", clerk)
    assert "5.00 EUR paid, 2.00 EUR sent back, 0.00 EUR due." in text(answer)
    assert str(fill(desk, booking, "refund")["amount"]) == "3.00"


def test_sending_the_refund_twice_gives_it_back_once(booking: Booking, desk: Client, clerk: User):
    take(booking, clerk)
    form = fill(desk, booking, "refund", amount="2", reason="Broken")

    for _ in range(2):
        assert desk.post(command(booking, "refund"), form).status_code == 302

    assert [entry.amount for entry in LedgerEntry.objects.refunds()] == [2]


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"reason": ""}, "reason", "This field is required."),
        ({"reason": "  "}, "reason", "This field is required."),
        ({"reason": "Broken", "amount": "5.01"}, "amount", "At most 5.00 EUR."),
        ({"reason": "Broken", "amount": "0"}, "amount", "above nothing"),
    ],
)
def test_a_refund_that_cannot_be_is_refused_once_at_its_field(
    fields: dict[str, str], field: str, sentence: str, booking: Booking, desk: Client, clerk: User
):
    take(booking, clerk)

    answer = desk.post(command(booking, "refund"), fill(desk, booking, "refund", **fields))

    assert sentence in str(answer.context["form"].errors[field])
    assert text(answer).count(sentence) == 1
    assert not Refund.objects.exists()


@pytest.mark.parametrize(
    ("is_paid", "sentence"), [(True, "has gone back already"), (False, "Nothing was paid.")]
)
def test_nothing_goes_back_that_is_not_there(
    is_paid: bool, sentence: str, booking: Booking, desk: Client, clerk: User
):
    if is_paid:
        take(booking, clerk)
        services.refund(booking, reason="Broken", by=clerk, now=timezone.now())
    form = {"amount": "1", "reason": "Once more", "request_id": str(uuid.uuid4())}

    answer = desk.post(command(booking, "refund"), form)

    assert text(answer).count(sentence) == 1
    assert Refund.objects.count() == is_paid


# --- The booking's page ---


def test_only_buttons_that_can_do_something_are_shown(booking: Booking, desk: Client, clerk: User):
    assert buttons(desk, booking) == ["record_payment"]

    take(booking, clerk, "2")
    assert buttons(desk, booking) == ["record_payment", "refund"]

    take(booking, clerk)
    assert buttons(desk, booking) == ["refund"]

    services.refund(booking, reason="Broken", by=clerk, now=timezone.now())
    assert buttons(desk, booking) == []


def test_the_page_shows_what_moved(booking: Booking, desk: Client, clerk: User):
    payment = take(booking, clerk)
    services.refund(booking, amount=Decimal(2), reason="Lamp broken", by=clerk, now=timezone.now())

    answer = desk.get(page(booking))

    sums = {str(label): value.replace("\xa0", " ") for label, value in answer.context["money"]["sums"]}
    assert sums == {
        "Charged": "3.00 EUR",
        "Paid": "5.00 EUR",
        "Sent back": "2.00 EUR",
        "On its way back": "0.00 EUR",
        "Due": "0.00 EUR",
    }
    assert f"desk_{payment.pk.hex}" in text(answer)
    assert "succeeded: Lamp broken" in text(answer)


# --- Who may ---


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_whoever_is_no_cashier_looks_and_moves_nothing(role: str, booking: Booking, clerk: User):
    take(booking, clerk, "2")
    client = verify(Client(), make_staff("looker", role))

    assert buttons(client, booking) == []
    assert "2.00 EUR" in text(client.get(page(booking)))
    form = {"amount": "1", "method": "cash", "reason": "Mine", "request_id": str(uuid.uuid4())}
    for name in ("record_payment", "refund"):
        assert client.get(command(booking, name)).status_code == 403
        assert client.post(command(booking, name), form).status_code == 403
    assert LedgerEntry.objects.count() == 1


def test_a_viewer_hands_nothing_over(booking: Booking, clerk: User):
    refund = waiting(booking, clerk)
    client = verify(Client(), make_staff("looker", "viewer"))

    client.post(REFUNDS, {"action": "handed_over", "_selected_action": [refund.pk]})

    refund.refresh_from_db()
    assert refund.status == Status.PENDING


def test_a_cashier_of_another_lot_sees_nothing_of_it(booking: Booking, clerk: User):
    refund = waiting(booking, clerk)
    client = verify(Client(), make_staff("elsewhere", "cashier", make_lot(1, now=timezone.now())))

    for name in ("record_payment", "refund"):
        assert client.post(command(booking, name), {"amount": "1"}).status_code == 404
    for url in LISTS:
        assert list(client.get(url).context["cl"].result_list) == []
    client.post(REFUNDS, {"action": "handed_over", "_selected_action": [refund.pk]})
    refund.refresh_from_db()
    assert refund.status == Status.PENDING


# --- The lists ---


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("url", LISTS)
def test_the_lists_ask_the_same_however_long(
    url: str, rows: int, open_lot: Lot, hour: datetime, olga: User, django_assert_num_queries: Any
):
    for _ in range(rows):
        services.refund(make_paid(open_lot, hour, olga), reason="Broken", by=olga, now=timezone.now())
    client = verify(Client(), olga)

    with django_assert_num_queries(7):
        answer = client.get(url)

    assert len(answer.context["cl"].result_list) == (2 * rows if url == LEDGER else rows)


@pytest.mark.parametrize(
    "term", [lambda p: p.booking.reference, lambda p: p.transaction_id, lambda p: "alice@exam"]
)
def test_a_payment_is_found(
    term: Callable[[Payment], str], booking: Booking, open_lot: Lot, hour: datetime, desk: Client, clerk: User
):
    payment = take(booking, clerk)
    make_paid(open_lot, hour, clerk)

    for url in (PAYMENTS, LEDGER):
        assert [row.booking for row in desk.get(url, {"q": term(payment)}).context["cl"].result_list] == [
            booking
        ]


def test_payments_are_filtered(booking: Booking, open_lot: Lot, hour: datetime, desk: Client, clerk: User):
    done = take(booking, clerk)
    now = timezone.now()
    flagged, odd = (make_paid(open_lot, hour, clerk).payments.get() for _ in range(2))
    Payment.objects.filter(pk=flagged.pk).update(
        status=Status.PENDING, flagged_at=now, provider=Provider.DEMO
    )
    Payment.objects.filter(pk=odd.pk).update(status=Status.REVIEW)

    def found(**query: str) -> list[Payment]:
        return list(desk.get(PAYMENTS, query).context["cl"].result_list)

    assert found(status__exact="succeeded") == [done]
    assert found(provider__exact="demo") == [flagged]
    assert found(look="review") == [odd]
    assert found(look="flagged") == [flagged]


@pytest.mark.parametrize("model", [Payment, Refund, LedgerEntry])
def test_nothing_is_added_typed_over_or_deleted(model: Any, booking: Booking, olga: User):
    waiting(booking, olga)
    services.pay_out(Refund.objects.get(), by=olga, now=timezone.now())
    client, row = verify(Client(), olga), model.objects.first()
    base = f"admin:bookings_{model._meta.model_name}"

    assert client.get(reverse(f"{base}_change", args=[row.pk])).status_code == 200
    assert client.post(reverse(f"{base}_change", args=[row.pk]), {"amount": "1"}).status_code == 403
    assert client.post(reverse(f"{base}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert client.get(reverse(f"{base}_add")).status_code == 403


# --- Handing over ---


def test_what_the_desk_owes_is_handed_over_once(booking: Booking, desk: Client, clerk: User):
    refund = waiting(booking, clerk)
    assert list(desk.get(REFUNDS, {"desk": "waiting"}).context["cl"].result_list) == [refund]
    chosen = {"action": "handed_over", "_selected_action": [refund.pk]}

    assert text(desk.post(REFUNDS, chosen, follow=True)).count("5.00 EUR handed over.") == 1
    assert text(desk.post(REFUNDS, chosen, follow=True)).count("5.00 EUR went back already.") == 1

    entry = LedgerEntry.objects.refunds().get()
    assert (entry.amount, entry.by) == (5, clerk)
    assert list(desk.get(REFUNDS, {"desk": "waiting"}).context["cl"].result_list) == []


def test_what_goes_back_by_card_is_not_handed_over(booking: Booking, desk: Client, clerk: User):
    refund = waiting(booking, clerk)
    Payment.objects.update(provider=Provider.DEMO)

    answer = desk.post(REFUNDS, {"action": "handed_over", "_selected_action": [refund.pk]}, follow=True)

    assert text(answer).count("This refund goes back the way it was paid.") == 1
    refund.refresh_from_db()
    assert refund.status == Status.PENDING
