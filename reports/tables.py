"""The tables beside the figures: a booking a row, or a lot a row. Their money sums to the figures'."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet, Sum

from accounts import csv_files
from accounts.replica import may_lag
from bookings.models import Booking, LedgerEntry
from lots import money
from lots.models import Lot
from reports import figures
from reports.days import Days
from reports.scope import Scope

CHUNK = 900  # rows in memory at a time; SQLite takes a thousand numbers in one query
MINUTE = 60

BOOKING_FIELDS = [
    "reference",
    "kind",
    "state",
    "lot",
    "spot",
    "plate",
    "starts_at",
    "ends_at",
    "minutes",
    "currency",
    "price",
    "paid_in_period",
    "refunded_in_period",
]
LOT_FIELDS = [
    "lot",
    "slug",
    "currency",
    "captured",
    "refunded",
    "revenue",
    "bookings_made",
    "instant",
    "reserved",
    "stays_begun",
    "stays_ended",
    "cancelled",
    "no_shows",
    "overstays",
    "occupied_minutes",
    "available_minutes",
    "occupancy_percent",
]


def bookings(scope: Scope, period: Days) -> QuerySet[Booking]:
    """Bookings that begin in the period, and those for which money moved in it."""
    moved = figures.ledger(scope, period).values("booking")
    begins = Q(starts_at__gte=period.starts_at, starts_at__lt=period.ends_at)
    rows = scope.bookings().filter(begins | Q(pk__in=moved))
    return rows.select_related("lot", "spot").order_by("starts_at", "pk")


def bookings_csv(scope: Scope, period: Days) -> Iterator[bytes]:
    """Line by line; times are on each lot's own clock, with their offset."""
    return csv_files.write(BOOKING_FIELDS, _booking_rows(scope, period))


def _booking_rows(scope: Scope, period: Days) -> Iterator[list[Any]]:
    """In chunks: a list of numbers says which, two short queries what each is and what was paid."""
    with may_lag():
        wanted = list(bookings(scope, period).values_list("pk", flat=True))
    for start in range(0, len(wanted), CHUNK):
        chunk = wanted[start : start + CHUNK]
        with may_lag():
            rows = Booking.objects.select_related("lot", "spot").in_bulk(chunk)
            moved = _moved(period, chunk)
        yield from (_booking_row(rows[pk], moved) for pk in chunk if pk in rows)


def _booking_row(booking: Booking, moved: dict[tuple[int, str], Decimal]) -> list[Any]:
    zone, currency, nothing = booking.lot.zone, booking.currency, Decimal(0)
    paid, refunded = (moved.get((booking.pk, kind), nothing) for kind in ("charge", "refund"))
    return [
        booking.reference,
        booking.kind,
        booking.state,
        booking.lot.name,
        booking.spot.number,
        booking.plate,
        booking.starts_at.astimezone(zone),
        booking.ends_at.astimezone(zone),
        int(booking.duration.total_seconds()) // MINUTE,
        currency,
        money.quantise(booking.total, currency),
        money.quantise(paid, currency),
        money.quantise(refunded, currency),
    ]


@may_lag()
def lots_csv(lots: QuerySet[Lot], period: Days, *, now: datetime) -> Iterator[bytes]:
    """A row a lot and currency; a lot without money has one row in its own currency."""
    return csv_files.write(LOT_FIELDS, _lot_rows(figures.by_lot(lots, period, now=now)))


def _lot_rows(rows: list[tuple[Lot, figures.Summary]]) -> Iterator[list[Any]]:
    for lot, found in rows:
        for number, moved in enumerate(found.money or [figures.Money(lot.currency)]):
            amounts = [
                money.quantise(a, moved.currency) for a in (moved.captured, moved.refunded, moved.revenue)
            ]
            # Counts stand once, so that a column of them can be added up.
            counts = _counts(found) if number == 0 else [""] * 11
            yield [lot.name, lot.slug, moved.currency, *amounts, *counts]


def _counts(found: figures.Summary) -> list[Any]:
    activity, occupancy = found.activity, found.occupancy
    share = occupancy.share
    return [
        activity.made,
        activity.made_instant,
        activity.made_reserved,
        activity.began,
        activity.ended,
        activity.cancelled,
        activity.no_shows,
        activity.overstays,
        int(occupancy.occupied.total_seconds()) // MINUTE,
        int(occupancy.available.total_seconds()) // MINUTE,
        None if share is None else round(Decimal(share * 100), 2),
    ]


def _moved(period: Days, bookings: list[int]) -> dict[tuple[int, str], Decimal]:
    """(booking, charge or refund) → what moved in the period. A booking has one currency."""
    entries = LedgerEntry.objects.filter(
        booking__in=bookings, at__gte=period.starts_at, at__lt=period.ends_at
    )
    sums = entries.order_by().values_list("booking", "kind").annotate(sum=Sum("amount"))
    return {(booking, kind): amount for booking, kind, amount in sums}
