"""What the API's tests need: their own moment, and nobody counting their requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from rest_framework.test import APIClient

from accounts.models import User
from bookings.tests.api_support import client_for
from bookings.tests.factories import NOW


@pytest.fixture
def api(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The clock stands at NOW; move it with api.shift()."""
    from parking import throttles

    throttles._counts.clear()
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def as_alice(api: Any, alice: User) -> APIClient:
    return client_for(alice)


@pytest.fixture
def as_bob(api: Any, bob: User) -> APIClient:
    return client_for(bob)


@pytest.fixture
def as_olga(api: Any, olga: User) -> APIClient:
    return client_for(olga)


@pytest.fixture
def as_anyone(api: Any) -> APIClient:
    return client_for()
