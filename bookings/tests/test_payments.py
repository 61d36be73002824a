"""Paying, paying back, and the ledger between them: the rules, one by one."""

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from bookings import services
from bookings.errors import (
    AlreadyPaid,
    AlreadyRefunded,
    BadBooking,
    HoldExpired,
    HoldLimit,
    InvalidTransition,
    NothingDue,
    PaymentDue,
    PaymentUnderWay,
)
from bookings.models import Booking, LedgerEntry, Payment, State
from bookings.payments import ledger
from bookings.payments.models import Status
from bookings.payments.providers.base import Outcome, failed
from bookings.tests.factories import HOUR, make_lot, park, reserve

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture
def prepaid(db):
    return make_lot(2, payment_timing="prepaid")


def money(booking):
    """owed, paid, refunded, due."""
    account = ledger.account(Booking.objects.get(pk=booking.pk))
    return tuple(str(part) for part in (account.owed, account.paid, account.refunded, account.due))


def approved(payment, **more):
    told = {"amount": payment.amount, "currency": payment.currency, "transaction_id": f"t_{payment.pk.hex}"}
    return Outcome(Status.SUCCEEDED, **{**told, **more})


def paid(booking, now):
    """Pays what is due with the demo card."""
    payment = services.pay(booking, by=booking.driver, now=now)
    return services.apply_provider_state(payment, approved(payment), now=now)


def state(booking):
    booking.refresh_from_db()
    return booking.state


def actions(booking):
    return list(booking.timeline.order_by("sequence").values_list("action", flat=True))


# --- Prepaid: held, paid, confirmed ---


@pytest.mark.promise("S3-05")
def test_a_prepaid_booking_is_held_until_it_is_paid(prepaid, alice, now):
    booking = reserve(prepaid, alice)
    assert (booking.state, booking.held_until) == (State.HELD, now + 10 * MINUTE)
    assert money(booking) == ("5.00", "0.00", "0.00", "5.00")

    payment = paid(booking, now + MINUTE)

    assert (state(booking), payment.status) == (State.CONFIRMED, Status.SUCCEEDED)
    assert money(booking) == ("5.00", "5.00", "0.00", "0.00")
    assert actions(booking) == ["held", "paid", "confirmed"]
    entry = LedgerEntry.objects.get()
    assert (entry.kind, entry.amount, entry.currency, entry.provider) == ("charge", Decimal(5), "EUR", "demo")


def test_a_prepaid_instant_stay_begins_when_it_is_paid(prepaid, alice, now):
    booking = park(prepaid, alice)
    assert (booking.state, booking.checked_in_at) == (State.HELD, None)

    paid(booking, now + MINUTE)

    assert state(booking) == State.ACTIVE
    assert booking.checked_in_at == now


def test_what_costs_nothing_is_not_held(alice):
    lot = make_lot(1, price="0", payment_timing="prepaid")

    assert reserve(lot, alice).state == State.CONFIRMED


def test_a_driver_cannot_confirm_a_prepaid_hold_without_paying(prepaid, alice, olga, now):
    booking = reserve(prepaid, alice)

    with pytest.raises(PaymentDue):
        services.confirm(booking, by=alice, now=now)

    assert services.confirm(booking, by=olga, now=now).state == State.CONFIRMED


def test_paying_after_the_hold_ended_is_refused(prepaid, alice, now):
    booking = reserve(prepaid, alice)

    with pytest.raises(HoldExpired):
        services.pay(booking, by=alice, now=booking.held_until)

    assert state(booking) == State.EXPIRED
    assert not Payment.objects.exists()


def test_a_declined_card_leaves_the_hold_and_may_be_tried_again(prepaid, alice, now):
    booking = reserve(prepaid, alice)
    first = services.pay(booking, by=alice, now=now)

    first = services.apply_provider_state(first, failed("The card was declined."), now=now)

    assert (state(booking), first.status, first.note) == (State.HELD, Status.FAILED, "The card was declined.")
    assert paid(booking, now + MINUTE).pk != first.pk
    assert state(booking) == State.CONFIRMED


def test_two_live_holds_a_driver(prepaid, alice, bob, now):
    other = make_lot(2, payment_timing="prepaid")
    first = reserve(prepaid, alice)
    reserve(other, alice)

    with pytest.raises(HoldLimit) as refused:
        reserve(other, alice, starts_in=5 * HOUR)

    assert refused.value.details == {"until": first.held_until}
    reserve(other, bob)
    paid(first, now)
    assert reserve(prepaid, alice, starts_in=5 * HOUR).state == State.HELD


def test_holds_that_ran_out_do_not_count(prepaid, alice, now):
    reserve(prepaid, alice)
    reserve(prepaid, alice)

    assert reserve(prepaid, alice, now=now + 15 * MINUTE, starts_in=2 * HOUR).state == State.HELD


def test_nobody_holds_the_same_time_again_and_again(prepaid, alice, bob, now):
    booking = reserve(prepaid, alice)
    over = booking.held_until
    services.lapse_holds(now=over)

    with pytest.raises(HoldLimit):
        reserve(prepaid, alice, now=over + MINUTE, starts_in=booking.starts_at - over - MINUTE)

    reserve(prepaid, bob, now=over + MINUTE, starts_in=booking.starts_at - over - MINUTE)
    later = over + 3 * MINUTE
    assert reserve(prepaid, alice, now=later, starts_in=booking.starts_at - later).state == State.HELD


def test_extending_a_prepaid_booking_leaves_something_to_pay(prepaid, alice, now):
    booking = reserve(prepaid, alice)
    paid(booking, now)

    services.extend(booking, ends_at=booking.ends_at + HOUR, by=alice, now=now)

    assert money(booking) == ("7.50", "5.00", "0.00", "2.50")
    assert paid(booking, now).amount == Decimal("2.50")
    assert money(booking) == ("7.50", "7.50", "0.00", "0.00")


# --- On release ---


@pytest.mark.promise("S3-05")
def test_on_release_the_total_is_paid_after_the_stay(lot, alice, now):
    booking = park(lot, alice)
    services.release(booking, by=alice, now=now + HOUR)

    payment = paid(booking, now + HOUR)

    assert payment.amount == Decimal("2.50")
    assert money(booking) == ("2.50", "2.50", "0.00", "0.00")


def test_what_was_paid_before_leaving_early_goes_back(lot, alice, now):
    booking = park(lot, alice)
    paid(booking, now)

    services.release(booking, by=alice, now=now + HOUR)

    assert money(booking) == ("2.50", "5.00", "2.50", "0.00")
    assert actions(booking) == ["booked", "paid", "released", "refunded"]


def test_paying_twice_is_refused(lot, alice, now):
    booking = reserve(lot, alice)
    paid(booking, now)

    with pytest.raises(AlreadyPaid):
        services.pay(booking, by=alice, now=now)


def test_nothing_due_is_refused(lot, alice, now):
    booking = reserve(lot, alice)
    services.cancel(booking, by=alice, now=now)

    with pytest.raises(NothingDue):
        services.pay(booking, by=alice, now=now)


def test_asked_again_it_is_the_same_attempt(lot, alice, now):
    booking = reserve(lot, alice)

    attempts = [services.pay(booking, by=alice, now=now + n * MINUTE) for n in range(3)]

    assert len({attempt.pk for attempt in attempts}) == 1
    assert attempts[0].redirect_url.endswith(f"/payments/{attempts[0].pk}/demo/")


def test_another_amount_is_another_attempt_and_the_first_one_is_closed(lot, alice, now):
    booking = reserve(lot, alice)
    first = services.pay(booking, by=alice, now=now)
    services.extend(booking, ends_at=booking.ends_at + HOUR, by=alice, now=now)

    second = services.pay(booking, by=alice, now=now)

    first.refresh_from_db()
    assert (first.status, second.status) == (Status.FAILED, Status.PENDING)
    assert second.amount == Decimal("7.50")


def test_an_attempt_that_cannot_be_closed_stands_in_the_way(lot, alice, now, monkeypatch):
    from bookings.payments.providers.demo import DemoProvider

    booking = reserve(lot, alice)
    services.pay(booking, by=alice, now=now)
    services.extend(booking, ends_at=booking.ends_at + HOUR, by=alice, now=now)
    monkeypatch.setattr(DemoProvider, "close", DemoProvider.start)  # "still pending"

    with pytest.raises(PaymentUnderWay):
        services.pay(booking, by=alice, now=now)


@pytest.mark.parametrize("name", ["desk", "nonsense"])
def test_only_what_is_offered_is_paid_with(lot, alice, now, name):
    with pytest.raises(BadBooking) as refused:
        services.pay(reserve(lot, alice), provider_name=name, by=alice, now=now)

    assert refused.value.field == "provider"


def test_in_production_there_is_no_demo(lot, alice, now, settings):
    settings.DEMO_PAYMENTS = False

    with pytest.raises(BadBooking) as refused:
        services.pay(reserve(lot, alice), by=alice, now=now)

    assert refused.value.code == "no_provider"


def test_paying_inside_a_transaction_is_a_mistake_of_ours(lot, alice, now, transactional_db):
    with transaction.atomic(), pytest.raises(RuntimeError):
        services.pay(reserve(lot, alice), by=alice, now=now)


# --- What the provider says ---


def test_any_order_and_any_number_of_times(prepaid, alice, now):
    orders = [["ok", "ok", "no"], ["no", "ok", "no"], ["no", "no", "ok"], ["ok", "no", "ok"]]
    for number, order in enumerate(orders):
        booking = reserve(prepaid, alice, starts_in=(1 + 3 * number) * HOUR)
        payment = services.pay(booking, by=alice, now=now)
        for word in order:
            outcome = approved(payment) if word == "ok" else failed("No.")
            services.apply_provider_state(payment, outcome, now=now)

        payment.refresh_from_db()
        assert (payment.status, state(booking)) == (Status.SUCCEEDED, State.CONFIRMED)
        assert money(booking) == ("5.00", "5.00", "0.00", "0.00")


@pytest.mark.parametrize("told", [{"amount": Decimal("0.01")}, {"currency": "USD"}])
def test_another_amount_than_asked_for_needs_a_person(prepaid, alice, now, told):
    booking = reserve(prepaid, alice)
    payment = services.pay(booking, by=alice, now=now)

    payment = services.apply_provider_state(payment, approved(payment, **told), now=now)

    assert (payment.status, payment.flagged_at) == (Status.REVIEW, now)
    assert state(booking) == State.HELD
    assert not LedgerEntry.objects.exists()
    with pytest.raises(PaymentUnderWay):
        services.pay(booking, by=alice, now=now)


def test_one_transaction_does_not_pay_for_two_bookings(prepaid, alice, now):
    first, second = reserve(prepaid, alice), reserve(prepaid, alice)
    services.apply_provider_state(
        one := services.pay(first, by=alice, now=now), approved(one, transaction_id="pi_1"), now=now
    )
    two = services.pay(second, by=alice, now=now)

    two = services.apply_provider_state(two, approved(two, transaction_id="pi_1"), now=now)

    assert two.status == Status.REVIEW


def test_paid_late_and_the_spot_still_free(prepaid, alice, now):
    booking = reserve(prepaid, alice)
    payment = services.pay(booking, by=alice, now=now)
    late = booking.held_until + MINUTE
    services.lapse_holds(now=late)
    assert state(booking) == State.EXPIRED

    services.apply_provider_state(payment, approved(payment), now=late + MINUTE)

    assert state(booking) == State.CONFIRMED
    assert actions(booking) == ["held", "expired", "paid", "paid_late"]
    assert money(booking) == ("5.00", "5.00", "0.00", "0.00")


def test_paid_late_and_an_equal_spot_is_free(prepaid, alice, bob, now):
    booking = reserve(prepaid, alice, spot_number="1")
    payment = services.pay(booking, by=alice, now=now)
    late = booking.held_until
    reserve(prepaid, bob, now=late, starts_in=booking.starts_at - late, spot_number="1")

    services.apply_provider_state(payment, approved(payment), now=late)

    assert (state(booking), booking.spot.number) == (State.CONFIRMED, "2")


def test_paid_late_and_the_spot_given_away_goes_back(prepaid, alice, bob, now):
    booking = reserve(prepaid, alice)
    payment = services.pay(booking, by=alice, now=now)
    late = booking.held_until
    for _spot in range(2):
        reserve(prepaid, bob, now=late, starts_in=booking.starts_at - late)

    services.apply_provider_state(payment, approved(payment), now=late)

    assert state(booking) == State.EXPIRED
    assert money(booking) == ("0.00", "5.00", "5.00", "0.00")
    assert "given away" in booking.refunds.get().reason


def test_paid_for_after_its_end_goes_back(prepaid, alice, now):
    booking = reserve(prepaid, alice)
    payment = services.pay(booking, by=alice, now=now)

    services.apply_provider_state(payment, approved(payment), now=booking.ends_at)

    assert state(booking) == State.EXPIRED
    assert money(booking) == ("0.00", "5.00", "5.00", "0.00")


def test_paid_for_a_cancelled_booking_goes_back(prepaid, alice, now):
    booking = reserve(prepaid, alice)
    payment = services.pay(booking, by=alice, now=now)
    services.cancel(booking, by=alice, now=now)

    services.apply_provider_state(payment, approved(payment), now=now)

    assert state(booking) == State.CANCELLED
    assert money(booking) == ("0.00", "5.00", "5.00", "0.00")


def test_a_paid_instant_stay_cannot_begin_beside_another(prepaid, lot, alice, now):
    booking = park(prepaid, alice)
    payment = services.pay(booking, by=alice, now=now)
    park(lot, alice, now=now + MINUTE)

    services.apply_provider_state(payment, approved(payment), now=now + 2 * MINUTE)

    assert state(booking) == State.CANCELLED
    assert money(booking) == ("0.00", "5.00", "5.00", "0.00")


# --- Cancelling, no-shows ---


TIERS = [{"notice_minutes": 24 * 60, "refund_percent": 100}, {"notice_minutes": 60, "refund_percent": 50}]


@pytest.mark.parametrize(
    ("notice", "kept"),
    [(24 * HOUR, "0.00"), (24 * HOUR - MINUTE, "2.50"), (HOUR, "2.50"), (59 * MINUTE, "5.00")],
)
def test_cancelling_sends_back_what_the_policy_says(alice, now, notice, kept):
    lot = make_lot(1, payment_timing="prepaid", cancellation_tiers=TIERS)
    booking = reserve(lot, alice, starts_in=48 * HOUR)
    paid(booking, now)

    for _again in range(2):
        services.cancel(booking, by=alice, now=booking.starts_at - notice)

    back = str(Decimal("5.00") - Decimal(kept))
    assert money(booking) == (kept, "5.00", back, "0.00")
    assert booking.refunds.count() == (back != "0.00")


def test_a_policy_changed_later_does_not_touch_the_booking(alice, now):
    lot = make_lot(1, payment_timing="prepaid", cancellation_tiers=TIERS)
    booking = reserve(lot, alice, starts_in=48 * HOUR)
    paid(booking, now)
    lot.cancellation_tiers = []
    lot.save()

    services.cancel(booking, by=alice, now=now + HOUR)

    assert money(booking)[2] == "5.00"


def test_cancelled_by_the_operator_everything_goes_back(alice, olga, now):
    lot = make_lot(1, payment_timing="prepaid", cancellation_tiers=[])
    booking = reserve(lot, alice, starts_in=48 * HOUR)
    paid(booking, now)

    services.cancel(booking, by=olga, by_operator=True, reason="Flooded.", now=now + 47 * HOUR)

    assert money(booking) == ("0.00", "5.00", "5.00", "0.00")
    assert booking.refunds.get().reason == "Flooded."


def test_a_mistake_noticed_at_once_costs_nothing(alice, now):
    lot = make_lot(1, payment_timing="prepaid", cancellation_tiers=[])
    booking = reserve(lot, alice)
    paid(booking, now)

    services.cancel(booking, by=alice, now=now + 10 * MINUTE)

    assert money(booking)[2] == "5.00"


def test_a_no_show_keeps_the_fee_and_sends_back_the_rest(alice, now):
    lot = make_lot(1, payment_timing="prepaid", needs_check_in=True, no_show_fee_percent=40)
    booking = reserve(lot, alice)
    paid(booking, now)

    services.mark_no_shows(now=booking.no_show_at)

    assert state(booking) == State.NO_SHOW
    assert money(booking) == ("2.00", "5.00", "3.00", "0.00")


def test_who_comes_after_all_owes_the_rest(alice, now):
    lot = make_lot(1, payment_timing="prepaid", needs_check_in=True, no_show_fee_percent=40)
    booking = reserve(lot, alice)
    paid(booking, now)
    services.mark_no_shows(now=booking.no_show_at)

    services.check_in(booking, by=alice, now=booking.no_show_at + MINUTE)

    assert money(booking) == ("5.00", "5.00", "3.00", "3.00")


# --- What the lot says about leaving early and staying over ---


def test_where_only_the_time_used_is_paid_the_rest_goes_back(alice, now):
    lot = make_lot(1, payment_timing="prepaid", early_release="used")
    booking = reserve(lot, alice, hours=4)
    paid(booking, now)
    lot.early_release = "keep"
    lot.save()

    services.release(booking, by=alice, now=booking.starts_at + HOUR)

    assert money(booking) == ("2.50", "10.00", "7.50", "0.00")


def test_where_the_reserved_time_is_paid_nothing_goes_back(prepaid, alice, now):
    booking = reserve(prepaid, alice, hours=4)
    paid(booking, now)

    services.release(booking, by=alice, now=booking.starts_at + HOUR)

    assert money(booking) == ("10.00", "10.00", "0.00", "0.00")


def test_staying_over_costs_what_the_lot_says(alice, now):
    lot = make_lot(1, end_of_stay="until_released", overstay_percent=300)
    booking = park(lot, alice, ends_at=now + 2 * HOUR)

    assert str(services.price_so_far(booking, now=now + 3 * HOUR).total) == "12.50"
    released = services.release(booking, by=alice, now=now + 3 * HOUR)

    assert str(released.total) == "12.50"
    assert [(line["label"], line["amount"]) for line in released.price_lines][-1] == ("Overstay", "5.00")
    assert sum(Decimal(line["amount"]) for line in released.price_lines) == released.total


# --- The desk ---


def test_staff_take_cash_and_the_hold_is_confirmed(prepaid, alice, olga, now):
    booking = reserve(prepaid, alice)

    payment = services.record_desk_payment(booking, method="cash", by=olga, now=now)

    assert (payment.provider, payment.method, payment.status) == ("desk", "cash", Status.SUCCEEDED)
    assert state(booking) == State.CONFIRMED
    assert booking.timeline.get(action="paid").actor == "operator"


def test_a_part_at_the_desk_and_the_rest_by_card(prepaid, alice, olga, now):
    booking = reserve(prepaid, alice)

    services.record_desk_payment(booking, method="card", amount=Decimal("2.00"), by=olga, now=now)
    assert state(booking) == State.HELD
    assert paid(booking, now).amount == Decimal("3.00")

    assert state(booking) == State.CONFIRMED


@pytest.mark.parametrize("amount", ["0", "-1", "5.01", "1.001", "NaN", "Infinity"])
def test_the_desk_takes_no_amount_that_cannot_be(lot, alice, olga, now, amount):
    with pytest.raises(BadBooking) as refused:
        services.record_desk_payment(
            reserve(lot, alice), method="cash", amount=Decimal(amount), by=olga, now=now
        )

    assert refused.value.field == "amount"


def test_the_same_desk_form_sent_twice_is_one_payment(lot, alice, olga, now):
    booking, form = reserve(lot, alice), uuid.uuid4()

    both = [
        services.record_desk_payment(
            booking, method="cash", amount=Decimal(1), by=olga, now=now, request_id=form
        )
        for _click in range(2)
    ]

    assert both[0] == both[1]
    assert money(booking)[1] == "1.00"


def test_a_desk_form_is_good_for_its_own_booking_only(lot, alice, bob, olga, now):
    form = uuid.uuid4()
    first, other = reserve(lot, alice), reserve(lot, bob)
    services.record_desk_payment(first, method="cash", by=olga, now=now, request_id=form)

    with pytest.raises(BadBooking) as refused:
        services.record_desk_payment(other, method="cash", by=olga, now=now, request_id=form)

    assert refused.value.field == "request_id"
    assert money(other)[1] == "0.00"


def test_what_the_desk_owes_waits_until_somebody_hands_it_over(prepaid, alice, olga, now):
    booking = reserve(prepaid, alice)
    services.record_desk_payment(booking, method="cash", by=olga, now=now)
    services.cancel(booking, by=alice, now=now)
    refund = booking.refunds.to_pay_out().get()
    assert money(booking) == ("0.00", "5.00", "0.00", "0.00")

    for _click in range(2):
        services.pay_out(refund, by=olga, now=now)

    assert money(booking) == ("0.00", "5.00", "5.00", "0.00")


# --- Refunds by staff ---


def test_staff_let_a_driver_off_a_part_and_it_is_not_owed_again(lot, alice, olga, now):
    booking = reserve(lot, alice)
    paid(booking, now)

    [refund] = services.refund(booking, amount=Decimal("1.50"), reason=" Noise at  night ", by=olga, now=now)

    assert refund.reason == "Noise at night"
    assert money(booking) == ("3.50", "5.00", "1.50", "0.00")
    entry = LedgerEntry.objects.get(kind="refund")
    assert (entry.by, entry.reason, entry.payment) == (olga, "Noise at night", refund.payment)


def test_a_refund_spreads_over_the_payments_the_latest_first(lot, alice, olga, now):
    booking = reserve(lot, alice)
    paid(booking, now)
    services.extend(booking, ends_at=booking.ends_at + HOUR, by=alice, now=now)
    paid(booking, now + MINUTE)

    refunds = services.refund(booking, amount=Decimal("4.00"), reason="Sorry", by=olga, now=now)

    assert [str(refund.amount) for refund in refunds] == ["2.50", "1.50"]


def test_all_that_was_paid_goes_back_once(lot, alice, olga, now):
    booking = reserve(lot, alice)
    paid(booking, now)
    services.refund(booking, reason="Sorry", by=olga, now=now)

    with pytest.raises(AlreadyRefunded):
        services.refund(booking, reason="Sorry", by=olga, now=now)

    assert money(booking) == ("0.00", "5.00", "5.00", "0.00")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"amount": Decimal("5.01")}, "amount"),
        ({"amount": Decimal(0)}, "amount"),
        ({"amount": Decimal("-1")}, "amount"),
        ({"amount": Decimal("NaN")}, "amount"),
        ({"reason": "  "}, "reason"),
    ],
)
def test_no_refund_that_cannot_be(lot, alice, olga, now, wrong, field):
    booking = reserve(lot, alice)
    paid(booking, now)

    with pytest.raises(BadBooking) as refused:
        services.refund(booking, **{"reason": "Sorry", **wrong}, by=olga, now=now)

    assert refused.value.field == field
    assert not booking.refunds.exists()


def test_nothing_paid_is_nothing_to_refund(lot, alice, olga, now):
    with pytest.raises(NothingDue):
        services.refund(reserve(lot, alice), reason="Sorry", by=olga, now=now)


def test_the_same_refund_form_sent_twice_is_one_refund(lot, alice, olga, now):
    booking, form = reserve(lot, alice), uuid.uuid4()
    paid(booking, now)

    for _click in range(2):
        services.refund(booking, amount=Decimal(1), reason="Sorry", by=olga, now=now, request_id=form)

    assert money(booking)[2] == "1.00"


def test_a_card_refund_is_not_paid_out_at_the_desk(lot, alice, olga, now):
    booking = reserve(lot, alice)
    paid(booking, now)
    [refund] = services.refund(booking, reason="Sorry", by=olga, now=now)

    with pytest.raises(InvalidTransition):
        services.pay_out(refund, by=olga, now=now)


# --- Currencies ---


@pytest.mark.parametrize(
    ("currency", "price", "total"),
    [("JPY", "300", "600"), ("EUR", "2.50", "5.00"), ("KWD", "0.615", "1.230")],
)
def test_currencies_of_no_two_and_three_decimals(alice, olga, now, currency, price, total):
    lot = make_lot(1, price=price, currency=currency, payment_timing="prepaid", cancellation_tiers=[])
    booking = reserve(lot, alice)
    paid(booking, now)
    nothing = str(Decimal(total) * 0)
    assert money(booking) == (total, total, nothing, nothing)

    smallest = Decimal(1).scaleb(Decimal(total).as_tuple().exponent)
    services.refund(booking, amount=smallest, reason="Sorry", by=olga, now=now)

    assert money(booking) == (str(Decimal(total) - smallest), total, str(smallest), nothing)


# --- The ledger ---


@pytest.fixture
def entry(lot, alice, now):
    paid(reserve(lot, alice), now)
    return LedgerEntry.objects.get()


def refuses(name, change):
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        change()


def test_the_ledger_is_neither_changed_nor_emptied(entry):
    refuses("ledger_only_grows", lambda: LedgerEntry.objects.update(amount=1))
    refuses("ledger_only_grows", lambda: LedgerEntry.objects.all().delete())
    refuses("ledger_only_grows", entry.delete)
    assert LedgerEntry.objects.get().amount == entry.amount


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no TRUNCATE")
def test_the_ledger_is_not_truncated_either(transactional_db):
    with connection.cursor() as cursor:
        refuses("ledger_only_grows", lambda: cursor.execute("TRUNCATE bookings_ledgerentry"))


def test_the_database_lets_no_more_go_back_than_came_in(entry, lot, alice, now):
    from bookings.payments.models import Refund

    def back(amount):
        refund = Refund.objects.create(
            payment=entry.payment, booking=entry.booking, amount=amount, currency="EUR", created_at=now
        )
        ledger.refund(refund, by=None, now=now)

    # 0.1 + 0.2 is more than 0.3 where decimals are floats.
    for part in ("0.10", "0.20", "4.70"):
        back(Decimal(part))

    refuses("ledger_refunds_within_charges", lambda: back(Decimal("0.01")))


def test_a_list_of_accounts_costs_one_query(lot, alice, now, django_assert_num_queries):
    for number in range(3):
        paid(reserve(lot, alice, starts_in=(1 + 3 * number) * HOUR), now)

    with django_assert_num_queries(1):
        accounts = [ledger.account(b) for b in ledger.with_money(Booking.objects.order_by("pk"))]

    assert [str(account.paid) for account in accounts] == ["5.00"] * 3
