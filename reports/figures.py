"""What every figure means, in code: pages, mails, files, API and dashboards all ask here.

docs/figures.md says the same in words, with units and sources. Everything takes a Scope (whose bookings)
and a period of whole Days, adds up in the database, and never adds up two currencies. Reads only; `now` is
an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.db.models import (
    Case,
    Count,
    F,
    IntegerField,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
)

from bookings.models import Booking, BookingQuerySet, LedgerEntry, Payment, Refund, State
from bookings.payments.models import LedgerQuerySet, Status
from lots import money as amounts
from lots.models import Lot
from reports.days import Days, whole
from reports.occupancy import (
    Occupancy,
    length,
    occupancy,
    occupancy_by_lot,
    turnover,
)
from reports.scope import STAYS, Scope

# What is charged for: nothing is owed for a hold that ran out, and a hold is no promise yet.
CHARGED = [State.CONFIRMED, State.ACTIVE, State.COMPLETED, State.CANCELLED, State.NO_SHOW]
NOTHING = Decimal(0)
MINUTE = timedelta(minutes=1)


# --- Money ---


@dataclass(frozen=True, slots=True)
class Money:
    """Money of one currency that moved in a period, by the ledger's moments."""

    currency: str
    captured: Decimal = NOTHING
    refunded: Decimal = NOTHING
    payments: int = 0
    refunds: int = 0

    @property
    def revenue(self) -> Decimal:
        """What came in less what went back. A driver calls the same figure what they spent."""
        return self.captured - self.refunded

    def __add__(self, other: Money) -> Money:
        """Of the same currency."""
        return Money(
            self.currency,
            self.captured + other.captured,
            self.refunded + other.refunded,
            self.payments + other.payments,
            self.refunds + other.refunds,
        )


# Rows are counted by a column that stands in the index itself, so that only the index is read.
_MOVED = {
    "captured": Sum("amount", filter=Q(kind=LedgerEntry.Kind.CHARGE)),
    "refunded": Sum("amount", filter=Q(kind=LedgerEntry.Kind.REFUND)),
    "payments": Count("kind", filter=Q(kind=LedgerEntry.Kind.CHARGE)),
    "refunds": Count("kind", filter=Q(kind=LedgerEntry.Kind.REFUND)),
}


def ledger(scope: Scope, period: Days) -> LedgerQuerySet:
    """The entries a period's money is made of."""
    return scope.ledger().filter(at__gte=period.starts_at, at__lt=period.ends_at)


def money(scope: Scope, period: Days) -> list[Money]:
    """Money that moved, a row a currency, the largest first."""
    rows: Any = ledger(scope, period).values("currency").annotate(**_MOVED)
    return _largest_first(map(_money, rows.order_by()))


def money_by_lot(scope: Scope, period: Days) -> dict[int, list[Money]]:
    return _grouped(ledger(scope, period), "booking__lot")


def money_by_provider(scope: Scope, period: Days) -> dict[str, list[Money]]:
    """By how it was paid: desk, demo card page, Stripe."""
    return _grouped(ledger(scope, period), "provider")


def money_series(scope: Scope, steps: Sequence[Days]) -> list[list[Money]]:
    """For each of these periods, which follow each other without a gap, what money() says of it."""
    rows = ledger(scope, whole(steps)).annotate(step=step_of("at", steps))
    found = _grouped(rows, "step")
    return [found.get(number, []) for number in range(len(steps))]


def money_in_all(steps: Iterable[list[Money]]) -> list[Money]:
    """The steps of money_series() together: what money() says of all of it."""
    sums: dict[str, Money] = {}
    for moved in (moved for step in steps for moved in step):
        sums[moved.currency] = sums.get(moved.currency, Money(moved.currency)) + moved
    return _largest_first(sums.values())


def charged(scope: Scope, period: Days) -> dict[str, Decimal]:
    """What the bookings that begin in the period cost, whether paid or not: currency → amount.

    Fees of cancelled and missed ones included, what staff let drivers off taken away. Not revenue: that
    is what was paid, when it was.
    """
    bookings = _beginning(scope, period).in_state(*CHARGED)
    sums = bookings.values("currency").annotate(sum=Sum("total")).order_by()
    found: dict[str, Decimal] = {row["currency"]: row["sum"] for row in sums}
    let_off = scope.narrow(Refund.objects.standing(), "booking__").filter(
        lowers_price=True,
        booking__state__in=CHARGED,
        booking__starts_at__gte=period.starts_at,
        booking__starts_at__lt=period.ends_at,
    )
    # Few rows: only a person at the desk lets a driver off.
    for row in let_off.values("booking", "currency", "booking__total").annotate(sum=Sum("amount")).order_by():
        found[row["currency"]] -= min(row["sum"], row["booking__total"])
    return {currency: amounts.quantise(amount, currency) for currency, amount in found.items()}


def _grouped(rows: Any, column: str) -> dict[Any, list[Money]]:
    found: dict[Any, list[Money]] = {}
    for row in rows.values(column, "currency").annotate(**_MOVED).order_by():
        found.setdefault(row[column], []).append(_money(row))
    return {key: _largest_first(moneys) for key, moneys in found.items()}


def _money(row: dict[str, Any]) -> Money:
    """Rounded to the currency: SQLite adds decimals up as floats."""
    currency = row["currency"]
    captured, refunded = (
        amounts.quantise(row[name] or NOTHING, currency) for name in ("captured", "refunded")
    )
    return Money(currency, captured, refunded, row["payments"], row["refunds"])


def _largest_first(moneys: Iterable[Money]) -> list[Money]:
    return sorted(moneys, key=lambda found: (-found.revenue, found.currency))


def step_of(field: str, steps: Sequence[Days]) -> Case:
    """Which of the steps a moment lies in; they follow each other, so the first end after it decides."""
    whens = [When(**{f"{field}__lt": step.ends_at}, then=Value(number)) for number, step in enumerate(steps)]
    return Case(*whens, output_field=IntegerField())


# --- Bookings and stays ---


@dataclass(frozen=True, slots=True)
class Activity:
    """How many bookings of which sort; see docs/figures.md for the moment that counts for each."""

    made_instant: int = 0
    made_reserved: int = 0
    began: int = 0
    ended: int = 0
    cancelled: int = 0
    no_shows: int = 0
    due: int = 0
    overstays: int = 0
    stayed: timedelta = timedelta()

    @property
    def made(self) -> int:
        return self.made_instant + self.made_reserved

    @property
    def dwell(self) -> timedelta | None:
        """How long a stay that ended in the period took, on average."""
        return self.stayed / self.ended if self.ended else None

    @property
    def no_show_rate(self) -> float | None:
        """Of the reserved bookings whose time came in the period, the part nobody came for (0 to 1)."""
        return self.no_shows / self.due if self.due else None


def activity(scope: Scope, period: Days) -> Activity:
    """Bookings and stays of a period, all lots together."""
    found = [dict(rows.aggregate(**sums)) for rows, sums in _activity_queries(scope, period)]
    return _activity(found)


def activities(scope: Scope, periods: Sequence[Days]) -> list[Activity]:
    """What activity() says of each of these periods, in one query: for a driver's bookings."""
    sums = {
        f"{name}_{number}": found
        for number, period in enumerate(periods)
        for part in (
            _made(_within("created_at", period)),
            _began(_within("starts_at", period)),
            _ended(_COMPLETED & _within("ends_at", period)),
        )
        for name, found in part.items()
    }
    row: dict[str, Any] = scope.bookings().aggregate(**sums)
    return [
        _activity([{column.name: row.get(f"{column.name}_{number}") for column in fields(Activity)}])
        for number in range(len(periods))
    ]


def activity_by_lot(scope: Scope, period: Days) -> dict[int, Activity]:
    found: dict[int, list[dict[str, Any]]] = {}
    for rows, sums in _activity_queries(scope, period):
        counted: Any = rows.values("lot").annotate(**sums).order_by()
        for row in counted:
            found.setdefault(row.pop("lot"), []).append(row)
    return {lot: _activity(parts) for lot, parts in found.items()}


def _activity_queries(scope: Scope, period: Days) -> list[tuple[BookingQuerySet, dict[str, Any]]]:
    """One query for each moment that counts, so that each can use its index."""
    return [
        (scope.bookings().filter(_within("created_at", period)), _made()),
        (_beginning(scope, period), _began()),
        (scope.bookings().filter(_COMPLETED, _within("ends_at", period)), _ended()),
    ]


_COMPLETED = Q(state=State.COMPLETED)
_RESERVED = Q(kind=Booking.Kind.RESERVED)


def _made(among: Q = Q()) -> dict[str, Any]:  # noqa: B008  an empty Q is never changed
    return {
        "made_instant": Count("lot", filter=among & Q(kind=Booking.Kind.INSTANT)),
        "made_reserved": Count("lot", filter=among & _RESERVED),
    }


def _began(among: Q = Q()) -> dict[str, Any]:  # noqa: B008
    stays, missed = Q(state__in=STAYS), Q(state=State.NO_SHOW)
    return {
        "began": Count("lot", filter=among & stays),
        "cancelled": Count("lot", filter=among & Q(state=State.CANCELLED)),
        "no_shows": Count("lot", filter=among & missed),
        "due": Count("lot", filter=among & (missed | (stays & _RESERVED))),
    }


def _ended(among: Q = Q()) -> dict[str, Any]:  # noqa: B008
    return {
        "ended": Count("lot", filter=among),
        "overstays": Count("lot", filter=among & Q(ends_at__gt=F("booked_until"))),
        "stayed": Sum(length(F("starts_at"), F("ends_at")), filter=among),
    }


def _within(moment: str, period: Days) -> Q:
    return Q(**{f"{moment}__gte": period.starts_at, f"{moment}__lt": period.ends_at})


def _activity(parts: Iterable[dict[str, Any]]) -> Activity:
    known = {name: value for part in parts for name, value in part.items() if value is not None}
    return replace(Activity(), **known)


def _beginning(scope: Scope, period: Days) -> BookingQuerySet:
    return scope.bookings().filter(_within("starts_at", period))


# --- A period in one piece, and lot by lot ---


@dataclass(frozen=True)
class Summary:
    """Everything a report says of a period."""

    period: Days
    activity: Activity
    occupancy: Occupancy
    money: list[Money]

    @cached_property
    def turnover(self) -> float | None:
        return turnover(self.activity.began, self.occupancy.available)

    def in_currency(self, currency: str) -> Money:
        return next((found for found in self.money if found.currency == currency), Money(currency))


def summary(lots: QuerySet[Lot], period: Days, *, now: datetime) -> Summary:
    scope = Scope(lots)
    return Summary(period, activity(scope, period), occupancy(lots, period, now=now), money(scope, period))


def by_lot(lots: QuerySet[Lot], period: Days, *, now: datetime) -> list[tuple[Lot, Summary]]:
    """The same for each lot, the one with the most stays first. Money of the rows sums to summary()'s."""
    scope = Scope(lots)
    activities, moneys = activity_by_lot(scope, period), money_by_lot(scope, period)
    occupancies = occupancy_by_lot(lots, period, now=now)
    found = [
        (
            lot,
            Summary(
                period,
                activities.get(lot.pk, Activity()),
                occupancies.get(lot.pk, Occupancy()),
                moneys.get(lot.pk, []),
            ),
        )
        for lot in lots
    ]
    return sorted(found, key=lambda row: (-row[1].activity.began, row[0].name, row[0].pk))


def total(rows: Iterable[tuple[Lot, Summary]], period: Days) -> Summary:
    """summary() of the same lots, from their rows and without asking again."""
    found = [summary for _lot, summary in rows]
    names = [column.name for column in fields(Activity) if column.name != "stayed"]
    counts: dict[str, Any] = {name: sum(getattr(row.activity, name) for row in found) for name in names}
    counts["stayed"] = sum((row.activity.stayed for row in found), timedelta())
    stood = sum((row.occupancy for row in found), Occupancy())
    return Summary(period, Activity(**counts), stood, money_in_all(row.money for row in found))


def busiest(rows: Iterable[tuple[Lot, Summary]]) -> Lot | None:
    """The lot where cars stood the longest, per spot; None where none stood at all."""
    stood = [(found.occupancy.share or 0, found.occupancy.occupied, lot) for lot, found in rows]
    stood = [row for row in stood if row[1]]
    return max(stood, key=lambda row: row[:2])[2] if stood else None


def failed_payments(scope: Scope, period: Days) -> int:
    """Attempts to pay that the provider ended without money, by when it said so."""
    failed = scope.narrow(Payment.objects.filter(status=Status.FAILED), "booking__")
    return failed.filter(settled_at__gte=period.starts_at, settled_at__lt=period.ends_at).count()
