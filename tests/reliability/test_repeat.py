"""A server killed between its commit and its answer: the repeat has no second effect, but the answer."""

from __future__ import annotations

import json
import os
import signal
import sys
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from accounts.tests.conftest import PASSWORD, Api, make_member
from bookings.keys import IdempotencyKey
from bookings.models import Booking
from bookings.tests.factories import make_lot
from tests.reliability.house import House, house, once, until

__all__ = ["house"]
pytestmark = [pytest.mark.slow, once]
BOOKINGS = "/api/v1/bookings/"


def test_the_repeat_after_a_crash_gives_the_one_effect_and_its_answer(house: House) -> None:
    lot, driver = make_lot(3, now=timezone.now()), make_member("dora")
    api = Api(Client())
    assert api.post("/auth/login", {"email": driver.email, "password": PASSWORD}).status_code == 200
    start = timezone.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=5)
    body = {
        "lot": lot.slug,
        "kind": "reserved",
        "starts_at": start.isoformat(),
        "ends_at": (start + timedelta(hours=1)).isoformat(),
    }
    key = str(uuid.uuid4())

    def book() -> tuple[int, dict[str, str], str]:
        headers = {"Authorization": f"Bearer {api.access}", "Content-Type": "application/json"}
        return house.ask("POST", BOOKINGS, body, headers | {"Idempotency-Key": key})

    # The same server, but for a fuse that burns through once the answer of a booking is made.
    granian = [str(Path(sys.executable).parent / "granian"), "--interface", "wsgi", "--workers", "1"]
    dying = house.run([*granian, "--port", str(house.port), "tests.reliability.fused:application"], "fused")
    until(lambda: house.get("/healthz")[0] == 200)
    status, _headers, text = book()
    os.killpg(dying.pid, signal.SIGKILL)
    dying.wait()
    until(lambda: house.get("/healthz")[0] == 0)

    assert (status, text) == (0, "")
    booked = Booking.objects.get()
    kept = IdempotencyKey.objects.get()
    assert (kept.key, kept.status) == (key, 201)

    house.start_web()
    status, headers, text = book()
    before, refreshed = api.access, api.post("/tokens/refresh", {"refresh_token": api.refresh})
    assert refreshed.status_code == 200
    api.access = refreshed.json()["data"]["access_token"]
    again = book()

    assert status == 201
    assert headers["idempotent-replayed"] == "true"
    assert json.loads(text) == json.loads(kept.body)
    assert json.loads(text)["reference"] == booked.reference
    assert api.access != before
    assert (again[0], again[2]) == (201, text)
    assert again[1]["idempotent-replayed"] == "true"
    assert Booking.objects.count() == 1
