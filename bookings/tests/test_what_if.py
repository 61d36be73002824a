"""Past stays under a draft tariff: figures that add up, in memory that does not grow."""

import tracemalloc
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

import pytest

from bookings import what_if
from bookings.what_if import Replayed, compare

AT = datetime(2027, 3, 1, 10, tzinfo=UTC)


def stay(old, new, reference="A"):
    new = None if new is None else D(new)
    return Replayed(reference, AT, AT + timedelta(hours=1), D(old), new)


def test_the_sums_and_counts_are_those_of_the_stays():
    found = compare([stay("2.00", "3.00"), stay("2.00", "1.50"), stay("1.00", "1.00"), stay("4.00", None)])

    assert (found.old, found.new, found.difference, found.percent) == (D(5), D("5.50"), D("0.50"), D(10))
    assert (found.count, found.more, found.less, found.same, found.unpriced) == (3, 1, 1, 1, 1)
    assert sum(found.bars) == 3


def test_nothing_to_replay_is_no_division_by_zero():
    found = compare([])

    assert (found.count, found.percent, found.biggest, found.is_cut) == (0, None, [], False)


def test_the_biggest_changes_come_first_whichever_way_they_go():
    stays = [stay(10, 10 + change, str(change)) for change in (1, -5, 3, 0, -2, 4)]

    assert [s.reference for s in compare(stays, biggest=3).biggest] == ["-5", "4", "3"]


@pytest.mark.parametrize(
    ("old", "new", "index"),
    [
        ("10", "4.99", 0),
        ("10", "5", 1),
        ("10", "7.50", 2),
        ("10", "9", 3),
        ("10", "9.99", 3),
        ("10", "10", 4),
        ("10", "11", 5),
        ("10", "11.01", 6),
        ("10", "15", 7),
        ("10", "15.01", 8),
        ("0", "0", 4),
        ("0", "1", 8),
    ],
)
def test_each_change_has_its_bar(old, new, index):
    assert what_if.bar(D(old), D(new)) == index


def test_no_more_are_looked_at_than_asked_for():
    taken = []

    def stays():
        for number in range(100):
            taken.append(number)
            yield stay(1, 2)

    found = compare(stays(), most=10)

    assert (found.count, found.is_cut, len(taken)) == (10, True, 11)
    assert not compare([stay(1, 2)] * 10, most=10).is_cut


def test_memory_does_not_grow_with_the_stays():
    def peak(count):
        tracemalloc.start()
        compare((stay(10, 10 + number % 7) for number in range(count)), most=count)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(20_000) < 2 * peak(500)
