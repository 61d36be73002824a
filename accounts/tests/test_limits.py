"""The limiter itself, whom it counts, and how its refusals look."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client, RequestFactory

from accounts import limits
from accounts.limits import Limit, TooOften
from accounts.models import Notice, RateLimit, User
from accounts.tests.conftest import API
from accounts.tests.flows import WRONG, sign_in, sign_up
from accounts.tests.threads import at_once

THREE = Limit("test", 3, 60)


def takes(limit: Limit, key: str, times: int) -> int:
    taken = 0
    for _try in range(times):
        try:
            limits.take((limit, key))
            taken += 1
        except TooOften:
            pass
    return taken


@pytest.mark.django_db
def test_a_burst_passes_and_then_one_by_one(clock: Any):
    assert takes(THREE, "k", 5) == 3
    with pytest.raises(TooOften) as refusal:
        limits.take((THREE, "k"))
    assert refusal.value.retry_after == 20

    clock.move(19.9)
    assert takes(THREE, "k", 1) == 0
    clock.move(0.1)
    assert takes(THREE, "k", 5) == 1
    clock.move(600)
    assert takes(THREE, "k", 5) == 3


@pytest.mark.django_db
def test_keys_and_limits_do_not_share(clock: Any):
    assert takes(THREE, "a", 5) == takes(THREE, "b", 5) == takes(Limit("other", 3, 60), "a", 5) == 3


@pytest.mark.django_db
def test_what_is_given_back_can_be_taken_again(clock: Any):
    assert takes(THREE, "k", 3) == 3
    limits.give_back(THREE, "k")
    assert takes(THREE, "k", 3) == 1


@pytest.mark.django_db
def test_the_table_holds_no_address_and_is_swept(clock: Any):
    takes(THREE, "ada@example.com", 1)
    assert "ada" not in RateLimit.objects.get().key
    assert limits.forget_used_up() == 0
    clock.move(21)
    assert limits.forget_used_up() == 1


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("burst", [1, 10])
def test_of_a_hundred_at_once_exactly_the_burst_passes(burst: int):
    limit = Limit("at once", burst, 3600)
    for attempt in range(3):
        outcomes = at_once(lambda number, key=f"{attempt}": takes(limit, key, 1), 100)
        assert sum(outcomes) == burst


# --- Mails ---


@pytest.mark.django_db
@pytest.mark.parametrize("door", ["sign in", "reset", "sign up"])
@pytest.mark.parametrize("email", ["mia@example.com", "nobody@example.com"], ids=["known", "unknown"])
def test_one_address_gets_few_mails_however_they_are_asked_for(
    door: str, email: str, member: User, clock: Any
):
    path, data = {
        "sign in": ("/accounts/login/code/", {"email": email}),
        "reset": ("/accounts/password/reset/", {"email": email}),
        "sign up": ("/accounts/signup/", sign_up(email)),
    }[door]

    def ask(times: int) -> list[int]:
        return [
            Client().post(path, data, REMOTE_ADDR=f"203.0.113.{number}").status_code
            for number in range(times)
        ]

    assert ask(4).count(302) == 1
    for _minute in range(15):
        clock.move(61)
        ask(2)
    assert Notice.objects.filter(recipient=email).count() <= 6
    clock.move(61)
    answer = Client().post(path, data)
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 60


@pytest.mark.django_db
def test_ten_mails_a_day(member: User, clock: Any):
    for _quarter in range(4 * 24):
        Client().post("/accounts/login/code/", {"email": member.email})
        clock.move(15 * 60)

    # Ten at the start of the day, and one each 144 minutes as the oldest fall out of the window.
    assert Notice.objects.count() <= 20


# --- Who is calling ---


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "198.51.100.1", "203.0.113.9"),
        (1, "198.51.100.1", "198.51.100.1"),
        (1, "10.9.8.7, 198.51.100.1", "198.51.100.1"),
        (2, "10.9.8.7, 198.51.100.1, 192.0.2.5", "198.51.100.1"),
        (2, "198.51.100.1", "203.0.113.9"),
        (1, "", "203.0.113.9"),
        (1, "nonsense", "203.0.113.9"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (1, "::ffff:198.51.100.1", "198.51.100.1"),
    ],
)
def test_forwarded_addresses_count_only_from_our_own_proxies(
    proxies: int, forwarded: str, expected: str, settings: Any
):
    settings.TRUSTED_PROXY_COUNT = proxies
    request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.9", HTTP_X_FORWARDED_FOR=forwarded)

    assert limits.network(request) == expected


@pytest.mark.django_db
def test_a_spoofed_header_buys_no_more_sign_ups(clock: Any):
    statuses = [
        Client()
        .post("/accounts/signup/", {}, headers={"X-Forwarded-For": f"198.51.100.{number}"})
        .status_code
        for number in range(22)
    ]

    assert statuses == [200] * 20 + [429] * 2


# --- How a refusal looks ---


@pytest.fixture
def refused(member: User) -> None:
    for _try in range(5):
        sign_in(member.email, WRONG, "api")
    return


@pytest.mark.django_db
def test_a_refusal_is_a_page_for_people(client: Client, member: User, refused: None):
    answer = client.post("/accounts/login/", {"login": member.email, "password": WRONG})

    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 60
    assert "429.html" in [template.name for template in answer.templates]
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_a_refusal_is_a_problem_document_for_programs(client: Client, member: User, refused: None):
    answer = client.post(
        f"{API}/auth/login", {"email": member.email, "password": WRONG}, content_type="application/json"
    )

    assert answer.status_code == 429
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "too_many_requests"
    assert answer.json()["retry_after"] == int(answer["Retry-After"])
