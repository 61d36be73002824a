import random
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from accounts.models import Notice
from bookings import services
from bookings.errors import (
    AlreadyParked,
    BadBooking,
    HoldExpired,
    InvalidTransition,
    LotClosed,
    LotFull,
    LotInUse,
    SpotClosed,
    SpotsInUse,
    SpotTaken,
    SpotUnsuitable,
    TooEarly,
)
from bookings.models import MOVES, Booking, State
from bookings.services import core
from bookings.tests.factories import HOUR, NOW, make_lot, make_user, overlaps, park, reserve
from lots import rates
from lots.services import publish_tariff, update_lot

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def numbers(*bookings):
    return [booking.spot.number for booking in bookings]


def actions(booking):
    return list(booking.timeline.order_by("sequence").values_list("action", flat=True))


# --- Instant ---


@pytest.mark.promise("S4-16")
@pytest.mark.promise("S1-10")
def test_instant_takes_the_first_free_spot_by_number_from_now(lot, alice, now):
    park(lot, None)

    booking = park(lot, alice, plate="b-ab 123")

    assert booking.spot.number == "2"
    assert (booking.state, booking.starts_at) == (State.ACTIVE, now)
    assert booking.ends_at == now + timedelta(minutes=lot.default_stay_minutes)
    assert booking.plate_normalised == "BAB123"


def test_numbers_count_as_people_do(alice, now):
    lot = make_lot(11)
    for _i in range(9):
        park(lot, None)

    assert park(lot, alice).spot.number == "10"


@pytest.mark.promise("S4-24")
def test_a_driver_has_one_running_instant_stay(lot, alice, now):
    first = park(lot, alice)

    with pytest.raises(AlreadyParked) as refused:
        park(make_lot(), alice, now=now + MINUTE)

    assert refused.value.details == {"booking": first.reference}


def test_a_stay_that_has_ended_by_itself_is_no_running_stay(lot, alice, now):
    first = park(lot, alice)
    later = first.ends_at + MINUTE

    second = park(make_lot(), alice, now=later)

    first.refresh_from_db()
    assert (first.state, first.checked_out_at) == (State.COMPLETED, first.booked_until)
    assert second.state == State.ACTIVE


@pytest.mark.promise("S4-24")
@pytest.mark.promise("S0-03")
def test_a_particular_spot_may_be_asked_for(lot, alice, now):
    assert park(lot, alice, spot_number="3").spot.number == "3"


@pytest.mark.promise("S4-24")
def test_a_taken_spot_is_refused_naming_the_window(lot, alice, bob, now):
    first = park(lot, alice, spot_number="3")

    with pytest.raises(SpotTaken) as refused:
        park(lot, bob, spot_number="3")

    assert refused.value.details["conflict"] == {"starts_at": first.starts_at, "ends_at": first.ends_at}
    assert [(a.kind, a.spot.number) for a in refused.value.alternatives] == [("other_spot", "1")]


@pytest.mark.promise("S4-20")
def test_a_full_lot_refuses_and_books_nothing(alice, now):
    lot = make_lot(1)
    park(lot, None)

    with pytest.raises(LotFull) as refused:
        park(lot, alice)

    assert Booking.objects.count() == 1
    assert refused.value.alternatives[0].kind == "later"


@pytest.mark.promise("S0-04")
def test_an_instant_stay_ends_when_the_driver_says(lot, alice, now):
    assert park(lot, alice, ends_at=now + 5 * HOUR).ends_at == now + 5 * HOUR


def test_an_instant_stay_of_no_length_asked_for_ends_at_closing_time(alice, now):
    lot = make_lot(
        1, opening_hours={"regular_hours": [{"weekday": 1, "period_begin": "08:00", "period_end": "12:00"}]}
    )

    booking = park(lot, alice)  # 11:00 in Berlin

    assert booking.ends_at == now + HOUR


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"starts_at": NOW + HOUR}, "starts_at"),
        ({"ends_at": NOW}, "ends_at"),
        ({"ends_at": NOW - HOUR}, "ends_at"),
        ({"spot_number": "99"}, "spot"),
        ({"plate": "X" * 21}, "plate"),
    ],
)
def test_bad_instant_input_names_its_field(lot, alice, wish, field):
    with pytest.raises(BadBooking) as refused:
        park(lot, alice, **wish)

    assert refused.value.field == field
    assert not Booking.objects.exists()


# --- Reserved ---


@pytest.mark.promise("S4-17")
@pytest.mark.promise("S4-19")
@pytest.mark.promise("S3-04")
def test_reserved_takes_the_lowest_free_number_for_its_window(lot, alice, bob, now):
    first = reserve(lot, alice)
    second = reserve(lot, bob)
    later = reserve(lot, bob, starts_in=3 * HOUR)

    assert numbers(first, second, later) == ["1", "2", "1"]
    assert first.state == State.CONFIRMED
    assert (first.starts_at, first.ends_at) == (now + HOUR, now + 3 * HOUR)


def test_periods_are_half_open(alice, bob):
    lot = make_lot(1)
    reserve(lot, alice, starts_in=HOUR, hours=2)

    reserve(lot, bob, starts_in=3 * HOUR, hours=2)
    reserve(lot, bob, starts_in=15 * MINUTE, hours=0.75)

    assert Booking.objects.count() == 3


@pytest.mark.parametrize(("starts_in", "hours"), [(0.5, 1), (1, 2), (1.5, 0.5), (2, 5), (0.25, 9)])
def test_any_overlap_is_refused(alice, bob, starts_in, hours):
    lot = make_lot(1)
    reserve(lot, alice, starts_in=HOUR, hours=2)

    with pytest.raises(LotFull):
        reserve(lot, bob, starts_in=starts_in * HOUR, hours=hours)


@pytest.mark.promise("S4-18")
@pytest.mark.parametrize(
    ("starts_in", "hours", "field", "code"),
    [
        (timedelta(0), 1, "starts_at", "start_in_the_past"),
        (-HOUR, 2, "starts_at", "start_in_the_past"),
        (HOUR, 0, "ends_at", "end_before_start"),
        (HOUR, -1, "ends_at", "end_before_start"),
        (7 * MINUTE, 1, "starts_at", "off_grid"),
        (HOUR, 1.1, "ends_at", "off_grid"),
        (timedelta(days=366), 1, "starts_at", "too_far"),
        (HOUR, 30, "ends_at", "too_long"),
        (15 * MINUTE, 1, "starts_at", "too_soon"),
        (HOUR, 0.25, "ends_at", "too_short"),
    ],
)
def test_bad_reserved_input_names_its_field(alice, starts_in, hours, field, code):
    lot = make_lot(max_stay_minutes=24 * 60, min_notice_minutes=30, min_stay_minutes=30)

    with pytest.raises(BadBooking) as refused:
        reserve(lot, alice, starts_in=starts_in, hours=hours)

    assert (refused.value.field, refused.value.code) == (field, code)
    assert not Booking.objects.exists()


def test_off_grid_names_the_next_valid_time(lot, alice):
    with pytest.raises(BadBooking, match="the next is 2027-03-01 11:15"):
        reserve(lot, alice, starts_in=7 * MINUTE)


@pytest.mark.parametrize(
    ("starts_in", "hours", "sentence"),
    [(HOUR, 9, "closes at 2027-03-01 20:00"), (21 * HOUR, 1, "opens at 2027-03-08 08:00")],
)
def test_outside_opening_hours_is_refused_with_the_next_chance(alice, starts_in, hours, sentence):
    lot = make_lot(
        opening_hours={"regular_hours": [{"weekday": 1, "period_begin": "08:00", "period_end": "20:00"}]}
    )

    with pytest.raises(LotClosed, match=sentence):
        reserve(lot, alice, starts_in=starts_in, hours=hours)


def test_a_lot_switched_off_takes_no_booking(lot, alice, now):
    update_lot(lot_id=lot.pk, by=None, now=now, is_active=False)

    with pytest.raises(LotClosed):
        park(lot, alice)


# --- Allocation ---


def special_lot():
    lot = make_lot(4)
    for number, features in {"1": ("ev",), "2": ("accessible", "ev"), "3": ("covered",)}.items():
        spot = lot.spots.get(number=number)
        spot.features = features
        spot.save()
    return lot


def test_a_plain_car_gets_a_plain_spot_while_there_is_one(alice):
    lot = special_lot()

    assert numbers(*(park(lot, None) for _i in range(4))) == ["3", "4", "1", "2"]


def test_whoever_needs_charging_gets_the_plainest_spot_that_charges(alice):
    lot = special_lot()

    assert park(lot, alice, features=("ev",)).spot.number == "1"


def test_features_nobody_offers_are_not_called_full(lot, alice):
    with pytest.raises(SpotUnsuitable, match="No spot of this lot offers"):
        park(lot, alice, features=("ev",))


def test_a_spot_without_the_feature_is_unsuitable(lot, alice):
    with pytest.raises(SpotUnsuitable):
        park(lot, alice, features=("ev",), spot_number="1")


def test_a_motorcycle_spot_is_not_given_to_a_car(alice):
    lot = make_lot(1)
    lot.spots.update(vehicle_kinds=("motorcycle",))

    with pytest.raises(SpotUnsuitable):
        park(lot, alice, vehicle_kind="car")
    assert park(lot, alice, vehicle_kind="motorcycle").spot.number == "1"


# --- Release and price ---


@pytest.mark.promise("S4-21")
@pytest.mark.promise("S2-05")
@pytest.mark.promise("S1-11")
def test_release_ends_now_frees_the_spot_and_charges_what_happened(alice, bob, now):
    lot = make_lot(1, price="2.50")
    stay = park(lot, alice, ends_at=now + 8 * HOUR)

    stay = services.release(stay, by=alice, now=now + 1.5 * HOUR)

    assert (stay.state, stay.checked_out_at, stay.ends_at) == (
        State.COMPLETED,
        now + 1.5 * HOUR,
        now + 1.5 * HOUR,
    )
    assert stay.total == Decimal("3.75")
    assert sum(Decimal(line["amount"]) for line in stay.price_lines) == stay.total
    assert park(lot, bob, now=now + 1.5 * HOUR).spot_id == stay.spot_id


@pytest.mark.promise("S4-22")
def test_a_reserved_window_is_charged_in_full_however_short_the_stay(lot, alice, now):
    booking = reserve(lot, alice, hours=2)

    booking = services.release(booking, by=alice, now=now + HOUR + 10 * MINUTE)

    assert (booking.total, booking.ends_at) == (Decimal("5.00"), now + HOUR + 10 * MINUTE)


@pytest.mark.promise("S4-21")
def test_releasing_twice_changes_nothing_the_second_time(lot, alice, now):
    stay = services.release(park(lot, alice), by=alice, now=now + HOUR)

    again = services.release(stay, by=alice, now=now + 5 * HOUR)

    assert (again.total, again.ends_at) == (stay.total, stay.ends_at)
    assert actions(stay) == ["booked", "released"]
    assert Notice.objects.filter(template="bookings/email/completed").count() == 1


def test_a_booking_that_has_not_begun_cannot_be_released(lot, alice, now):
    booking = reserve(lot, alice)

    with pytest.raises(InvalidTransition, match="cancel it instead"):
        services.release(booking, by=alice, now=now + MINUTE)


def test_releasing_at_once_costs_nothing_and_leaves_a_sound_row(lot, alice, now):
    stay = services.release(park(lot, alice), by=alice, now=now)

    assert (stay.state, stay.total) == (State.COMPLETED, Decimal("0.00"))


@pytest.mark.promise("S0-05")
def test_a_stay_ends_by_itself_at_its_planned_end_however_late_the_sweep(lot, alice, now):
    stay = park(lot, alice, ends_at=now + HOUR)

    services.end_stays(now=now + 3 * HOUR)

    stay.refresh_from_db()
    assert (stay.state, stay.checked_out_at, stay.total) == (State.COMPLETED, now + HOUR, Decimal("2.50"))


def test_a_stay_until_released_goes_on_while_nobody_is_due_and_is_charged(alice, now):
    lot = make_lot(1, end_of_stay="until_released")
    stay = park(lot, alice, ends_at=now + HOUR)

    services.roll_on_overstays(now=now + HOUR + 5 * MINUTE)
    stay.refresh_from_db()
    assert stay.ends_at == now + HOUR + 15 * MINUTE

    with pytest.raises(LotFull):
        park(lot, None, now=now + HOUR + 10 * MINUTE)
    stay = services.release(stay, by=alice, now=now + 2 * HOUR)
    assert stay.total == Decimal("5.00")


def test_a_new_price_does_not_touch_a_booking_made(lot, alice, now):
    stay = park(lot, alice, ends_at=now + 2 * HOUR)
    update_lot(lot_id=lot.pk, by=None, now=now + MINUTE, price_per_hour=Decimal("9.00"))

    stay = services.release(stay, by=alice, now=now + HOUR)

    assert stay.total == Decimal("2.50")
    assert park(lot, alice, now=now + HOUR, ends_at=now + 2 * HOUR).total == Decimal("9.00")


# --- Extend, move ---


@pytest.mark.promise("S0-06")
def test_extend_moves_the_end_and_the_price(lot, alice, now):
    booking = services.extend(reserve(lot, alice, hours=2), ends_at=now + 4 * HOUR, by=alice, now=now)

    assert (booking.ends_at, booking.booked_until, booking.total) == (
        now + 4 * HOUR,
        now + 4 * HOUR,
        Decimal("7.50"),
    )
    assert actions(booking) == ["booked", "extended"]


def test_extending_to_the_same_end_is_no_second_extension(lot, alice, now):
    booking = reserve(lot, alice, hours=2)

    services.extend(booking, ends_at=booking.ends_at, by=alice, now=now)

    assert actions(booking) == ["booked"]


def test_extend_into_the_next_booking_is_refused_with_the_latest_end(alice, bob, now):
    lot = make_lot(2)
    first = reserve(lot, alice, hours=2)
    reserve(lot, bob, starts_in=4 * HOUR, spot_number="1")

    with pytest.raises(SpotTaken) as refused:
        services.extend(first, ends_at=now + 5 * HOUR, by=alice, now=now)

    first.refresh_from_db()
    assert refused.value.details["latest_end"] == now + 4 * HOUR
    assert [(a.kind, a.spot.number) for a in refused.value.alternatives] == [("other_spot", "2")]
    assert first.ends_at == now + 3 * HOUR
    assert services.extend(first, ends_at=now + 4 * HOUR, by=alice, now=now).ends_at == now + 4 * HOUR


@pytest.mark.parametrize("hours", [2.5, 1, -1, 26])
def test_extend_needs_a_sound_end(alice, now, hours):
    lot = make_lot(max_stay_minutes=24 * 60)
    booking = reserve(lot, alice, hours=2)

    with pytest.raises(BadBooking) as refused:
        services.extend(booking, ends_at=now + hours * HOUR, by=alice, now=now)

    assert refused.value.field == "ends_at"


def test_what_is_over_cannot_be_extended(lot, alice, now):
    stay = services.release(park(lot, alice), by=alice, now=now + HOUR)

    with pytest.raises(InvalidTransition):
        services.extend(stay, ends_at=now + 9 * HOUR, by=alice, now=now + HOUR)


def test_move_keeps_the_stay_and_frees_the_old_spot(lot, alice, bob, now):
    stay = park(lot, alice, ends_at=now + 4 * HOUR)

    stay = services.move(stay, spot_number="3", by=alice, now=now + HOUR)

    assert (stay.spot.number, stay.booked_from) == ("3", now)
    assert park(lot, bob, now=now + HOUR).spot.number == "1"
    assert services.release(stay, by=alice, now=now + 2 * HOUR).total == Decimal("5.00")


def test_move_onto_a_taken_spot_changes_nothing(lot, alice, now):
    park(lot, None, spot_number="2")
    stay = park(lot, alice)

    with pytest.raises(SpotTaken):
        services.move(stay, spot_number="2", by=alice, now=now)

    stay.refresh_from_db()
    assert stay.spot.number == "1"


# --- Cancel ---


def test_cancel_before_the_start_costs_nothing_by_default(lot, alice, bob, now):
    booking = services.cancel(reserve(lot, alice), by=alice, now=now + 30 * MINUTE)

    assert (booking.state, booking.total, booking.price_lines) == (State.CANCELLED, Decimal("0.00"), [])
    assert services.cancel(booking, by=alice, now=now + 9 * HOUR).total == Decimal(0)
    assert actions(booking) == ["booked", "cancelled"]


@pytest.mark.parametrize(
    ("notice", "kept", "by_operator"),
    [
        (timedelta(hours=24), "0.00", False),
        (timedelta(hours=24) - MINUTE, "2.50", False),
        (timedelta(hours=2), "2.50", False),
        (timedelta(hours=2) - MINUTE, "5.00", False),
        (-MINUTE, "5.00", False),
        (MINUTE, "0.00", True),
    ],
)
def test_cancel_keeps_what_the_tiers_say_boundary_included(alice, now, notice, kept, by_operator):
    tiers = [{"notice_minutes": 1440, "refund_percent": 100}, {"notice_minutes": 120, "refund_percent": 50}]
    lot = make_lot(cancellation_tiers=tiers, needs_check_in=True)
    booking = reserve(lot, alice, starts_in=timedelta(days=3), hours=2)
    moment = booking.starts_at - notice

    preview = services.cancellation_preview(booking, now=moment, by_operator=by_operator)
    booking = services.cancel(booking, by=alice, now=moment, by_operator=by_operator)

    assert (booking.total, preview.retained) == (Decimal(kept), Decimal(kept))


def test_a_mistake_noticed_within_ten_minutes_is_free(alice, now):
    lot = make_lot(cancellation_tiers=[])
    early, late = reserve(lot, alice), reserve(lot, alice)

    assert services.cancel(early, by=alice, now=now + 10 * MINUTE).total == Decimal(0)
    assert services.cancel(late, by=alice, now=now + 10 * MINUTE + timedelta(seconds=1)).total == Decimal(5)


def test_a_later_change_of_the_policy_does_not_touch_a_booking_made(lot, alice, now):
    booking = reserve(lot, alice, starts_in=24 * HOUR)
    update_lot(lot_id=lot.pk, by=None, now=now, cancellation_tiers=[])

    assert services.cancel(booking, by=alice, now=now + HOUR).total == Decimal(0)


def test_a_running_stay_cannot_be_cancelled(lot, alice, now):
    with pytest.raises(InvalidTransition):
        services.cancel(park(lot, alice), by=alice, now=now)


# --- Holds ---


def test_a_hold_keeps_the_spot_until_it_is_confirmed_or_over(alice, bob, now):
    lot = make_lot(1)
    held = reserve(lot, alice, hold=True)
    assert (held.state, held.held_until) == (State.HELD, now + services.HOLD)
    with pytest.raises(LotFull):
        reserve(lot, bob, now=now)

    taken = services.book(
        lot_id=lot.pk, kind="reserved", driver=bob, starts_at=held.starts_at, ends_at=held.ends_at,
        now=now + services.HOLD,
    )  # fmt: skip

    held.refresh_from_db()
    assert (held.state, taken.state) == (State.EXPIRED, State.CONFIRMED)


def test_a_hold_is_confirmed_once(lot, alice, now):
    held = reserve(lot, alice, hold=True)

    services.confirm(held, by=alice, now=now + MINUTE)
    again = services.confirm(held, by=alice, now=now + 20 * MINUTE)

    assert again.state == State.CONFIRMED
    assert actions(held) == ["held", "confirmed"]


def test_a_hold_that_is_over_cannot_be_confirmed_and_stays_expired(lot, alice, now):
    held = reserve(lot, alice, hold=True)

    with pytest.raises(HoldExpired):
        services.confirm(held, by=alice, now=held.held_until)

    held.refresh_from_db()
    assert held.state == State.EXPIRED


def test_lapse_holds_is_idempotent(lot, alice, now):
    reserve(lot, alice, hold=True)

    assert services.lapse_holds(now=now) == 0
    assert services.lapse_holds(now=now + services.HOLD) == 1
    assert services.lapse_holds(now=now + services.HOLD) == 0


# --- Check-in, no-show ---


def test_check_in_makes_the_stay_active_and_twice_is_once(alice, now):
    booking = reserve(make_lot(needs_check_in=True), alice)

    with pytest.raises(TooEarly):
        services.check_in(booking, by=alice, now=now)
    booking = services.check_in(booking, by=alice, now=now + HOUR + MINUTE)
    again = services.check_in(booking, by=alice, now=now + HOUR + 9 * MINUTE)

    assert (again.state, again.checked_in_at) == (State.ACTIVE, now + HOUR + MINUTE)
    assert actions(booking) == ["booked", "checked_in"]


def test_a_lot_without_check_in_starts_by_itself_and_knows_no_no_show(lot, alice, now):
    booking = reserve(lot, alice)

    services.start_stays(now=now + HOUR)
    services.mark_no_shows(now=now + 3 * HOUR)

    booking.refresh_from_db()
    assert (booking.state, booking.checked_in_at) == (State.ACTIVE, now + HOUR)


def test_a_no_show_frees_the_rest_and_is_charged_by_policy(alice, bob, now):
    lot = make_lot(1, needs_check_in=True, no_show_grace_minutes=30, no_show_fee_percent=50)
    booking = reserve(lot, alice, hours=4)
    moment = now + HOUR + 30 * MINUTE

    assert services.mark_no_shows(now=moment - MINUTE) == 0
    assert services.mark_no_shows(now=moment) == 1

    booking.refresh_from_db()
    assert (booking.state, booking.total) == (State.NO_SHOW, Decimal("5.00"))
    assert park(lot, bob, now=moment).spot_id == booking.spot_id


def test_whoever_comes_late_gets_an_equal_spot_while_there_is_one(alice, bob, now):
    lot = make_lot(2, needs_check_in=True)
    booking = reserve(lot, alice, hours=4)
    late = now + 2 * HOUR
    services.mark_no_shows(now=late)
    park(lot, bob, now=late)

    booking = services.check_in(booking, by=alice, now=late + MINUTE)

    assert (booking.state, booking.spot.number, booking.total) == (State.ACTIVE, "2", Decimal("10.00"))


def test_whoever_comes_late_to_a_full_lot_is_told(alice, bob, now):
    lot = make_lot(1, needs_check_in=True)
    booking = reserve(lot, alice, hours=4)
    services.mark_no_shows(now=now + 2 * HOUR)
    park(lot, bob, now=now + 2 * HOUR)

    with pytest.raises(SpotTaken):
        services.check_in(booking, by=alice, now=now + 2 * HOUR + MINUTE)


# --- The table of moves ---


COMMANDS = {
    "confirm": lambda b, now: services.confirm(b, by=None, now=now),
    "check_in": lambda b, now: services.check_in(b, by=None, now=now),
    "release": lambda b, now: services.release(b, by=None, now=now),
    "cancel": lambda b, now: services.cancel(b, by=None, now=now),
    "extend": lambda b, now: services.extend(b, ends_at=b.ends_at + HOUR, by=None, now=now),
    "move": lambda b, now: services.move(b, spot_number="2", by=None, now=now),
}
LEGAL = {
    ("confirm", "held"), ("cancel", "held"),
    ("confirm", "confirmed"), ("check_in", "confirmed"), ("cancel", "confirmed"), ("extend", "confirmed"),
    ("move", "confirmed"), ("move", "active"), ("check_in", "active"), ("release", "active"), 
    ("extend", "active"), ("release", "completed"), ("cancel", "cancelled"), ("check_in", "no_show"),
}  # fmt: skip


def in_state(lot, driver, state, now):
    if state == "active":
        return park(lot, driver, now=now)
    booking = reserve(lot, driver, now=now - HOUR, hold=state in {"held", "expired"})
    if state == "held":
        Booking.objects.filter(pk=booking.pk).update(held_until=now + HOUR)
    elif state == "expired":
        services.lapse_holds(now=now)
    elif state == "completed":
        booking = services.release(park(make_lot(), driver, now=now - HOUR), by=driver, now=now)
    elif state == "cancelled":
        services.cancel(booking, by=driver, now=now)
    elif state == "no_show":
        Booking.objects.filter(pk=booking.pk).update(no_show_at=now)
        services.mark_no_shows(now=now)
    booking.refresh_from_db()
    assert booking.state == state
    return booking


@pytest.mark.parametrize("state", State.values)
@pytest.mark.parametrize("name", COMMANDS)
def test_every_move_not_in_the_table_is_refused_and_changes_nothing(alice, now, state, name):
    lot = make_lot(3, needs_check_in=True)
    booking = in_state(lot, alice, state, now)
    before = (Booking.objects.filter(pk=booking.pk).values().get(), actions(booking))

    if (name, state) in LEGAL:
        COMMANDS[name](booking, now)
        return

    with pytest.raises((InvalidTransition, HoldExpired)):
        COMMANDS[name](booking, now)
    assert (Booking.objects.filter(pk=booking.pk).values().get(), actions(booking)) == before


def test_nothing_leaves_a_state_that_is_over():
    assert {MOVES[state] for state in (State.COMPLETED, State.CANCELLED, State.EXPIRED)} == {frozenset()}


def test_the_timeline_tells_who_and_what(lot, alice, olga, now):
    booking = reserve(lot, alice)
    services.extend(booking, ends_at=booking.ends_at + HOUR, by=olga, now=now + MINUTE)
    services.start_stays(now=booking.starts_at)
    services.release(booking, by=alice, now=booking.starts_at + MINUTE)

    rows = booking.timeline.order_by("sequence").values_list(
        "sequence", "action", "actor", "from_state", "to_state"
    )

    assert list(rows) == [
        (1, "booked", "driver", "", "confirmed"),
        (2, "extended", "operator", "confirmed", "confirmed"),
        (3, "started", "clock", "confirmed", "active"),
        (4, "released", "driver", "active", "completed"),
    ]


# --- Capacity and closing ---


@pytest.mark.promise("S4-12")
def test_raising_capacity_adds_the_next_numbers(now):
    lot = make_lot(10)

    services.set_capacity(lot_id=lot.pk, capacity=15, by=None, now=now)

    assert list(lot.spots.kept().by_number().values_list("number", flat=True)) == [
        str(n) for n in range(1, 16)
    ]


@pytest.mark.promise("S4-13")
def test_lowering_capacity_removes_the_last_ones_and_raising_brings_them_back(lot, now):
    services.set_capacity(lot_id=lot.pk, capacity=1, by=None, now=now)
    assert list(lot.spots.kept().values_list("number", flat=True)) == ["1"]

    services.set_capacity(lot_id=lot.pk, capacity=3, by=None, now=now)

    assert lot.spots.count() == 3


@pytest.mark.promise("S4-13")
def test_lowering_capacity_is_refused_naming_spots_in_use_or_booked_later(lot, alice, now):
    park(lot, alice, spot_number="3")
    reserve(lot, alice, starts_in=timedelta(days=9), spot_number="2")

    with pytest.raises(SpotsInUse, match="Spots 2, 3 are in use now or booked later"):
        services.set_capacity(lot_id=lot.pk, capacity=1, by=None, now=now)

    assert lot.spots.kept().count() == 3


@pytest.mark.parametrize("capacity", [-1, 20_001])
def test_capacity_has_bounds(lot, now, capacity):
    with pytest.raises(ValidationError):
        services.set_capacity(lot_id=lot.pk, capacity=capacity, by=None, now=now)


@pytest.mark.promise("S4-14")
def test_a_lot_in_use_is_not_removed_and_an_unused_one_keeps_its_history(lot, alice, now):
    stay = park(lot, alice)
    with pytest.raises(LotInUse, match="Cannot delete lot with occupied spots"):
        services.remove_lot(lot_id=lot.pk, by=None, now=now)

    services.release(stay, by=alice, now=now + HOUR)
    removed = services.remove_lot(lot_id=lot.pk, by=None, now=now + HOUR)

    assert removed.archived_at == now + HOUR
    assert Booking.objects.get().lot_id == lot.pk


def test_a_spot_in_use_stays_in_service_and_a_closed_one_is_not_given_away(lot, alice, now):
    stay = park(lot, alice)
    with pytest.raises(SpotsInUse, match="Spot 1 is in use"):
        services.set_spot_in_service(spot_id=stay.spot_id, is_in_service=False, by=None, now=now)

    services.set_spot_in_service(spot_id=lot.spots.get(number="2").pk, is_in_service=False, by=None, now=now)

    assert park(lot, None).spot.number == "3"
    with pytest.raises(SpotClosed):
        park(lot, None, spot_number="2")


def test_what_a_booking_relies_on_is_not_taken_from_its_spot(alice, now):
    lot = special_lot()
    stay = park(lot, alice, features=("ev",))

    with pytest.raises(SpotsInUse):
        services.update_spot(spot_id=stay.spot_id, by=None, now=now, features=())
    services.update_spot(spot_id=stay.spot_id, by=None, now=now, floor="2")


# --- Notices ---


@pytest.mark.promise("S4-25")
def test_a_booking_owes_its_mail_in_the_same_transaction(lot, alice, now, monkeypatch):
    booking = reserve(lot, alice)
    notice = Notice.objects.get(template="bookings/email/confirmed")
    assert notice.recipient == alice.email
    assert notice.context["booking"]["starts_at"] == "2027-03-01T12:00:00+01:00"

    def broken(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr("bookings.notices.owe", broken)
    with pytest.raises(RuntimeError):
        services.cancel(booking, by=alice, now=now)
    booking.refresh_from_db()
    assert (booking.state, Notice.objects.count()) == (State.CONFIRMED, 2)  # a reminder of its end


# --- Time ---


def test_a_night_with_a_clock_change_is_priced_by_elapsed_time(alice):
    lot = make_lot(price="1.00")
    spring = datetime(2027, 3, 27, 22, 0, tzinfo=UTC)

    booking = services.book(
        lot_id=lot.pk, kind="reserved", driver=alice, starts_at=spring, ends_at=spring + 8 * HOUR, now=NOW
    )

    assert booking.total == Decimal("8.00")


def test_random_drivers_leave_no_overlap(now):
    lot, random_ = make_lot(3), random.Random(7)
    drivers = [make_user() for _i in range(5)]
    refused = 0
    for _i in range(150):
        try:
            reserve(
                lot,
                random_.choice(drivers),
                starts_in=random_.randrange(1, 20) * HOUR,
                hours=random_.randrange(1, 6),
            )
        except LotFull:
            refused += 1

    assert overlaps() == []
    assert 0 < refused < 150


def test_one_sick_row_does_not_keep_the_others_from_their_sweep(lot, now, monkeypatch, caplog):
    sick, sound = park(lot, None), park(lot, None)
    complete = core.complete

    def fail_for_one(booking, **kwargs):
        if booking.pk == sick.pk:
            raise ValueError("sick")
        complete(booking, **kwargs)

    monkeypatch.setattr(core, "complete", fail_for_one)

    assert services.end_stays(now=now + 9 * HOUR) == 1
    sound.refresh_from_db()
    assert sound.state == State.COMPLETED
    assert "sweeping booking" in caplog.text


def test_whoever_leaves_outside_every_package_pays_what_was_agreed(lot, alice, now):
    day = rates.Package(
        name="Day", price=Decimal("4.00"), arrive_from=time(8), arrive_to=time(12), leave_to=time(18)
    )
    publish_tariff(lot, rates.Tariff(currency="EUR", packages=(day,)), by=None, now=now)
    lot.refresh_from_db()
    stay = park(lot, alice, now=now, ends_at=now + 5 * HOUR)
    assert stay.total == Decimal("4.00")
    Booking.objects.filter(pk=stay.pk).update(ends_at=now + 30 * HOUR, is_open_ended=True)

    stay = services.release(stay, by=alice, now=now + 20 * HOUR)

    assert (stay.state, stay.total) == (State.COMPLETED, Decimal("4.00"))
