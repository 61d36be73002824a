"""Whose bookings a figure is about. Part of reports.figures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import QuerySet

from accounts.models import User
from bookings.models import Booking, BookingQuerySet, LedgerEntry, State
from bookings.payments.models import LedgerQuerySet
from lots.models import Lot

STAYS = [State.ACTIVE, State.COMPLETED]


@dataclass(frozen=True)
class Scope:
    """Whose bookings: of some lots, of one driver, of both, or all."""

    lots: QuerySet[Lot] | None = None
    driver: User | None = None

    def bookings(self) -> BookingQuerySet:
        return self.narrow(Booking.objects.all())

    def ledger(self) -> LedgerQuerySet:
        return self.narrow(LedgerEntry.objects.all(), "booking__")

    def narrow(self, rows: Any, path: str = "") -> Any:
        if self.driver is not None:
            rows = rows.filter(**{f"{path}driver": self.driver})
        if self.lot_ids is not None:
            rows = rows.filter(**{f"{path}lot__in": self.lot_ids})
        return rows

    @cached_property
    def lot_ids(self) -> list[int] | None:
        """The lots asked for once, so that the database can plan with how many they are.

        None for all: without a limit the ledger is added up by itself, and not joined with bookings.
        """
        if self.lots is None or not self.lots.query.has_filters():
            return None
        found = list(self.lots.order_by().values_list("pk", flat=True))
        return None if len(found) == Lot.objects.count() else found
