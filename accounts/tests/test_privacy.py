"""What we know about people: complete when downloaded, gone when erased."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core import serializers
from django.db import models
from django.test import Client

from accounts import privacy
from accounts.models import Notice, User, Vehicle
from accounts.tests.conftest import PASSWORD, Api, make_member, prove
from bookings import services
from bookings.models import Booking
from bookings.tests import factories
from lots.models import Lot

OURS = ["accounts", "lots", "bookings", "reports", "parking"]
SENTINELS = ["mia@example.com", "Mia Sentinel", "Sentinel Road", "SENT1NEL", "+49 555 0199"]


@pytest.fixture
def mia(member: User) -> User:
    services_of = {"name": "Mia Sentinel", "address": "Sentinel Road 1", "phone": "+49 555 0199"}
    User.objects.filter(pk=member.pk).update(**services_of)
    Vehicle.objects.create(driver=member, plate="SENT1NEL", plate_normalised="SENT1NEL")
    member.refresh_from_db()
    return member


@pytest.fixture
def over(mia: User, lot: Lot, now: datetime) -> Booking:
    """A booking that is over and cost nothing."""
    booking = factories.reserve(lot, mia, now=now, plate="SENT1NEL")
    return services.cancel(booking, by=mia, now=now + timedelta(minutes=1))


def signed_in(user: User) -> Client:
    client = Client()
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    prove(client)
    return client


def test_every_column_that_could_tell_about_a_person_is_on_a_list():
    ours = [model for app in OURS for model in apps.get_app_config(app).get_models()]

    assert privacy.unlisted(ours) == []


def test_the_lists_name_only_columns_there_are():
    for table in privacy.inventory():
        columns = {column.name for column in table.cls._meta.concrete_fields}
        assert {*table.personal, *table.other} <= columns, table.model
        # What is left out of the download is named as it would stand there: by_id.
        assert {*table.secret} <= columns | {c.attname for c in table.cls._meta.concrete_fields}, table.model


def test_a_new_column_on_neither_list_is_noticed():
    class Diary(models.Model):
        secret_wish = models.TextField()
        kind = models.CharField(max_length=3, choices=[("a", "a")])
        writer = models.ForeignKey(User, models.CASCADE, related_name="+")
        pages = models.IntegerField()

        class Meta:
            app_label = "accounts"

    try:
        assert privacy.unlisted([Diary]) == ["accounts.Diary.secret_wish", "accounts.Diary.writer"]
    finally:
        del apps.all_models["accounts"]["diary"]
        apps.clear_cache()


@pytest.mark.django_db
def test_a_person_downloads_everything_and_nobody_elses(over: Booking, lot: Lot, mia: User, now: datetime):
    bob = make_member("bob")
    factories.reserve(lot, bob, now=now, plate="BOB1")

    answer = signed_in(mia).get("/accounts/privacy/download/")

    text = answer.content.decode()
    data = json.loads(text)
    assert answer["Content-Disposition"].startswith("attachment")
    assert "no-store" in answer["Cache-Control"]
    assert [sentinel for sentinel in SENTINELS if sentinel not in text] == []
    assert data["bookings.Booking"][0]["reference"] == over.reference
    assert data["usersessions.UserSession"][0]["ip"] == "127.0.0.1"
    assert "BOB1" not in text
    assert "bob@" not in text
    assert mia.password not in text


@pytest.mark.django_db
def test_an_erased_person_is_found_nowhere_and_the_books_stay(over: Booking, mia: User, now: datetime):
    Notice.objects.create(recipient=mia.email, subject="Hello Mia Sentinel", text="…")
    before = Booking.objects.values("total", "state", "starts_at", "spot", "price_lines").get()
    client, program = signed_in(mia), Api()
    program.post("/auth/login", {"email": mia.email, "password": PASSWORD})

    answer = client.post("/accounts/privacy/erase/")

    assert answer.status_code == 302
    dump = serializers.serialize("json", _all_rows())
    assert [sentinel for sentinel in SENTINELS if sentinel in dump] == []
    assert Booking.objects.values("total", "state", "starts_at", "spot", "price_lines").get() == before
    gone = User.objects.get(pk=mia.pk)
    assert not gone.is_active
    assert not gone.has_usable_password()
    assert client.get("/accounts/profile/").status_code == 302
    program.session = ""
    assert program.call("GET", "/auth/session").status_code in (401, 410)
    assert Api().post("/auth/login", {"email": "mia@example.com", "password": PASSWORD}).status_code == 400
    # The address is free again.
    assert Api().post("/auth/signup", {"email": "mia@example.com", "password": PASSWORD}).status_code == 401


def _all_rows() -> Any:
    for model in apps.get_models():
        if model._meta.label not in ("sessions.Session", "contenttypes.ContentType", "auth.Permission"):
            yield from model._base_manager.all()


@pytest.mark.django_db
def test_nobody_is_erased_while_a_booking_is_open(lot: Lot, mia: User, now: datetime):
    factories.reserve(lot, mia, now=now)
    client = signed_in(mia)

    answer = client.post("/accounts/privacy/erase/")

    assert answer.status_code == 409
    assert "1 booking that is not over" in answer.content.decode()
    mia.refresh_from_db()
    assert mia.is_active
    assert "not over" in client.get("/accounts/privacy/").content.decode()


@pytest.mark.django_db
def test_nobody_is_erased_while_something_is_unpaid(lot: Lot, mia: User, now: datetime):
    booking = factories.park(lot, mia, now=now)
    services.release(booking, by=mia, now=now + timedelta(hours=1))

    answer = signed_in(mia).post("/accounts/privacy/erase/")

    assert answer.status_code == 409
    assert booking.reference in answer.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["download/", "erase/"])
def test_a_found_session_is_not_enough(path: str, client: Client, mia: User):
    client.force_login(mia)

    assert client.get(f"/accounts/privacy/{path}")["Location"].startswith("/accounts/reauthenticate/")
    client.post(f"/accounts/privacy/{path}")
    mia.refresh_from_db()
    assert mia.is_active


@pytest.mark.django_db
def test_erasing_needs_a_click_on_its_own_page(mia: User):
    signed_in(mia).get("/accounts/privacy/erase/")

    mia.refresh_from_db()
    assert mia.is_active
