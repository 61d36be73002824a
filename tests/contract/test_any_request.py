"""Whatever is sent to the API, it answers what its own description says: no 5xx, no surprise.

Cases are made from the description itself, for everybody, a driver and staff, on rows that are there and on
rows that are not. CONTRACT_CASES=10000 asks for more of them than every run can afford.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from django.db import connection
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.specs.openapi import checks

from tests.contract.support import count_nobody, description, make_people, make_world, rows_at, token

CASES = int(os.environ.get("CONTRACT_CASES", "2000"))
PROMISED = [
    *CHECKS.get_by_names(["not_a_server_error"]),
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
# Who asks, and the answers they must have had by the end.
HAD = {
    "anonymous": {200, 400, 401, 404},
    "driver": {200, 201, 204, 400, 403, 404, 409},
    "staff": {200, 201, 202, 204, 400, 404},
}


def cases_of(operation: Any, rows: dict[str, str]) -> Any:
    """Right and wrong requests, to rows that are there and to others."""
    named = {parameter.name for parameter in operation.path_parameters}
    here = rows_at(operation.path, rows)
    real = {name: here[name] for name in named & here.keys()}
    sorts = [operation.as_strategy(mode) for mode in GenerationMode]
    if real:
        sorts += [operation.as_strategy(mode, path_parameters=real) for mode in GenerationMode]
    return st.one_of(sorts)


def ask(operation: Any, rows: dict[str, str], headers: Any, count: int, statuses: Counter[int]) -> None:
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize="CONTRACT_CASES" not in os.environ,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases_of(operation, rows))
    def once(case: Any) -> None:
        answer = case.call(headers=headers)
        statuses[answer.status_code] += 1
        case.validate_response(answer, checks=PROMISED)

    once()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)  # a request of a real application ends its connection
@pytest.mark.usefixtures("long_tokens")
@pytest.mark.parametrize("role", HAD)
def test_every_answer_is_one_that_is_described(monkeypatch: pytest.MonkeyPatch, role: str) -> None:
    if connection.vendor != "postgresql" and "CONTRACT_CASES" not in os.environ:
        pytest.skip("asked on PostgreSQL")
    count_nobody(monkeypatch)
    people = make_people()
    headers = {"Authorization": f"Bearer {token(people[role])}"} if role in people else {}
    api = schemathesis.openapi.from_dict(description())
    api.app = get_wsgi_application()
    operations = [found.ok() for found in api.get_all_operations()]
    each = max(CASES // (len(operations) * len(HAD)), 1) + 1
    statuses: Counter[int] = Counter()
    broken: dict[str, str] = {}
    rows: dict[str, str] = {}

    for operation in operations:
        if not rows:
            rows = make_world(people["driver"])
        try:
            ask(operation, rows, headers, each, statuses)
        except BaseExceptionGroup as failures:
            broken[operation.label] = str(failures.exceptions[0])[:1500]
        except (AssertionError, schemathesis.errors.SchemathesisError) as failure:
            broken[operation.label] = str(failure)[:1500]
        if operation.method.upper() != "GET":
            rows = {}  # who knows what is left of them

    assert broken == {}, "\n\n".join(f"{where}\n{what}" for where, what in broken.items())
    assert sum(statuses.values()) >= CASES / len(HAD) * 0.9
    assert statuses[429] < CASES / len(HAD) * 0.1
    # All sorts of answers were had: it was not turned away at the door each time.
    assert HAD[role] <= statuses.keys(), statuses


@pytest.fixture
def long_tokens(settings: Any) -> None:
    """Tokens that live as long as the test."""
    settings.EMAIL_BACKEND = "accounts.outbox.OutboxBackend"
    settings.HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN = 7200
