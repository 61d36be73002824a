"""The waitlist under many hands: one offer for what is freed, one answer to an offer.

Each race is also run without the lot's lock, where it must be lost, or winning it would prove nothing.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import IntegrityError
from django.utils import timezone

from accounts.models import Notice
from bookings import services
from bookings.models import Booking, State, WaitlistEntry, WaitlistState
from bookings.services import core, making, waitlist
from bookings.tests.factories import HOUR, make_lot, make_user, overlaps
from bookings.tests.test_race import at_once, next_quarter, no_guard, tally
from lots.models import Lot

pytestmark = [pytest.mark.race, pytest.mark.promise("S0-09"), pytest.mark.django_db(transaction=True)]
MAIL = "bookings/email/waitlist_offer"


def full_lot(waiting, *, now, capacity=1):
    """A lot whose spots are all taken for one hour, and so many who wait for it."""
    lot = make_lot(capacity)
    starts_at = next_quarter(now)
    window = {"starts_at": starts_at, "ends_at": starts_at + HOUR}
    taken = [
        services.book(lot_id=lot.pk, kind="reserved", driver=None, now=now, **window)
        for _i in range(capacity)
    ]
    line = [
        services.join(lot_id=lot.pk, driver=make_user(), now=now + timedelta(microseconds=i), **window)
        for i in range(waiting)
    ]
    return taken, line


def states(line):
    return [WaitlistEntry.objects.get(pk=entry.pk).state for entry in line]


def free_silently(bookings):
    """As if time alone had done it: no command ran that could have served the line."""
    Booking.objects.filter(pk__in=[booking.pk for booking in bookings]).update(state=State.CANCELLED)


def forget_the_lock(monkeypatch):
    """Serving as the careless do it: look, and then write, with nothing in between to hold others off."""

    def offer_slowly(*args, **kwargs):
        time.sleep(0.05)
        return offer(*args, **kwargs)

    offer = making.offer
    monkeypatch.setattr(making, "offer", offer_slowly)
    monkeypatch.setattr(core, "lock_lot", lambda lot_id: Lot.objects.get(pk=lot_id))
    monkeypatch.setattr(waitlist, "transaction", SimpleNamespace(atomic=nullcontext))


def test_sweeps_at_the_same_moment_make_one_offer_each():
    now = timezone.now()
    taken, line = full_lot(4, now=now, capacity=2)
    free_silently(taken)

    outcomes = at_once([lambda: services.serve_waitlist(now=now)] * 8)

    assert sorted(outcomes) == [0] * 7 + [2]
    assert states(line) == ["offered", "offered", "waiting", "waiting"]
    assert Notice.objects.filter(template=MAIL).count() == 2
    assert overlaps() == []


def test_the_canary_without_the_lock_an_entry_gets_two_offers(monkeypatch):
    now = timezone.now()
    taken, _line = full_lot(1, now=now, capacity=3)
    forget_the_lock(monkeypatch)
    free_silently(taken)

    # The database's own guard would refuse the second offer of one spot.
    with no_guard():
        at_once([lambda: services.serve_waitlist(now=now)] * 8)

        offers = Booking.objects.filter(timeline__action="offered").count()
        WaitlistEntry.objects.all().delete()
    assert offers > 1


def test_fifty_accepting_at_once_accept_once():
    now = timezone.now()
    (taken,), line = full_lot(1, now=now)
    services.cancel(taken, by=None, now=now)

    outcomes = at_once([lambda: services.accept(line[0], by=line[0].driver, now=now)] * 50)

    assert {getattr(outcome, "state", outcome) for outcome in outcomes} == {WaitlistState.ACCEPTED}
    offer = WaitlistEntry.objects.get().offer
    assert [entry.action for entry in offer.timeline.order_by("sequence")] == ["offered", "confirmed"]
    assert Notice.objects.filter(template="bookings/email/confirmed", user=line[0].driver).count() == 1


@pytest.mark.parametrize("_round", range(3))
def test_accepting_and_running_out_at_once_has_one_winner(_round):
    now = timezone.now()
    (taken,), line = full_lot(2, now=now)
    services.cancel(taken, by=None, now=now)
    end = WaitlistEntry.objects.get(pk=line[0].pk).offer.held_until
    in_time, too_late = end - timedelta(seconds=1), end
    accept = lambda: services.accept(line[0], by=line[0].driver, now=in_time)  # noqa: E731
    lapse = lambda: services.lapse_holds(now=too_late)  # noqa: E731

    outcomes = tally(at_once([accept, lapse, accept, lapse]))

    first, second = states(line)
    if first == WaitlistState.ACCEPTED:
        assert (second, outcomes["WaitlistEntry"]) == (WaitlistState.WAITING, 2)
    else:
        assert (first, second) == (WaitlistState.WAITING, WaitlistState.OFFERED)
        assert outcomes["WaitlistEntry"] == 0
    assert Booking.objects.occupying().count() == 1
    assert Notice.objects.filter(template=MAIL).count() == 1 + (second == WaitlistState.OFFERED)


def test_answers_of_all_kinds_at_once_leave_one_hold():
    now = timezone.now()
    (taken,), line = full_lot(5, now=now)
    services.cancel(taken, by=None, now=now)
    jobs = [
        lambda name=name, entry=entry: getattr(services, name)(entry, by=entry.driver, now=now)
        for entry in line
        for name in ("accept", "snooze", "leave")
    ]

    outcomes = at_once(jobs)

    assert set(tally(outcomes)) <= {"WaitlistEntry", "NoOffer", "InvalidTransition"}
    assert overlaps() == []
    held = Booking.objects.in_state(State.HELD).count()
    assert held == WaitlistEntry.objects.filter(state=WaitlistState.OFFERED).count()
    assert Booking.objects.occupying().count() <= 1


def test_one_driver_joining_everywhere_at_once_keeps_the_limit():
    now, driver = timezone.now(), make_user()
    lots = []
    for _i in range(waitlist.MOST_ENTRIES + 3):
        (taken,), _line = full_lot(0, now=now)
        lots.append(taken)
    jobs = [
        lambda t=taken: services.join(
            lot_id=t.lot_id, driver=driver, starts_at=t.starts_at, ends_at=t.ends_at, now=now
        )
        for taken in lots
    ]

    assert tally(at_once(jobs)) == {"WaitlistEntry": waitlist.MOST_ENTRIES, "WaitlistLimit": 3}


def test_the_database_itself_refuses_the_same_place_twice():
    now = timezone.now()
    _taken, (entry,) = full_lot(1, now=now)
    same = {name: getattr(entry, name) for name in ("driver", "lot", "starts_at", "ends_at")}

    with pytest.raises(IntegrityError):
        WaitlistEntry.objects.create(joined_at=now, **same)
