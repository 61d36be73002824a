"""The tables beside the figures: a booking a row, or a lot a row. Their money sums to the figures'."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import DecimalField, F, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from accounts import csv_files
from bookings.models import Booking, LedgerEntry
from lots import money
from lots.models import Lot
from reports import figures
from reports.days import Days
from reports.scope import Scope

CHUNK = 2000  # rows in memory at a time
MINUTE = 60
_AMOUNT: Any = DecimalField(max_digits=14, decimal_places=3)

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
    rows = scope.bookings().filter(begins | Q(pk__in=moved)).select_related("lot", "spot")
    return rows.annotate(
        charged_then=_moved(period, LedgerEntry.Kind.CHARGE),
        refunded_then=_moved(period, LedgerEntry.Kind.REFUND),
    ).order_by("starts_at", "pk")


def bookings_csv(scope: Scope, period: Days) -> Iterator[bytes]:
    """Line by line; times are on each lot's own clock, with their offset."""
    rows = bookings(scope, period).iterator(CHUNK)
    return csv_files.write(BOOKING_FIELDS, map(booking_row, rows))


def booking_row(booking: Any) -> list[Any]:
    zone, currency = booking.lot.zone, booking.currency
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
        money.quantise(booking.charged_then, currency),
        money.quantise(booking.refunded_then, currency),
    ]


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


def _moved(period: Days, kind: str) -> Coalesce:
    entries = LedgerEntry.objects.filter(
        booking=OuterRef("pk"), kind=kind, at__gte=period.starts_at, at__lt=period.ends_at
    )
    # The booking's currency is every entry's: the ledger's guards see to it.
    total = entries.order_by().values("booking").annotate(sum=Sum(F("amount"))).values("sum")
    return Coalesce(Subquery(total, output_field=_AMOUNT), Value(Decimal(0), output_field=_AMOUNT))
