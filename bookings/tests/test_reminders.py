"""Mails before the start and before the end: once each, at their moment, and never about what is no more."""

from datetime import timedelta

import pytest

from accounts.models import Notice
from accounts.outbox import deliver_due, to_message
from bookings import services
from bookings.tests.factories import HOUR, NOW, make_lot, park, reserve

pytestmark = [pytest.mark.django_db, pytest.mark.promise("S4-25")]
MINUTE = timedelta(minutes=1)
START, END = NOW + 2 * HOUR, NOW + 4 * HOUR


@pytest.fixture
def booking(lot, alice):
    """From two to four hours from now, on a lot that reminds 60 and 15 minutes before."""
    return reserve(lot, alice, starts_in=2 * HOUR)


def reminders():
    rows = Notice.objects.filter(template__endswith="_soon").order_by("not_before")
    return [(n.template.rpartition("/")[2], n.not_before, n.expires_at) for n in rows]


def delivered(now):
    """Which reminders are sent at this moment."""
    deliver_due(now=now)
    found = Notice.objects.filter(template__endswith="_soon", sent_at__gte=now)
    return sorted(notice.template.rpartition("/")[2] for notice in found)


def test_a_promise_comes_with_its_reminders(booking):
    assert reminders() == [
        ("starts_soon", START - HOUR, START),
        ("ends_soon", END - 15 * MINUTE, END),
    ]


def test_each_is_sent_once_at_its_moment(booking):
    assert delivered(START - HOUR - MINUTE) == []
    assert delivered(START - HOUR) == ["starts_soon"]
    services.start_stays(now=START)
    assert delivered(START + MINUTE) == []
    assert delivered(END - 15 * MINUTE) == ["ends_soon"]
    assert delivered(END) == []
    assert len(reminders()) == 2


def test_one_whose_moment_has_passed_is_dropped_and_not_sent_late(booking):
    services.start_stays(now=START)

    assert delivered(START + MINUTE) == []
    assert delivered(END) == []
    assert Notice.objects.filter(template__endswith="_soon", sent_at=None, failed_at=None).count() == 0


def test_the_mail_before_the_end_carries_the_link_to_stay_longer(booking):
    mail = to_message(Notice.objects.get(template="bookings/email/ends_soon"))

    for text in (mail.body, mail.alternatives[0][0]):
        assert f"/bookings/{booking.reference}/extend/" in text
    assert "Until" in mail.subject


@pytest.mark.parametrize("name", ["cancel", "release", "no_show"])
def test_what_is_over_reminds_nobody(name, alice, lot):
    lot.needs_check_in = True
    lot.save()
    booking = reserve(lot, alice, starts_in=2 * HOUR)
    if name == "cancel":
        services.cancel(booking, by=alice, now=NOW)
    elif name == "release":
        services.check_in(booking, by=alice, now=START)
        services.release(booking, by=alice, now=START + MINUTE)
    else:
        services.mark_no_shows(now=START + HOUR)

    assert not Notice.objects.open().filter(template__endswith="_soon").exists()


def test_who_comes_late_is_reminded_of_the_end_again(alice, lot):
    lot.needs_check_in = True
    lot.save()
    booking = reserve(lot, alice, starts_in=2 * HOUR)
    services.mark_no_shows(now=START + HOUR)

    services.check_in(booking, by=alice, now=START + HOUR)

    assert reminders() == [("ends_soon", END - 15 * MINUTE, END)]


def test_an_extension_reminds_of_the_new_end_and_not_of_the_old(booking, alice):
    services.extend(booking, ends_at=END + HOUR, by=alice, now=NOW)

    assert reminders()[1:] == [("ends_soon", END + HOUR - 15 * MINUTE, END + HOUR)]


def test_extended_after_the_reminder_there_is_another(booking, alice):
    services.start_stays(now=START)
    assert delivered(END - 15 * MINUTE) == ["ends_soon"]

    services.extend(booking, ends_at=END + HOUR, by=alice, now=END - 10 * MINUTE)

    assert delivered(END + 45 * MINUTE) == ["ends_soon"]


def test_a_moved_booking_is_reminded_of_its_new_spot(booking, olga):
    services.move(booking, spot_number="3", by=olga, now=NOW)

    for notice in Notice.objects.filter(template__endswith="_soon"):
        assert notice.context["booking"]["spot"] == "3"
    assert len(reminders()) == 2


def test_moved_after_the_reminder_there_is_no_second(booking, olga):
    assert delivered(START - HOUR) == ["starts_soon"]

    services.move(booking, spot_number="3", by=olga, now=START - HOUR)

    assert delivered(START - HOUR + MINUTE) == []


def test_short_stays_and_lots_that_do_not_want_it_remind_nobody(alice, bob):
    assert park(make_lot(), alice, ends_at=NOW + 29 * MINUTE)
    quiet = make_lot(remind_before_start_minutes=0, remind_before_end_minutes=0)
    assert reserve(quiet, bob, starts_in=2 * HOUR)

    assert reminders() == []


def test_a_hold_reminds_of_nothing_until_it_is_a_promise(lot, alice):
    booking = reserve(lot, alice, starts_in=2 * HOUR, hold=True)
    assert reminders() == []

    services.confirm(booking, by=alice, now=NOW)

    assert len(reminders()) == 2
