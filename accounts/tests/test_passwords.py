"""Passwords: few wrong ones, at every door, and the owner still gets in."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.conftest import PASSWORD, code_for, make_member
from accounts.tests.flows import FLOWS, WRONG, sign_in
from accounts.tests.threads import at_once


@pytest.mark.promise("S1-24")
@pytest.mark.django_db
@pytest.mark.parametrize("door", ["page", "api"])
@pytest.mark.parametrize("email", ["mia@example.com", "nobody@example.com"], ids=["known", "unknown"])
def test_five_wrong_passwords_in_five_minutes(door: str, email: str, member: User, clock: Any):
    wrong = {"page": 200, "api": 400}[door]
    statuses = [sign_in(email, WRONG, door, REMOTE_ADDR=f"203.0.113.{n}") for n in range(8)]

    assert statuses == [wrong] * 5 + [429] * 3
    assert sign_in(member.email, PASSWORD, door) == (
        429 if email == member.email else 302 if door == "page" else 200
    )
    clock.move(61)
    assert sign_in(email, WRONG, door) == wrong


@pytest.mark.django_db
def test_right_passwords_are_not_counted(member: User, clock: Any):
    assert [sign_in(member.email, PASSWORD, "api") for _try in range(8)] == [200] * 8


@pytest.mark.django_db
def test_the_owner_still_gets_in_by_code_while_somebody_guesses(member: User, clock: Any):
    for _try in range(8):
        sign_in(member.email, WRONG, "api")

    flow = FLOWS["sign in, API"](member.email)
    assert flow.attempt(code_for(member.email)).status_code == 200


@pytest.mark.django_db
def test_a_hundred_wrong_passwords_in_a_row_end_the_password_until_a_code(member: User, clock: Any):
    for _try in range(100):
        clock.move(61)
        sign_in(member.email, WRONG, "api")
    clock.move(3600)
    assert sign_in(member.email, PASSWORD, "api") == 400

    flow = FLOWS["sign in, API"](member.email)
    assert flow.attempt(code_for(member.email)).status_code == 200
    assert sign_in(member.email, PASSWORD, "api") == 200


@pytest.mark.race
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_of_a_hundred_passwords_tried_at_once_five_are_evaluated(monkeypatch: pytest.MonkeyPatch):
    make_member("mia")
    checked: list[str] = []
    check = User.check_password
    monkeypatch.setattr(User, "check_password", lambda self, raw: checked.append(raw) or check(self, raw))

    def spoofed(number: int) -> int:
        address = {"REMOTE_ADDR": f"203.0.113.{number}", "HTTP_X_FORWARDED_FOR": f"198.51.100.{number}"}
        return sign_in("mia@example.com", WRONG, "page" if number % 2 else "api", **address)

    statuses = at_once(spoofed, 100)

    assert len(checked) == 5
    assert statuses.count(429) == 95


@pytest.mark.django_db
def test_the_present_password_cannot_be_guessed_by_whoever_found_the_session(
    client: Client, member: User, clock: Any
):
    client.force_login(member)
    data = {"oldpassword": WRONG, "password1": "copper-lantern-77", "password2": "copper-lantern-77"}
    statuses = [client.post("/accounts/password/change/", data).status_code for _try in range(7)]

    assert statuses.count(429) == 2
