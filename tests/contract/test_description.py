"""The description says no more and no less than is so: each status is drawn from each operation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone
from rest_framework.exceptions import Throttled
from rest_framework.test import APIClient

from accounts.models import User
from bookings.tests.factories import make_lot
from tests.contract.support import count_nobody, description, make_people, make_world, operations
from tests.contract.test_bad_bodies import address

Probe = Callable[[APIClient, str, str], Any]
JSON = "application/json"
KEY = "the same key"
ASKED = {
    "/api/v1/lots/": "search city country postcode lat lon radius_km from to features min_free ordering",
    "/api/v1/lots/{slug}/spots/": "from to",
    "/api/v1/bookings/": "state lot from to ordering email plate spot whose",
    "/api/v1/stats/": "from to lot",
}


@pytest.fixture
def people(db: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, User]:
    count_nobody(monkeypatch)
    return make_people()


def asking(user: User | None) -> APIClient:
    client = APIClient(raise_request_exception=False)
    if user:
        client.force_authenticate(user)
    return client


PROBES: dict[int, Probe] = {
    406: lambda client, method, path: client.generic(method, path, headers={"Accept": "text/html"}),
    413: lambda client, method, path: client.generic(method, path, b" " * 3_000_000, content_type=JSON),
    415: lambda client, method, path: client.generic(method, path, b"x", content_type="text/plain"),
}


@pytest.mark.parametrize("status", PROBES)
def test_what_is_no_request_of_ours(status: int, people: dict[str, User]) -> None:
    """Exactly where the description says so; of somebody's own rows and of none."""
    rows, wrong = make_world(people["driver"]), {}
    for method, path, about in operations(description()):
        clients = [asking(people[role]) for role in ("driver", "staff")]
        got = {PROBES[status](client, method, address(path, rows)).status_code for client in clients}
        if (status in got) != (str(status) in about["responses"]):
            wrong[f"{method} {path}"] = got

    assert wrong == {}


def test_who_is_nobody(people: dict[str, User]) -> None:
    rows, wrong = make_world(people["driver"]), {}
    for method, path, about in operations(description()):
        without = asking(None).generic(method, address(path, rows)).status_code
        liar = APIClient(headers={"Authorization": "Bearer nonsense"}).generic(method, address(path, rows))
        is_public = {} in about["security"]
        if (without == 401) == is_public or (liar.status_code == 401) != ("401" in about["responses"]):
            wrong[f"{method} {path}"] = (without, liar.status_code)

    assert wrong == {}


def test_staff_only_is_said_to_be(people: dict[str, User]) -> None:
    rows, refused = make_world(people["driver"]), []
    for method, path, about in operations(description()):
        if asking(people["driver"]).generic(method, address(path, rows), b"{}").status_code == 403:
            refused.append(path)
            assert "403" in about["responses"], (method, path)

    assert {"/api/v1/users/", "/api/v1/stats/", "/api/v1/events/"} <= set(refused)


def test_too_many_and_busy(people: dict[str, User], monkeypatch: pytest.MonkeyPatch) -> None:
    rows, wrong = make_world(people["driver"]), {}
    client, schema = asking(people["driver"]), description()
    for status, refuse in ((429, _too_many), (503, _away)):
        with monkeypatch.context() as patch:
            patch.setattr("rest_framework.views.APIView.check_throttles", refuse)
            for method, path, about in operations(schema):
                answer = client.generic(method, address(path, rows), b"{}", content_type=JSON)
                said = about["responses"].get(str(status), {}).get("headers", {})
                # What needs a right of staff is refused before it is counted.
                if answer.status_code != 403 and (
                    answer.status_code != status or "Retry-After" not in answer or "Retry-After" not in said
                ):
                    wrong[f"{status} {method} {path}"] = answer.status_code

    assert wrong == {}


def _too_many(*_: Any) -> None:
    raise Throttled(7)


def _away(*_: Any) -> None:
    raise OperationalError("the connection is lost")


def test_one_key_for_two_requests(people: dict[str, User]) -> None:
    """Only what succeeds keeps its key, so it is made for a request that does."""
    make_world(people["driver"])
    client = asking(people["driver"])
    first = client.post("/api/v1/me/calendar/", {}, format="json", headers={"Idempotency-Key": KEY})
    assert first.status_code == 201
    schema, wrong = description(), {}
    rows = make_world(people["driver"])
    for method, path, about in operations(schema):
        if "422" not in about["responses"] or path.endswith("/pay/"):
            continue  # paying keeps its keys with the payments
        answer = client.generic(
            method, address(path, rows), b"{}", content_type=JSON, headers={"Idempotency-Key": KEY}
        )
        if answer.status_code not in (422, 403) and path != "/api/v1/me/calendar/":
            wrong[f"{method} {path}"] = answer.status_code

    assert wrong == {}


def test_every_parameter_is_explained_and_its_example_works(people: dict[str, User]) -> None:
    lot = make_lot(1, now=timezone.now() - timedelta(days=1), name="Alexanderplatz")
    rows = make_world(people["driver"]) | {"slug": lot.slug}
    client, wrong, schema = asking(people["staff"]), {}, description()
    for method, path, about in operations(schema):
        asked = [found for found in about["parameters"] if found["in"] == "query"]
        examples = {found["name"]: _example(found) for found in asked if found["name"] != "cursor"}
        if missing := [found["name"] for found in asked if not found.get("description")]:
            wrong[f"{method} {path} is silent about"] = missing
        if missing := [name for name, example in examples.items() if example is None]:
            wrong[f"{method} {path} has no example of"] = missing
        # Alone, but for a position or a time; and all of them together.
        always = {name: examples[name] for name in ("lat", "lon", "from", "to") if name in examples}
        singly = [{**always, name: example} for name, example in examples.items()]
        for query in [*singly, examples] if method == "get" and examples else []:
            answer = client.get(address(path, rows), query)
            if answer.status_code != 200:
                wrong[f"{path} {query}"] = answer.content

    assert wrong == {}
    for path, names in ASKED.items():
        known = {found["name"] for found in schema["paths"][path]["get"]["parameters"]}
        assert set(names.split()) <= known


def _example(parameter: dict[str, Any]) -> Any:
    about = parameter["schema"]
    enum = about.get("enum", [True] if about.get("type") == "boolean" else [None])
    return parameter.get("example", enum[0])
