"""Report mails: who gets which, once, and what stands in them."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from accounts import outbox
from accounts.models import Notice
from bookings import services
from bookings.tests.factories import HOUR, NOW, make_lot, make_user, park, reserve
from lots.models import Lot
from reports import figures, mails, tables, unsubscribe
from reports.days import DAY, Days, zone_of
from reports.jobs import JOBS
from reports.periods import at
from reports.scope import Scope
from reports.tests import snapshots
from reports.tests.histories import live

pytestmark = pytest.mark.django_db
UTC_ZONE = zone_of(None)
TOMORROW = NOW + timedelta(days=1)  # Tuesday 2 March, 10:00
APRIL = NOW + timedelta(days=31, hours=-10)  # 1 April, 00:00 UTC


def run(name, now):
    job = JOBS[name]
    return job.work(at(job.cadence, now, UTC_ZONE), now)


def sent(now, template):
    """What the outbox sends of this kind, as mails."""
    mail.outbox.clear()
    outbox.deliver_due(now=now)
    wanted = set(Notice.objects.filter(template=template).values_list("message_id", flat=True))
    return [m for m in mail.outbox if any(str(pk) in m.extra_headers["Message-ID"] for pk in wanted)]


@pytest.fixture
def history(lot, alice, bob, olga):
    """A paid stay with a refund, a no-show, an overstay, and a stay nobody paid yet."""
    lot.slug = "alexanderplatz"
    lot.save()
    stay = services.release(park(lot, alice, now=NOW, plate="B-AL 1"), by=alice, now=NOW + 2 * HOUR)
    services.record_desk_payment(stay, method="card", by=olga, now=NOW + 2 * HOUR)
    services.refund(stay, amount=Decimal("1.50"), reason="Rain", by=olga, now=NOW + 3 * HOUR)
    strict = make_lot(2, name="Ostkreuz", slug="ostkreuz", needs_check_in=True)
    reserve(strict, bob, starts_in=HOUR)
    services.mark_no_shows(now=NOW + 2 * HOUR)
    services.release(park(strict, alice, now=NOW + 3 * HOUR), by=alice, now=NOW + 4 * HOUR)
    Notice.objects.all().delete()
    for user in (alice, bob, olga):
        user.timezone = "Europe/Berlin"
        user.date_joined = NOW - DAY
        user.save()


# --- Reminders ---


@pytest.mark.promise("S1-16", "S2-18", "S4-26")
def test_inactive_drivers_are_reminded_and_whoever_booked_lately_is_not(lot, alice, bob):
    park(lot, bob, now=NOW - HOUR)

    run("daily-reminder", NOW)

    (message,) = sent(NOW, mails.REMINDER)
    assert message.to == [alice.email]


def test_a_reminder_comes_once_a_day_and_once_a_week_whatever_happens(alice):
    for hours in (0, 1, 24, 6 * 24 + 23):
        run("daily-reminder", NOW + hours * HOUR)
    assert Notice.objects.filter(template=mails.REMINDER).count() == 1

    run("daily-reminder", NOW + 7 * DAY)
    assert Notice.objects.filter(template=mails.REMINDER).count() == 2


def test_who_unsubscribed_gets_neither_reminder_nor_report(history, alice, bob, olga):
    for user in (alice, bob, olga):
        unsubscribe.switch(user.pk, wants=False)

    for name in ("daily-reminder", "daily-admin-report", "monthly-report", "monthly-admin-report"):
        run(name, APRIL + 9 * DAY)

    assert Notice.objects.count() == 0


def test_unsubscribing_stops_what_is_owed_already(alice):
    run("daily-reminder", NOW)
    unsubscribe.switch(alice.pk, wants=False)

    assert sent(NOW, mails.REMINDER) == []
    assert "Unsubscribed" in Notice.objects.get().last_error


@pytest.mark.promise("S4-26")
def test_the_reminder_mail(history, alice):
    run("daily-reminder", NOW + 9 * DAY)
    by_person = {message.to[0]: message for message in sent(NOW + 9 * DAY, mails.REMINDER)}

    snapshots.check("reminder", by_person[alice.email])


# --- Unsubscribing ---


def link_in(message):
    return re.search(r"/unsubscribe/[^/]+/", message.body)[0]


def test_the_link_asks_and_the_button_ends_it_without_signing_in(alice):
    run("daily-reminder", NOW)
    (message,) = sent(NOW, mails.REMINDER)
    stranger, address = Client(enforce_csrf_checks=True), link_in(message)

    asked = stranger.get(address)
    alice.refresh_from_db()
    assert (asked.status_code, alice.wants_reminders) == (200, True)

    assert stranger.post(address).status_code == 200
    alice.refresh_from_db()
    assert not alice.wants_reminders


def test_a_mail_reader_unsubscribes_by_itself(alice):
    run("daily-reminder", NOW)
    (message,) = sent(NOW, mails.REMINDER)
    assert message.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address = message.extra_headers["List-Unsubscribe"].strip("<>")

    answer = Client(enforce_csrf_checks=True).post(address, {"List-Unsubscribe": "One-Click"})

    alice.refresh_from_db()
    assert (answer.status_code, alice.wants_reminders) == (200, False)


def test_a_link_somebody_made_up_leads_nowhere(alice, client):
    good = unsubscribe.token(alice)
    for bad in ("1", good[:-1], f"{alice.pk}:{good.partition(':')[2]}"):
        assert client.post(reverse("reports:unsubscribe", args=[bad])).status_code == 404
    alice.refresh_from_db()
    assert alice.wants_reminders


# --- Reports to operators ---


@pytest.mark.promise("S4-27")
def test_the_daily_report(history, olga):
    run("daily-admin-report", TOMORROW)
    (message,) = sent(TOMORROW, mails.DAILY)

    assert message.to == [olga.email]
    snapshots.check("daily", message)


@pytest.mark.promise("S4-29")
def test_the_monthly_report_to_operators(history):
    run("monthly-admin-report", APRIL)
    (message,) = sent(APRIL, mails.MONTHLY_LOTS)

    snapshots.check("monthly_lots", message)


def test_operators_are_told_about_the_lots_they_run_and_clerks_about_none(history, olga):
    make_user("clerk", is_staff=True)
    limited = make_user("limited", is_staff=True, is_superuser=True)
    limited.is_superuser = False
    limited.save()

    assert list(mails.operators()) == [olga]


def test_an_operator_who_lost_the_role_meanwhile_gets_nothing(history, olga):
    run("daily-admin-report", TOMORROW)
    olga.is_superuser = False
    olga.save()

    assert sent(TOMORROW, mails.DAILY) == []


# --- Reports to drivers ---


@pytest.mark.promise("S1-17", "S2-19", "S3-09", "S4-28")
def test_the_monthly_report_to_a_driver(history, alice):
    run("monthly-report", APRIL)
    by_person = {message.to[0]: message for message in sent(APRIL, mails.MONTHLY)}

    assert set(by_person) == {"alice@example.com", "bob@example.com"}
    snapshots.check("monthly", by_person[alice.email])


def test_a_month_ends_where_the_driver_lives(lot, alice, bob):
    alice.timezone, bob.timezone = "America/Los_Angeles", "Asia/Tokyo"
    for driver in (alice, bob):
        driver.save()
        park(lot, driver, now=NOW)

    run("monthly-report", APRIL)

    due = dict(Notice.objects.filter(template=mails.MONTHLY).values_list("user", "not_before"))
    assert due == {alice.pk: APRIL + 7 * HOUR, bob.pk: APRIL}


def test_running_a_job_twice_owes_every_mail_once(history):
    for _time in range(2):
        for name, now in (
            ("daily-admin-report", TOMORROW), ("monthly-report", APRIL), ("monthly-admin-report", APRIL),
        ):  # fmt: skip
            run(name, now)

    assert Notice.objects.count() == 1 + 2 + 1


# --- Everything agrees ---


@pytest.mark.promise("S4-29")
@pytest.mark.parametrize("seed", [3, 4])
def test_files_sum_to_the_figures_to_the_cent(seed):
    now = live(seed)
    period = Days(date(2027, 3, 2), date(2027, 3, 20), zone_of(None))
    lots = Lot.objects.all()
    told = {money.currency: money for money in figures.money(Scope(lots), period)}
    assert told, "a history without money proves nothing"

    per_lot = read(tables.lots_csv(lots, period, now=now))
    per_booking = read(tables.bookings_csv(Scope(lots), period))
    for currency, money in told.items():
        assert column(per_lot, "captured", currency) == money.captured
        assert column(per_lot, "refunded", currency) == money.refunded
        assert column(per_lot, "revenue", currency) == money.revenue
        assert column(per_booking, "paid_in_period", currency) == money.captured
        assert column(per_booking, "refunded_in_period", currency) == money.refunded
    activity = figures.activity(Scope(lots), period)
    assert sum(int(row["stays_begun"] or 0) for row in per_lot) == activity.began


def read(file):
    return list(csv.DictReader(io.StringIO(b"".join(file).decode())))


def column(rows, name, currency):
    return sum((Decimal(row[name]) for row in rows if row["currency"] == currency), Decimal(0))


# --- By hand ---


@pytest.mark.promise("S4-33")
def test_a_dry_run_says_what_would_be_sent_and_sends_nothing(alice, olga, lot, capsys):
    call_command("send", "--all", "--dry-run")

    said = capsys.readouterr().out
    assert f"to {alice.email}" in said
    assert f"to {olga.email}" in said
    assert Notice.objects.count() == 0


@pytest.mark.promise("S4-33")
def test_sending_by_hand_sends_each_once(alice, capsys):
    call_command("send", "--reminders")
    call_command("send", "--reminders")

    assert [message.to for message in mail.outbox] == [[alice.email]]


def test_sending_nothing_in_particular_is_refused(db):
    with pytest.raises(CommandError, match="Say what to send"):
        call_command("send", "--dry-run")
