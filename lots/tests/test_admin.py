"""How operators write hours, exceptions and refund tiers, and what they read of tariffs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests.staff import verify
from lots.admin_fields import LocalPeriodsField, TiersField, WeeklyHoursField, to_local, to_moments
from lots.hours import OpeningHours, from_text
from lots.models import Lot

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize("text", ["24/7", "Mo-Fr 08:00-20:00; Sa 09:00-18:00"])
def test_hours_come_back_as_they_were_written(text: str):
    field = WeeklyHoursField()

    hours = field.clean(text)

    assert isinstance(hours, OpeningHours)
    assert field.prepare_value(hours) == text
    assert not field.has_changed(hours, text)


def test_hours_that_make_no_sense_are_explained():
    with pytest.raises(ValidationError) as refused:
        WeeklyHoursField().clean("Mo-Fr eight to six")

    assert "Mo-Fr" in refused.value.messages[0]


def test_a_changed_week_is_seen():
    assert WeeklyHoursField().has_changed(from_text("24/7"), "Mo 08:00-12:00")


def test_exceptions_are_read_on_the_lots_clock():
    field = LocalPeriodsField()

    periods = to_moments(field.clean("2026-12-24 18:00 – 2026-12-26 08:00\n"), BERLIN)

    assert periods == ((datetime(2026, 12, 24, 17, tzinfo=UTC), datetime(2026, 12, 26, 7, tzinfo=UTC)),)
    assert field.prepare_value(to_local(periods, BERLIN)) == "2026-12-24 18:00 – 2026-12-26 08:00"


@pytest.mark.parametrize(
    "line", ["christmas", "2026-12-24 – 2026-12-26", "2026-02-30 10:00 – 2026-03-01 10:00"]
)
def test_a_line_that_is_no_period_is_named(line: str):
    with pytest.raises(ValidationError, match="is no period"):
        LocalPeriodsField().clean(line)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("2026-12-26 08:00 – 2026-12-24 18:00", "must end after"),
        ("2027-03-28 02:30 – 2027-03-28 05:00", "does not exist"),
    ],
)
def test_periods_that_cannot_be_are_refused(line: str, sentence: str):
    with pytest.raises(ValidationError, match=sentence):
        to_moments(LocalPeriodsField().clean(line), BERLIN)


def test_refund_tiers_come_back_as_they_were_written():
    field = TiersField()
    text = "1 d: 100 %\n90 min: 50 %"

    tiers = field.clean(text)

    assert tiers == [
        {"notice_minutes": 1440, "refund_percent": 100},
        {"notice_minutes": 90, "refund_percent": 50},
    ]
    assert field.prepare_value(tiers) == text
    assert not field.has_changed(tiers, text)


@pytest.mark.parametrize("line", ["always", "24 h: 101 %", "24: 50 %"])
def test_a_line_that_is_no_tier_is_named(line: str):
    with pytest.raises(ValidationError, match="is no tier"):
        TiersField().clean(line)


def test_tariff_versions_are_read_and_never_written(lot: Lot, olga: User):
    client = verify(Client(), olga)
    tariff = lot.tariffs.get()
    page = reverse("admin:lots_tariff_change", args=[tariff.pk])

    assert "2.50" in client.get(page).content.decode()
    assert client.get(reverse("admin:lots_tariff_changelist")).status_code == 200
    assert client.post(page, {"version": 7}).status_code == 403
    assert client.get(reverse("admin:lots_tariff_add")).status_code == 403
    assert (
        client.post(reverse("admin:lots_tariff_delete", args=[tariff.pk]), {"post": "yes"}).status_code == 403
    )


@pytest.mark.parametrize("capacity", [1, 3])
def test_the_list_of_tariffs_asks_the_same_however_long(
    capacity: int, olga: User, django_assert_max_num_queries: Any
):
    from bookings.tests.factories import make_lot

    for _ in range(capacity):
        make_lot(1)
    client = verify(Client(), olga)

    with django_assert_max_num_queries(9):
        client.get(reverse("admin:lots_tariff_changelist"))
