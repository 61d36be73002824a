"""What no body may do, asked at every operation that takes one: 400 (or a refusal), never 500."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from bookings.models import Booking
from tests.contract.support import count_nobody, description, make_people, make_world, operations, rows_at

DEEP = 10_000
CHANGING = ("post", "put", "patch")
# As they come over the wire: no JSON of ours.
RAW = {
    "NaN": b'{"x": NaN}',
    "1e400": b'{"x": 1e400}',
    "a number of 5,000 figures": b'{"x": ' + b"9" * 5000 + b"}",
    "NUL": b'{"x": "a\\u0000b"}',
    "half a pair": b'{"x": "\\ud800"}',
    "a member twice": b'{"x": 1, "x": 2}',
    "deep": b'{"x":' * DEEP + b"1" + b"}" * DEEP,
    "not UTF-8": b"\xff\xfe{}",
    "broken": b"{",
    "a list": b"[]",
}
# In the place of each field in turn.
VALUES: dict[str, Any] = {
    "too large a number": 10**20,
    "below zero": -1,
    "a very long text": "x" * 20_000,
    "a naive time": "2030-01-01T10:00:00",
    "the year 9999": "9999-12-31T23:59:59Z",
    "the year 1": "0001-01-01T00:00:00+14:00",
    "no time": "2030-13-45T25:61:00Z",
    "a list": [[[]]],
    "an object": {"a": {"b": None}},
    "true": True,
    "null": None,
}


@functools.cache
def writing() -> list[tuple[str, str]]:
    """(method, path) of all operations that change something; some take an empty body only."""
    return [(method, path) for method, path, _about in operations(description()) if method in CHANGING]


@pytest.fixture
def people(db: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, User]:
    count_nobody(monkeypatch)
    return make_people()


def asking(people: dict[str, User], role: str) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.force_authenticate(people[role])
    return client


def address(path: str, rows: dict[str, str]) -> str:
    for name, value in rows_at(path, rows).items():
        path = path.replace(f"{{{name}}}", value)
    return path


def fields_of(schema: dict[str, Any], about: dict[str, Any]) -> list[str]:
    """The names of a body's fields."""
    reference = about["requestBody"]["content"]["application/json"]["schema"].get("$ref", "")
    found = schema["components"]["schemas"].get(reference.rsplit("/", 1)[-1], {})
    return list(found.get("properties", ()))


def test_what_is_no_json_of_ours_is_refused_everywhere(people: dict[str, User]) -> None:
    rows, client, wrong = make_world(people["driver"]), asking(people, "staff"), {}
    assert len(writing()) > 15
    for method, path in writing():
        for what, body in RAW.items():
            answer = client.generic(method, address(path, rows), body, content_type="application/json")
            problem = answer["Content-Type"] == "application/problem+json"
            # The staff member has none of the driver's rows: those are 404 before the body is read.
            if answer.status_code not in (400, 404) or not problem or not answer.json()["request_id"]:
                wrong[f"{method} {path}: {what}"] = answer.status_code

    assert wrong == {}
    assert Booking.objects.count() == 3


def test_wild_values_in_all_fields_never_break_anything(people: dict[str, User]) -> None:
    schema, rows, client, wrong = description(), make_world(people["driver"]), asking(people, "staff"), {}
    for method, path, about in operations(schema):
        if "requestBody" not in about:
            continue
        names = fields_of(schema, about)
        for what, value in VALUES.items():
            # All at once: every field is looked at, whatever is wrong with the others.
            body = json.dumps(dict.fromkeys(names, value))
            answer = client.generic(method, address(path, rows), body, content_type="application/json")
            if answer.status_code >= 500:
                wrong[f"{method} {path}: {what}"] = answer.status_code

    assert wrong == {}


def test_fields_nobody_knows_are_refused_everywhere(people: dict[str, User]) -> None:
    rows, client, wrong = make_world(people["driver"]), asking(people, "staff"), {}
    for method, path in writing():
        answer = client.generic(
            method, address(path, rows), b'{"price": 1, "is_staff": true}', content_type="application/json"
        )
        if answer.status_code not in (400, 404) or (
            answer.status_code == 400 and not {"price", "is_staff"} <= set(answer.json().get("fields", ()))
        ):
            wrong[f"{method} {path}"] = (answer.status_code, answer.content[:200])

    assert wrong == {}
