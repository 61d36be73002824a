"""The board of a lot in the back office: what each spot is now, found, filtered, and cheap to ask again."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts.models import User, Viewing
from accounts.tests.staff import verify
from bookings import services
from bookings.board import Look, spots_now
from bookings.models import Booking
from bookings.services.closing import TELL, Closing
from bookings.tests.factories import HOUR, NOW, make_lot, make_user, park, reserve
from lots.models import Lot

MINUTE = timedelta(minutes=1)


@pytest.fixture
def lot(db: None) -> Lot:
    """A spot of each sort, in the order of Look; times are on the lot's clock, an hour after UTC."""
    start = NOW - timedelta(days=1)
    lot = make_lot(7, now=start, name="Dom", end_of_stay="until_released", needs_check_in=True)
    stays_on = reserve(lot, None, now=start, starts_in=22 * HOUR, hours=1, spot_number="1", plate="B OV 1")
    services.check_in(stays_on, by=None, now=NOW - 2 * HOUR)
    park(lot, make_user("dora"), now=NOW - HOUR, spot_number="2", plate="B AB 123")
    reserve(lot, None, now=start, starts_in=24 * HOUR - 15 * MINUTE, spot_number="3", plate="M 3")
    reserve(lot, None, now=NOW, starts_in=HOUR, spot_number="6", plate="K 6")
    park(lot, make_user("ella"), spot_number="4", hold=True)
    services.update_spot(spot_id=lot.spots.get(number="7").pk, by=None, now=NOW, building="B", floor="1")
    closing = Closing(
        lot_id=lot.pk, spots=(lot.spots.get(number="5").pk,), starts_at=NOW, ends_at=None, choice=TELL,
        reason="", moves_running=False,
    )  # fmt: skip
    services.close(closing, by=None, now=NOW)
    return lot


@pytest.fixture
def office(olga: User) -> Any:
    with time_machine.travel(NOW, tick=False) as clock:
        client = verify(Client(), olga)
        client.clock = clock
        yield client


def board(lot: Lot) -> str:
    return reverse("admin:lots_lot_board", args=[lot.pk])


def tiles(client: Client, lot: Lot, **asked: Any) -> dict[str, Any]:
    floors = client.get(board(lot), asked).context["floors"]
    return {tile.number: tile for _floor, found in floors for tile in found}


def at(lot: Lot, now: datetime = NOW) -> list[str]:
    spots = list(lot.spots.by_number())
    return [found.look for found in spots_now(spots, now=now)]


def test_every_spot_has_the_one_state_that_matters(lot: Lot):
    assert at(lot) == list(Look)


@pytest.mark.promise("S1-07", "S1-25")
def test_a_tile_tells_who_which_plate_since_when_and_what_it_costs_so_far(lot: Lot, office: Client):
    tile = tiles(office, lot)["2"]

    assert (tile.who, tile.plate, tile.when[0]) == ("dora@example.com", "B AB 123", "since 10:00")
    assert tile.cost.replace("\xa0", " ") == "2.50 EUR"


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({"state": "taken"}, "2"),
        ({"q": "bab12"}, "2"),
        ({"q": "dora@"}, "2"),
        ({"q": "5"}, "5"),
        ({"place": "B/1"}, "7"),
        ({"place": "B/1", "state": "over"}, ""),
        ({"state": "no such"}, "1234567"),
    ],
)
def test_it_is_narrowed_by_state_place_plate_person_and_number(
    asked: dict[str, str], numbers: str, lot: Lot, office: Client
):
    assert "".join(tiles(office, lot, **asked)) == numbers


def test_a_spot_that_was_chosen_leads_to_what_can_be_done_there(lot: Lot, office: Client):
    taken = lot.spots.get(number="2")
    free = lot.spots.get(number="7")
    stay = Booking.objects.get(spot=taken)

    links = {str(link[0]): link[2] for link in _chosen(office, lot, taken.pk)}
    assert links["Release"] == reverse("admin:bookings_booking_release", args=[stay.pk])
    assert "Book this spot" not in links
    links = {str(link[0]): link[2] for link in _chosen(office, lot, free.pk)}
    assert office.get(links["Book this spot"]).context["form"]["spot"].value() == "7"


def _chosen(client: Client, lot: Lot, spot: int) -> Any:
    return client.get(board(lot), {"spot": spot}).context["chosen"]["links"]


def test_asked_again_it_answers_that_nothing_is_new_until_something_is(lot: Lot, office: Any):
    page = board(lot)
    seen = office.get(page, headers={"hx-request": "true"})
    asked_again = {"hx-request": "true", "if-none-match": seen["ETag"]}

    assert office.get(page, headers=asked_again).status_code == 304
    services.release(Booking.objects.get(plate="B AB 123"), by=None, now=NOW)
    assert office.get(page, headers=asked_again).status_code == 200

    # A minute later it costs more.
    seen = office.get(page, headers={"hx-request": "true"})
    office.clock.shift(MINUTE)
    assert office.get(page, headers=asked_again | {"if-none-match": seen["ETag"]}).status_code == 200


@pytest.mark.parametrize("stays", [1, 3])
def test_it_takes_the_same_few_queries_however_full_it_is(
    stays: int, lot: Lot, office: Client, django_assert_num_queries: Any
):
    full = make_lot(6, now=NOW - HOUR)
    for number in range(stays):
        park(full, make_user(), now=NOW - HOUR, spot_number=str(number + 1))
        reserve(full, make_user(), now=NOW, spot_number=str(number + 4))
    office.get(board(full))

    with django_assert_num_queries(11):
        office.get(board(full))


def test_that_people_were_shown_is_kept_once_and_not_with_every_renewal(lot: Lot, office: Client, olga: User):
    cache.clear()

    tiles(office, lot, q="no such plate")
    assert not Viewing.objects.exists()
    for _ in range(2):
        tiles(office, lot, q="dora@")

    dora = User.objects.get(email="dora@example.com")
    assert [(row.viewer_id, row.people) for row in Viewing.objects.all()] == [(olga.pk, f"|{dora.pk}|")]


def test_who_may_not_see_bookings_sees_no_people_and_who_runs_other_lots_nothing(lot: Lot, office: Client):
    porter = make_user("porter", is_staff=True)
    porter.user_permissions.set(Permission.objects.filter(codename__in=["view_lot", "view_spot"]))
    client = verify(Client(), porter)

    page = client.get(board(lot))
    assert page.status_code == 200
    assert not re.search("dora|B AB 123|2.50", page.content.decode(), re.IGNORECASE)
    assert tiles(client, lot, q="bab123") == {}

    make_lot(1, now=NOW).operators.add(porter)
    assert client.get(board(lot)).status_code in (302, 404)
