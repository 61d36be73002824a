"""Receipts: what stands in them, that numbers have no gap, and that nobody reads another's."""

import base64
import json
import re
import threading
import time
import zlib
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from types import SimpleNamespace

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.db import IntegrityError, connections, transaction
from django.urls import reverse
from django.utils import timezone
from icalendar import Calendar

from accounts.tests.staff import verify
from bookings import integrity, receipt_models, receipts, services
from bookings.errors import NoReceipt
from bookings.models import Booking, Receipt, ReceiptCounter, State
from bookings.receipt_pdf import render
from bookings.tests.api_support import API
from bookings.tests.factories import HOUR, NOW, make_lot, make_user, park, reserve
from lots import rates
from lots.presets import PRESETS
from lots.services import publish_tariff


def stayed(lot, driver, *, hours=2, now=NOW, **wish):
    stay = park(lot, driver, now=now - timedelta(hours=hours), **wish)
    return services.release(stay, by=driver, now=now)


def texts(pdf):
    """The words of a PDF that uses the fonts every reader has."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    pages = [zlib.decompress(base64.a85decode(b"<~" + part.strip(), adobe=True)) for part in streams]
    return b" ".join(pages).decode("latin-1")


# --- What stands in it ---


@pytest.mark.django_db
class TestDocument:
    def test_it_says_to_the_cent_what_the_pinned_tariff_says(self, lot, alice):
        publish_tariff(lot, PRESETS["day_night"].make(D("3.33"), "EUR"), by=None, now=NOW - 9 * HOUR)
        stay = stayed(lot, alice, hours=5.37)
        publish_tariff(lot, rates.simple(D(99), "EUR"), by=None, now=NOW)

        receipt = receipts.issue(stay, now=NOW)
        again = receipts.recomputed(Booking.objects.get(pk=stay.pk))

        assert receipt.total == stay.total == again.total == sum(line.amount for line in again.lines)
        assert receipt.document["lines"] == [line.to_json() for line in again.lines]
        assert D(receipt.document["net"]) + D(receipt.document["tax"]) == receipt.total
        assert D(receipt.document["tax"]) == again.tax

    @pytest.mark.parametrize(("currency", "total"), [("JPY", "501"), ("EUR", "5.01"), ("KWD", "5.010")])
    def test_amounts_have_the_currencys_own_decimals(self, alice, currency, total):
        price = D("250.5") if currency == "JPY" else D("2.505")
        lot = make_lot(1, price=str(price), currency=currency, now=NOW - 9 * HOUR)

        assert receipts.issue(stayed(lot, alice), now=NOW).document["owed"] == total

    def test_tax_is_shown_and_shrinks_with_what_is_let_off(self, lot, alice, olga):
        taxed = rates.Tariff("EUR", rates.simple(D("5.95"), "EUR").elements, tax=D(19))
        publish_tariff(lot, taxed, by=None, now=NOW - 9 * HOUR)
        stay = stayed(lot, alice, hours=2)
        services.record_desk_payment(stay, method="cash", by=olga, now=NOW)
        first = receipts.issue(stay, now=NOW)
        services.refund(stay, amount=D("5.95"), reason="Gate broken", by=olga, now=NOW)

        second = receipts.issue(stay, now=NOW + HOUR)

        assert [first.document[name] for name in ("total", "owed", "tax", "net")] == [
            "11.90", "11.90", "1.90", "10.00"]  # fmt: skip
        assert [second.document[name] for name in ("total", "reduction", "owed", "tax", "net")] == [
            "11.90", "5.95", "5.95", "0.95", "5.00"]  # fmt: skip
        assert (second.number, second.corrects, second.total) == (2, first, D("5.95"))
        first.refresh_from_db()
        assert first.total == D("11.90")

    @pytest.mark.promise("S3-07")
    @pytest.mark.promise("S3-19")
    def test_payments_and_refunds_are_the_ledgers(self, lot, alice, olga):
        stay = stayed(lot, alice)
        unpaid = receipts.statement(stay, now=NOW)
        services.record_desk_payment(stay, method="cash", by=olga, now=NOW)
        services.refund(stay, amount=D("1.00"), reason="Sorry", by=olga, now=NOW + HOUR)

        found = receipts.statement(stay, now=NOW + HOUR)

        assert (unpaid.movements, unpaid.due) == ((), D("5.00"))
        assert [moved.amount for moved in found.movements] == [D("5.00"), D("-1.00")]
        assert found.movements[0].how == "cash"
        assert (found.owed, found.paid, found.due) == (D("4.00"), D("4.00"), D(0))

    def test_who_drove_is_not_written_down_for_good(self, lot, alice):
        receipt = receipts.issue(stayed(lot, alice, plate="B-AL 1CE"), now=NOW)

        assert "1CE" not in json.dumps(receipt.document)
        assert alice.email not in json.dumps(receipt.document)

    def test_the_operator_is_who_it_was_then(self, lot, alice, settings):
        settings.OPERATOR_NAME, settings.OPERATOR_TAX_NUMBER = "Old Garage Ltd", "DE 1"
        receipt = receipts.issue(stayed(lot, alice), now=NOW)
        settings.OPERATOR_NAME = "New Garage Ltd"

        again = receipts.issue(receipt.booking, now=NOW + HOUR)

        assert (again.pk, again.document["operator"]["name"]) == (receipt.pk, "Old Garage Ltd")
        assert again.document["operator"]["tax_number"] == "DE 1"


@pytest.mark.django_db
class TestWhoGetsOne:
    def test_a_stay_that_is_not_over_has_none(self, lot, alice):
        with pytest.raises(NoReceipt, match="once the stay is over"):
            receipts.issue(park(lot, alice), now=NOW)
        assert Receipt.objects.count() == 0

    def test_asking_twice_gives_the_same_one(self, lot, alice):
        stay = stayed(lot, alice)

        assert receipts.issue(stay, now=NOW) == receipts.issue(stay, now=NOW + HOUR)
        assert ReceiptCounter.objects.get().last == 1

    def test_a_free_cancellation_has_none_and_one_with_a_fee_has(self, alice):
        free, strict = make_lot(1), make_lot(1, cancellation_tiers=[])
        bookings = [reserve(lot, alice, starts_in=30 * HOUR) for lot in (free, strict)]
        later = NOW + HOUR
        free, kept = [services.cancel(booking, by=alice, now=later) for booking in bookings]

        with pytest.raises(NoReceipt, match="Nothing was charged"):
            receipts.issue(free, now=later)
        assert receipts.issue(kept, now=later).total == D("5.00")

    def test_a_no_show_who_came_after_all_gets_a_correction(self, alice):
        lot = make_lot(1, needs_check_in=True, no_show_fee_percent=50)
        booking = reserve(lot, alice, hours=3)
        services.mark_no_shows(now=NOW + 2 * HOUR)
        booking.refresh_from_db()
        assert booking.state == State.NO_SHOW
        first = receipts.issue(booking, now=NOW + 2 * HOUR)
        services.check_in(booking, by=alice, now=NOW + 2 * HOUR)
        done = services.release(booking, by=alice, now=NOW + 3 * HOUR)

        second = receipts.issue(done, now=NOW + 3 * HOUR)

        assert (first.total, second.total, second.corrects) == (D("3.75"), D("7.50"), first)


# --- Numbers ---


@pytest.mark.django_db
class TestNumbers:
    def test_they_follow_each_other_and_a_failure_leaves_no_gap(self, lot, alice, monkeypatch):
        stays = [stayed(lot, make_user()) for _i in range(3)]
        receipts.issue(stays[0], now=NOW)

        def fail(*args, **kwargs):
            raise RuntimeError

        with monkeypatch.context() as patch:
            patch.setattr(receipt_models.Receipt.objects, "create", fail)
            with pytest.raises(RuntimeError):
                receipts.issue(stays[1], now=NOW)
        numbers = [receipts.issue(stay, now=NOW).number for stay in stays]

        assert numbers == [1, 2, 3]
        assert receipts.gaps() == []

    def test_gaps_are_found_in_the_middle_at_the_end_and_beyond(self, lot):
        for _i in range(3):
            receipts.issue(stayed(lot, make_user()), now=NOW)
        counter = ReceiptCounter.objects.get()
        row = Receipt.objects.get(number=3)

        counter.last = 5
        counter.save()
        assert receipts.gaps() == [4, 5]
        row.pk, row.number, row.corrects_id = None, 8, row.pk
        row.save(force_insert=True)
        assert receipts.gaps() == [4, 5, 6, 7, 8]
        assert receipts.gaps(most=2) == [4, 5]
        found = [finding.where for finding in integrity.find(now=NOW) if finding.check == "receipt_gap"]
        assert found == ["000004", "000005", "000006", "000007", "000008"]

    def test_no_receipts_have_no_gaps(self):
        assert receipts.gaps() == []

    @pytest.mark.parametrize("change", ["update", "delete"])
    def test_the_database_itself_refuses_to_change_one(self, lot, alice, change):
        receipts.issue(stayed(lot, alice), now=NOW)
        rows = Receipt.objects.filter(number=1)

        with pytest.raises(IntegrityError, match="receipts_only_grow"), transaction.atomic():
            rows.update(total=0) if change == "update" else rows._raw_delete("default")

        assert rows.get().total == D("5.00")


def at_once(jobs):
    barrier, outcomes = threading.Barrier(len(jobs)), [None] * len(jobs)

    def run(index, job):
        try:
            barrier.wait()
            outcomes[index] = job()
        except Exception as error:
            outcomes[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    return outcomes


def many_stays(count):
    lot, now = make_lot(count), timezone.now()
    return [stayed(lot, make_user(), now=now) for _i in range(count)], now


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_thirty_at_once_get_the_numbers_one_to_thirty():
    stays, now = many_stays(30)

    found = at_once([lambda stay=stay: receipts.issue(stay, now=now).number for stay in stays])

    assert sorted(found) == list(range(1, 31))
    assert receipts.gaps() == []


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_one_booking_asked_for_thirty_times_at_once_gets_one_receipt():
    stays, now = many_stays(1)

    found = at_once([lambda: receipts.issue(stays[0], now=now).number for _i in range(30)])

    assert found == [1] * 30
    assert Receipt.objects.count() == 1


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_the_canary_without_the_lock_the_same_number_is_given_twice(monkeypatch):
    """The same race, looking first and counting then: it must fail, or the one above proves nothing."""

    def careless():
        last = ReceiptCounter.objects.get_or_create(pk=1)[0].last
        time.sleep(0.1)
        ReceiptCounter.objects.update(last=last + 1)
        return last + 1

    stays, now = many_stays(8)
    monkeypatch.setattr(receipts, "transaction", SimpleNamespace(atomic=nullcontext))
    monkeypatch.setattr(receipts, "_locked", lambda booking: booking)
    monkeypatch.setattr(receipts, "_next_number", careless)

    found = at_once([lambda stay=stay: receipts.issue(stay, now=now).number for stay in stays])

    # Even so no number is on two receipts: the database has the last word.
    assert any(isinstance(outcome, IntegrityError) for outcome in found)


# --- The back office ---


@pytest.mark.django_db
def test_staff_find_receipts_and_print_any_of_them(client, olga, lot, alice):
    stay = stayed(lot, alice)
    services.record_desk_payment(stay, method="cash", by=olga, now=NOW)
    first = receipts.issue(stay, now=NOW)
    services.refund(stay, amount=D("1.00"), reason="Sorry", by=olga, now=NOW)
    second = receipts.issue(stay, now=NOW)
    with time_machine.travel(NOW, tick=False):
        desk = verify(client, olga)

        listed = desk.get(reverse("admin:bookings_receipt_changelist")).content.decode()
        shown = desk.get(reverse("admin:bookings_receipt_change", args=[second.pk])).content.decode()
        old, new = [
            texts(desk.get(reverse("admin:bookings_receipt_pdf", args=[receipt.pk])).content)
            for receipt in (first, second)
        ]
        refused = desk.post(reverse("admin:bookings_receipt_delete", args=[first.pk]), {"post": "yes"})

    assert "000001" in listed
    assert "000002" in listed
    assert "4.00 EUR" in " ".join(shown.split())
    assert ("Reduction" in old, "Reduction" in new) == (False, True)
    assert "corrects No. 000001" in new
    assert refused.status_code == 403


@pytest.mark.django_db
def test_an_operator_of_other_lots_sees_no_receipt(client, lot, alice):
    receipt = receipts.issue(stayed(lot, alice), now=NOW)
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_receipt"))
    make_lot(1).operators.add(clerk)
    with time_machine.travel(NOW, tick=False):
        desk = verify(client, clerk)

        listed = desk.get(reverse("admin:bookings_receipt_changelist")).content.decode()
        printed = desk.get(reverse("admin:bookings_receipt_pdf", args=[receipt.pk]))

    assert "000001" not in listed
    assert printed.status_code == 404


# --- Page, PDF, calendar ---


@pytest.fixture
def on_the_day(client, alice):
    with time_machine.travel(NOW, tick=False):
        client.force_login(alice)
        yield client


@pytest.mark.django_db
class TestPages:
    def test_the_page_shows_lines_payments_and_number(self, on_the_day, lot, alice, olga, settings):
        settings.OPERATOR_NAME, settings.OPERATOR_ADDRESS = "Garage & Sons", ["Hauptstraße 1", "Berlin"]
        stay = stayed(lot, alice, plate="B-AL 1CE")
        services.record_desk_payment(stay, method="card", by=olga, now=NOW)

        text = on_the_day.get(reverse("bookings:receipt", args=[stay.reference])).content.decode()

        said = ["000001", "Garage &amp; Sons", "Hauptstraße 1", "2 h at 2.50 EUR per hour", "€5.00", "card"]
        for part in [*said, "B-AL 1CE", "Alexanderplatz"]:
            assert part in text
        assert "Still to be paid" not in text
        assert "style=" not in text.partition("<main")[2].partition("</main")[0]

    def test_the_booking_leads_to_its_receipt_and_calendar(self, on_the_day, lot, alice):
        over, coming = stayed(lot, alice), reserve(lot, alice)
        shown = [
            on_the_day.get(reverse("bookings:detail", args=[booking.reference])).content.decode()
            for booking in (over, coming)
        ]

        assert reverse("bookings:receipt", args=[over.reference]) in shown[0]
        assert reverse("bookings:calendar", args=[coming.reference]) in shown[1]

    @pytest.mark.parametrize("name", ["receipt", "receipt-pdf"])
    def test_too_early_leads_back_to_the_booking_with_the_reason(self, on_the_day, lot, alice, name):
        stay = park(lot, alice)

        answer = on_the_day.get(reverse(f"bookings:{name}", args=[stay.reference]), follow=True)

        assert answer.redirect_chain == [(reverse("bookings:detail", args=[stay.reference]), 302)]
        assert "There is a receipt once the stay is over." in answer.content.decode()

    @pytest.mark.parametrize("name", ["receipt", "receipt-pdf", "calendar"])
    def test_nobody_reads_anothers(self, client, lot, alice, bob, name):
        address = reverse(f"bookings:{name}", args=[stayed(lot, alice).reference])
        unknown = reverse(f"bookings:{name}", args=["0" * 16])
        stranger = client.get(address)
        client.force_login(bob)

        assert stranger.status_code == 302
        assert [client.get(url).status_code for url in (address, unknown)] == [404, 404]
        assert [client.post(address).status_code] == [405]
        assert Receipt.objects.count() == 0


@pytest.mark.django_db
class TestPdf:
    def test_it_says_what_the_page_says(self, lot, alice, olga):
        stay = stayed(lot, alice, plate="B-AL 1CE")
        services.record_desk_payment(stay, method="cash", by=olga, now=NOW)

        pdf = render(receipts.statement(stay, now=NOW), printed_at=NOW)

        words = texts(pdf)
        assert pdf.startswith(b"%PDF-")
        for part in (
            "Receipt",
            "000001",
            "2 h at 2.50 EUR per hour",
            "5.00",
            "B-AL 1CE",
            "cash",
            "Alexanderplatz",
        ):
            assert part in words
        assert render(receipts.statement(stay, now=NOW), printed_at=NOW) == pdf

    def test_names_are_text_and_never_markup(self, alice):
        lot = make_lot(1, name='<img src="/etc/passwd"/> & <b>', now=NOW - 9 * HOUR)
        stay = stayed(lot, alice, plate="<i>")

        assert "etc/passwd" in texts(render(receipts.statement(stay, now=NOW), printed_at=NOW))

    def test_letters_from_elsewhere_are_embedded(self, alice):
        lot = make_lot(1, name="Łódź Główna, Αθήνα, Москва", now=NOW - 9 * HOUR)

        pdf = render(receipts.statement(stayed(lot, alice), now=NOW), printed_at=NOW)

        assert b"DejaVuSans" in pdf
        assert b"FontFile2" in pdf

    def test_many_lines_go_over_several_pages(self, lot, alice):
        statement = receipts.statement(stayed(lot, alice), now=NOW)
        statement.receipt.document["lines"] *= 120

        assert render(statement, printed_at=NOW).count(b"/Type /Page\n") > 2


@pytest.mark.django_db
class TestApi:
    def test_the_receipt_is_a_pdf(self, as_alice, lot, alice):
        stay = stayed(lot, alice)

        answer = as_alice.get(
            f"{API}bookings/{stay.reference}/receipt/", headers={"Accept": "application/pdf"}
        )

        assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
        assert answer["Content-Disposition"] == 'inline; filename="receipt-000001.pdf"'
        assert answer["Cache-Control"] == "no-store"
        assert answer.content.startswith(b"%PDF-")

    def test_too_early_is_a_refusal_with_a_code(self, as_alice, lot, alice):
        answer = as_alice.get(
            f"{API}bookings/{park(lot, alice).reference}/receipt/", headers={"Accept": "application/pdf"}
        )

        assert (answer.status_code, answer.json()["code"]) == (409, "no_receipt")
        assert answer["Content-Type"] == "application/problem+json"

    @pytest.mark.parametrize("name", ["receipt", "calendar"])
    def test_nobody_gets_anothers(self, as_bob, as_anyone, as_olga, lot, alice, name):
        address = f"{API}bookings/{stayed(lot, alice).reference}/{name}/"
        unknown = f"{API}bookings/{'0' * 16}/{name}/"

        assert as_anyone.get(address).status_code == 401
        assert [c.get(url).status_code for c in (as_bob, as_olga) for url in (address, unknown)] == [404] * 4
        assert Receipt.objects.count() == 0

    def test_the_calendar_entry_is_on_the_lots_clock(self, as_alice, alice):
        lot = make_lot(1, name="Pier; 7, North\nBEGIN:VALARM", timezone="America/Toronto")
        booking = reserve(lot, alice, starts_in=timedelta(days=14), plate="ON 1")

        answer = as_alice.get(f"{API}bookings/{booking.reference}/calendar/")

        found = Calendar.from_ical(answer.content)
        (event,) = found.walk("VEVENT")
        assert answer["Content-Type"] == "text/calendar; charset=utf-8"
        # The clocks in Toronto go forward on 14 March 2027.
        assert event["dtstart"].dt.isoformat() == "2027-03-15T06:00:00-04:00"
        assert event["dtend"].dt == datetime(2027, 3, 15, 12, tzinfo=UTC)
        assert event["dtstart"].params["TZID"] == "America/Toronto"
        assert [zone["tzid"] for zone in found.walk("VTIMEZONE")] == ["America/Toronto"]
        assert found.walk("VALARM") == []
        assert event["uid"].startswith(booking.reference)
        assert event["status"] == "CONFIRMED"

    def test_a_changed_booking_is_the_same_entry_moved(self, as_alice, lot, alice):
        booking = reserve(lot, alice)
        address = f"{API}bookings/{booking.reference}/calendar/"
        before = Calendar.from_ical(as_alice.get(address).content).walk("VEVENT")[0]
        services.extend(booking, ends_at=booking.ends_at + HOUR, by=alice, now=NOW)
        longer = Calendar.from_ical(as_alice.get(address).content).walk("VEVENT")[0]
        services.cancel(booking, by=alice, now=NOW)
        gone = Calendar.from_ical(as_alice.get(address).content).walk("VEVENT")[0]

        assert before["uid"] == longer["uid"] == gone["uid"]
        assert before["sequence"] < longer["sequence"] < gone["sequence"]
        assert longer["dtend"].dt - before["dtend"].dt == HOUR
        assert gone["status"] == "CANCELLED"
