"""Figures as a reader sees them: a label, what it was, and what it was in the period before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from bookings.templatetags.booking import money as written
from bookings.words import spell
from reports.days import Days
from reports.figures import Money, Summary
from reports.people import DriverFigures

NONE = "–"


@dataclass(frozen=True, slots=True)
class Line:
    label: str
    value: str
    before: str = ""


def of_lots(now: Summary, before: Summary) -> list[Line]:
    """What an operator is told of a period, beside the period before."""
    rows: list[tuple[str, Callable[[Summary], Any]]] = [
        (_("Revenue"), lambda found: revenues(found.money)),
        (_("Paid"), lambda found: captured(found.money)),
        (_("Refunded"), lambda found: refunded(found.money)),
        (_("Bookings made"), lambda found: made(found.activity)),
        (_("Stays begun"), lambda found: found.activity.began),
        (_("Occupancy"), lambda found: percent(found.occupancy.share)),
        (_("Turnover (stays a spot and day)"), lambda found: ratio(found.turnover)),
        (_("Average stay"), lambda found: time(found.activity.dwell)),
        (_("Cancelled"), lambda found: found.activity.cancelled),
        (_("No-shows"), lambda found: no_shows(found.activity)),
        (_("Overstays"), lambda found: found.activity.overstays),
    ]
    return [Line(label, str(value(now)), str(value(before))) for label, value in rows]


def of_driver(now: DriverFigures, before: DriverFigures) -> list[Line]:
    rows: list[tuple[str, Callable[[DriverFigures], Any]]] = [
        (_("Spent"), lambda found: revenues(found.spent)),
        (_("Stays"), lambda found: found.activity.began),
        (_("Parked"), lambda found: time(found.parked)),
        (_("Favourite lot"), lambda found: found.favourite or NONE),
    ]
    return [Line(label, str(value(now)), str(value(before))) for label, value in rows]


def made(activity: Any) -> str:
    parts = {"instant": activity.made_instant, "reserved": activity.made_reserved}
    return _("%(all)d (%(instant)d at once, %(reserved)d reserved)") % {"all": activity.made, **parts}


def no_shows(activity: Any) -> str:
    rate = activity.no_show_rate
    return str(activity.no_shows) if rate is None else f"{activity.no_shows} ({percent(rate)})"


def revenues(moneys: Iterable[Money]) -> str:
    return amounts({money.currency: money.revenue for money in moneys})


def captured(moneys: Iterable[Money]) -> str:
    return amounts({money.currency: money.captured for money in moneys})


def refunded(moneys: Iterable[Money]) -> str:
    return amounts({money.currency: money.refunded for money in moneys if money.refunded})


def amounts(by_currency: Mapping[str, Decimal]) -> str:
    """Of several currencies each by itself: "€3.50 + ¥300"."""
    return " + ".join(written(amount, currency) for currency, amount in by_currency.items()) or NONE


def percent(share: float | None) -> str:
    return NONE if share is None else f"{number_format(round(share * 100, 1), 1, use_l10n=True)}\u00a0%"


def ratio(value: float | None) -> str:
    return NONE if value is None else str(number_format(round(value, 2), 2, use_l10n=True))


def time(long: timedelta | None) -> str:
    return NONE if long is None else spell(long)


def named(period: Days) -> str:
    """ "March 2027", "Mon 1 March 2027", "Mon 1 March 2027 – Tue 9 March 2027"."""
    if period.is_month:
        return date_format(period.first, "YEAR_MONTH_FORMAT")
    ends = dict.fromkeys([period.first, period.last])
    return " – ".join(date_format(day, _("D j N Y")) for day in ends)
