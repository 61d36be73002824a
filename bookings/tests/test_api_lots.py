import base64
import json
import math
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bookings.tests import factories
from bookings.tests.api_support import API, at, post, z
from lots import distance
from lots.hours import from_text
from lots.models import Lot, Spot

FIELDS = [
    *("slug", "name", "address", "city", "postcode", "country", "latitude", "longitude", "timezone"),
    *(
        "currency",
        "capacity",
        "free",
        "price_per_hour",
        "features",
        "rating",
        "reviews",
        "is_open",
    ),
]


@pytest.fixture
def berlin(api: Any) -> Lot:
    return factories.make_lot(
        3,
        name="Alexanderplatz",
        address_line1="Alexanderstr. 1",
        address_line2="Level -2",
        city="Berlin",
        postcode="10178",
        country="DE",
        region="Berlin",
        latitude="52.521900",
        longitude="13.413200",
    )


@pytest.fixture
def potsdam(api: Any) -> Lot:
    lot = factories.make_lot(
        5,
        name="Sanssouci",
        city="Potsdam",
        postcode="14469",
        country="DE",
        region="Brandenburg",
        price="1.00",
        latitude="52.404200",
        longitude="13.038500",
        spot_fields={"features": ("covered",)},
    )
    lot.spots.filter(number="1").update(features="|ev|")
    return lot


@pytest.fixture
def paris(api: Any) -> Lot:
    return factories.make_lot(
        2,
        name="Louvre",
        city="Paris",
        postcode="75001",
        country="FR",
        price="4.125",
        latitude="48.860600",
        longitude="2.337600",
        timezone="Europe/Paris",
    )


def slugs(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["slug"] for row in answer.json()["results"]]


@pytest.mark.promise("S4-08")
@pytest.mark.promise("S2-02")
def test_anyone_sees_lots_with_what_is_free(as_anyone: Any, berlin: Lot, alice: Any) -> None:
    factories.park(berlin, alice)

    (row,) = as_anyone.get(API + "lots/").json()["results"]

    assert list(row) == FIELDS
    assert row == {
        "slug": "alexanderplatz",
        "name": "Alexanderplatz",
        "address": "Alexanderstr. 1, Level -2",
        "city": "Berlin",
        "postcode": "10178",
        "country": "DE",
        "latitude": 52.5219,
        "longitude": 13.4132,
        "timezone": "Europe/Berlin",
        "currency": "EUR",
        "capacity": 3,
        "free": 2,
        "price_per_hour": "2.50",
        "features": [],
        "rating": None,
        "reviews": 0,
        "is_open": True,
    }


@pytest.mark.promise("S1-25")
@pytest.mark.promise("S2-22")
@pytest.mark.promise("S3-20")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["alexanderplatz", "louvre", "sanssouci"]),
        ({"search": "sans"}, ["sanssouci"]),
        ({"search": "berlin 10178"}, ["alexanderplatz"]),
        ({"search": "x" * 201}, None),
        ({"city": "berlin"}, ["alexanderplatz"]),
        ({"country": "de"}, ["alexanderplatz", "sanssouci"]),
        ({"region": "brandenburg"}, ["sanssouci"]),
        ({"postcode": "144"}, ["sanssouci"]),
        ({"features": "ev"}, ["sanssouci"]),
        ({"features": "ev,covered"}, []),
        ({"features": ["ev", "covered"]}, []),
        ({"min_free": "3"}, ["alexanderplatz", "sanssouci"]),
        ({"min_free": "2", "features": "covered"}, ["sanssouci"]),
        ({"min_free": "5", "features": "covered"}, []),
        ({"lat": "52.52", "lon": "13.41", "radius_km": "5"}, ["alexanderplatz"]),
        ({"lat": "52.52", "lon": "13.41", "radius_km": "50"}, ["alexanderplatz", "sanssouci"]),
        ({"lat": "48.86", "lon": "2.34"}, ["louvre", "sanssouci", "alexanderplatz"]),
        ({"lat": "48.86", "lon": "2.34", "ordering": "-distance"}, ["alexanderplatz", "sanssouci", "louvre"]),
        ({"ordering": "price"}, ["sanssouci", "alexanderplatz", "louvre"]),
        ({"ordering": "-price_per_hour"}, ["louvre", "alexanderplatz", "sanssouci"]),
        ({"ordering": "free"}, ["louvre", "alexanderplatz", "sanssouci"]),
        ({"ordering": "-free"}, ["sanssouci", "alexanderplatz", "louvre"]),
        ({"ordering": "-name"}, ["sanssouci", "louvre", "alexanderplatz"]),
    ],
)
def test_lots_are_found(
    as_anyone: Any, berlin: Lot, potsdam: Lot, paris: Lot, query: Any, expected: list[str] | None
) -> None:
    answer = as_anyone.get(API + "lots/", query)

    if expected is None:
        assert answer.status_code == 400
    else:
        assert slugs(answer) == expected


@pytest.mark.parametrize("ordering", ["name", "price", "free", "distance"])
@pytest.mark.parametrize(
    ("value", "pk"),
    [
        ("abc", 1),
        ("a\0b", 1),
        (float("inf"), 1),
        (10**40, 1),
        (True, 1),
        ([], 1),
        (1, "x"),
        (1, 2**70),
        (1, None),
    ],
)
def test_a_forged_cursor_is_400_or_leads_nowhere_special(
    as_anyone: Any, berlin: Lot, ordering: str, value: Any, pk: Any
) -> None:
    column = {"price": "price_per_hour", "free": "free_count", "distance": "distance_km"}.get(
        ordering, ordering
    )
    forged = base64.urlsafe_b64encode(json.dumps([column, value, pk, False]).encode()).decode()

    answer = as_anyone.get(f"{API}lots/", {"ordering": ordering, "lat": 1, "lon": 1, "cursor": forged})

    assert answer.status_code in (200, 400)


def test_a_cursor_of_another_ordering_is_400(as_anyone: Any, berlin: Lot, paris: Lot) -> None:
    following = as_anyone.get(f"{API}lots/?page_size=1").json()["next"]

    answer = as_anyone.get(following + "&ordering=price")

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")


@pytest.mark.parametrize("ordering", ["name", "-price", "free", "-free", "distance"])
def test_pages_of_lots_reach_every_lot_once(as_anyone: Any, api: Any, ordering: str) -> None:
    for number in range(5):  # three of them alike in everything
        place = {"latitude": f"5{number // 3}.5", "longitude": "13.1"}
        factories.make_lot(1 + number // 3, name="Same", price=f"{1 + number // 3}.00", **place)
    query = f"ordering={ordering}&lat=50.1&lon=13&page_size=2"
    whole = slugs(as_anyone.get(f"{API}lots/?{query}&page_size=200"))

    seen, url = [], f"{API}lots/?{query}"
    while url:
        page = as_anyone.get(url)
        seen += slugs(page)
        url = page.json()["next"]

    assert len(seen) == 5
    assert seen == whole


def test_the_distance_column_is_the_one_along_the_earth(berlin: Lot, potsdam: Lot) -> None:
    lat, lon = float(berlin.latitude or 0), float(berlin.longitude or 0)
    row = Lot.objects.annotate(km=distance.distance_km(lat, lon)).get(pk=potsdam.pk)

    # The angle between the two, by the law of cosines: not the formula of the column.
    here, there = math.radians(lat), math.radians(float(row.latitude or 0))
    apart = math.radians(float(row.longitude or 0) - lon)
    angle = math.acos(math.sin(here) * math.sin(there) + math.cos(here) * math.cos(there) * math.cos(apart))
    assert row.km == pytest.approx(6371 * angle, rel=1e-6)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"lat": "1"}, "lon"),
        ({"lon": "1"}, "lat"),
        ({"radius_km": "1"}, "radius_km"),
        ({"ordering": "distance"}, "ordering"),
        ({"ordering": "owner__password"}, "ordering"),
        ({"lat": "NaN", "lon": "1"}, "lat"),
        ({"lat": "1e400", "lon": "1"}, "lat"),
        ({"lat": "91", "lon": "1"}, "lat"),
        ({"lat": "1", "lon": "1", "radius_km": "-1"}, "radius_km"),
        ({"min_free": "1,5"}, "min_free"),
        ({"min_free": "1" + "0" * 20}, "min_free"),
        ({"features": "sauna"}, "features"),
        ({"search": "a\0b"}, "search"),
        ({"city": "a\0b"}, "city"),
        ({"from": "2027-03-01T12:00:00"}, "from"),
        ({"to": "9999-01-01T00:00:00Z"}, "to"),
        ({"from": at(2), "to": at(1)}, "to"),
        ({"from": at(0), "to": at(24 * 400)}, "to"),
    ],
)
def test_bad_questions_are_400(as_anyone: Any, berlin: Lot, query: Any, field: str) -> None:
    answer = as_anyone.get(API + "lots/", query)

    assert answer.status_code == 400, answer.content
    assert list(answer.json()["fields"]) == [field]


@pytest.mark.promise("S1-25")
def test_free_is_counted_for_the_window_asked_about(as_anyone: Any, berlin: Lot, alice: Any) -> None:
    factories.reserve(berlin, alice, starts_in=timedelta(hours=5), hours=1)

    def free(**query: str) -> int:
        return int(as_anyone.get(API + "lots/", query).json()["results"][0]["free"])

    assert free() == 3
    assert free(**{"from": at(5), "to": at(6)}) == 2
    assert free(**{"from": at(6), "to": at(7)}) == 3
    assert free(**{"from": at(4)}) == 2  # the default stay of two hours reaches into it
    assert free(to=at(5.5)) == 2
    assert as_anyone.get(f"{API}lots/?from=2027-03-01T16:00:00+01:00").json()["results"][0]["free"] == 2
    assert slugs(as_anyone.get(API + "lots/", {"min_free": "3", "from": at(5), "to": at(6)})) == []


def test_lots_with_their_own_default_stay_are_counted_for_it(
    as_anyone: Any, berlin: Lot, paris: Lot, alice: Any
) -> None:
    Lot.objects.filter(pk=paris.pk).update(default_stay_minutes=600)
    for lot in (berlin, paris):
        factories.reserve(lot, alice, starts_in=timedelta(hours=5), hours=1)

    answer = as_anyone.get(API + "lots/", {"ordering": "-free"})

    assert [(row["slug"], row["free"]) for row in answer.json()["results"]] == [
        ("alexanderplatz", 3),
        ("louvre", 1),
    ]


def test_switched_off_and_removed_lots_are_not_shown(as_anyone: Any, berlin: Lot, paris: Lot) -> None:
    Lot.objects.filter(pk=berlin.pk).update(is_active=False)
    Lot.objects.filter(pk=paris.pk).update(archived_at=factories.NOW)

    assert slugs(as_anyone.get(API + "lots/")) == []
    assert as_anyone.get(f"{API}lots/{berlin.slug}/").status_code == 404
    assert as_anyone.get(f"{API}lots/{paris.slug}/spots/").status_code == 404


def test_a_closed_lot_says_so(as_anyone: Any, api: Any) -> None:
    lot = factories.make_lot(1, name="Tuesdays")
    Lot.objects.filter(pk=lot.pk).update(opening_hours=from_text("Tu 08:00-12:00").to_json())

    def is_open(**query: str) -> bool:
        return bool(as_anyone.get(f"{API}lots/{lot.slug}/", query).json()["is_open"])

    assert not is_open()
    assert is_open(**{"from": at(24), "to": at(25)})
    assert not is_open(**{"from": at(24), "to": at(26)})


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_takes_the_same_queries_however_long(as_anyone: Any, api: Any, count: int) -> None:
    for _number in range(count):
        factories.make_lot(4)

    with CaptureQueriesContext(connection) as queries:
        answer = as_anyone.get(API + "lots/")

    assert len(answer.json()["results"]) == count
    assert len(queries) == 5, [q["sql"][:100] for q in queries]


@pytest.mark.promise("S4-15")
@pytest.mark.promise("S0-14")
def test_spots_say_free_taken_or_closed_and_never_who(as_anyone: Any, berlin: Lot, alice: Any) -> None:
    Spot.objects.filter(lot=berlin, number="2").update(
        is_in_service=False, building="A", floor="-1", features="|ev|", kind="large"
    )
    factories.reserve(berlin, alice, spot_number="1")

    answer = as_anyone.get(f"{API}lots/{berlin.slug}/spots/", {"from": at(1), "to": at(3)})

    body = answer.json()
    assert body["next"] is None
    assert [(row["number"], row["status"]) for row in body["results"]] == [
        ("1", "taken"),
        ("2", "closed"),
        ("3", "free"),
    ]
    assert body["results"][1] == {
        "number": "2",
        "building": "A",
        "floor": "-1",
        "kind": "large",
        "features": ["ev"],
        "status": "closed",
    }
    assert "alice" not in answer.content.decode().lower()
    now = as_anyone.get(f"{API}lots/{berlin.slug}/spots/", {"to": at(1), "page_size": 1}).json()
    assert [row["status"] for row in now["results"]] == ["free"]


@pytest.mark.parametrize("count", [1, 3])
def test_spots_take_the_same_queries_however_many(as_anyone: Any, api: Any, count: int) -> None:
    lot = factories.make_lot(count)

    with CaptureQueriesContext(connection) as queries:
        as_anyone.get(f"{API}lots/{lot.slug}/spots/")

    assert len(queries) == 3, [q["sql"][:100] for q in queries]


@pytest.mark.promise("S0-09")
@pytest.mark.promise("S0-12")
def test_the_three_spots_free_soonest_with_their_times(as_anyone: Any, api: Any, alice: Any) -> None:
    lot = factories.make_lot(4)
    for number, hours in enumerate((4, 1, 3, 2), 1):
        factories.park(lot, None, spot_number=str(number), ends_at=factories.NOW + timedelta(hours=hours))
    factories.reserve(lot, alice, spot_number="2", starts_in=timedelta(hours=2), hours=1)

    body = as_anyone.get(f"{API}lots/{lot.slug}/soonest/").json()

    assert [(row["number"], row["starts_at"], row["ends_at"]) for row in body["results"]] == [
        ("2", z(1), z(2)),
        ("4", z(2), None),
        ("3", z(3), None),
    ]
    assert body["results"][0]["local"]["starts_at"] == "2027-03-01T12:00:00+01:00"


@pytest.mark.promise("S1-18")
@pytest.mark.promise("S4-41")
def test_who_has_seen_it_already_gets_304(as_anyone: Any, api: Any, berlin: Lot, alice: Any) -> None:
    for path in (
        "lots/",
        f"lots/{berlin.slug}/",
        f"lots/{berlin.slug}/spots/",
        f"lots/{berlin.slug}/soonest/",
    ):
        first = as_anyone.get(API + path)
        again = as_anyone.get(API + path, headers={"If-None-Match": first["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert first["Cache-Control"] == "no-cache"

    etag = as_anyone.get(API + "lots/")["ETag"]
    factories.park(berlin, alice)

    assert as_anyone.get(API + "lots/", headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.promise("S4-09")
@pytest.mark.promise("S4-10")
@pytest.mark.promise("S1-05")
@pytest.mark.promise("S3-10")
def test_an_operator_makes_a_lot_with_its_spots(as_olga: Any) -> None:
    answer = post(
        as_olga,
        "lots/",
        {"name": "Zoo", "capacity": 3, "price_per_hour": "2.5", "city": "Bonn", "address": "Am Zoo 1"},
    )

    assert answer.status_code == 201
    body = answer.json()
    assert list(body) == FIELDS
    assert (body["slug"], body["capacity"], body["price_per_hour"]) == ("zoo", 3, "2.50")
    assert (body["city"], body["address"]) == ("Bonn", "Am Zoo 1")
    lot = Lot.objects.get(slug="zoo")
    assert list(lot.spots.by_number().values_list("number", flat=True)) == ["1", "2", "3"]
    assert lot.tariffs.count() == 1


@pytest.mark.promise("S4-45")
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": ["x"]}, "name"),
        ({"capacity": -1}, "capacity"),
        ({"capacity": 10**20}, "capacity"),
        ({"capacity": True}, "capacity"),
        ({"capacity": "1,5"}, "capacity"),
        ({"price_per_hour": "NaN"}, "price_per_hour"),
        ({"price_per_hour": "-0.01"}, "price_per_hour"),
        ({"price_per_hour": 10**20}, "price_per_hour"),
        ({"price_per_hour": True}, "price_per_hour"),
        ({"price_per_hour": []}, "price_per_hour"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"currency": "euro"}, "currency"),
        ({"country": "de"}, "country"),
        ({"latitude": "91"}, "latitude"),
        ({"opening_hours": {"weekly": "always"}}, "opening_hours"),
        ({"cancellation_tiers": [1]}, "cancellation_tiers"),
        ({"needs_check_in": "yes"}, "needs_check_in"),
        ({"grid_minutes": 0}, "grid_minutes"),
        ({"slug": "mine"}, "slug"),
    ],
)
def test_a_bad_lot_is_400_with_the_field(as_olga: Any, change: Any, field: str) -> None:
    answer = post(as_olga, "lots/", {"name": "Zoo", "capacity": 3, "price_per_hour": "2.50", **change})

    assert answer.status_code == 400, answer.content
    assert list(answer.json()["fields"]) == [field]
    assert not Lot.objects.exists()


@pytest.mark.promise("S4-11")
@pytest.mark.promise("S4-12")
def test_an_operator_changes_a_lot(as_olga: Any, berlin: Lot) -> None:
    answer = as_olga.patch(
        f"{API}lots/{berlin.slug}/",
        {"capacity": 5, "price_per_hour": "3", "address": "Elsewhere 2", "name": "Alex"},
        format="json",
    )

    body = answer.json()
    assert answer.status_code == 200
    assert (body["slug"], body["name"], body["capacity"]) == (berlin.slug, "Alex", 5)
    assert (body["price_per_hour"], body["address"]) == ("3.00", "Elsewhere 2, Level -2")
    assert berlin.tariffs.count() == 2


@pytest.mark.promise("S4-13")
def test_capacity_is_not_lowered_past_spots_in_use_and_nothing_else_changes(
    as_olga: Any, berlin: Lot, alice: Any
) -> None:
    factories.reserve(berlin, alice, spot_number="3")

    answer = as_olga.patch(f"{API}lots/{berlin.slug}/", {"capacity": 1, "name": "New"}, format="json")

    assert answer.status_code == 409
    assert answer.json()["code"] == "spots_in_use"
    assert answer.json()["spots"] == ["3"]
    berlin.refresh_from_db()
    assert (berlin.name, berlin.spots.kept().count()) == ("Alexanderplatz", 3)


def test_a_refused_field_takes_the_new_capacity_back(as_olga: Any, berlin: Lot) -> None:
    answer = as_olga.patch(f"{API}lots/{berlin.slug}/", {"capacity": 9, "country": "de"}, format="json")

    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["country"])
    assert berlin.spots.kept().count() == 3


@pytest.mark.promise("S4-14")
def test_a_lot_in_use_is_not_deleted(as_olga: Any, berlin: Lot, alice: Any) -> None:
    factories.reserve(berlin, alice)

    answer = as_olga.delete(f"{API}lots/{berlin.slug}/")

    assert answer.status_code == 409
    assert answer.json()["code"] == "lot_in_use"
    assert answer.json()["detail"].startswith("Cannot delete lot with occupied spots")


def test_an_empty_lot_is_gone_for_drivers(as_olga: Any, as_anyone: Any, berlin: Lot) -> None:
    answer = as_olga.delete(f"{API}lots/{berlin.slug}/")

    assert (answer.status_code, answer.content) == (204, b"")
    assert as_anyone.get(f"{API}lots/{berlin.slug}/").status_code == 404
    assert Lot.objects.filter(pk=berlin.pk).exists()


@pytest.mark.promise("S4-04")
@pytest.mark.parametrize("method", ["post", "patch", "delete"])
def test_only_operators_change_lots(as_alice: Any, as_anyone: Any, berlin: Lot, method: str) -> None:
    path = API + ("lots/" if method == "post" else f"lots/{berlin.slug}/")

    def call(client: Any) -> Any:
        return getattr(client, method)(
            path, {"name": "Mine", "capacity": 1, "price_per_hour": 1}, format="json"
        )

    assert (call(as_anyone).status_code, call(as_anyone).json()["code"]) == (401, "not_authenticated")
    assert (call(as_alice).status_code, call(as_alice).json()["code"]) == (403, "permission_denied")
    assert Lot.objects.listed().get().name == "Alexanderplatz"
