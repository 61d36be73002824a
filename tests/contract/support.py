"""What every check of the API's contract needs: the description as it is served, and who asks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.conftest import PASSWORD, Api, code_for, make_member
from bookings import reviewing, services
from bookings.models import Booking
from bookings.tests.factories import HOUR, make_lot, park, reserve
from bookings.waitlist_models import WaitlistEntry, WaitlistState
from parking import throttles

V1 = "/api/v1/"
METHODS = ("get", "post", "put", "patch", "delete")


def description() -> dict[str, Any]:
    """Our own part: the other is allauth's, and described by it."""
    schema: dict[str, Any] = APIClient().get("/api/schema/", headers={"Accept": "application/json"}).json()
    schema["paths"] = {path: found for path, found in schema["paths"].items() if path.startswith(V1)}
    return schema


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(method, path, what is said about it)."""
    for path, methods in schema["paths"].items():
        for method in METHODS:
            if method in methods:
                yield method, path, methods[method]


def count_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many requests a minute as these checks need."""
    for throttle in (throttles.AnonThrottle, throttles.UserThrottle):
        monkeypatch.setattr(throttle, "rate", "1000000/min", raising=False)
    throttles._counts.clear()


def make_people() -> dict[str, User]:
    return {
        "driver": make_member("dora"),
        "staff": make_member("stan", is_staff=True, is_superuser=True),
    }


def token(user: User) -> str:
    """As a program gets it: by signing in."""
    api = Api(Client())
    answer = api.post("/auth/login", {"email": user.email, "password": PASSWORD})
    if answer.status_code == 401:  # staff are asked for a code as well
        answer = api.post("/auth/code/confirm", {"code": code_for(user.email)})
    assert answer.status_code == 200, answer.content
    return api.access


def make_world(driver: User) -> dict[str, str]:
    """A booking to come, a stay that is over and paid, a place in line, a vehicle, a review: the driver's.

    Returns what addresses call them.
    """
    now = timezone.now()
    start = now.replace(minute=0, second=0, microsecond=0)
    lot = make_lot(3, now=now - timedelta(days=9))
    booking = reserve(lot, driver, now=now, starts_in=start - now + 25 * HOUR)
    for running in Booking.objects.of(driver).running():
        services.release(running, by=driver, now=now)
    stay = services.release(park(lot, driver, now=now - 2 * HOUR), by=driver, now=now)
    payment = services.record_desk_payment(stay, method="cash", by=driver, now=now)
    reviewing.write(lot=lot, author=driver, rating=4, text="Dry", now=now)
    full = make_lot(1, now=now - timedelta(days=9))
    taken = reserve(full, driver, now=now, starts_in=start - now + 49 * HOUR)
    for waiting in WaitlistEntry.objects.of(driver).filter(state=WaitlistState.WAITING):
        services.leave(waiting, by=driver, now=now)
    entry = services.join(
        lot_id=full.pk, driver=driver, starts_at=taken.starts_at, ends_at=taken.ends_at, now=now
    )
    vehicle, _is_new = driver.vehicles.get_or_create(plate="B DO 1", plate_normalised="BDO1")
    return {
        "slug": lot.slug,
        "reference": booking.reference,
        "id": str(payment.pk),
        "vehicle": str(vehicle.pk),
        "entry": entry.reference,
        "job": "daily-reminder",
    }


def rows_at(path: str, rows: dict[str, str]) -> dict[str, str]:
    """Some paths call different things by one name."""
    if "/vehicles/" in path:
        return {**rows, "id": rows["vehicle"]}
    return {**rows, "reference": rows["entry"]} if "/waitlist/" in path else rows
