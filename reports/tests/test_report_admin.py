"""The reports page of the back office."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from accounts.roles import make_roles
from accounts.tests.staff import verify
from bookings import services
from bookings.tests.factories import HOUR, make_lot, make_user, park

pytestmark = pytest.mark.django_db
PAGE = "/admin/reports/figures/"


@pytest.fixture
def two_lots(alice, olga):
    """Half an hour ago: 5.00 paid at Mine, 2.50 at Theirs."""
    now = timezone.now()
    lots = []
    for name, hours in (("Mine", 2), ("Theirs", 1)):
        lot = make_lot(2, now=now - timedelta(days=90), name=name)
        stay = services.release(park(lot, alice, now=now - hours * HOUR), by=alice, now=now)
        services.record_desk_payment(stay, method="card", by=olga, now=now)
        lots.append(lot)
    return lots


@pytest.fixture
def days():
    """Yesterday to today, so that midnight may come while a test runs."""
    today = timezone.now().date()
    return {"first": str(today - timedelta(days=1)), "last": str(today + timedelta(days=1))}


@pytest.fixture
def office(client, olga):
    return verify(client, olga)


@pytest.fixture
def olaf(two_lots):
    """An operator of one lot."""
    make_roles()
    operator = make_user("olaf", is_staff=True)
    operator.groups.add(Group.objects.get(name="operator"))
    two_lots[0].operators.add(operator)
    return verify(Client(), operator)


def read(answer):
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


@pytest.mark.promise("S2-14")
@pytest.mark.promise("S3-11", "S1-25")
def test_the_page_shows_a_period_beside_the_one_before_and_lot_by_lot(office, two_lots, days):
    answer = office.get(PAGE, days)

    lines = {line.label: (line.value, line.before) for line in answer.context["lines"]}
    assert lines["Revenue"] == ("€7.50", "–")
    assert lines["Stays begun"] == ("2", "0")
    assert [(row["lot"].name, row["revenue"]) for row in answer.context["lots"]] == [
        ("Mine", "€5.00"),
        ("Theirs", "€2.50"),
    ]
    assert "Revenue (EUR)" in answer.content.decode()


def test_one_lot_can_be_chosen(office, two_lots, days):
    answer = office.get(PAGE, {**days, "lot": "theirs"})

    assert answer.context["lines"][0].value == "€2.50"


def test_without_days_it_is_the_present_month(office, two_lots):
    assert office.get(PAGE).context["form"].cleaned_data["period"].is_month


@pytest.mark.promise("S4-29")
def test_page_and_files_say_the_same(office, two_lots, days):
    per_lot = read(office.get(f"{PAGE}lots.csv", days))
    per_booking = read(office.get(f"{PAGE}bookings.csv", days))

    assert sum(Decimal(row["revenue"]) for row in per_lot) == Decimal("7.50")
    assert sum(Decimal(row["paid_in_period"]) for row in per_booking) == Decimal("7.50")


def test_operators_see_and_choose_only_the_lots_they_run(olaf, days):
    assert olaf.get(PAGE, days).context["lines"][0].value == "€5.00"
    assert olaf.get(PAGE, {**days, "lot": "theirs"}).status_code == 422
    assert {row["lot"] for row in read(olaf.get(f"{PAGE}lots.csv", days))} == {"Mine"}
    assert {row["lot"] for row in read(olaf.get(f"{PAGE}bookings.csv", days))} == {"Mine"}


@pytest.mark.parametrize("address", ["", "lots.csv", "bookings.csv"])
def test_staff_without_the_rights_and_drivers_see_nothing(address, alice, db):
    clerk = verify(Client(), make_user("clerk", is_staff=True))
    driver = Client()
    driver.force_login(alice)

    assert clerk.get(f"{PAGE}{address}").status_code == 403
    assert driver.get(f"{PAGE}{address}").status_code in (302, 403)


@pytest.mark.parametrize(
    "wrong",
    [
        {"first": "yesterday"},
        {"first": "2027-02-30"},
        {"first": "2027-03-02", "last": "2027-03-01"},
        {"first": "2001-01-01", "last": "2090-01-01"},
        {"lot": "nowhere"},
    ],
)
def test_what_makes_no_period_is_told_in_the_form(office, wrong):
    for address in ("", "lots.csv", "bookings.csv"):
        assert office.get(f"{PAGE}{address}", wrong).status_code == 422


def test_a_long_period_is_drawn_by_month(office, two_lots):
    answer = office.get(PAGE, {"first": "2024-01-01", "last": "2025-12-31"})

    assert len(answer.context["charts"][-1].rows) == 24
