"""Pages of other sites get nothing, unless their origin is named; then the API, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

OURS, OTHER = "https://app.example.com", "https://evil.example"


def ask(origin: str, path: str = "/api/v1/lots/") -> Any:
    return Client().get(path, headers={"Origin": origin})


def preflight(origin: str, path: str = "/api/v1/bookings/", **headers: str) -> Any:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST", **headers}
    return Client().options(path, headers=asked)


def cors(answer: Any) -> dict[str, str]:
    return {
        name: value for name, value in answer.headers.items() if name.lower().startswith("access-control")
    }


@pytest.fixture
def named(settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = [OURS]


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/v1/lots/", "/api/auth/app/v1/config", "/"])
def test_without_configuration_no_origin_is_let_in(path: str):
    assert cors(ask(OURS, path)) == {}
    assert cors(preflight(OURS, path)) == {}


@pytest.mark.promise("S1-22")
@pytest.mark.promise("S4-44")
@pytest.mark.django_db
def test_a_named_origin_reads_the_api(named: None):
    answer = ask(OURS)

    assert answer.status_code == 200
    assert answer["Access-Control-Allow-Origin"] == OURS
    assert "origin" in answer["Vary"].lower()
    assert "Retry-After" in answer["Access-Control-Expose-Headers"]


@pytest.mark.django_db
def test_a_named_origin_may_send_tokens_and_keys_but_no_cookies(named: None):
    answer = preflight(OURS, **{"Access-Control-Request-Headers": "authorization, idempotency-key"})

    allowed = answer["Access-Control-Allow-Headers"]
    assert {"authorization", "idempotency-key", "x-session-token"} <= set(allowed.split(", "))
    assert "Access-Control-Allow-Credentials" not in answer


@pytest.mark.promise("S1-22")
@pytest.mark.promise("S4-44")
@pytest.mark.django_db
@pytest.mark.parametrize("origin", [OTHER, OURS + ".evil.example", "http://app.example.com", "null"])
def test_another_origin_gets_nothing(origin: str, named: None):
    assert "Access-Control-Allow-Origin" not in ask(origin)
    assert "Access-Control-Allow-Origin" not in preflight(origin)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/admin/"])
def test_pages_are_read_by_no_other_site(path: str, named: None):
    assert cors(ask(OURS, path)) == {}
    assert cors(preflight(OURS, path)) == {}
