"""Out of service for a while: nobody is sent there, and whoever is affected is moved, paid back or told."""

from datetime import timedelta
from decimal import Decimal

import pytest

from bookings import availability, services
from bookings.errors import LotClosed, SpotClosed
from bookings.tests.factories import HOUR, NOW, make_lot, park, reserve
from lots.models import Closure

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def shut(lot, number="", *, starts_in=2 * HOUR, hours=2):
    """From two to four hours from now unless told otherwise; without a number the whole lot."""
    spot = lot.spots.get(number=number) if number else None
    ends_at = NOW + starts_in + hours * HOUR if hours else None
    return Closure.objects.create(
        lot=lot, spot=spot, starts_at=NOW + starts_in, ends_at=ends_at, created_at=NOW
    )


def free(lot, begin, end):
    spots = availability.free_spots(NOW + begin * HOUR, NOW + end * HOUR, now=NOW, lots=[lot.pk])
    return list(spots.by_number().values_list("number", flat=True))


def statuses(lot, begin, end):
    found = availability.spot_statuses(lot, NOW + begin * HOUR, NOW + end * HOUR, now=NOW)
    return [status for _spot, status in found]


def test_a_closed_spot_is_free_before_and_after_and_not_in_between(lot):
    shut(lot, "1")

    assert free(lot, 1, 2) == free(lot, 4, 5) == ["1", "2", "3"]
    for begin, end in [(1, 3), (2, 4), (2.5, 3), (3, 5), (1, 5)]:
        assert free(lot, begin, end) == ["2", "3"]
        assert statuses(lot, begin, end) == ["closed", "free", "free"]
    assert statuses(lot, 4, 5) == ["free"] * 3


def test_a_closed_lot_has_nothing_free_and_others_have(lot):
    other = make_lot(2)
    shut(lot, hours=0)

    assert free(lot, 1, 2) == ["1", "2", "3"]
    assert free(lot, 100, 101) == []
    assert statuses(lot, 100, 101) == ["closed"] * 3
    counts = availability.free_counts([lot.pk, other.pk], NOW + 3 * HOUR, NOW + 4 * HOUR, now=NOW)
    assert counts == {lot.pk: 0, other.pk: 2}


def test_a_lifted_closure_closes_nothing(lot):
    closure = shut(lot)
    closure.lifted_at = NOW
    closure.save()

    assert free(lot, 2, 4) == ["1", "2", "3"]


def test_counting_many_lots_stays_one_query(django_assert_num_queries):
    lots = [make_lot(2) for _i in range(5)]
    shut(lots[0], "1")
    shut(lots[1])

    with django_assert_num_queries(1):
        counts = availability.free_counts([lot.pk for lot in lots], NOW + 2 * HOUR, NOW + 3 * HOUR, now=NOW)

    assert list(counts.values()) == [1, 0, 2, 2, 2]


def test_the_soonest_free_spots_go_round_closures(lot):
    shut(lot, "1", starts_in=-HOUR, hours=0)
    shut(lot, "2", starts_in=-HOUR, hours=2)

    found = availability.soonest_free(lot, now=NOW)

    assert [(o.spot.number, o.starts_at) for o in found] == [("3", NOW), ("2", NOW + HOUR)]


def test_booking_a_closed_spot_says_until_when_and_what_is_free_instead(lot, alice):
    shut(lot, "1")

    with pytest.raises(SpotClosed, match=r"out of service until 2027-03-01 15:00") as refused:
        reserve(lot, alice, starts_in=HOUR, spot_number="1")

    assert refused.value.details["opens_at"] == NOW + 4 * HOUR
    assert [other.spot.number for other in refused.value.alternatives] == ["2"]


def test_booking_at_a_closed_lot_says_so_and_offers_later(lot, alice):
    shut(lot)

    with pytest.raises(LotClosed, match=r"out of service until 2027-03-01 15:00") as refused:
        reserve(lot, alice, starts_in=3 * HOUR)

    later = {other.kind: other for other in refused.value.alternatives}["later"]
    assert later.starts_at == NOW + 4 * HOUR


def test_extending_stops_where_the_closure_begins(lot, alice):
    booking = reserve(lot, alice, starts_in=HOUR, hours=0.5)
    shut(lot, "1")

    with pytest.raises(SpotClosed) as refused:
        services.extend(booking, ends_at=NOW + 3 * HOUR, by=alice, now=NOW)
    assert refused.value.details["latest_end"] == NOW + 2 * HOUR
    assert refused.value.alternatives

    longer = services.extend(booking, ends_at=NOW + 2 * HOUR, by=alice, now=NOW)
    assert longer.total == Decimal("2.5")


def test_nobody_is_moved_to_a_closed_spot(lot, alice):
    booking = park(lot, alice, ends_at=NOW + 3 * HOUR)
    shut(lot, "2", hours=0)

    with pytest.raises(SpotClosed, match="until further notice"):
        services.move(booking, spot_number="2", by=None, now=NOW)
