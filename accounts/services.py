"""What people change about themselves, their profile and their vehicles; and who is let in at all."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import grants
from accounts.models import User, Vehicle
from accounts.plates import normalise_plate

MOST_VEHICLES = 50


@transaction.atomic
def update_profile(*, user: User, **fields: Any) -> User:
    """Raises ValidationError with messages by field."""
    fresh = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    for name, value in fields.items():
        setattr(fresh, name, value)
    fresh.username = fresh.username or None
    fresh.full_clean(exclude=["password"])
    fresh.save(update_fields=[*fields] or None)
    return fresh


@transaction.atomic
def add_vehicle(*, driver: User, **fields: Any) -> Vehicle:
    """A driver's first vehicle is the default one. Raises ValidationError with messages by field."""
    _lock(driver)
    if driver.vehicles.count() >= MOST_VEHICLES:
        raise ValidationError(_("A driver has at most %d vehicles.") % MOST_VEHICLES, code="too_many")
    if not driver.vehicles.exists():
        fields["is_default"] = True
    return _save(Vehicle(driver=driver), fields)


@transaction.atomic
def update_vehicle(*, vehicle: Vehicle, **fields: Any) -> Vehicle:
    _lock(vehicle.driver)
    return _save(Vehicle.objects.get(pk=vehicle.pk), fields)


@transaction.atomic
def remove_vehicle(*, vehicle: Vehicle) -> None:
    """Bookings keep the plate they were made with."""
    _lock(vehicle.driver)
    vehicle.delete()


@transaction.atomic
def set_active(*, user: User, is_active: bool, reason: str, by: User | None, now: datetime) -> User:
    """Let somebody in or keep them out; twice is once. Who is kept out is signed out everywhere at once."""
    fresh = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if fresh.is_active != is_active:
        before = grants.of_user(fresh)
        fresh.is_active = is_active
        fresh.save(update_fields=["is_active"])
        grants.user_changed(fresh, before, by=by, now=now, reason=reason)
    if not is_active:
        # Tokens of programs live in their sessions, and end with them.
        sessions = UserSession.objects.filter(user=fresh)
        Session.objects.filter(session_key__in=sessions.values("session_key")).delete()
        sessions.delete()
    return fresh


def _lock(driver: User) -> None:
    """Two changes at once would otherwise both find no default vehicle, or no such plate."""
    User.objects.select_for_update(no_key=True).get(pk=driver.pk)


def _save(vehicle: Vehicle, fields: dict[str, Any]) -> Vehicle:
    for name, value in fields.items():
        setattr(vehicle, name, value)
    vehicle.plate = " ".join(vehicle.plate.split())
    vehicle.plate_normalised = normalise_plate(vehicle.plate)
    if not vehicle.plate_normalised:
        raise ValidationError({"plate": "A plate has letters or digits."})
    others = vehicle.driver.vehicles.exclude(pk=vehicle.pk)
    if others.filter(plate_normalised=vehicle.plate_normalised).exists():
        raise ValidationError({"plate": ValidationError("You have this plate already.", code="unique")})
    if vehicle.is_default:
        others.filter(is_default=True).update(is_default=False)
    vehicle.full_clean()
    vehicle.save()
    return vehicle
