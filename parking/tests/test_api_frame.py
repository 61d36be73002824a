import json
import logging
import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import BaseCache
from django.core.management import call_command
from django.db import OperationalError
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import Notice, User
from bookings import availability, services
from bookings.tests import factories
from parking import throttles

V1 = "/api/v1/"
SIGN_IN = "/api/auth/app/v1/"
MEMBERS = {"type", "title", "status", "code", "detail", "request_id"}


@pytest.fixture(autouse=True)
def nobody_counts() -> None:
    throttles._counts.clear()


@pytest.fixture
def signed_in(alice: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(alice)
    return client


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert set(body) >= MEMBERS
    assert body["status"] == status
    assert body["request_id"] == answer["X-Request-ID"]
    return body


# --- From the first letter to the last cent, as a program does it ---


@pytest.mark.promise("S3-01")
@pytest.mark.promise("S3-03")
@pytest.mark.promise("S3-04")
@pytest.mark.promise("S1-08")
@pytest.mark.promise("S1-09")
@pytest.mark.promise("S4-01")
@pytest.mark.promise("S4-02")
def test_sign_up_with_a_code_then_book_extend_and_release(db: None, settings: Any) -> None:
    settings.EMAIL_BACKEND = "accounts.outbox.OutboxBackend"
    api = APIClient()
    with time_machine.travel(factories.NOW, tick=False) as clock:
        lot = factories.make_lot(2)
        account = {"email": "dora@example.com", "password": "correct horse battery"}

        begun = api.post(f"{SIGN_IN}auth/signup", account, format="json")
        assert begun.status_code == 401
        session = begun.json()["meta"]["session_token"]
        assert api.get(f"{V1}me/", headers={"Authorization": f"Bearer {session}"}).status_code == 401
        code = re.search(r"\b\d{6}\b", Notice.objects.get(recipient="dora@example.com").text)
        assert code
        verified = api.post(
            f"{SIGN_IN}auth/email/verify",
            {"key": code[0]},
            format="json",
            headers={"X-Session-Token": session},
        )
        assert verified.status_code == 200, verified.content
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {verified.json()['meta']['access_token']}")

        assert api.get(f"{V1}me/").json()["email"] == "dora@example.com"
        order = {
            "lot": lot.slug,
            "kind": "instant",
            "ends_at": "2027-03-01T12:00:00+01:00",
            "plate": "B DO 1",
        }
        booked = api.post(f"{V1}bookings/", order, format="json", headers={"Idempotency-Key": "one"})
        assert (booked.status_code, booked.json()["price"]["total"]) == (201, "2.50")
        path = f"{V1}bookings/{booked.json()['reference']}/"
        extended = api.post(f"{path}extend/", {"ends_at": "2027-03-01T13:00:00+01:00"}, format="json")
        assert extended.json()["price"]["total"] == "5.00"

        clock.shift(timedelta(hours=1.5) - timedelta(hours=1.45))
        released = api.post(f"{path}release/")
        assert (released.status_code, released.json()["state"]) == (200, "completed")
        assert released.json()["price"]["total"] == "0.13"

        clock.shift(timedelta(minutes=6))
        assert problem(api.get(path), 401, "authentication_failed")


# --- Every refusal is a problem document ---


def test_unknown_addresses(signed_in: APIClient) -> None:
    for path in (
        "",
        "v1/",
        "v1/nothing/",
        "v2/lots/",
        "auth/app/v1/nothing",
        "v1/bookings/short/",
        "v1/vehicles/x/",
    ):
        for method in ("get", "post", "delete"):
            problem(getattr(signed_in, method)(f"/api/{path}"), 404, "not_found")


def test_a_missing_slash_is_pointed_out(signed_in: APIClient) -> None:
    assert f"{V1}lots/" in problem(signed_in.get(f"{V1}lots"), 404, "not_found")["detail"]
    assert f"{V1}bookings/" in problem(signed_in.post(f"{V1}bookings"), 404, "not_found")["detail"]


def test_pages_keep_their_own_errors(client: Client, db: None) -> None:
    answer = client.get("/nothing/")

    assert (answer.status_code, answer["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_wrong_methods_types_and_wishes(signed_in: APIClient) -> None:
    wrong_method = signed_in.put(f"{V1}bookings/", {}, format="json")
    problem(wrong_method, 405, "method_not_allowed")
    assert "POST" in wrong_method["Allow"]
    problem(signed_in.post(f"{V1}bookings/", "a=1", content_type="text/plain"), 415, "unsupported_media_type")
    problem(signed_in.post(f"{V1}bookings/", {"a": 1}), 415, "unsupported_media_type")
    problem(signed_in.get(f"{V1}lots/", headers={"Accept": "text/csv"}), 406, "not_acceptable")


def test_a_bad_token_is_401(db: None) -> None:
    for token in ("nonsense", "a.b.c", ""):
        answer = APIClient().get(f"{V1}me/", headers={"Authorization": f"Bearer {token}"})
        problem(answer, 401, "authentication_failed")
        assert answer["WWW-Authenticate"] == "Bearer"


def test_a_browser_session_needs_the_csrf_token(alice: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(alice)

    problem(client.post(f"{V1}bookings/", {}, format="json"), 403, "permission_denied")


def test_what_a_role_may_not_do_is_a_problem_too(signed_in: APIClient) -> None:
    answer = signed_in.post(f"{V1}exports/", {"kind": "all-data"}, format="json")

    problem(answer, 403, "permission_denied")


def test_a_busy_database_is_503(signed_in: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**kwargs: Any) -> None:
        raise OperationalError("canceling statement due to lock timeout")

    monkeypatch.setattr(services, "book", fail)
    lot = factories.make_lot(1)

    answer = signed_in.post(f"{V1}bookings/", {"lot": lot.slug, "kind": "instant"}, format="json")

    problem(answer, 503, "busy")
    assert answer["Retry-After"] == "5"
    assert "lock" not in answer.content.decode()


def test_our_own_mistake_is_500_and_says_nothing(
    monkeypatch: pytest.MonkeyPatch, db: None, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("secret table lots_lot")

    monkeypatch.setattr(availability, "free_counts", fail)
    factories.make_lot(1)

    with caplog.at_level(logging.CRITICAL):
        answer = APIClient(raise_request_exception=False).get(f"{V1}lots/")

    problem(answer, 500, "server_error")
    assert "secret" not in answer.content.decode()


# --- Bodies ---


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b'{"lot": NaN}',
        b'{"lot": Infinity}',
        b'{"lot": 1e400}',
        b'{"lot": ' + b"9" * 5000 + b"}",
        b'{"lot": "a", "lot": "b"}',
        b'{"lot": "a\\u0000b"}',
        b'{"lot\\u0000": "b"}',
        b'{"lot": "\\ud800"}',
        b'{"lot":' * 10_000 + b"1" + b"}" * 10_000,
        b"[" * 10_000 + b"]" * 10_000,
        b"[" * 40 + b"]" * 40,
    ],
)
def test_what_is_no_json_of_ours_is_400(signed_in: APIClient, body: bytes) -> None:
    answer = signed_in.generic("POST", f"{V1}bookings/", body, content_type="application/json")

    problem(answer, 400, "parse_error")


@pytest.mark.parametrize("body", ["[]", "1", '"x"', "true"])
def test_a_body_is_an_object(signed_in: APIClient, body: str) -> None:
    answer = signed_in.generic("POST", f"{V1}bookings/", body, content_type="application/json")

    assert list(problem(answer, 400, "invalid")["fields"]) == ["non_field_errors"]


def test_every_unknown_field_is_named(signed_in: APIClient) -> None:
    lot = factories.make_lot(1)
    order = {"lot": lot.slug, "kind": "instant", "price": 0, "state": "completed"}

    body = problem(signed_in.post(f"{V1}bookings/", order, format="json"), 400, "unknown_field")

    assert body["codes"] == {"price": ["unknown_field"], "state": ["unknown_field"]}
    mixed = signed_in.post(f"{V1}bookings/", {**order, "kind": "x"}, format="json")
    assert set(problem(mixed, 400, "invalid")["fields"]) == {"price", "state", "kind"}


@pytest.mark.parametrize("charset", ["utf-8", "utf-7", "rot13", "nonsense"])
def test_a_charset_changes_nothing(signed_in: APIClient, charset: str) -> None:
    answer = signed_in.generic(
        "POST", f"{V1}quotes/", json.dumps({}), content_type=f"application/json; charset={charset}"
    )

    problem(answer, 400, "required")


def test_a_large_body_is_413(signed_in: APIClient, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000

    answer = signed_in.post(f"{V1}bookings/", {"plate": "x" * 1000}, format="json")

    problem(answer, 413, "too_large")


# --- How often ---


@pytest.mark.promise("S1-24")
def test_too_many_requests_are_429(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttles.AnonThrottle, "rate", "3/min", raising=False)
    client = APIClient()

    answers = [client.get(f"{V1}lots/") for _time in range(4)]

    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    problem(answers[3], 429, "too_many_requests")
    assert 1 <= int(answers[3]["Retry-After"]) <= 60
    assert [a["RateLimit-Remaining"] for a in answers] == ["2", "1", "0", "0"]
    assert {a["RateLimit-Limit"] for a in answers} == {"3"}
    assert all(1 <= int(a["RateLimit-Reset"]) <= 60 for a in answers)
    assert APIClient(REMOTE_ADDR="203.0.113.9").get(f"{V1}lots/").status_code == 200
    spoofed = client.get(f"{V1}lots/", headers={"X-Forwarded-For": "203.0.113.10"})
    assert spoofed.status_code == 429


def test_drivers_are_counted_each(alice: User, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttles.UserThrottle, "rate", "1/min", raising=False)

    def get(user: User) -> int:
        client = APIClient()
        client.force_authenticate(user)
        return int(client.get(f"{V1}me/").status_code)

    assert [get(alice), get(alice), get(bob)] == [200, 429, 200]


def test_a_household_is_counted_once(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttles.AnonThrottle, "rate", "1/min", raising=False)

    statuses = [
        APIClient(REMOTE_ADDR=address).get(f"{V1}lots/").status_code
        for address in ("2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:3::1")
    ]

    assert statuses == [200, 429, 200]


def test_a_cache_that_is_away_lets_everybody_through(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away(BaseCache):
        def get(self, *args: Any, **kwargs: Any) -> None:
            raise ConnectionError

    monkeypatch.setattr(throttles.OpenOnFailure, "cache", Away({}))

    assert APIClient().get(f"{V1}lots/").status_code == 200


# --- The description ---


@pytest.mark.promise("S3-20")
def test_the_schema_describes_our_part_and_signing_in(db: None) -> None:
    schema = APIClient().get("/api/schema/", headers={"Accept": "application/json"}).json()

    ours = {path for path in schema["paths"] if path.startswith(V1)}
    assert ours == {
        V1 + path
        for path in (
            *("lots/", "lots/{slug}/", "lots/{slug}/spots/", "lots/{slug}/soonest/", "quotes/", "bookings/"),
            *("bookings/{reference}/", "bookings/{reference}/check-in/", "bookings/{reference}/release/"),
            *("bookings/{reference}/extend/", "bookings/{reference}/cancel/"),
            *("bookings/{reference}/pay/", "payments/", "payments/{id}/"),
            *("bookings/{reference}/receipt/", "bookings/{reference}/calendar/"),
            *("bookings/{reference}/cancellation/", "vehicles/", "vehicles/{id}/", "me/", "users/"),
            *("exports/", "exports/{id}/", "jobs/{job}/", "stats/"),
            *("waitlist/", "waitlist/{reference}/", "waitlist/{reference}/accept/"),
            *("waitlist/{reference}/snooze/", "waitlist/{reference}/leave/"),
            *("events/", "lots/{slug}/reviews/", "lots/{slug}/reviews/mine/"),
            *("open/places/", "open/parking-sites/", "me/calendar/"),
        )
    }
    assert f"{SIGN_IN}auth/signup" in schema["paths"]
    book = schema["paths"][f"{V1}bookings/"]["post"]
    assert "Idempotency-Key" in [parameter["name"] for parameter in book["parameters"]]
    assert "default" not in book["responses"]
    assert {"400", "401", "409", "422", "429", "503"} <= book["responses"].keys()
    assert "application/problem+json" in book["responses"]["409"]["content"]


def test_the_schema_is_valid_and_names_everything_once(tmp_path: Any) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml"))


def test_the_docs_page_loads_nothing_from_elsewhere(db: None) -> None:
    page = APIClient().get("/api/docs/")
    script = APIClient().get("/api/docs/?script=")

    text = page.content.decode()
    assert page.status_code == 200
    assert re.findall(r'(?:src|href)="(?:https?:)?//', text) == []
    assert "<script>" not in text
    policy = {directive.strip() for directive in page["Content-Security-Policy"].split(";")}
    assert {"style-src 'self' 'unsafe-inline'", "script-src 'self'"} <= policy
    assert script["Content-Type"].startswith("application/javascript")
    assert "/api/schema/" in script.content.decode()


# --- The list of codes ---


def test_every_code_is_explained(settings: Any) -> None:
    text = (settings.BASE_DIR / "docs" / "api-errors.md").read_text()
    explained = set(re.findall(r"`([a-z_]+)`", text))
    here = [
        path
        for app in ("accounts", "lots", "bookings", "parking")
        for path in (settings.BASE_DIR / app).rglob("*.py")
    ]
    sources = "".join(path.read_text() for path in here if not {"tests", "migrations"} & set(path.parts))

    given = set(re.findall(r'\b(?:default_)?code(?:: str)? ?= ?"([a-z_]+)"', sources))

    assert len(given) > 30
    assert given - explained == set()
