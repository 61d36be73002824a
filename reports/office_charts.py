"""The charts of the back office's first page: seven days, thirty days or twelve months of some lots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from bookings.payments.models import Provider
from lots.models import Lot
from reports import charts, figures, lines, people, series
from reports.chart_rows import revenue_charts
from reports.charts import Chart, Point
from reports.days import DAY, Days, months_until, whole
from reports.figures import Money
from reports.occupancy import occupancy_series
from reports.scope import Scope

MOST_LOTS, MOST_DRIVERS = 10, 10


@dataclass(frozen=True)
class Span:
    """How far back the charts go, and in which steps."""

    label: Any
    steps: Callable[[date, ZoneInfo], list[Days]]


def _days(count: int) -> Callable[[date, ZoneInfo], list[Days]]:
    return lambda today, zone: Days(today - (count - 1) * DAY, today, zone).by_day()


SPANS = {
    "7": Span(gettext_lazy("7 days"), _days(7)),
    "30": Span(gettext_lazy("30 days"), _days(30)),
    "12": Span(gettext_lazy("12 months"), lambda today, zone: months_until(today, zone, 12).by_month()),
}


@dataclass(frozen=True)
class TopDriver:
    pk: int
    name: str
    stays: int
    time: str


@dataclass(frozen=True)
class Drawn:
    """What was drawn, of which days, and when."""

    period: Days
    at: datetime
    charts: list[Chart]
    drivers: list[TopDriver]


def draw(lots: QuerySet[Lot], among: QuerySet[User], steps: list[Days], *, now: datetime) -> Drawn:
    """`among`: the people this operator gets to see."""
    scope, period = Scope(lots), whole(steps)
    names = [_name(step) for step in steps]
    made = series.made_series(scope, steps)
    when = (_("When"), _("Bookings"))
    drawn = [
        _occupancy(lots, steps, names, now),
        charts.bars(
            _("Reserved bookings made"), _counts(names, [m.made_reserved for m in made]), headings=when
        ),
        charts.bars(
            _("Instant bookings made"), _counts(names, [m.made_instant for m in made]), headings=when
        ),
        *revenue_charts(
            figures.money_series(scope, steps), names, title=_("Revenue (%(currency)s)"), heading=_("When")
        ),
        *_by_lot(scope, lots, period),
        *_by_method(scope, period),
        charts.line(
            _("Active drivers"),
            _counts(names, series.active_series(scope, steps)),
            headings=(_("When"), _("Drivers")),
        ),
        charts.bars(
            _("New drivers"),
            _counts(names, series.new_series(among, steps)),
            headings=(_("When"), _("Drivers")),
        ),
        _hours(lots, period),
    ]
    top = [
        TopDriver(driver.pk, str(driver), stays, lines.time(time))
        for driver, stays, time in people.top_drivers(scope, period, most=MOST_DRIVERS)
    ]
    return Drawn(period, now, drawn, top)


def _name(step: Days) -> str:
    return date_format(step.first, "j" if step.count == 1 else "M")


def _counts(names: Sequence[str], counts: Sequence[int]) -> list[Point]:
    return [Point(name, count, str(count)) for name, count in zip(names, counts, strict=True)]


def _occupancy(lots: QuerySet[Lot], steps: list[Days], names: list[str], now: datetime) -> Chart:
    found = occupancy_series(lots, steps, now=now)
    points = [
        Point(name, (one.share or 0) * 100, lines.percent(one.share))
        for name, one in zip(names, found, strict=True)
    ]
    return charts.line(_("Occupancy"), points, headings=(_("When"), _("Occupancy")), unit=" %")


def _by_lot(scope: Scope, lots: QuerySet[Lot], period: Days) -> list[Chart]:
    names = dict(lots.order_by().values_list("pk", "name"))
    found = {names[pk]: moneys for pk, moneys in figures.money_by_lot(scope, period).items()}
    return _by_name(found, _("Revenue by lot (%(currency)s)"), _("Lot"))


def _by_method(scope: Scope, period: Days) -> list[Chart]:
    labels = dict(Provider.choices)
    found = {
        str(labels.get(name, name)): moneys
        for name, moneys in figures.money_by_provider(scope, period).items()
    }
    return _by_name(found, _("Revenue by way of paying (%(currency)s)"), _("Way of paying"))


def _by_name(found: dict[str, list[Money]], title: str, heading: str) -> list[Chart]:
    """A chart a currency, the largest first."""
    drawn = []
    for currency in sorted({money.currency for moneys in found.values() for money in moneys}):
        revenues = [
            (name, money.revenue)
            for name, moneys in found.items()
            for money in moneys
            if money.currency == currency
        ]
        most = sorted(revenues, key=lambda row: (-row[1], row[0]))[:MOST_LOTS]
        points = [Point(name, max(float(sum_), 0), lines.amounts({currency: sum_})) for name, sum_ in most]
        drawn.append(charts.bars(title % {"currency": currency}, points, headings=(heading, currency)))
    return drawn


def _hours(lots: QuerySet[Lot], period: Days) -> Chart:
    found = series.busiest_hours(lots, period)
    days = [str(WEEKDAYS_ABBR[number]) for number in range(7)]
    cells = [
        [Point(f"{day} {hour:02}:00", count, str(count)) for hour, count in enumerate(row)]
        for day, row in zip(days, found, strict=True)
    ]
    title = _("Busiest hours: stays begun, on the lots' clocks")
    return charts.heat(title, days, [f"{hour:02}" for hour in range(series.HOURS)], cells)
