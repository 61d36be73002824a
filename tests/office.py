"""A lot and everything that hangs on it, a row of each model of the back office for each of its drivers.

Whatever names it carries a tag: it is found wherever it shows, and missed wherever it must not.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.utils import timezone
from django_celery_beat import models as beat
from django_otp.plugins.otp_email.models import EmailDevice
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import Notice, User, Vehicle, Viewing
from bookings import receipts, services
from bookings.models import Problem, WaitlistEntry, WebhookDelivery
from bookings.tests.factories import make_lot, make_user, park
from bookings.webhooks import services as webhooks
from bookings.webhooks.models import WebhookEndpoint
from lots.models import Closure, Lot
from lots.reviews import write as review
from lots.services import set_operators
from reports.models import Export, JobRun, OccupancyImport
from reports.sheets.models import ImportBatch

HOUR = timedelta(hours=1)


def make_operator(name: str, lot: Lot | None) -> User:
    """May do everything, at this lot: what is kept from them is kept by the limit alone."""
    user = make_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    set_operators(lot=lot, users=[user], by=None, now=timezone.now()) if lot else None
    return user


def make_world(tag: str, count: int) -> Lot:
    """A lot named after the tag, with so many drivers and an operator of its own."""
    now = timezone.now()
    lot = make_lot(count + 1, now=now - timedelta(days=400), name=f"{tag} lot", city=f"{tag} city")
    keeper = make_operator(f"{tag}-keeper".lower(), lot)
    for number in range(count):
        _driver(lot, f"{tag}{number}", keeper)
    assert not (missing := [model for model in _registry() if not model._base_manager.exists()]), missing
    return lot


def _registry() -> list[Any]:
    return list(admin.site._registry)


def _driver(lot: Lot, name: str, keeper: User) -> None:
    now = timezone.now()
    driver = make_user(name.lower())
    User.objects.filter(pk=driver.pk).update(name=f"{name} Driver", phone=f"+49 {name}")
    Vehicle.objects.create(driver=driver, plate=f"{name} XY", plate_normalised=f"{name}XY".upper())
    _account(driver, name)
    past = park(lot, driver, now=now - 3 * HOUR, plate=f"{name} XY")
    past = services.release(past, by=driver, now=now - 2 * HOUR)
    services.record_desk_payment(past, method="card", by=keeper, now=now)
    services.refund(past, amount=Decimal("0.50"), reason=f"{name} rained", by=keeper, now=now)
    receipts.issue(past, now=now)
    review(lot=lot, author=driver, rating=3, text=f"{name} says so", now=now)
    stay = park(lot, driver, now=now, plate=f"{name} XY")
    spot = stay.spot
    Problem.objects.create(booking=stay, spot=spot, kind="blocked", text=f"{name} blocked", reported_at=now)
    Closure.objects.create(lot=lot, spot=spot, reason=f"{name} paint", by=keeper, created_at=now,
                           starts_at=now + timedelta(days=50))  # fmt: skip
    window = {"starts_at": now + 30 * HOUR, "ends_at": now + 31 * HOUR}
    WaitlistEntry.objects.create(driver=driver, lot=lot, plate=f"{name} XY", joined_at=now, **window)
    services.set_spot_in_service(
        spot_id=lot.spots.exclude(pk=spot.pk).order_by("-pk")[0].pk, is_in_service=True, by=keeper, now=now
    )
    _work(keeper, name, stay, driver)


def _account(driver: User, name: str) -> None:
    now = timezone.now()
    Notice.objects.create(recipient=driver.email, user=driver, subject=f"{name} news", text=f"{name} text")
    EmailAddress.objects.create(user=driver, email=driver.email)
    UserSession.objects.create(user=driver, ip="127.0.0.1", session_key=name[:40], user_agent=name)
    for device in (TOTPDevice, EmailDevice, StaticDevice):
        device.objects.create(user=driver, name=f"{name} device")
    Viewing.objects.create(at=now, viewer=driver, what="accounts.user", people=f"|{driver.pk}|", count=1)


def _work(keeper: User, name: str, stay: Any, driver: User) -> None:
    """What operators leave behind, and the system's own rows."""
    now = timezone.now()
    endpoint = WebhookEndpoint.objects.filter(operator=keeper).first()
    if endpoint is None or not endpoint.url.endswith(name):
        endpoint = webhooks.register(WebhookEndpoint(url=f"https://example.org/{name}"), by=keeper, now=now)
    WebhookDelivery.objects.create(
        endpoint=endpoint, entry=stay.timeline.first(), created_at=now, not_before=now
    )
    ImportBatch.objects.create(kind="lots", state=ImportBatch.State.DONE, by=keeper, file_name=f"{name}.csv",
                               content=b"", uploaded_at=now)  # fmt: skip
    numbers = dict.fromkeys(["row_count", "new_count", "known_count", "refused_count"], 0)
    OccupancyImport.objects.create(file_name=f"{name}-cars.csv", by=keeper, imported_at=now, **numbers)
    JobRun.objects.create(job="monthly-report", period=f"2030-01 {stay.pk}", due_at=now, asked_by=keeper)
    Export.objects.create(owner=driver, kind="own-bookings", format="csv", created_at=now)
    Group.objects.get_or_create(name=f"role {stay.pk}")
    interval, _made = beat.IntervalSchedule.objects.get_or_create(every=stay.pk, period="days")
    beat.PeriodicTask.objects.create(name=f"task {stay.pk}", interval=interval)
    beat.ClockedSchedule.objects.create(clocked_time=now)
    beat.CrontabSchedule.objects.create(minute=str(stay.pk % 60), hour=str(stay.pk % 24))
    beat.SolarSchedule.objects.create(event="sunrise", latitude=stay.pk % 90, longitude=stay.pk % 180)
