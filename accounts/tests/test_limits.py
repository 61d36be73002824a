"""The limiter itself, and that it stands in front of every door."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie
from typing import Any

import pytest
from django.db import connection
from django.test import Client, RequestFactory

from accounts import doors, limits
from accounts.limits import Limit, TooOften
from accounts.models import Notice, RateLimit, User
from accounts.tests.conftest import API, PASSWORD, Api, another, code_for, make_member

THREE = Limit("test", 3, 60)
WRONG = PASSWORD + "!"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    class Clock:
        at = time.time_ns() // 1000

        def move(self, seconds: float) -> None:
            self.at += int(seconds * limits.MICRO)

    clock = Clock()
    monkeypatch.setattr(limits, "_now", lambda: clock.at)
    return clock


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


def at_once(act: Any, times: int) -> list[Any]:
    def alone(number: int) -> Any:
        try:
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(alone, range(times)))


# --- Codes ---


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every code allauth really compared with the right one."""
    from allauth.account import forms
    from allauth.headless.account import inputs

    seen: list[str] = []
    compare = forms.compare_user_code

    def spy(*, actual: str, expected: str) -> bool:
        seen.append(actual)
        return compare(actual=actual, expected=expected)

    monkeypatch.setattr(forms, "compare_user_code", spy)
    monkeypatch.setattr(inputs, "compare_user_code", spy)
    return seen


class SiteFlow:
    """One person's code flow on the pages, ready to be attacked."""

    def __init__(self, start: tuple[str, dict[str, str]], confirm: str):
        self.client, self.confirm = Client(raise_request_exception=False), confirm
        self.client.post(*start)
        self.cookies = SimpleCookie({name: morsel.value for name, morsel in self.client.cookies.items()})

    def attempt(self, code: str) -> Any:
        client = Client(raise_request_exception=False)
        # Cookies of its own: shared ones would carry the winner's new session into a later try.
        client.cookies = SimpleCookie({name: morsel.value for name, morsel in self.cookies.items()})
        return client.post(self.confirm, {"code": code})


class ApiFlow:
    def __init__(self, start: tuple[str, dict[str, str]], confirm: str, field: str):
        self.api, self.confirm, self.field = Api(), confirm, field
        self.api.post(*start)

    def attempt(self, code: str) -> Any:
        api = Api(Client(raise_request_exception=False))
        api.session = self.api.session
        more = {"password": "copper-lantern-77"} if "reset" in self.confirm else {}
        return api.post(self.confirm, {self.field: code, **more})


def sign_up(email: str) -> dict[str, str]:
    return {"email": email, "password1": PASSWORD, "password": PASSWORD}


FLOWS = {
    "sign up, page": lambda email: SiteFlow(
        ("/accounts/signup/", sign_up(email)), "/accounts/confirm-email/"
    ),
    "sign up, API": lambda email: ApiFlow(("/auth/signup", sign_up(email)), "/auth/email/verify", "key"),
    "sign in, page": lambda email: SiteFlow(
        ("/accounts/login/code/", {"email": email}), "/accounts/login/code/confirm/"
    ),
    "sign in, API": lambda email: ApiFlow(
        ("/auth/code/request", {"email": email}), "/auth/code/confirm", "code"
    ),
    "reset, page": lambda email: SiteFlow(
        ("/accounts/password/reset/", {"email": email}), "/accounts/password/reset/confirm/"
    ),
    "reset, API": lambda email: ApiFlow(
        ("/auth/password/request", {"email": email}), "/auth/password/reset", "key"
    ),
}


def attack(name: str, email: str, times: int, workers: int = 100) -> list[int]:
    if not name.startswith("sign up"):
        make_member(email.split("@")[0])
    flow = FLOWS[name](email)
    wrong = another(code_for(email))
    return [answer.status_code for answer in at_once(lambda _n: flow.attempt(wrong), times)]


@pytest.mark.race
@pytest.mark.slow
@pytest.mark.promise("S3-01")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", list(FLOWS))
def test_of_a_hundred_codes_tried_at_once_at_most_five_are_evaluated(
    name: str, evaluated: list[str], settings: Any
):
    for attempt in range(2):
        evaluated.clear()
        RateLimit.objects.all().delete()  # the caller's own address has its limit too
        statuses = attack(name, f"ada{attempt}@example.com", 100)

        assert len(evaluated) <= 5
        assert len(evaluated) >= 1
        assert 429 in statuses
        assert max(statuses) < 500, statuses


@pytest.mark.race
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_canary_without_the_guard_more_codes_are_evaluated(
    evaluated: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(doors, "guard", lambda request, door: None)

    for attempt in range(5):
        attack("sign in, API", f"ada{attempt}@example.com", 60)
        if len(evaluated) > 5 * (attempt + 1):
            return
    pytest.fail(f"only {len(evaluated)} evaluated: the attack above proves nothing")


@pytest.mark.race
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["sign in, page", "sign in, API", "sign up, API", "reset, API"])
def test_the_right_code_sent_by_many_at_once_has_its_effect_once(name: str):
    if not name.startswith("sign up"):
        make_member("ada")
    flow = FLOWS[name]("ada@example.com")
    right = code_for("ada@example.com")

    answers = at_once(lambda _n: flow.attempt(right), 30)

    if isinstance(flow, ApiFlow):
        won = [a for a in answers if "access_token" in a.content.decode()]
        if name == "reset, API":
            won = [a for a in answers if a.status_code == 401]
    else:
        won = [a for a in answers if a.status_code == 302 and a["Location"] == "/bookings/"]
    assert len(won) == 1, [a.status_code for a in answers]
    assert max(answer.status_code for answer in answers) < 500


@pytest.mark.django_db
@pytest.mark.parametrize("name", list(FLOWS))
def test_a_code_is_dead_after_five_tries_one_after_another(name: str):
    if not name.startswith("sign up"):
        make_member("ada")
    flow = FLOWS[name]("ada@example.com")
    right = code_for("ada@example.com")
    for _try in range(5):
        flow.attempt(another(right))

    late = flow.attempt(right)

    assert late.status_code in (302, 409, 429)
    assert "_auth_user_id" not in getattr(getattr(flow, "client", None), "session", {})
    assert "access_token" not in late.content.decode()


@pytest.mark.django_db
def test_a_try_dressed_up_as_asking_again_is_counted(member: User, evaluated: list[str]):
    flow = FLOWS["sign in, page"](member.email)
    wrong = another(code_for(member.email))
    for action in ["change", "resend"] * 6:
        flow.client.post(flow.confirm, {"action": action, "code": wrong})

    assert len(evaluated) <= 5


@pytest.mark.django_db
def test_a_code_does_not_work_in_another_session_and_asking_again_ends_the_first(member: User, clock: Any):
    mine, other = FLOWS["sign in, page"](member.email), FLOWS["sign in, page"]("nobody@example.com")
    first = code_for(member.email)
    assert other.attempt(first).status_code == 200

    clock.move(61)
    mine.client.post(mine.confirm, {"action": "resend"})
    second = code_for(member.email)
    assert first != second
    assert mine.attempt(first).status_code == 200
    assert mine.attempt(second).status_code == 302


@pytest.mark.django_db
def test_a_code_is_good_for_ten_minutes(member: User, monkeypatch: pytest.MonkeyPatch):
    flow = FLOWS["sign in, page"](member.email)
    right = code_for(member.email)
    then = time.time() + 601
    monkeypatch.setattr(time, "time", lambda: then)

    assert flow.attempt(right)["Location"] != "/bookings/"


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


# --- Passwords ---


def sign_in(email: str, password: str, door: str, **meta: str) -> int:
    if door == "page":
        data = {"login": email, "password": password}
        return Client().post("/accounts/login/", data, **meta).status_code
    return Api(Client(**meta)).post("/auth/login", {"email": email, "password": password}).status_code


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
