"""Plain functions that make things, through the same services the house uses."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from accounts.models import User
from bookings import services
from bookings.models import Booking
from lots.models import Lot
from lots.services import create_lot

NOW = datetime(2027, 3, 1, 10, 0, tzinfo=UTC)  # a Monday
HOUR = timedelta(hours=1)
_numbers = itertools.count(1)


def make_user(name: str = "", **fields: Any) -> User:
    name = name or f"driver{next(_numbers)}"
    return User.objects.create_user(f"{name}@example.com", None, name=name.title(), **fields)


def make_lot(capacity: int = 3, *, price: str = "2.50", now: datetime = NOW, **fields: Any) -> Lot:
    fields.setdefault("name", f"Lot {next(_numbers)}")
    fields.setdefault("timezone", "Europe/Berlin")
    return create_lot(capacity=capacity, price_per_hour=Decimal(price), by=None, now=now, **fields)


def reserve(
    lot: Lot,
    driver: User | None,
    *,
    now: datetime = NOW,
    starts_in: timedelta = HOUR,
    hours: float = 2,
    **wish: Any,
) -> Booking:
    """A reserved booking from `now + starts_in`, for so many hours."""
    starts_at = now + starts_in
    return services.book(
        lot_id=lot.pk,
        kind="reserved",
        driver=driver,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=hours),
        now=now,
        **wish,
    )


def park(lot: Lot, driver: User | None, *, now: datetime = NOW, **wish: Any) -> Booking:
    """An instant booking."""
    return services.book(lot_id=lot.pk, kind="instant", driver=driver, now=now, **wish)


def overlaps() -> list[tuple[int, int]]:
    """Every pair of occupying bookings of one spot that overlap. There must be none, ever."""
    rows = (
        Booking.objects.occupying()
        .order_by("spot_id", "starts_at")
        .values_list("pk", "spot_id", "starts_at", "ends_at")
    )
    found: list[tuple[int, int]] = []
    last: dict[int, tuple[int, datetime]] = {}
    for pk, spot_id, starts_at, ends_at in rows:
        before = last.get(spot_id)
        if before and starts_at < before[1]:
            found.append((before[0], pk))
        if not before or ends_at > before[1]:
            last[spot_id] = (pk, ends_at)
    return found
