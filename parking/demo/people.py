"""The demo's sign-ins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress

from accounts.models import User, Vehicle
from accounts.plates import normalise_plate

PASSWORD = "parkwell-demo"  # noqa: S105  told to everybody; the demo refuses to run in production


@dataclass(frozen=True)
class People:
    driver: User
    second: User
    operator: User


def make_people(*, now: datetime) -> People:
    """Make who is missing; somebody who is there keeps their password and profile."""
    return People(
        driver=_person("driver", now, name="Dana Driver", plate="DEMO 1", connector="IEC_62196_T2_COMBO"),
        second=_person("second", now, name="Sam Second", plate="DEMO 2", connector=""),
        operator=_person("operator", now, name="Olga Operator", is_staff=True, is_superuser=True),
    )


def _person(username: str, now: datetime, *, plate: str = "", connector: str = "", **fields: Any) -> User:
    email = f"{username}@example.com"
    user = User.objects.filter(email=email).first()
    if user is None:
        user = User.objects.create_user(email, PASSWORD, username=username, date_joined=now, **fields)
    EmailAddress.objects.get_or_create(user=user, email=email, defaults={"verified": True, "primary": True})
    if plate:
        Vehicle.objects.get_or_create(
            driver=user,
            plate_normalised=normalise_plate(plate),
            defaults={"plate": plate, "connector": connector, "is_default": True},
        )
    return user
