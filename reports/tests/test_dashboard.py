"""The driver's page of figures, and the charts on it."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from bookings import services
from bookings.tests.factories import HOUR, make_lot, park, reserve
from reports import charts
from reports.charts import Point

pytestmark = pytest.mark.django_db
PAGE = "/dashboard/"


@pytest.fixture
def paid_stay(alice, olga):
    """A stay of two hours that ended just now, 5.00 paid and 1.00 sent back."""
    now = timezone.now()
    lot = make_lot(2, now=now - timedelta(days=30), name="Alexanderplatz")
    stay = services.release(park(lot, alice, now=now - 2 * HOUR), by=alice, now=now)
    services.record_desk_payment(stay, method="card", by=olga, now=now)
    services.refund(stay, amount=Decimal(1), reason="Rain", by=olga, now=now)
    return stay


def text(answer):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


@pytest.mark.promise("S2-06", "S3-08", "S4-23", "S1-25", "S2-22")
def test_the_dashboard_shows_spend_time_and_the_favourite_lot(alice_client, paid_stay):
    answer = alice_client.get(PAGE)

    assert "1 stay, 2 h parked, €4.00 spent. Most often at Alexanderplatz ." in text(answer)
    assert answer.context["last"][0] == paid_stay


@pytest.mark.promise("S3-20")
def test_upcoming_bookings_are_there_and_only_the_last_ten_of_the_past(alice_client, alice):
    now = timezone.now()
    lot = make_lot(2, now=now - timedelta(days=30))
    for number in range(11):
        begin = now - (30 - number) * HOUR
        services.release(park(lot, alice, now=begin), by=alice, now=begin + HOUR / 4)
    start = now.replace(minute=0, second=0, microsecond=0) + 25 * HOUR
    coming = reserve(lot, alice, now=now, starts_in=start - now)

    answer = alice_client.get(PAGE)

    assert list(answer.context["upcoming"]) == [coming]
    assert len(answer.context["last"]) == 10


def test_nobody_elses_figures_are_counted(client, bob, paid_stay):
    client.force_login(bob)

    answer = client.get(PAGE)

    assert "Alexanderplatz" not in text(answer)
    assert "0 stays, 0 min parked, – spent." in text(answer).replace("\u00a0", " ")


def test_strangers_sign_in_first(client):
    assert client.get(PAGE).status_code == 302


def test_money_of_each_currency_has_a_chart_of_its_own(alice_client, alice, olga, paid_stay):
    now = timezone.now()
    yen = make_lot(1, now=now - timedelta(days=2), currency="JPY", price="300")
    stay = services.release(park(yen, alice, now=now - HOUR), by=alice, now=now)
    services.record_desk_payment(stay, method="card", by=olga, now=now)

    titles = [chart.title for chart in alice_client.get(PAGE).context["charts"]]

    assert titles[:2] == ["Spent, by month (EUR)", "Spent, by month (JPY)"]


def test_more_history_costs_no_more_queries(alice_client, alice, paid_stay, django_assert_max_num_queries):
    now = timezone.now()
    for number in range(5):
        begin = now - (20 - number) * HOUR
        services.release(park(paid_stay.lot, alice, now=begin), by=alice, now=begin + HOUR / 4)

    with django_assert_max_num_queries(8):
        alice_client.get(PAGE)


# --- Charts ---


POINTS = [Point("Jan", 0, "nothing"), Point("Feb <b>", 30, "€30"), Point("Mar", 15, "€15")]


def drawn(chart):
    return render_to_string("reports/_chart.html", {"chart": chart, "id": "c"})


@pytest.mark.parametrize("draw", [charts.bars, charts.line])
def test_a_chart_has_a_title_a_sentence_and_a_table_behind_it(draw):
    html = drawn(draw("Spent", POINTS, headings=("Month", "EUR")))

    assert 'aria-labelledby="c-title c-about"' in html
    assert "3 values, Jan to Mar. The most: Feb &lt;b&gt;, €30. The last: €15." in html
    for point in POINTS:
        assert f"<td>{point.shown}</td>" in html
        assert f'<th scope="row">{escape(point.label)}</th>' in html
    assert "style=" not in html
    assert "<script" not in html


def test_bars_are_as_high_as_their_values_and_hatched():
    chart = charts.bars("Spent", POINTS, headings=("Month", "EUR"))

    heights = [float(mark.height) for mark in chart.marks]
    assert heights == [0, pytest.approx(charts.PLOT * 30 / 40), pytest.approx(charts.PLOT * 15 / 40)]
    assert [mark.text for mark in chart.grid] == ["0", "20", "40"]
    assert 'fill="url(#c-hatch)"' in drawn(chart)


def test_the_points_of_a_line_are_joined_in_order():
    chart = charts.line("Spent", POINTS, headings=("Month", "EUR"))

    assert [(mark.x, mark.x2) for mark in chart.lines] == [
        (chart.marks[0].x, chart.marks[1].x),
        (chart.marks[1].x, chart.marks[2].x),
    ]


def test_cells_of_a_heat_map_differ_in_height_and_not_only_in_colour():
    monday = [Point("Mon 8", 1, "1"), Point("Mon 9", 4, "4")]
    tuesday = [Point("Tue 8", 0, "0"), Point("Tue 9", 2, "2")]
    chart = charts.heat("Busy", ["Mon", "Tue"], ["8", "9"], [monday, tuesday])

    assert [float(mark.height) for mark in chart.marks] == [5, 20, 0, 10]
    assert [mark.level for mark in chart.marks] == [2, 5, 0, 3]
    assert '<th scope="row">Tue</th><td>0</td><td>2</td>' in drawn(chart)


def test_nothing_is_drawn_as_nothing():
    assert "Nothing yet." in drawn(charts.bars("Spent", [Point("Jan", 0, "0")], headings=("Month", "EUR")))
    assert "Nothing yet." in drawn(charts.heat("Busy", [], [], []))


def test_the_page_is_in_the_menu(alice_client, alice):
    assert f'href="{reverse("reports:dashboard")}"' in alice_client.get("/bookings/").content.decode()
