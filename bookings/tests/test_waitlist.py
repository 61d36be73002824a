"""Waiting for a spot of a full lot: who is asked, in which order, and what an answer does."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta

import pytest

from accounts.models import Notice, User
from accounts.outbox import deliver_due
from bookings import services
from bookings.errors import (
    AlreadyWaiting,
    BadBooking,
    BookingRefused,
    HoldExpired,
    HoldLimit,
    InvalidTransition,
    LotClosed,
    NoOffer,
    NotFull,
    PaymentDue,
    SpotUnsuitable,
    WaitlistLimit,
)
from bookings.models import Booking, State, WaitlistEntry, WaitlistState
from bookings.services import rescue
from bookings.services.waitlist import MOST_ENTRIES
from bookings.tests.factories import HOUR, NOW, make_lot, make_user, overlaps, reserve
from bookings.waitlist_models import MOST_MISSED, SNOOZE

pytestmark = [pytest.mark.django_db, pytest.mark.promise("S0-09")]
MINUTE = timedelta(minutes=1)
OFFER = timedelta(minutes=15)


def wait(lot, driver, *, now=NOW, starts_in=HOUR, hours=2.0, **wish):
    starts_at = NOW + starts_in
    ends_at = starts_at + timedelta(hours=hours)
    return services.join(lot_id=lot.pk, driver=driver, starts_at=starts_at, ends_at=ends_at, now=now, **wish)


def state(entry):
    entry.refresh_from_db()
    return entry.state


def offered(*entries):
    """Of these, who has an offer; each is proved to be a hold of theirs for their window."""
    found = []
    for entry in entries:
        entry.refresh_from_db()
        if entry.state == WaitlistState.OFFERED:
            hold = entry.offer
            assert (hold.state, hold.driver_id, hold.lot_id) == (State.HELD, entry.driver_id, entry.lot_id)
            assert (hold.starts_at, hold.ends_at) == (entry.starts_at, entry.ends_at)
            found.append(entry)
    return found


@pytest.fixture
def full(db):
    """One spot, taken by Zoe from 11 to 13; whoever waits comes for the same two hours."""
    lot = make_lot(1)
    lot.taken = reserve(lot, make_user("zoe"))
    return lot


@pytest.fixture
def line(full, alice, bob):
    return [wait(full, alice), wait(full, bob, now=NOW + MINUTE)]


# --- Joining ---


def test_joining_keeps_the_rules_of_a_booking(full, alice):
    with pytest.raises(BadBooking, match="steps of 15"):
        wait(full, alice, starts_in=HOUR + MINUTE)
    with pytest.raises(BadBooking, match="in the future"):
        wait(full, alice, starts_in=-HOUR)
    with pytest.raises(SpotUnsuitable):
        wait(full, alice, features=("ev",))
    full.is_active = False
    full.save()
    with pytest.raises(LotClosed):
        wait(full, alice)
    assert not WaitlistEntry.objects.exists()


def test_nobody_waits_for_what_is_free(lot, alice):
    with pytest.raises(NotFull) as refusal:
        wait(lot, alice)

    assert refusal.value.alternatives[0].kind == "other_spot"


def test_joining_twice_is_one_place_and_overlapping_is_refused(full, alice):
    entry = wait(full, alice)

    assert wait(full, alice, now=NOW + MINUTE) == entry
    with pytest.raises(AlreadyWaiting) as refusal:
        wait(full, alice, hours=1)
    assert refusal.value.details == {"entry": entry.reference}


def test_a_driver_waits_in_so_many_lines(alice):
    lots = [make_lot(1) for _i in range(MOST_ENTRIES + 1)]
    for lot in lots:
        reserve(lot, None)
    first, *_others = [wait(lot, alice) for lot in lots[:-1]]

    with pytest.raises(WaitlistLimit):
        wait(lots[-1], alice)
    services.leave(first, by=alice, now=NOW)
    wait(lots[-1], alice)


# --- Being served ---


def test_cancelling_offers_the_spot_to_the_first_in_line(full, line):
    services.cancel(full.taken, by=full.taken.driver, now=NOW + 2 * MINUTE)

    assert offered(*line) == line[:1]
    assert line[0].offer.held_until == NOW + 2 * MINUTE + OFFER
    assert Notice.objects.filter(template="bookings/email/waitlist_offer").count() == 1


def test_a_hold_that_runs_out_goes_to_the_first_in_line(alice, bob):
    lot = make_lot(1)
    reserve(lot, make_user("zoe"), hold=True)
    line = [wait(lot, alice), wait(lot, bob)]

    services.lapse_holds(now=NOW + services.HOLD)

    assert offered(*line) == line[:1]


def test_a_no_show_frees_the_rest_for_the_first_in_line(alice, bob):
    lot = make_lot(1, needs_check_in=True, no_show_grace_minutes=30)
    reserve(lot, make_user("zoe"), hours=6)
    line = [wait(lot, alice, starts_in=3 * HOUR), wait(lot, bob, starts_in=3 * HOUR)]

    services.mark_no_shows(now=NOW + 1.5 * HOUR)

    assert offered(*line) == line[:1]


def test_leaving_early_frees_the_rest_for_the_first_in_line(alice, bob):
    lot = make_lot(1)
    stay = reserve(lot, make_user("zoe"), hours=6)
    line = [wait(lot, alice, starts_in=3 * HOUR), wait(lot, bob, starts_in=3 * HOUR)]
    services.start_stays(now=NOW + HOUR)

    services.release(stay, by=stay.driver, now=NOW + 2 * HOUR)

    assert offered(*line) == line[:1]


def test_more_capacity_serves_the_line(full, line):
    services.set_capacity(lot_id=full.pk, capacity=2, by=None, now=NOW + 2 * MINUTE)

    assert offered(*line) == line[:1]


def test_a_spot_back_in_service_serves_the_line(full, alice, bob):
    services.set_capacity(lot_id=full.pk, capacity=2, by=None, now=NOW)
    spot = full.spots.get(number="2")
    services.set_spot_in_service(spot_id=spot.pk, is_in_service=False, by=None, now=NOW)
    line = [wait(full, alice), wait(full, bob)]

    services.set_spot_in_service(spot_id=spot.pk, is_in_service=True, by=None, now=NOW)

    assert offered(*line) == line[:1]
    assert line[0].offer.spot == spot


def test_moving_to_another_spot_serves_who_waits_for_the_old_one(alice):
    lot = make_lot(2)
    plain, charger = lot.spots.by_number()
    services.update_spot(spot_id=charger.pk, by=None, now=NOW, features=["ev"])
    stay = reserve(lot, None, spot_number=charger.number)
    entry = wait(lot, alice, features=("ev",))

    services.move(stay, spot_number=plain.number, by=None, now=NOW)

    assert offered(entry) == [entry]


def test_nobody_jumps_the_line(full, line):
    """The spot is held for the first in line before the command that freed it is over."""
    services.cancel(full.taken, by=full.taken.driver, now=NOW + 2 * MINUTE)

    with pytest.raises(BookingRefused):
        reserve(full, make_user("carol"), now=NOW + 2 * MINUTE, starts_in=58 * MINUTE)


def test_nobody_jumps_the_line_through_a_dead_hold(alice):
    lot = make_lot(1)
    reserve(lot, make_user("zoe"), hold=True)
    entry = wait(lot, alice)
    later = NOW + services.HOLD  # and no sweep has come by

    with pytest.raises(BookingRefused):
        reserve(lot, make_user("carol"), now=later, starts_in=50 * MINUTE)
    services.serve_waitlist(now=later)

    assert offered(entry) == [entry]


def test_the_first_whom_it_suits_is_asked(full, alice, bob):
    """Alice wants longer than what is freed, Carol is snoozing, Dan may not sign in: it is Bob's."""
    reserve(full, None, starts_in=3 * HOUR)
    carol, dan = make_user("carol"), make_user("dan")
    line = [wait(full, alice, hours=3), wait(full, carol), wait(full, dan), wait(full, bob)]
    services.snooze(line[1], by=carol, now=NOW)
    User.objects.filter(pk=dan.pk).update(is_active=False)

    services.cancel(full.taken, by=full.taken.driver, now=NOW + MINUTE)

    assert offered(*line) == line[3:]


def test_whom_a_rule_stops_is_passed_over_with_its_reason(full, line):
    line[0].lot.refresh_from_db()
    type(full).objects.filter(pk=full.pk).update(max_stay_minutes=60)
    WaitlistEntry.objects.filter(pk=line[1].pk).update(ends_at=NOW + 2 * HOUR)

    services.cancel(full.taken, by=full.taken.driver, now=NOW + MINUTE)

    assert offered(*line) == line[1:]
    line[0].refresh_from_db()
    assert line[0].passed_over == "too_long"


def test_a_driver_with_other_holds_is_served_and_not_punished(full, alice):
    entry = wait(full, alice)
    other = make_lot(5)
    for hour in (1, 4):
        reserve(other, alice, starts_in=hour * HOUR, hold=True)

    services.cancel(full.taken, by=full.taken.driver, now=NOW + MINUTE)

    assert offered(entry) == [entry]
    with pytest.raises(HoldLimit):  # their own two, as ever
        reserve(other, alice, starts_in=7 * HOUR, hold=True)
    services.cancel(Booking.objects.of(alice).get(lot=other, starts_at=NOW + HOUR), by=alice, now=NOW)
    reserve(other, alice, starts_in=7 * HOUR, hold=True)


def test_serving_again_changes_nothing(full, line):
    services.cancel(full.taken, by=full.taken.driver, now=NOW + 2 * MINUTE)

    assert [services.serve_waitlist(now=NOW + 3 * MINUTE) for _i in range(3)] == [0, 0, 0]
    assert offered(*line) == line[:1]
    assert Notice.objects.filter(template="bookings/email/waitlist_offer").count() == 1


def test_nobody_waiting_costs_one_question(full, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert services.serve_waitlist(now=NOW) == 0


# --- Answers ---


@pytest.fixture
def turn(full, line):
    """It is Alice's turn; Bob is behind her."""
    services.cancel(full.taken, by=full.taken.driver, now=NOW + 2 * MINUTE)
    line[0].refresh_from_db()
    return line


def test_accepting_books_it_and_twice_is_once(turn, alice):
    for minutes in (3, 4):
        answer = services.accept(turn[0], by=alice, now=NOW + minutes * MINUTE)
        assert answer.state == WaitlistState.ACCEPTED

    booking = Booking.objects.get(pk=turn[0].offer_id)
    assert booking.state == State.CONFIRMED
    assert list(booking.timeline.order_by("sequence").values_list("action", flat=True)) == [
        "offered",
        "confirmed",
    ]
    assert Notice.objects.filter(template="bookings/email/confirmed", user=alice).count() == 1


def test_only_an_offer_can_be_accepted(turn, bob):
    with pytest.raises(NoOffer):
        services.accept(turn[1], by=bob, now=NOW + 3 * MINUTE)


def test_a_prepaid_offer_is_accepted_by_paying(alice):
    lot = make_lot(1, payment_timing="prepaid")
    taken = reserve(lot, None, hold=False)
    entry = wait(lot, alice)
    services.cancel(taken, by=None, now=NOW)
    entry.refresh_from_db()

    with pytest.raises(PaymentDue) as due:
        services.accept(entry, by=alice, now=NOW)
    assert due.value.details == {"booking": entry.offer.reference}
    services.record_desk_payment(entry.offer, method="cash", by=make_user("olga"), now=NOW)

    assert state(entry) == WaitlistState.ACCEPTED
    assert entry.offer.state == State.CONFIRMED


def test_an_offer_nobody_answers_goes_down_the_line(turn, alice, bob):
    services.lapse_holds(now=NOW + 2 * MINUTE + OFFER)
    assert offered(*turn) == turn[1:]
    assert turn[0].snoozed_until == NOW + 2 * MINUTE + OFFER + SNOOZE
    assert not Notice.objects.filter(template="bookings/email/expired").exists()
    with pytest.raises(NoOffer):
        services.accept(turn[0], by=alice, now=NOW + 2 * MINUTE + OFFER)

    services.lapse_holds(now=NOW + 2 * MINUTE + 2 * OFFER)
    assert offered(*turn) == []
    services.serve_waitlist(now=NOW + 2 * MINUTE + OFFER + SNOOZE)
    assert offered(*turn) == turn[:1]


def test_accepting_too_late_is_refused_and_passes_it_on(turn, alice):
    with pytest.raises(HoldExpired):
        services.accept(turn[0], by=alice, now=NOW + 2 * MINUTE + OFFER)

    assert offered(*turn) == turn[1:]


def test_who_never_answers_is_asked_no_more(alice):
    lot = make_lot(1)
    taken = reserve(lot, None, starts_in=9 * HOUR)
    entry = wait(lot, alice, starts_in=9 * HOUR)
    services.cancel(taken, by=None, now=NOW)

    moment = NOW
    for _i in range(MOST_MISSED):
        assert offered(entry) == [entry]
        services.lapse_holds(now=moment + OFFER)
        moment += OFFER + SNOOZE
        services.serve_waitlist(now=moment)

    assert state(entry) == WaitlistState.PASSED
    assert Notice.objects.filter(template="bookings/email/waitlist_offer").count() == MOST_MISSED


def test_snoozing_passes_the_offer_on_and_keeps_the_place(turn, alice, bob):
    services.snooze(turn[0], by=alice, now=NOW + 3 * MINUTE)

    assert offered(*turn) == turn[1:]
    assert Booking.objects.of(alice).get().state == State.CANCELLED
    assert not Notice.objects.filter(template="bookings/email/cancelled", user=alice).exists()
    services.snooze(turn[1], by=bob, now=NOW + 4 * MINUTE)
    services.serve_waitlist(now=NOW + 3 * MINUTE + SNOOZE)
    assert offered(*turn) == turn[:1]


def test_leaving_while_offered_frees_the_hold_and_passes_it_on(turn, alice):
    for _twice in range(2):
        services.leave(turn[0], by=alice, now=NOW + 3 * MINUTE)

    assert state(turn[0]) == WaitlistState.LEFT
    assert offered(*turn) == turn[1:]
    with pytest.raises(InvalidTransition):
        services.snooze(turn[0], by=alice, now=NOW + 4 * MINUTE)


def test_cancelling_the_hold_itself_is_leaving(turn, alice):
    services.cancel(turn[0].offer, by=alice, now=NOW + 3 * MINUTE)

    assert state(turn[0]) == WaitlistState.LEFT
    assert offered(*turn) == turn[1:]


# --- Time ---


def test_an_offer_ends_at_the_start_at_the_latest(full, line):
    services.cancel(full.taken, by=full.taken.driver, now=NOW + 55 * MINUTE)

    assert offered(*line) == line[:1]
    assert line[0].offer.held_until == NOW + HOUR
    services.lapse_holds(now=NOW + HOUR)
    assert [state(entry) for entry in line] == ["passed", "waiting"]
    services.serve_waitlist(now=NOW + HOUR)
    assert [state(entry) for entry in line] == ["passed", "passed"]


@pytest.mark.parametrize("minutes", [59, 60, 61, 600])
def test_nobody_is_asked_when_it_is_too_late(full, line, minutes):
    moment = NOW + minutes * MINUTE
    Booking.objects.filter(pk=full.taken.pk).update(state=State.CANCELLED)

    services.serve_waitlist(now=moment)

    assert offered(*line) == []
    assert {state(entry) for entry in line} == {"waiting" if minutes < 60 else "passed"}
    assert not Notice.objects.filter(template="bookings/email/waitlist_offer").exists()


def test_positions_count_those_who_come_before(full, alice, bob):
    carol, dan = make_user("carol"), make_user("dan")
    reserve(full, None, starts_in=5 * HOUR)
    line = [
        wait(full, carol, starts_in=5 * HOUR),
        wait(full, alice),
        wait(full, bob, now=NOW + MINUTE),
        wait(full, dan, now=NOW + 2 * MINUTE),
    ]

    def positions():
        found = WaitlistEntry.objects.with_positions(NOW + 3 * MINUTE)
        return [found.get(pk=entry.pk).position for entry in line]

    assert positions() == [1, 1, 2, 3]
    services.snooze(line[1], by=alice, now=NOW + 3 * MINUTE)
    assert positions() == [1, 1, 1, 2]
    services.leave(line[2], by=bob, now=NOW + 3 * MINUTE)
    assert positions()[3] == 1


def test_who_is_called_off_is_not_told_that_a_full_lot_is_free(full):
    found = rescue._instead(full.taken, NOW)

    assert [other["starts_at"] for other in found] == ["2027-03-01T14:00:00+01:00"]


# --- Mail ---


def test_the_offer_comes_as_a_mail_with_one_link(full, line, mailoutbox):
    services.cancel(full.taken, by=full.taken.driver, now=NOW + 2 * MINUTE)
    Notice.objects.exclude(template="bookings/email/waitlist_offer").delete()

    deliver_due(now=NOW + 3 * MINUTE)

    (mail,) = mailoutbox
    html = mail.alternatives[0][0]
    assert mail.to == [line[0].driver.email]
    assert "answer until" in mail.subject
    for text in (mail.body, html):
        assert f"/bookings/waitlist/{line[0].reference}/" in text
        assert "next in line" in text
    assert html.count("/bookings/") == 1


def test_a_mail_that_comes_too_late_is_not_sent(full, line, mailoutbox):
    services.cancel(full.taken, by=full.taken.driver, now=NOW + 2 * MINUTE)
    Notice.objects.exclude(template="bookings/email/waitlist_offer").delete()

    deliver_due(now=NOW + 2 * MINUTE + OFFER)

    assert mailoutbox == []


# --- Whatever happens ---


@pytest.mark.parametrize("seed", range(3))
def test_offers_are_holds_whatever_happens(seed):
    """Random commands on one spot; after each: offers are holds, nothing overlaps, nobody is forgotten.

    What a command frees it offers itself: a sweep finds something to do after time has passed only.
    """
    chance = random.Random(seed)
    lot = make_lot(1)
    drivers = [make_user() for _i in range(5)]
    now, told = NOW, Counter()

    def some(rows):
        found = list(rows.order_by("pk"))
        return chance.choice(found) if found else None

    def answers():
        return told["accept"] + told["snooze"] + told["leave"]

    def act(driver):
        nonlocal now
        entry = some(WaitlistEntry.objects.live())
        booking = some(Booking.objects.upcoming())
        hours = chance.choice([1, 2])
        starts_in = timedelta(hours=chance.choice([8, 8, 9]))
        name = chance.choice(
            ["book", "book", "join", "join", "cancel", "accept", "accept", "snooze", "leave", "time"]
        )
        if name == "book":
            starts_at = NOW + starts_in
            services.book(
                lot_id=lot.pk, kind="reserved", driver=driver, starts_at=starts_at,
                ends_at=starts_at + hours * HOUR, hold=chance.random() < 0.3, now=now,
            )  # fmt: skip
        elif name == "join":
            wait(lot, driver, now=now, starts_in=starts_in, hours=hours)
        elif name == "cancel" and booking:
            services.cancel(booking, by=booking.driver, now=now)
        elif name in ("accept", "snooze", "leave") and entry:
            getattr(services, name)(entry, by=entry.driver, now=now)
        elif name == "time":
            now += timedelta(minutes=chance.choice([5, 20]))
            chance.choice([services.lapse_holds, services.serve_waitlist])(now=now)
        else:
            return ""
        told[name] += 1
        return name

    for _step in range(400):
        if answers() > 15:
            break
        try:
            name = act(chance.choice(drivers))
        except (BookingRefused, BadBooking) as refused:
            name = type(refused).__name__
            told[name] += 1
        found = services.serve_waitlist(now=now)
        assert found == 0 or name == "time"
        offered(*WaitlistEntry.objects.all())
        holds = Booking.objects.filter(state=State.HELD).exclude(waitlist_entry=None)
        assert holds.count() == WaitlistEntry.objects.filter(state=WaitlistState.OFFERED).count()
        assert overlaps() == []
        assert not Booking.objects.filter(timeline__action="offered", held_until__gt=NOW + 10 * HOUR).exists()

    assert {"book", "join", "cancel", "time"} <= told.keys(), told
    assert answers() > 15, told
