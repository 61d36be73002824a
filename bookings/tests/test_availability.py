import itertools
from datetime import UTC, datetime, timedelta

import pytest

from bookings import availability, services
from bookings.errors import LotFull
from bookings.models import Booking
from bookings.tests.factories import HOUR, NOW, make_lot, make_user, park, reserve
from lots.models import Spot
from lots.services import update_lot

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
DAY = datetime(2027, 3, 2, tzinfo=UTC)


def free_numbers(lot, starts_at, ends_at, *, now=NOW, **wanted):
    spots = availability.free_spots(starts_at, ends_at, now=now, lots=[lot.pk], **wanted)
    return list(spots.by_number().values_list("number", flat=True))


def at(clock):
    hours, minutes = clock.split(":")
    return DAY + timedelta(hours=int(hours), minutes=int(minutes))


def take(lot, begin, end):
    return services.book(
        lot_id=lot.pk, kind="reserved", driver=None, starts_at=at(begin), ends_at=at(end), now=NOW
    )


def accepted(lot, begin, end):
    try:
        take(lot, begin, end)
    except LotFull:
        return False
    return True


# Facts asserted by the tests of LibreBooking (one-01), seatsurfing (one-06, one-07) and others; no code.
@pytest.mark.parametrize(
    ("capacity", "existing", "wish", "is_accepted"),
    [
        pytest.param(1, [("00:00", "20:00")], ("00:00", "10:00"), False, id="one-01"),
        pytest.param(1, [("08:30", "17:00")], ("07:00", "09:00"), False, id="one-06"),
        pytest.param(1, [("08:30", "17:00")], ("09:00", "16:00"), False, id="one-07"),
        pytest.param(
            2,
            [("10:00", "12:00"), ("10:00", "11:00"), ("11:00", "12:00")],
            ("09:00", "12:00"),
            False,
            id="pool-03",
        ),
        pytest.param(2, [("08:30", "17:00"), ("07:30", "12:00")], ("13:00", "18:00"), True, id="pool-05"),
        pytest.param(2, [("08:30", "17:00"), ("07:30", "12:00")], ("11:00", "15:00"), False, id="pool-06"),
    ],
)
def test_published_cases_of_other_systems(capacity, existing, wish, is_accepted):
    lot = make_lot(capacity)
    for begin, end in existing:
        assert accepted(lot, begin, end)

    assert accepted(lot, *wish) is is_accepted


def test_a_cancelled_booking_keeps_nobody_off(now):
    lot = make_lot(1)
    services.cancel(take(lot, "10:00", "12:00"), by=None, now=now)

    assert accepted(lot, "10:00", "12:00")


@pytest.mark.promise("S2-02")
@pytest.mark.promise("S4-08")
def test_free_counts_of_many_lots_are_one_query(django_assert_num_queries, now):
    lots = [make_lot(n) for n in (1, 2, 5)]
    park(lots[2], None)
    reserve(lots[1], None)

    with django_assert_num_queries(1):
        counts = availability.free_counts([lot.pk for lot in lots], now, now + HOUR, now=now)

    assert [counts[lot.pk] for lot in lots] == [1, 2, 4]
    assert availability.free_counts([], now, now + HOUR, now=now) == {}


def test_an_expired_hold_is_free_before_anybody_swept_it(now):
    lot = make_lot(1)
    held = reserve(lot, None, hold=True)
    window = (held.starts_at, held.ends_at)

    assert free_numbers(lot, *window, now=now) == []
    assert free_numbers(lot, *window, now=held.held_until) == ["1"]


def test_a_long_history_is_not_in_the_way(lot, now):
    for _i in range(5):
        services.release(park(lot, None, now=now), by=None, now=now + 2 * HOUR)

    assert free_numbers(lot, now + HOUR, now + 2 * HOUR) == ["1", "2", "3"]


@pytest.mark.promise("S4-15")
@pytest.mark.promise("S0-02")
def test_each_spot_says_free_taken_or_closed(lot, now):
    park(lot, None)
    services.set_spot_in_service(spot_id=lot.spots.get(number="3").pk, is_in_service=False, by=None, now=now)

    statuses = availability.spot_statuses(lot, now, now + HOUR, now=now)

    assert [(spot.number, status) for spot, status in statuses] == [
        ("1", "taken"),
        ("2", "free"),
        ("3", "closed"),
    ]


@pytest.mark.promise("S0-09")
@pytest.mark.promise("S0-12")
def test_the_three_soonest_free_with_their_times(now):
    lot = make_lot(5)
    for hours in (4, 1, 3, 2, 5):
        park(lot, None, ends_at=now + hours * HOUR)

    soonest = availability.soonest_free(lot, now=now)

    assert [(o.spot.number, o.starts_at) for o in soonest] == [
        ("2", now + HOUR),
        ("4", now + 2 * HOUR),
        ("3", now + 3 * HOUR),
    ]


def test_soonest_says_how_far_to_trust_each_time(now):
    lot = make_lot(4, end_of_stay="until_released")
    park(lot, None, ends_at=now + HOUR)
    park(lot, None, ends_at=now + 5 * MINUTE)
    update_lot(lot_id=lot.pk, by=None, now=now, end_of_stay="ends_itself")
    park(lot, None, ends_at=now + 2 * HOUR)
    reserve(lot, None, starts_in=15 * MINUTE, hours=2, hold=True, spot_number="4")

    def trust(at):
        return [(o.spot.number, o.confidence) for o in availability.soonest_free(lot, now=at, count=4)]

    assert trust(now + MINUTE) == [("2", "likely"), ("1", "likely"), ("3", "certain"), ("4", "likely")]
    late = now + 9 * MINUTE  # the hold would lapse in a minute, and spot 2 is overdue
    assert trust(late)[0] == ("2", "uncertain")


def test_soonest_skips_a_gap_too_short_to_be_of_use(now):
    lot = make_lot(1)
    park(lot, None, ends_at=now + HOUR - 5 * MINUTE)
    reserve(lot, None, starts_in=HOUR, hours=1)

    assert availability.soonest_free(lot, now=now)[0].starts_at == now + 2 * HOUR


def test_soonest_tells_who_comes_after(lot, now):
    reserve(lot, None, starts_in=2 * HOUR)

    assert availability.soonest_free(lot, now=now)[0].ends_at == now + 2 * HOUR


def test_whoever_overstays_is_not_called_free(now):
    lot = make_lot(1, end_of_stay="until_released")
    stay = park(lot, None, ends_at=now + HOUR)
    late = stay.ends_at + 5 * MINUTE

    assert free_numbers(lot, late, late + HOUR, now=late) == []
    assert availability.soonest_free(lot, now=late)[0].starts_at == late + 15 * MINUTE


@pytest.mark.parametrize(
    ("field", "value"), [("features", ("ev",)), ("vehicle_kind", "truck"), ("features", ("ev", "covered"))]
)
def test_only_adequate_spots_count(lot, now, field, value):
    spot = lot.spots.get(number="2")
    spot.features, spot.vehicle_kinds = ("ev", "covered"), ("truck",)
    spot.save()
    lot.spots.exclude(pk=spot.pk).update(vehicle_kinds=("car",))

    assert free_numbers(lot, now, now + HOUR, **{field: value}) == ["2"]


def test_alternatives_of_a_full_lot_shorter_later_and_nearby(now):
    place = {"latitude": "52.520000", "longitude": "13.410000"}
    lot = make_lot(1, **place)
    near = make_lot(2, latitude="52.521000", longitude="13.412000")
    make_lot(2, latitude="53.500000", longitude="13.410000")
    closed = make_lot(2, **place)
    update_lot(lot_id=closed.pk, by=None, now=now, is_active=False)
    reserve(lot, None, starts_in=2 * HOUR, hours=2)

    found = availability.alternatives(lot, now + HOUR, now + 3 * HOUR, now=now)

    assert [(a.kind, a.lot, a.starts_at - now, a.ends_at - now) for a in found] == [
        ("shorter", lot, HOUR, 2 * HOUR),
        ("later", lot, 4 * HOUR, 6 * HOUR),
        ("nearby", near, HOUR, 3 * HOUR),
        ("waitlist", lot, HOUR, 3 * HOUR),
    ]


def test_what_is_offered_instead_can_be_booked(now):
    lot = make_lot(1)
    reserve(lot, None, starts_in=2 * HOUR, hours=2)

    *found, waiting = availability.alternatives(lot, now + HOUR, now + 3 * HOUR, now=now)
    window = {"starts_at": waiting.starts_at, "ends_at": waiting.ends_at}
    assert services.join(lot_id=lot.pk, driver=make_user(), now=now, **window).state == "waiting"
    for alternative in found:
        booking = services.book(
            lot_id=lot.pk, kind="reserved", driver=None, starts_at=alternative.starts_at,
            ends_at=alternative.ends_at, now=now,
        )  # fmt: skip
        services.cancel(booking, by=None, now=now)


def test_later_offers_a_time_on_the_grid_within_opening_hours(now):
    hours = {
        "regular_hours": [{"weekday": d, "period_begin": "08:00", "period_end": "20:00"} for d in (1, 2)]
    }
    lot = make_lot(1, opening_hours=hours)
    park(lot, None, ends_at=now + 7 * MINUTE)

    later = [a for a in availability.alternatives(lot, now, now + HOUR, now=now) if a.kind == "later"]

    assert [a.starts_at for a in later] == [now + 15 * MINUTE]


def test_latest_end_is_where_the_next_booking_begins(lot, now):
    first = reserve(lot, None, spot_number="1")
    assert availability.latest_end(first, now=now) is None

    second = reserve(lot, None, starts_in=5 * HOUR, spot_number="1")

    assert availability.latest_end(first, now=now) == second.starts_at


def test_free_is_the_same_whichever_way_it_is_asked(now):
    lot = make_lot(4)
    for starts_in, hours in ((1, 2), (2, 1), (2, 3), (5, 1)):
        reserve(lot, make_user(), starts_in=starts_in * HOUR, hours=hours)

    for begin in range(8):
        for length in (1, 2, 4):
            starts_at, ends_at = now + begin * HOUR, now + (begin + length) * HOUR
            busy = (
                Booking.objects.occupying()
                .overlapping(starts_at, ends_at)
                .values_list("spot__number", flat=True)
            )
            expected = sorted({"1", "2", "3", "4"} - set(busy))
            assert free_numbers(lot, starts_at, ends_at) == expected
            assert availability.free_counts([lot.pk], starts_at, ends_at, now=now) == {lot.pk: len(expected)}
            statuses = availability.spot_statuses(lot, starts_at, ends_at, now=now)
            assert [spot.number for spot, status in statuses if status == "free"] == expected


def test_a_no_show_is_free_before_anybody_swept_it(now):
    lot = make_lot(1, needs_check_in=True, no_show_grace_minutes=30)
    missed = reserve(lot, None, hours=4)
    late = missed.starts_at + 30 * MINUTE

    assert free_numbers(lot, late - MINUTE, late + HOUR, now=late - MINUTE) == []
    assert free_numbers(lot, late, late + HOUR, now=late) == ["1"]
    assert park(lot, None, now=late).spot.number == "1"
    missed.refresh_from_db()
    assert missed.state == "no_show"


@pytest.mark.parametrize("soon", [True, False])
def test_the_prepared_question_for_one_spot_answers_as_the_plain_one(soon):
    lot = make_lot(4, end_of_stay="until_released")
    Spot.objects.filter(lot=lot, number__in=["2", "4"]).update(features="|covered|", kind="large")
    park(lot, make_user(), now=NOW - 3 * HOUR, ends_at=NOW - HOUR)  # stays on
    reserve(lot, make_user(), starts_in=2 * HOUR)
    starts_at = NOW + 5 * MINUTE if soon else NOW + 3 * HOUR
    shapes = [{}, {"features": ("covered",)}, {"vehicle_kind": "car"}, {"features": ("ev",)}]
    for window, wanted in itertools.product(
        [(starts_at, starts_at + HOUR), (starts_at, at("20:00"))], shapes
    ):
        plain = availability.free_spots(*window, now=NOW, lots=[lot.pk], **wanted).cheapest_first()
        assert availability.first_free(lot.pk, *window, now=NOW, **wanted) == plain.first()
        large = availability.first_free(lot.pk, *window, now=NOW, spot_kind="large", **wanted)
        assert large == plain.filter(kind="large").first()
        for spot in lot.spots.all():
            named = availability.first_free(lot.pk, *window, now=NOW, spot_id=spot.pk, **wanted)
            assert named == plain.filter(pk=spot.pk).first()
