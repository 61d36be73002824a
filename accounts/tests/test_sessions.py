"""The list of signed-in devices: one's own, each can be ended by itself."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.test import Client

from accounts.models import User
from accounts.tests.conftest import PASSWORD, Api, make_member

LIST = "/accounts/sessions/"


def device(user: User, agent: str) -> Client:
    client = Client(headers={"User-Agent": agent})
    answer = client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert answer.status_code == 302
    return client


def end(client: Client, agent: str) -> Any:
    return client.post(f"{LIST}{UserSession.objects.get(user_agent=agent).pk}/end/")


def is_signed_in(client: Client) -> bool:
    return client.get("/accounts/profile/").status_code == 200


@pytest.mark.promise("S4-07")
@pytest.mark.django_db
def test_one_device_is_signed_out_and_the_others_stay(member: User):
    phone, laptop, tablet = (device(member, name) for name in ("phone", "laptop", "tablet"))

    answer = end(laptop, "phone")

    assert answer["Location"] == LIST
    assert [is_signed_in(client) for client in (phone, laptop, tablet)] == [False, True, True]
    page = laptop.get(LIST).content.decode()
    assert "tablet" in page
    assert "phone" not in page


@pytest.mark.django_db
def test_a_program_that_is_ended_has_no_access_any_more(member: User):
    program = Api(Client(headers={"User-Agent": "program"}))
    program.post("/auth/login", {"email": member.email, "password": PASSWORD})
    bearer = {"Authorization": f"Bearer {program.access}"}
    assert Client().get("/api/v1/me/", headers=bearer).status_code == 200

    end(device(member, "laptop"), "program")

    assert Client().get("/api/v1/me/", headers=bearer).status_code == 401


@pytest.mark.django_db
def test_ending_this_very_device_signs_out(member: User):
    laptop = device(member, "laptop")

    assert end(laptop, "laptop")["Location"] == "/accounts/login/"
    assert not is_signed_in(laptop)


@pytest.mark.django_db
def test_somebody_elses_sessions_are_neither_shown_nor_ended(member: User):
    phone = device(member, "phone")
    other = device(make_member("eve"), "eavesdropper")

    assert "phone" not in other.get(LIST).content.decode()
    assert end(other, "phone").status_code == 404
    assert other.post(f"{LIST}987654/end/").status_code == 404
    assert is_signed_in(phone)


@pytest.mark.django_db
def test_a_link_ends_nothing(member: User):
    phone = device(member, "phone")

    assert phone.get(f"{LIST}{UserSession.objects.get().pk}/end/").status_code == 405
    assert is_signed_in(phone)
