"""The back office's first page: every figure is the number of rows it leads to, of one's own lots only."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.roles import make_roles
from accounts.tests.staff import verify
from bookings import money_due, services, situations
from bookings.models import Booking
from bookings.tests.factories import HOUR, make_lot, make_user, park, reserve
from lots.models import Lot
from parking import dashboard
from reports import figures, series
from reports.days import Days, zone_of
from reports.scope import Scope

INDEX = reverse("admin:index")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def office(olga: User) -> Client:
    return verify(Client(), olga)


@pytest.fixture
def busy(alice: User, bob: User, olga: User) -> Lot:
    """A paid stay, one half paid back, an unpaid one, somebody there, somebody due and a hold."""
    now = timezone.now()
    lot = make_lot(5, now=now - timedelta(days=90), name="Mine", timezone="UTC")
    for driver, hours in ((make_user("paid"), 3), (make_user("back"), 2), (make_user("owes"), 1)):
        stay = services.release(park(lot, driver, now=now - hours * HOUR), by=driver, now=now - MINUTE)
        if driver.name != "Owes":
            services.record_desk_payment(stay, method="card", by=olga, now=now)
        if driver.name == "Back":
            services.refund(stay, amount=Decimal("1.00"), reason="Rain", by=olga, now=now)
    park(lot, alice, now=now - HOUR)
    grid = now.replace(minute=0, second=0, microsecond=0) + HOUR
    reserve(lot, bob, now=now, starts_in=grid - now)
    return lot


def tiles(client: Client) -> dict[str, Any]:
    return {tile.label: tile for tile in client.get(INDEX).context["tiles"]}


@pytest.mark.promise("S2-08", "S2-13", "S4-38")
def test_every_count_is_the_number_of_rows_it_leads_to(office: Client, busy: Lot):
    known = tiles(office)

    assert known["Parked now"].value == "1"
    assert known["Over and unpaid (30 days)"].value == "1"
    for tile in known.values():
        rows = office.get(tile.link).context["cl"]
        if re.match(r"\d+", tile.value):
            assert int(re.match(r"\d+", tile.value)[0]) == rows.result_count, tile  # type: ignore[index]


def test_money_today_is_the_ledgers(office: Client, busy: Lot, olga: User):
    known = tiles(office)
    rows = office.get(known["Revenue today"].link).context["cl"].result_list
    signed = sum(row.amount if row.kind == "charge" else -row.amount for row in rows)

    today = Days.day(timezone.now().date(), zone_of(olga))
    [money] = figures.money(Scope(Lot.objects.all()), today)
    assert money.revenue == signed > 0
    assert known["Revenue today"].value.endswith(f"{signed:.2f}")
    assert known["Refunded today"].value.endswith("1.00")


def test_unpaid_is_what_the_ledger_says_is_due(busy: Lot, alice: User):
    now = timezone.now()
    over = Booking.objects.exclude(state__in=["active", "confirmed", "held", "expired"])

    unpaid = set(situations.unpaid(Booking.objects.all(), now))

    assert unpaid == {booking for booking in over if money_due.due(booking)} != set()


@pytest.mark.promise("S1-25")
@pytest.mark.parametrize("span", ["7", "30", "12"])
def test_the_charts_of_a_span_sum_to_the_report(span: str, office: Client, busy: Lot, olga: User):
    drawn = office.get(INDEX, {"span": span, "charts": "now"}).context["drawn"]
    found = figures.summary(Lot.objects.all(), drawn.period, now=timezone.now())

    def total(title: str) -> float:
        [chart] = [chart for chart in drawn.charts if chart.title == title]
        cells = [cell for row in chart.rows for cell in row[1:]]
        return float(sum(Decimal(re.sub(r"[^\d.]", "", cell) or 0) for cell in cells))

    assert total("Reserved bookings made") == found.activity.made_reserved == 1
    assert total("Instant bookings made") == found.activity.made_instant == 4
    assert total("Busiest hours: stays begun, on the lots' clocks") == found.activity.began == 4
    revenue = float(found.in_currency("EUR").revenue)
    for title in ("Revenue (EUR)", "Revenue by lot (EUR)", "Revenue by way of paying (EUR)"):
        assert total(title) == revenue > 0
    assert len(drawn.drivers) == 4
    assert office.get(dashboard._more(drawn.period)).status_code == 200


def test_the_busiest_hours_are_on_each_lots_own_clock(alice: User, bob: User):
    now = datetime.fromisoformat("2027-03-01T10:00:00+00:00")  # a Monday
    for zone, driver in (("Europe/Berlin", alice), ("Pacific/Auckland", bob)):
        park(make_lot(1, timezone=zone), driver, now=now)

    found = series.busiest_hours(Lot.objects.all(), Days.month(now.date(), zone_of(alice)))

    assert [(day, hour) for day in range(7) for hour in range(24) if found[day][hour]] == [(0, 11), (0, 23)]


def test_an_operator_of_some_lots_sees_those_alone(busy: Lot, alice: User):
    make_roles()
    other = make_lot(2, now=timezone.now(), name="Theirs")
    olaf = make_user("olaf", is_staff=True)
    olaf.groups.add(Group.objects.get(name="operator"))
    other.operators.add(olaf)
    cache.clear()

    page = verify(Client(), olaf).get(INDEX, {"charts": "now"})

    known = {tile.label: tile.value for tile in page.context["tiles"]}
    assert known["Spots taken now"].startswith("0 of 2 ")
    assert known["Parked now"] == known["New drivers today"] == "0"
    assert [row["lot"] for row in page.context["lots_now"]["rows"]] == [other]
    assert page.context["drawn"].drivers == []
    assert "Mine" not in page.content.decode()


def test_staff_without_rights_see_no_figures(busy: Lot):
    page = verify(Client(), make_user("clerk", is_staff=True)).get(INDEX)

    assert page.status_code == 200
    assert not [name for name in ("tiles", "drawn", "health") if name in page.context]


@pytest.mark.parametrize("rows", [1, 4])
def test_more_bookings_cost_no_more_queries(
    rows: int, busy: Lot, office: Client, django_assert_max_num_queries: Any
):
    extra = make_lot(4, now=timezone.now(), name="Extra", timezone="UTC")
    for _ in range(rows):
        park(extra, make_user(), now=timezone.now())

    with django_assert_max_num_queries(36):
        office.get(INDEX)
    with django_assert_max_num_queries(60):
        office.get(INDEX, {"charts": "now"})


def test_the_page_does_not_wait_for_its_charts_and_asks_for_them_alone(office: Client, busy: Lot):
    first = office.get(INDEX, {"span": "30"})
    part = office.get(INDEX, {"span": "30", "charts": "now"}, headers={"hx-request": "true"})

    assert first.context["drawn"] is None
    assert 'hx-get="?span=30&amp;charts=now"' in first.content.decode()
    assert part.context["drawn"].charts
    assert "tiles" not in part.context
    # Drawn once, they come with the page.
    assert office.get(INDEX, {"span": "30"}).context["drawn"].at == part.context["drawn"].at


def test_the_system_says_how_it_is(office: Client, busy: Lot):
    signs = {sign.label: sign for sign in office.get(INDEX).context["health"]}

    assert signs["Integrity"].value == "not proved yet"
    assert int(signs["Mails that wait"].value) > 0
    assert "B" in signs["Size of the database"].value
    for sign in signs.values():
        assert not sign.link or office.get(sign.link).status_code == 200
