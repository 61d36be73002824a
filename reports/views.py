"""A driver's own figures."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.http import Request
from accounts.replica import may_lag
from bookings.models import Booking
from reports import charts, lines, people
from reports.chart_rows import revenue_charts
from reports.charts import Chart, Point
from reports.days import DAY, Days, months_until, zone_of

LAST = 10
HOUR = timedelta(hours=1)


@never_cache
@require_safe
@may_lag()
def dashboard(request: Request) -> HttpResponse:
    driver, now, zone = request.user, timezone.now(), zone_of(request.user)
    today = now.astimezone(zone).date()
    months = months_until(today, zone, 12).by_month()
    week = Days(today - 6 * DAY, today, zone).by_day()
    year = people.driver_year(driver, months, week, now=now)
    mine = Booking.objects.of(driver).select_related("lot", "spot")
    context = {
        "now": now,
        "zone": zone.key,
        "month": lines.named(months[-1]),
        "month_before": lines.named(months[-2]),
        "month_lines": lines.of_driver(year.month, year.month_before),
        "year": year.all_of_it,
        "year_spent": lines.revenues(year.all_of_it.spent),
        "upcoming": mine.occupying().order_by("starts_at", "pk")[:LAST],
        "last": mine.over().order_by("-starts_at", "-pk")[:LAST],
        "charts": _charts(year, months, week),
    }
    return render(request, "reports/dashboard.html", context)


def _charts(year: people.Year, months: list[Days], week: list[Days]) -> list[Chart]:
    names = [date_format(month.first, "M") for month in months]
    long_names = (_("Month"), _("Hours"))
    days = [str(WEEKDAYS_ABBR[day.first.weekday()]) for day in week]
    return [
        *revenue_charts(year.spent, names, title=_("Spent, by month (%(currency)s)"), heading=_("Month")),
        charts.bars(
            _("Hours parked, by month"),
            _hours(names, year.parked_by_month),
            headings=long_names,
            unit=_(" h"),
        ),
        charts.line(
            _("Hours parked, the last seven days"),
            _hours(days, year.parked_by_day),
            headings=(_("Day"), _("Hours")),
            unit=_(" h"),
        ),
    ]


def _hours(names: list[str], times: list[timedelta]) -> list[Point]:
    return [Point(name, long / HOUR, lines.time(long)) for name, long in zip(names, times, strict=True)]
