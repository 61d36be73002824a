"""The API's test stage: clients that speak JSON, at the moment all tests play."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rest_framework.test import APIClient

from accounts.models import User
from bookings.tests.factories import NOW

API = "/api/v1/"
HOUR = timedelta(hours=1)


def client_for(user: User | None = None) -> APIClient:
    """Signed in without a token where signing in is not what is tested."""
    client = APIClient()
    if user:
        client.force_authenticate(user)
    return client


def at(hours: float) -> str:
    """So many hours from now, as clients write it."""
    return (NOW + timedelta(hours=hours)).isoformat()


def z(hours: float) -> str:
    """So many hours from now, as we answer it."""
    return at(hours).replace("+00:00", "Z")


def reserved(lot: Any, starts: float = 1, ends: float = 3, **more: Any) -> dict[str, Any]:
    return {"lot": lot.slug, "kind": "reserved", "starts_at": at(starts), "ends_at": at(ends), **more}


def post(client: APIClient, path: str, data: Any = None, key: str | None = None) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(API + path, data, format="json", headers=headers)
