"""The check finds what was planted, past every guard, and nothing where all is well."""

import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from bookings import guards, integrity, services
from bookings.models import Booking, LedgerEntry, Payment, TimelineEntry
from bookings.payments import guards as ledger_guards
from bookings.payments.models import Refund, Status
from bookings.payments.providers.base import Outcome
from bookings.tests.factories import HOUR, NOW, make_lot, make_user, park, reserve

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def pay(booking, now=NOW):
    payment = services.pay(booking, by=booking.driver, now=now)
    told = {"amount": payment.amount, "currency": payment.currency, "transaction_id": f"t_{payment.pk.hex}"}
    services.apply_provider_state(payment, Outcome(Status.SUCCEEDED, **told), now=now)


@pytest.fixture
def lived(db, alice, bob, olga):
    """A little of everything that can happen. It is now five hours later."""
    prepaid = make_lot(
        6, payment_timing="prepaid", needs_check_in=True, no_show_fee_percent=40, early_release="used",
        cancellation_tiers=[{"notice_minutes": 60, "refund_percent": 50}],
    )  # fmt: skip
    open_lot = make_lot(6, end_of_stay="until_released", overstay_percent=200)
    found = {"paid": reserve(prepaid, alice, starts_in=30 * HOUR)}
    pay(found["paid"])
    found["cancelled"] = reserve(prepaid, alice, starts_in=4 * HOUR)
    pay(found["cancelled"])
    services.cancel(found["cancelled"], by=alice, now=NOW + HOUR)
    found["no_show"] = reserve(prepaid, bob)
    pay(found["no_show"])
    services.mark_no_shows(now=NOW + 2 * HOUR)
    found["early"] = reserve(prepaid, alice, hours=4)
    pay(found["early"])
    services.check_in(found["early"], by=alice, now=NOW + HOUR)
    services.release(found["early"], by=alice, now=NOW + 2 * HOUR)
    found["overstayed"] = park(open_lot, bob, ends_at=NOW + HOUR)
    services.release(found["overstayed"], by=bob, now=NOW + 3 * HOUR)
    services.record_desk_payment(found["overstayed"], method="cash", by=olga, now=NOW + 3 * HOUR)
    services.refund(found["overstayed"], amount=Decimal(1), reason="Sorry", by=olga, now=NOW + 3 * HOUR)
    late = reserve(prepaid, bob, starts_in=6 * HOUR)
    payment = services.pay(late, by=bob, now=NOW)
    told = {"amount": payment.amount, "currency": "EUR", "transaction_id": "t_late"}
    services.apply_provider_state(payment, Outcome(Status.SUCCEEDED, **told), now=NOW + HOUR)
    found["late"] = late
    moved = reserve(open_lot, alice, starts_in=20 * HOUR)
    services.extend(moved, ends_at=moved.ends_at + HOUR, by=alice, now=NOW)
    services.move(moved, spot_number="5", by=olga, now=NOW)
    found["moved"] = moved
    found["held"] = reserve(prepaid, make_user(), now=NOW + 5 * HOUR, starts_in=10 * HOUR)
    found["offered"] = offered(make_user("zoe"))
    for booking in found.values():
        booking.refresh_from_db()
    return found


def offered(driver):
    """A hold made for who was next on a waitlist."""
    lot = make_lot(1)
    taken = reserve(lot, None, now=NOW + 4 * HOUR, starts_in=20 * HOUR)
    window = {"starts_at": taken.starts_at, "ends_at": taken.ends_at}
    entry = services.join(lot_id=lot.pk, driver=driver, now=NOW_THEN, **window)
    services.cancel(taken, by=None, now=NOW_THEN)
    entry.refresh_from_db()
    return entry.offer


NOW_THEN = NOW + 5 * HOUR


def found_checks(now=NOW_THEN):
    return {finding.check for finding in integrity.find(now=now)}


def test_where_all_is_well_nothing_is_found(lived):
    states = {booking.state for booking in lived.values()}
    assert states == {"held", "confirmed", "cancelled", "no_show", "completed"}

    assert integrity.find(now=NOW_THEN) == []


@pytest.fixture
def unguarded(db):
    """The triggers put away, as somebody at the database's own prompt could."""
    connection.check_constraints()  # PostgreSQL changes no table that still owes a check
    with connection.cursor() as cursor:
        for statement in ledger_guards.remove_statements(connection.vendor):
            cursor.execute(statement)
        if connection.vendor == "postgresql":
            cursor.execute(guards.POSTGRESQL[1])
        else:
            for statement in guards.SQLITE[::2]:
                cursor.execute(statement)


def change(row, **fields):
    type(row)._default_manager.filter(pk=row.pk).update(**fields)


def overlap(lived):
    one = lived["paid"]
    change(lived["moved"], spot=one.spot, lot=one.lot, starts_at=one.starts_at, ends_at=one.ends_at)


def foreign_spot(lived):
    change(lived["moved"], spot=make_lot(1).spots.get())


def wrong_total(lived):
    change(lived["paid"], total=Decimal("4.99"))


def wrong_line(lived):
    line = {**lived["paid"].price_lines[0], "amount": "0.01"}
    change(lived["paid"], price_lines=[line])


def cheap_stay(lived):
    line = {**lived["early"].price_lines[0], "amount": "0.01"}
    change(lived["early"], price_lines=[line], total=Decimal("0.01"))


def cheap_cancellation(lived):
    change(lived["cancelled"], price_lines=[], total=Decimal(0))


def cheap_no_show(lived):
    change(lived["no_show"], price_lines=[], total=Decimal(0))


def silent_move(lived):
    change(lived["paid"], state="cancelled")


def lost_entry(lived):
    TimelineEntry.objects.filter(booking=lived["paid"], sequence=2).delete()


def lost_timeline(lived):
    TimelineEntry.objects.filter(booking=lived["paid"]).delete()


def illegal_move(lived):
    booking = lived["early"]
    TimelineEntry.objects.create(
        booking=booking, sequence=booking.timeline.count() + 1, at=NOW, action="back", from_state="completed",
        to_state="active", actor="clock",
    )  # fmt: skip
    change(booking, state="active")


def old_hold(lived):
    change(lived["held"], held_until=NOW_THEN - 2 * MINUTE)


def offer_moved(lived):
    change(lived["offered"], driver=lived["moved"].driver)


def forgotten_offer(lived):
    change(lived["offered"].waitlist_entry, state="left")


def changed_charge(lived):
    change(LedgerEntry.objects.charges().get(booking=lived["paid"]), amount=Decimal("5.01"))


def lost_charge(lived):
    LedgerEntry.objects.filter(booking=lived["paid"]).delete()


def payment_unsaid(lived):
    change(lived["paid"].payments.get(), status=Status.FAILED)


def too_much_back(lived):
    payment = lived["paid"].payments.get()
    refund = Refund.objects.create(
        payment=payment, booking=lived["paid"], amount=6, currency="EUR", status=Status.SUCCEEDED,
        created_at=NOW,
    )  # fmt: skip
    LedgerEntry.objects.create(
        booking=lived["paid"], kind="refund", amount=6, currency="EUR", provider="demo", reference="x",
        payment=payment, refund=refund, at=NOW,
    )  # fmt: skip


def lost_refund(lived):
    LedgerEntry.objects.filter(booking=lived["cancelled"], kind="refund").delete()
    lived["cancelled"].refunds.all().delete()


def other_currency(lived):
    change(LedgerEntry.objects.get(booking=lived["paid"]), currency="USD")


def paid_and_held(lived):
    payment = Payment.objects.create(
        booking=lived["held"], provider="demo", amount=lived["held"].total, currency="EUR",
        status=Status.SUCCEEDED, created_at=NOW_THEN,
    )  # fmt: skip
    LedgerEntry.objects.create(
        booking=lived["held"], kind="charge", amount=payment.amount, currency="EUR", provider="demo",
        reference="y", payment=payment, at=NOW_THEN,
    )  # fmt: skip


def open_payment(lived):
    Payment.objects.create(
        booking=lived["moved"], provider="demo", amount=1, currency="EUR", created_at=NOW_THEN - 16 * MINUTE
    )


def open_refund(lived):
    Refund.objects.create(
        payment=lived["paid"].payments.get(), booking=lived["paid"], amount=1, currency="EUR",
        created_at=NOW_THEN - 25 * HOUR, asked_at=NOW_THEN,
    )  # fmt: skip


PLANTED = [
    (overlap, "overlap"),
    (foreign_spot, "foreign_spot"),
    (wrong_total, "lines"),
    (wrong_line, "lines"),
    (cheap_stay, "price"),
    (cheap_cancellation, "price"),
    (cheap_no_show, "price"),
    (silent_move, "timeline"),
    (lost_entry, "timeline"),
    (lost_timeline, "timeline"),
    (illegal_move, "timeline"),
    (old_hold, "hold_not_lapsed"),
    (offer_moved, "offer_not_held"),
    (forgotten_offer, "hold_not_offered"),
    (changed_charge, "ledger_entries"),
    (lost_charge, "ledger_entries"),
    (payment_unsaid, "ledger_entries"),
    (too_much_back, "refunds_exceed"),
    (lost_refund, "not_settled"),
    (other_currency, "currency"),
    (paid_and_held, "paid_but_held"),
    (open_payment, "payment_open"),
    (open_refund, "refund_open"),
]


@pytest.mark.parametrize(("corrupt", "check"), PLANTED, ids=lambda part: getattr(part, "__name__", ""))
def test_each_planted_corruption_is_found(lived, unguarded, corrupt, check):
    assert check not in found_checks()

    corrupt(lived)

    assert check in found_checks()


def test_guards_that_are_gone_are_found(lived, unguarded):
    missing = {finding.where for finding in integrity.find(now=NOW_THEN)}

    suffixes = ["_insert", "_update"] if connection.vendor == "sqlite" else [""]
    assert missing == {
        *(guards.NAME + suffix for suffix in suffixes),
        *ledger_guards.NAMES[connection.vendor],
    }


def run(*arguments):
    out = StringIO()
    try:
        call_command("check_integrity", *arguments, stdout=out)
    except SystemExit as ended:
        return ended.code, out.getvalue()
    return 0, out.getvalue()


def test_the_command_says_that_everything_adds_up(db):
    reserve(make_lot(1), make_user(), now=timezone.now().replace(minute=0, second=0, microsecond=0) + HOUR)

    assert run() == (0, "Everything adds up.\n")
    code, text = run("--json")
    assert (code, json.loads(text)["ok"], json.loads(text)["findings"]) == (0, True, [])


def test_the_command_names_what_it_found_and_exits_1(db):
    now = timezone.now().replace(minute=0, second=0, microsecond=0) + HOUR
    booking = reserve(make_lot(1), make_user(), now=now)
    Booking.objects.filter(pk=booking.pk).update(total=1)

    code, text = run("--json")

    assert code == 1
    [finding] = json.loads(text)["findings"]
    assert (finding["check"], finding["where"]) == ("lines", booking.reference)
    assert run()[0] == 1


def test_looking_takes_no_lock_and_changes_nothing(transactional_db):
    lot, driver = make_lot(1), make_user()
    before = list(Booking.objects.values())

    with integrity._snapshot():
        assert list(Booking.objects.values()) == before
    booking = reserve(lot, driver)

    assert integrity.find(now=NOW) == []
    assert Booking.objects.get() == booking
