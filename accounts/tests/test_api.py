from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User, Vehicle
from parking import throttles

API = "/api/v1/"


@pytest.fixture(autouse=True)
def nobody_counts() -> None:
    throttles._counts.clear()


def signed_in(user: User | None) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


def vehicle(client: APIClient, **fields: Any) -> Any:
    return client.post(f"{API}vehicles/", {"plate": "ZH 123", **fields}, format="json")


@pytest.mark.promise("S1-25")
@pytest.mark.promise("S2-22")
def test_a_driver_sees_and_changes_their_profile(alice: User) -> None:
    client = signed_in(alice)

    answer = client.patch(
        f"{API}me/",
        {
            "name": "Alice A",
            "postcode": "8001",
            "timezone": "Europe/Zurich",
            "language": "fa",
            "username": "al",
        },
        format="json",
    )

    assert answer.status_code == 200
    me = signed_in(User.objects.get(pk=alice.pk)).get(f"{API}me/").json()
    assert me == answer.json()
    assert list(me) == [
        *("email", "username", "name", "phone", "address", "postcode", "language", "timezone"),
        *("date_joined", "is_staff", "roles"),
    ]
    assert (me["name"], me["postcode"], me["timezone"]) == ("Alice A", "8001", "Europe/Zurich")
    assert (me["email"], me["username"], me["roles"]) == ("alice@example.com", "al", ["driver"])


@pytest.mark.promise("S4-05")
def test_roles_are_named(olga: User) -> None:
    olga.groups.add(Group.objects.create(name="accounting"))

    assert signed_in(olga).get(f"{API}me/").json()["roles"] == ["driver", "operator", "accounting"]


@pytest.mark.promise("S4-45")
@pytest.mark.parametrize(
    ("data", "field", "code"),
    [
        ({"email": "eve@example.com"}, "email", "unknown_field"),
        ({"is_staff": True}, "is_staff", "unknown_field"),
        ({"password": "x"}, "password", "unknown_field"),
        ({"id": 1}, "id", "unknown_field"),
        ({"timezone": "Mars/Olympus"}, "timezone", "unknown_timezone"),
        ({"language": "xx"}, "language", "invalid_choice"),
        ({"name": 5}, "name", "invalid"),
        ({"name": None}, "name", "null"),
        ({"name": "x" * 121}, "name", "max_length"),
        ({"username": "two words"}, "username", "invalid"),
        ({"username": "bobby"}, "username", "unique"),
    ],
)
def test_what_is_not_theirs_to_change_or_cannot_be_is_400(
    alice: User, bob: User, data: Any, field: str, code: str
) -> None:
    User.objects.filter(pk=bob.pk).update(username="bobby")

    answer = signed_in(alice).patch(f"{API}me/", data, format="json")

    assert answer.status_code == 400, answer.content
    assert answer.json()["codes"] == {field: [code]}
    alice.refresh_from_db()
    assert (alice.email, alice.is_staff, alice.name) == ("alice@example.com", False, "Alice")


def test_a_username_can_be_given_up(alice: User) -> None:
    client = signed_in(alice)
    client.patch(f"{API}me/", {"username": "al"}, format="json")

    assert client.patch(f"{API}me/", {"username": ""}, format="json").json()["username"] is None


def test_the_first_vehicle_is_the_default_until_another_is(alice: User) -> None:
    client = signed_in(alice)

    first = vehicle(client).json()
    second = vehicle(client, plate="BE  7", kind="van", is_default=True, country="CH")

    assert second.status_code == 201
    assert {k: v for k, v in second.json().items() if k != "id"} == {
        "plate": "BE 7",
        "country": "CH",
        "kind": "van",
        "connector": "",
        "is_default": True,
    }
    rows = client.get(f"{API}vehicles/").json()["results"]
    assert {row["id"]: row["is_default"] for row in rows} == {first["id"]: False, second.json()["id"]: True}


def test_a_vehicle_is_changed_and_removed(alice: User) -> None:
    client = signed_in(alice)
    made = vehicle(client).json()

    changed = client.patch(f"{API}vehicles/{made['id']}/", {"plate": "ZH 9"}, format="json")
    removed = client.delete(f"{API}vehicles/{made['id']}/")

    assert changed.json() == {**made, "plate": "ZH 9"}
    assert removed.status_code == 204
    assert client.get(f"{API}vehicles/{made['id']}/").status_code == 404


@pytest.mark.parametrize(
    ("data", "field", "code"),
    [
        ({"plate": "zh-123"}, "plate", "unique"),
        ({"plate": "---"}, "plate", "invalid"),
        ({"plate": ""}, "plate", "blank"),
        ({"plate": "x" * 21}, "plate", "max_length"),
        ({"plate": 5}, "plate", "invalid"),
        ({"plate": "A1", "kind": "tank"}, "kind", "invalid_choice"),
        ({"plate": "A1", "is_default": "yes"}, "is_default", "invalid"),
        ({"plate": "A1", "driver": 1}, "driver", "unknown_field"),
    ],
)
def test_a_bad_vehicle_is_400(alice: User, data: Any, field: str, code: str) -> None:
    client = signed_in(alice)
    vehicle(client)

    answer = vehicle(client, **data)

    assert answer.status_code == 400, answer.content
    assert answer.json()["codes"] == {field: [code]}
    assert Vehicle.objects.count() == 1


def test_a_driver_has_so_many_vehicles_at_most(alice: User) -> None:
    client = signed_in(alice)
    Vehicle.objects.bulk_create(
        Vehicle(driver=alice, plate=str(n), plate_normalised=str(n)) for n in range(50)
    )

    assert vehicle(client).json()["code"] == "too_many"


def test_bob_finds_none_of_alices_vehicles(alice: User, bob: User) -> None:
    hers = vehicle(signed_in(alice)).json()
    client = signed_in(bob)
    path = f"{API}vehicles/{hers['id']}/"

    answers = [client.get(path), client.patch(path, {"plate": "B 1"}, format="json"), client.delete(path)]

    assert [answer.status_code for answer in answers] == [404] * 3
    assert client.get(f"{API}vehicles/").json()["results"] == []
    assert Vehicle.objects.get().plate == "ZH 123"


@pytest.mark.promise("S4-34")
@pytest.mark.promise("S2-11")
@pytest.mark.promise("S1-06")
def test_operators_list_users(olga: User, alice: User, bob: User) -> None:
    client = signed_in(olga)

    rows = client.get(f"{API}users/").json()["results"]

    assert [row["email"] for row in rows] == ["bob@example.com", "alice@example.com", "olga@example.com"]
    assert list(rows[0]) == ["id", "email", "username", "name", "is_staff", "is_active", "date_joined"]
    found = client.get(f"{API}users/", {"search": "ALICE exa"}).json()["results"]
    assert [row["email"] for row in found] == ["alice@example.com"]


@pytest.mark.promise("S4-04")
@pytest.mark.promise("S2-08")
@pytest.mark.parametrize("path", ["users/"])
def test_drivers_do_not(alice: User, path: str) -> None:
    answer = signed_in(alice).get(API + path)

    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert "@" not in answer.content.decode()


@pytest.mark.parametrize("path", ["me/", "vehicles/", "users/"])
def test_nobody_sees_them_without_signing_in(db: None, path: str) -> None:
    answer = signed_in(None).get(API + path)

    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")


# Looking at other people is written down, in one row for the page.
@pytest.mark.parametrize(("path", "most"), [("vehicles/", 1), ("users/", 2)])
@pytest.mark.parametrize("count", [1, 3])
def test_lists_take_the_same_queries_however_long(olga: User, path: str, most: int, count: int) -> None:
    for number in range(count):
        User.objects.create_user(f"more{number}@example.com")
        Vehicle.objects.create(driver=olga, plate=str(number), plate_normalised=str(number))
    client = signed_in(olga)

    with CaptureQueriesContext(connection) as queries:
        client.get(API + path)

    assert len(queries) == most
