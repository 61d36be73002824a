"""Refresh tokens are good once, also when thirty use one at the same moment."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from allauth.headless.tokens.strategies.jwt import JWTTokenStrategy
from django.conf import settings as live
from django.test import Client

from accounts.models import User
from accounts.tests.conftest import PASSWORD, Api, make_member
from accounts.tests.threads import at_once

ME = "/api/v1/me/"


def sign_in(user: User) -> Api:
    api = Api()
    assert api.post("/auth/login", {"email": user.email, "password": PASSWORD}).status_code == 200
    return api


def refresh(token: str, number: int = 0) -> tuple[int, dict[str, str]]:
    # From as many addresses: one alone is slowed down after 120 a minute.
    client = Client(raise_request_exception=False, REMOTE_ADDR=f"203.0.113.{number}")
    answer = Api(client).post("/tokens/refresh", {"refresh_token": token})
    return answer.status_code, answer.json().get("data", {})


def opens(access: str) -> bool:
    return Client().get(ME, headers={"Authorization": f"Bearer {access}"}).status_code == 200


def won_by_thirty(token: str) -> list[dict[str, str]]:
    answers = at_once(lambda number: refresh(token, number), 30)
    assert {status for status, _data in answers} <= {200, 400, 401}
    return [data for status, data in answers if status == 200]


@pytest.mark.race
@pytest.mark.slow
@pytest.mark.promise("S3-03")
@pytest.mark.django_db(transaction=True)
def test_of_thirty_refreshes_at_once_one_goes_on():
    api = sign_in(make_member("mia"))
    token = api.refresh
    for _round in range(8):
        won = won_by_thirty(token)

        assert len(won) == 1
        assert refresh(token)[0] == 401
        token = won[0]["refresh_token"]
        assert opens(won[0]["access_token"])


@pytest.mark.race
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_canary_with_the_librarys_own_way_several_go_on(settings: Any):
    name = f"{JWTTokenStrategy.__module__}.{JWTTokenStrategy.__qualname__}"
    settings.HEADLESS_TOKEN_STRATEGY = name
    for number in range(10):
        if len(won_by_thirty(sign_in(make_member(f"mia{number}")).refresh)) > 1:
            return
    pytest.fail("never more than one: the test above proves nothing")


@pytest.mark.django_db
def test_a_used_token_stays_used_though_another_request_writes_it_back(member: User):
    api = sign_in(member)
    store = import_module(live.SESSION_ENGINE).SessionStore
    # A request of the same session that began before the refresh, and ends after it.
    slow = store(api.session)
    slow["seen"] = 1
    assert refresh(api.refresh)[0] == 200
    slow.save()

    assert refresh(api.refresh)[0] == 401


@pytest.mark.django_db
def test_refreshing_goes_on_and_on(member: User):
    api = sign_in(member)
    token = api.refresh
    for _time in range(3):
        status, data = refresh(token)
        assert status == 200
        assert opens(data["access_token"])
        token = data["refresh_token"]


@pytest.mark.django_db
def test_signing_out_ends_access_and_refresh_at_once(member: User):
    api = sign_in(member)
    access, token = api.access, api.refresh
    assert opens(access)

    api.call("DELETE", "/auth/session")

    assert not opens(access)
    assert refresh(token)[0] == 401


@pytest.mark.django_db
@pytest.mark.parametrize(("token", "status"), [("", 400), ("nonsense", 401), ("a.b.c", 401)])
def test_nonsense_refreshes_nothing(token: str, status: int):
    assert refresh(token)[0] == status


@pytest.mark.promise("S1-19")
@pytest.mark.django_db
def test_a_refresh_token_is_good_once_also_beside_a_good_access_token(member: User):
    api = sign_in(member)
    used = api.refresh
    assert refresh(used)[0] == 200

    answer = api.post("/tokens/refresh", {"refresh_token": used})

    assert answer.status_code == 401
    assert "data" in answer.json()
    assert answer.json()["meta"] == {"is_authenticated": False}
    assert "login" in [flow["id"] for flow in answer.json()["data"]["flows"]]
    assert "token" not in answer.content.decode()
