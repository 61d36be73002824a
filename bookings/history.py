"""A driver's own bookings, added up. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.db.models import Count, F, Sum

from accounts.models import User
from bookings.models import Booking, State


@dataclass(frozen=True, slots=True)
class Summary:
    count: int
    time: timedelta
    spent: list[tuple[str, Decimal]]
    """(currency, amount), the largest first: money of two currencies is never added up."""


def summary(driver: User) -> Summary:
    """How often, how long and for how much; what was cancelled counts only where it cost something."""
    rows = (
        Booking.objects.of(driver)
        .in_state(State.ACTIVE, State.COMPLETED, State.CANCELLED, State.NO_SHOW)
        .values("currency", "state")
        .annotate(count=Count("pk"), time=Sum(F("ends_at") - F("starts_at")), spent=Sum("total"))
        .order_by()
    )
    stays = [row for row in rows if row["state"] in (State.ACTIVE, State.COMPLETED)]
    spent: dict[str, Decimal] = {}
    for row in rows:
        spent[row["currency"]] = spent.get(row["currency"], Decimal(0)) + row["spent"]
    return Summary(
        count=sum(row["count"] for row in stays),
        time=sum((row["time"] for row in stays), timedelta()),
        spent=sorted(((c, amount) for c, amount in spent.items() if amount), key=lambda pair: -pair[1]),
    )
