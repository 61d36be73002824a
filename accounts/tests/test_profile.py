"""A person's own pages: profile, vehicles, address, devices."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.test import Client

from accounts.models import User, Vehicle
from accounts.plates import looks_odd, normalise_plate
from accounts.tests.conftest import PASSWORD, Api, code_for, latest_mail, make_member, prove

PROFILE = {
    "name": "Mia Member",
    "username": "mia",
    "phone": "+49 30 1234",
    "address": "Allee 1",
    "postcode": "10115",
    "language": "ru",
    "timezone": "Europe/Berlin",
}


@pytest.fixture
def mia(member: User) -> Client:
    """Signed in by password, as a person does it."""
    client = Client()
    client.post("/accounts/login/", {"login": member.email, "password": PASSWORD})
    return client


@pytest.mark.promise("S1-25")
@pytest.mark.promise("S2-22")
@pytest.mark.django_db
def test_a_profile_is_read_and_changed(mia: Client, member: User):
    answer = mia.post("/accounts/profile/", PROFILE)

    assert answer["Location"] == "/accounts/profile/"
    assert answer.cookies["django_language"].value == "ru"
    member.refresh_from_db()
    assert {name: getattr(member, name) for name in PROFILE} == PROFILE
    assert 'value="Allee 1"' in mia.get("/accounts/profile/").content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timezone", "Mars/Olympus"),
        ("language", "xx"),
        ("username", "a b"),
        ("username", "BOB"),
        ("name", "x" * 121),
    ],
)
def test_a_profile_with_a_mistake_is_shown_again(field: str, value: str, mia: Client, member: User):
    make_member("bob", username="bob")
    answer = mia.post("/accounts/profile/", {**PROFILE, field: value})

    assert answer.status_code == 200
    assert {field, "__all__"} & set(answer.context["form"].errors)
    member.refresh_from_db()
    assert member.address == ""


@pytest.mark.django_db
@pytest.mark.parametrize(
    "extra", ["is_staff", "is_superuser", "email", "is_active", "password", "wrong_passwords"]
)
def test_nothing_else_of_a_person_can_be_written(extra: str, mia: Client, member: User):
    before = User.objects.filter(pk=member.pk).values(extra).get()
    mia.post("/accounts/profile/", {**PROFILE, extra: "1"})
    Client().post("/accounts/signup/", {"email": "x@example.com", "password1": PASSWORD, extra: "1"})

    assert User.objects.filter(pk=member.pk).values(extra).get() == before
    assert not User.objects.filter(is_staff=True).exists()


@pytest.mark.django_db
def test_vehicles_are_added_changed_and_removed_by_their_owner(mia: Client, member: User):
    mia.post("/accounts/vehicles/add/", {"plate": "b-ab 12", "kind": "car", "country": "de"})
    mia.post("/accounts/vehicles/add/", {"plate": "B XY 1", "kind": "van", "is_default": "on"})
    first, second = Vehicle.objects.order_by("pk")
    assert (first.plate, first.plate_normalised, first.country) == ("b-ab 12", "BAB12", "DE")
    assert Vehicle.objects.default_of(member) == second
    assert "B XY 1" in mia.get("/accounts/vehicles/").content.decode()

    mia.post(f"/accounts/vehicles/{first.pk}/", {"plate": "B AB 13", "kind": "car", "is_default": "on"})
    mia.post(f"/accounts/vehicles/{second.pk}/remove/")
    assert Vehicle.objects.get().plate == "B AB 13"
    assert Vehicle.objects.default_of(member) == first


@pytest.mark.django_db
def test_the_same_plate_twice_is_refused_however_it_is_written(mia: Client):
    mia.post("/accounts/vehicles/add/", {"plate": "b-ab 12", "kind": "car"})
    answer = mia.post("/accounts/vehicles/add/", {"plate": "B AB12", "kind": "car"})

    assert answer.context["form"].errors["plate"]
    assert Vehicle.objects.count() == 1


@pytest.mark.promise("S3-20")
@pytest.mark.django_db
def test_an_odd_plate_is_pointed_out_and_kept(mia: Client):
    answer = mia.post(
        "/accounts/vehicles/add/", {"plate": "W-12345 A", "kind": "car", "country": "DE"}, follow=True
    )

    assert "does not look like a plate from DE" in answer.content.decode()
    assert Vehicle.objects.get().plate == "W-12345 A"


@pytest.mark.django_db
def test_another_persons_vehicle_is_as_if_absent(mia: Client):
    theirs = Vehicle.objects.create(driver=make_member("bob"), plate="B 1", plate_normalised="B1")

    for answer in [
        mia.get(f"/accounts/vehicles/{theirs.pk}/"),
        mia.post(f"/accounts/vehicles/{theirs.pk}/", {"plate": "X", "kind": "car"}),
        mia.post(f"/accounts/vehicles/{theirs.pk}/remove/"),
        mia.get("/accounts/vehicles/987654/"),
    ]:
        assert answer.status_code == 404
    assert Vehicle.objects.get().plate == "B 1"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["profile/", "vehicles/", "vehicles/add/", "privacy/", "privacy/download/"])
def test_a_stranger_is_sent_to_sign_in(path: str, client: Client):
    assert client.get(f"/accounts/{path}")["Location"] == f"/accounts/login/?next=/accounts/{path}"


@pytest.mark.parametrize(
    ("plate", "country", "odd"),
    [
        ("B-AB 1234", "DE", False),
        ("M X 1E", "de", False),
        ("B-AB 01234", "DE", True),
        ("AB-123-CD", "FR", False),
        ("1234 BCD", "ES", False),
        ("AB12 CDE", "GB", False),
        ("ZH 123456", "CH", False),
        ("KA 01 AB 1234", "IN", False),
        ("whatever", "", False),
        ("whatever", "XX", False),
        ("whatever", "NL", True),
    ],
)
def test_which_plates_look_odd(plate: str, country: str, odd: bool):
    assert looks_odd(plate, country) is odd


def test_plates_are_compared_by_their_letters_and_digits():
    assert normalise_plate("zh 123-456") == normalise_plate("ZH123456") == "ZH123456"


@pytest.mark.django_db
def test_a_new_address_counts_when_its_code_was_entered(mia: Client, member: User):
    prove(mia)
    mia.post("/accounts/email/", {"email": "new@example.com", "action_add": ""})
    member.refresh_from_db()
    assert member.email == "mia@example.com"

    mia.post("/accounts/confirm-email/", {"code": code_for("new@example.com")})

    member.refresh_from_db()
    assert member.email == "new@example.com"
    assert EmailAddress.objects.get().email == "new@example.com"
    assert "new@example.com" in latest_mail("mia@example.com").text
    assert Api().post("/auth/login", {"email": "new@example.com", "password": PASSWORD}).status_code == 200


@pytest.mark.django_db
def test_a_new_address_asks_for_the_password_when_that_was_long_ago(client: Client, member: User):
    client.force_login(member)
    answer = client.post("/accounts/email/", {"email": "new@example.com", "action_add": ""})

    assert answer["Location"].startswith("/accounts/reauthenticate/")


@pytest.mark.django_db
def test_an_address_somebody_has_cannot_be_taken(mia: Client, member: User):
    make_member("bob")
    prove(mia)
    mia.post("/accounts/email/", {"email": "bob@example.com", "action_add": ""})

    member.refresh_from_db()
    assert member.email == "mia@example.com"
    assert EmailAddress.objects.filter(email="bob@example.com").count() == 1


@pytest.mark.django_db
def test_sessions_are_listed_and_ended_by_their_owner(mia: Client, member: User):
    elsewhere = Client(headers={"user-agent": "Elsewhere/1.0"})
    elsewhere.post("/accounts/login/", {"login": member.email, "password": PASSWORD})
    program = Api()
    program.post("/auth/login", {"email": member.email, "password": PASSWORD})
    stranger = Client()
    make_member("bob")
    stranger.post("/accounts/login/", {"login": "bob@example.com", "password": PASSWORD})

    page = mia.get("/accounts/sessions/").content.decode()
    assert "Elsewhere/1.0" in page
    assert UserSession.objects.filter(user=member).count() == 3
    mia.post("/accounts/sessions/")

    assert mia.get("/accounts/profile/").status_code == 200
    assert elsewhere.get("/accounts/profile/").status_code == 302
    program.session = ""
    assert program.call("GET", "/auth/session").status_code in (401, 410)
    assert stranger.get("/accounts/profile/").status_code == 200


@pytest.mark.django_db
def test_connectors_are_the_ones_spots_have():
    from accounts.connectors import CONNECTORS
    from lots.models import Spot

    of_spots = Spot._meta.get_field("connector").flatchoices

    assert [code for code, _name in CONNECTORS] == [code for code, _name in of_spots]


@pytest.mark.django_db
@pytest.mark.parametrize("count", [1, 3])
def test_the_list_of_vehicles_asks_the_same_number_of_times(
    count: int, mia: Client, member: User, django_assert_max_num_queries: Any
):
    Vehicle.objects.bulk_create(
        Vehicle(driver=member, plate=f"B {number}", plate_normalised=f"B{number}") for number in range(count)
    )
    with django_assert_max_num_queries(4):
        mia.get("/accounts/vehicles/")
