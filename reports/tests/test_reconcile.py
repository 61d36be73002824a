"""Page = report = mail = file = API = ledger, to the cent: for any operator, in any zone, on any days."""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission

from bookings.models import LedgerEntry
from bookings.people import known_to
from bookings.tests.factories import make_user
from lots.models import Lot
from reports import lines, mail_content, office_charts, people, report_admin, tables
from reports.api_stats import stats
from reports.days import Days
from reports.scope import Scope
from reports.tests.histories import live, moved

pytestmark = [pytest.mark.django_db, pytest.mark.promise("S4-27")]
# The clocks go forward on 14 March in New York and on 28 March in Berlin; Kiritimati is a day ahead.
PERIODS = [
    (date(2027, 3, 1), date(2027, 3, 31), "Pacific/Kiritimati"),
    (date(2027, 3, 13), date(2027, 3, 15), "America/New_York"),
    (date(2027, 3, 28), date(2027, 3, 28), "Europe/Berlin"),
    (date(2027, 2, 20), date(2027, 5, 10), "Europe/Berlin"),  # more days than are drawn as days
]


@pytest.fixture(params=[2, 3])
def history(request):
    return live(request.param, moves=110)


def operators():
    """Who runs all lots, and who runs the first two."""
    everything = make_user("everything", is_staff=True, is_superuser=True)
    limited = make_user("limited", is_staff=True)
    limited.user_permissions.set(
        Permission.objects.filter(codename__in=["view_booking", "view_ledgerentry", "view_user"])
    )
    for lot in Lot.objects.order_by("pk")[:2]:
        lot.operators.add(limited)
    return [everything, limited]


def test_every_door_tells_what_the_ledger_says(history):
    told = 0
    for user in operators():
        for first, last, zone in PERIODS:
            user.timezone = zone
            told += _agrees(user, Days(first, last, ZoneInfo(zone)), history)
    assert LedgerEntry.objects.filter(kind="refund").exists()
    assert told > 4, "histories without money prove nothing"


def _agrees(user, period, now):
    """How many currencies it was about."""
    lots = Lot.objects.run_by(user)
    by_hand = moved(period.starts_at, period.ends_at, booking__lot__in=list(lots))
    ledger = {
        currency: (
            by_hand.get((currency, "charge"), Decimal(0)),
            by_hand.get((currency, "refund"), Decimal(0)),
        )
        for currency in sorted({currency for currency, _kind in by_hand})
    }
    revenue = {currency: captured - refunded for currency, (captured, refunded) in ledger.items()}

    # The page of figures, and what it is made of
    page = report_admin._told(lots, period, known_to(user), now)
    words = {line.label: line.value for line in page["lines"]}
    assert _amounts(words["Revenue"]) == _amounts(lines.amounts(revenue))
    assert _amounts(words["Paid"]) == _amounts(
        lines.amounts({c: paid for c, (paid, _back) in ledger.items()})
    )
    back = {c: refunded for c, (_captured, refunded) in ledger.items() if refunded}
    assert _amounts(words["Refunded"]) == _amounts(lines.amounts(back))
    assert _added(row["summary"].money for row in page["lots"]) == ledger

    # The operator's mails
    mail = {line.label: line.value for line in mail_content._of_lots(user, period, now)["lines"]}
    assert {name: mail[name] for name in words} == words

    # Files
    scope = Scope(lots)
    assert _of_file(tables.lots_csv(lots, period, now=now), "captured", "refunded") == ledger
    of_bookings = _of_file(tables.bookings_csv(scope, period), "paid_in_period", "refunded_in_period")
    assert {c: sums for c, sums in of_bookings.items() if any(sums)} == ledger

    # The first page's charts, day by day or month by month, by lot and by way of paying
    steps = period.by_month() if period.count > report_admin.MOST_DAYS else period.by_day()
    drawn = office_charts.draw(lots, known_to(user), steps, now=now).charts
    for title in ("Revenue", "Revenue by lot", "Revenue by way of paying"):
        assert {c: _drawn(drawn, f"{title} ({c})") for c in revenue} == revenue

    # The API
    answer = stats(user, lots, period, now=now)
    assert {
        m["currency"]: (Decimal(m["captured"]), Decimal(m["refunded"])) for m in answer["money"]
    } == ledger

    # Drivers see their part; what nobody's account paid is theirs no more
    mine = [people.driver_figures(driver, period, now=now).spent for driver in people.drivers()]
    if user.is_superuser:
        assert _added(mine) == ledger
    return len(ledger)


def _added(moneys):
    found = {}
    for money in (money for some in moneys for money in some):
        captured, refunded = found.get(money.currency, (Decimal(0), Decimal(0)))
        found[money.currency] = (captured + money.captured, refunded + money.refunded)
    return {currency: found[currency] for currency in sorted(found)}


def _of_file(content, *columns):
    found = {}
    for row in csv.DictReader(io.StringIO(b"".join(content).decode())):
        before = found.get(row["currency"], (Decimal(0),) * len(columns))
        amounts = (Decimal(row[name]) for name in columns)
        found[row["currency"]] = tuple(sum(pair) for pair in zip(before, amounts, strict=True))
    return {currency: found[currency] for currency in sorted(found) if any(found[currency])}


def _drawn(drawn, title):
    """What the table behind a chart adds up to."""
    (chart,) = [chart for chart in drawn if chart.title == title]
    return sum((_amount(row[-1]) for row in chart.rows), Decimal(0))


def _amounts(text):
    return sorted(text.split(" + "))


def _amount(text):
    """ "-€3.50" and "¥300" as figures; "–" is nothing."""
    figures_only = re.sub(r"[^\d.]", "", text)
    is_negative = figures_only and re.search("[-\N{MINUS SIGN}]", text)
    return Decimal(figures_only or 0) * (-1 if is_negative else 1)
