"""Finding bookings in the back office: what is found, and that it does not take longer among many."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bookings import services
from bookings.admin import search
from bookings.models import Booking
from bookings.tests.factories import NOW, make_lot, make_user, park


def found(text: str, *, now: datetime = NOW) -> set[str]:
    return {booking.plate for booking in search.find(Booking.objects.all(), text, now=now)}


@pytest.fixture
def stays(db: None) -> list[Booking]:
    """Two now, and one of the first plate's a year ago."""
    lot = make_lot(3, now=NOW - timedelta(days=400), name="Alexanderplatz", city="Berlin")
    other = make_lot(1, now=NOW - timedelta(days=400), name="Gare du Nord", city="Paris")
    long_ago = NOW - timedelta(days=365)
    old = park(lot, make_user("carla"), now=long_ago, plate="M OLD 99")
    services.release(old, by=None, now=long_ago + timedelta(hours=1))
    return [
        old,
        park(lot, make_user("dora"), plate="B-XY 123"),
        park(other, make_user("emil"), plate="AB123C"),
    ]


@pytest.mark.promise("S2-12")
@pytest.mark.parametrize(
    ("text", "plates"),
    [
        ("dora@example.com", {"B-XY 123"}),
        ("Emil", {"AB123C"}),
        ("alexander", {"M OLD 99", "B-XY 123"}),
        ("berlin 1", {"M OLD 99", "B-XY 123"}),
        ("paris dora", set()),
        ("b xy", {"B-XY 123"}),
        ("mold", {"M OLD 99"}),
        ("xy123", {"B-XY 123"}),
        ("123", {"B-XY 123", "AB123C"}),
        ("old99", set()),  # the middle of a plate, a year ago
        ("", {"M OLD 99", "B-XY 123", "AB123C"}),
    ],
)
def test_every_word_narrows_and_a_plate_is_found_by_its_beginning(
    text: str, plates: set[str], stays: list[Booking]
):
    assert found(text) == plates


@pytest.mark.promise("S2-12")
def test_a_reference_is_found_by_its_beginning_in_any_case(stays: list[Booking]):
    assert found(stays[0].reference[:8].lower()) == {"M OLD 99"}


def test_many_hits_are_found_like_few(stays: list[Booking], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(search, "FEW", 0)

    assert found("berlin 1") == {"M OLD 99", "B-XY 123"}
    assert found("123") == {"B-XY 123", "AB123C"}


def test_counting_stops_where_nobody_turns_pages(stays: list[Booking], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(search, "MOST_COUNTED", 2)

    assert search.CountsToALimit(Booking.objects.order_by("-starts_at", "-id"), 1).count == 2
