"""At every door of accounts: strangers learn nothing, and are led nowhere else."""

from __future__ import annotations

import re
import statistics
import time
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from accounts.models import Notice, User, Vehicle

API = "/api/auth/app/v1"
PASSWORD = "violet-harbour-42"
KNOWN, UNKNOWN = "known@example.com", "nobody@example.com"


@pytest.fixture(autouse=True)
def mail_as_rows(settings: Any) -> None:
    settings.EMAIL_BACKEND = "accounts.outbox.OutboxBackend"


@pytest.fixture
def known(db: None) -> User:
    user = User.objects.create_user(KNOWN, PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def page(path: str, data: dict[str, str]) -> Any:
    return Client().post(path, data)


def program(path: str, data: dict[str, str]) -> Any:
    return Client().post(API + path, data, content_type="application/json")


# What a stranger can ask about an address.
QUESTIONS = {
    "sign in, page": lambda email: page(
        "/accounts/login/", {"login": email, "password": "wrong-" + PASSWORD}
    ),
    "code, page": lambda email: page("/accounts/login/code/", {"email": email}),
    "reset, page": lambda email: page("/accounts/password/reset/", {"email": email}),
    "sign up, page": lambda email: page("/accounts/signup/", {"email": email, "password1": PASSWORD}),
    "sign in, API": lambda email: program("/auth/login", {"email": email, "password": "wrong-" + PASSWORD}),
    "code, API": lambda email: program("/auth/code/request", {"email": email}),
    "reset, API": lambda email: program("/auth/password/request", {"email": email}),
    "sign up, API": lambda email: program("/auth/signup", {"email": email, "password": PASSWORD}),
}


def visible(answer: Any, email: str) -> tuple[Any, ...]:
    """All of an answer that does not differ by chance: tokens, ids and the address itself."""
    text = answer.content.decode().replace(email, "ADDRESS")
    text = re.sub(r'(csrfmiddlewaretoken" value=|session_token": ?|data-now=)"[^"]*"', r"\1", text)
    headers = {
        k: v for k, v in answer.headers.items() if k not in ("X-Request-ID", "Content-Length", "Expires")
    }
    cookies = sorted((name, morsel["max-age"], morsel["path"]) for name, morsel in answer.cookies.items())
    return answer.status_code, text, headers, cookies


@pytest.mark.promise("S3-16")
@pytest.mark.parametrize("question", list(QUESTIONS))
def test_a_known_and_an_unknown_address_are_answered_alike(question: str, known: User):
    ask = QUESTIONS[question]

    answers = [visible(ask(email), email) for email in (KNOWN, UNKNOWN)]
    assert answers[0] == answers[1]
    # And asked again at once, as somebody trying would.
    again = [ask(email).status_code for email in (KNOWN, UNKNOWN)]
    assert again[0] == again[1]
    # Asking tells the owner of the mailbox, known or not; a wrong password tells nobody.
    mailed = {notice.recipient for notice in Notice.objects.all()}
    assert mailed == (set() if question.startswith("sign in") else {KNOWN, UNKNOWN})


@pytest.mark.parametrize("confirm", ["sign up", "code", "reset"])
def test_the_page_after_it_and_wrong_codes_are_alike_too(confirm: str, known: User):
    path = {
        "sign up": "/accounts/confirm-email/",
        "code": "/accounts/login/code/confirm/",
        "reset": "/accounts/password/reset/confirm/",
    }[confirm]
    seen = []
    for email in (KNOWN, UNKNOWN):
        answer = QUESTIONS[f"{confirm}, page"](email)
        client = Client()
        client.cookies = answer.client.cookies
        steps = [client.get(path), *(client.post(path, {"code": "12345"}) for _try in range(6))]
        seen.append([(step.status_code, step.get("Location")) for step in steps])
    # The address that was unknown when signing up has an account now: nothing about it may show either.
    assert seen[0] == seen[1]


@pytest.mark.slow
@pytest.mark.parametrize("question", ["sign in, API", "sign up, API", "code, API", "reset, API"])
def test_the_clock_tells_nothing_either(
    question: str, known: User, settings: Any, monkeypatch: pytest.MonkeyPatch
):
    # A real hash, so that a missing one would show: some 30 ms of work.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    monkeypatch.setattr("django.contrib.auth.hashers.PBKDF2PasswordHasher.iterations", 60_000)
    known.set_password(PASSWORD)
    known.save()
    monkeypatch.setattr("accounts.limits.take", lambda *wanted: None)
    monkeypatch.setattr("accounts.limits.give_back", lambda *given: None)
    times: dict[str, list[float]] = {"known": [], "unknown": []}
    for number in range(16):
        for kind, email in (("known", KNOWN), ("unknown", f"nobody{number}@example.com")):
            start = time.perf_counter()
            QUESTIONS[question](email)
            times[kind].append(time.perf_counter() - start)
    # The work is compared by its least disturbed runs; other programs share this machine.
    least = {kind: statistics.mean(sorted(taken)[:4]) for kind, taken in times.items()}
    assert abs(least["known"] - least["unknown"]) < 0.010 + 0.1 * least["known"], least


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example",
        "https://evil.example/",
        "https:evil.example",
        "/\\evil.example",
        "\\evil.example",
        "javascript:alert(1)",
        "http:///evil.example",
        "%2F%2Fevil.example",
        "https://testserver.evil.example/",
        " //evil.example",
    ],
)
@pytest.mark.parametrize("door", ["login", "signup", "logout", "code"])
def test_next_leads_nowhere_else(door: str, wanted: str, known: User, settings: Any):
    client = Client()
    data = {"next": wanted}
    if door == "login":
        answer = client.post("/accounts/login/", {"login": KNOWN, "password": PASSWORD, **data})
    elif door == "logout":
        client.force_login(known)
        answer = client.post("/accounts/logout/", data)
    elif door == "code":
        client.post("/accounts/login/code/", {"email": KNOWN, **data})
        code = re.search(r"^\s+(\d{6})$", Notice.objects.latest("pk").text, re.MULTILINE)[1]
        answer = client.post("/accounts/login/code/confirm/", {"code": code, **data})
    else:
        answer = client.post("/accounts/signup/", {"email": UNKNOWN, "password1": PASSWORD, **data})

    assert answer.status_code in (200, 302)
    assert re.match(r"/(?![/\\])", answer.get("Location", "/")), answer["Location"]
    assert "evil" not in answer.get("Location", "/")


@pytest.mark.parametrize(
    "path", ["/accounts/login/", "/accounts/signup/", "/accounts/logout/", "/accounts/profile/"]
)
def test_every_form_needs_its_token(path: str, known: User):
    client = Client(enforce_csrf_checks=True)
    client.force_login(known)
    assert client.post(path, {"login": KNOWN, "password": PASSWORD}).status_code == 403


def test_signing_in_gives_a_new_session(known: User):
    client = Client()
    planted = client.session
    planted["planted"] = True
    planted.save()
    before = planted.session_key
    client.post("/accounts/login/", {"login": KNOWN, "password": PASSWORD})

    assert client.session["_auth_user_id"] == str(known.pk)
    assert client.session.session_key != before


ROUTES = [
    ("get", "/accounts/vehicles/{id}/"),
    ("post", "/accounts/vehicles/{id}/"),
    ("post", "/accounts/vehicles/{id}/remove/"),
]


@pytest.mark.parametrize("role", ["stranger", "another driver", "operator"])
@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_what_is_somebody_elses_is_as_if_absent(method: str, route: str, role: str, known: User):
    theirs = Vehicle.objects.create(driver=known, plate="B 1", plate_normalised="B1")
    client = Client()
    if role != "stranger":
        client.force_login(User.objects.create_user("eve@example.com", None, is_staff=role == "operator"))

    def ask(number: int) -> tuple[int, str]:
        answer = getattr(client, method)(route.format(id=number), {"plate": "X 1", "kind": "car"})
        text = answer.content.decode().replace(route.format(id=number), "ROUTE")
        return answer.status_code, re.sub(r'(csrfmiddlewaretoken" value=|data-now=)"[^"]*"', r"\1", text)

    assert ask(theirs.pk) == ask(987_654)
    assert ask(theirs.pk)[0] == (302 if role == "stranger" else 404)
    assert Vehicle.objects.get().plate == "B 1"


def test_a_bad_host_is_refused(known: User):
    assert Client().get("/accounts/login/", headers={"host": "evil.example"}).status_code == 400
