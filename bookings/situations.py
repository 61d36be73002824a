"""What the desk looks at now: each a name, and the bookings it means. Dashboard and lists count the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Case, DecimalField, F, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from bookings.models import Booking, BookingQuerySet, LedgerEntry, Refund, State
from lots.models import Closure, Spot

ARRIVING = timedelta(hours=2)
UNPAID = timedelta(days=30)  # so far back (by its beginning) a stay counts as unpaid
LEAST = Decimal("0.0005")  # half of the smallest amount; SQLite adds decimals up as floats

_AMOUNT: Any = DecimalField(max_digits=14, decimal_places=3)
_KEPT = Case(When(kind=LedgerEntry.Kind.REFUND, then=-F("amount")), default=F("amount"), output_field=_AMOUNT)

Situation = Callable[[BookingQuerySet, datetime], QuerySet[Booking]]


def parked(bookings: BookingQuerySet, now: datetime) -> QuerySet[Booking]:
    return bookings.running()


def arriving(bookings: BookingQuerySet, now: datetime) -> QuerySet[Booking]:
    """Promised, to begin within two hours or begun, and nobody is there yet."""
    return bookings.in_state(State.CONFIRMED).filter(starts_at__lte=now + ARRIVING)


def staying_on(bookings: BookingQuerySet, now: datetime) -> QuerySet[Booking]:
    return bookings.staying_on(now)


def held(bookings: BookingQuerySet, now: datetime) -> QuerySet[Booking]:
    return bookings.in_state(State.HELD).filter(held_until__gt=now)


def unpaid(bookings: BookingQuerySet, now: datetime) -> QuerySet[Booking]:
    """Over, begun in the last thirty days, and owed for. See also payments.ledger.Account.due."""
    over = bookings.in_state(State.COMPLETED, State.NO_SHOW, State.CANCELLED)
    entries = LedgerEntry.objects.filter(booking=OuterRef("pk"))
    let_off = Refund.objects.standing().filter(booking=OuterRef("pk"), lowers_price=True)
    covered = _sum(entries, _KEPT) + _sum(let_off, F("amount")) + LEAST
    return over.filter(starts_at__gte=now - UNPAID, total__gt=0).filter(total__gt=covered)


def _sum(rows: Any, amount: Any) -> Coalesce:
    total = rows.order_by().values("booking").annotate(sum=Sum(amount)).values("sum")
    return Coalesce(Subquery(total, output_field=_AMOUNT), Value(Decimal(0), output_field=_AMOUNT))


SITUATIONS: dict[str, tuple[Any, Situation]] = {
    "parked": (_("Parked now"), parked),
    "arriving": (_("Due within two hours"), arriving),
    "staying-on": (_("Past their end"), staying_on),
    "held": (_("Being booked"), held),
    "unpaid": (_("Over and unpaid (30 days)"), unpaid),
}


def spots_taken(spots: QuerySet[Spot], now: datetime) -> QuerySet[Spot]:
    """Somebody stands there, is due there, or has it held for them at this moment."""
    there = Booking.objects.blocking(now).filter(starts_at__lte=now)
    overstaying = Q(pk__in=Booking.objects.overstaying(now))
    return spots.filter(pk__in=there.filter(Q(ends_at__gt=now) | overstaying).values("spot"))


def spots_closed(spots: QuerySet[Spot], now: datetime) -> QuerySet[Spot]:
    closures = Closure.objects.in_force().overlapping(now, now + timedelta(seconds=1))
    shut = Q(pk__in=closures.of_spots().values("spot")) | Q(lot__in=closures.of_lots().values("lot"))
    return spots.filter(Q(is_in_service=False) | shut)


def spots_free(spots: QuerySet[Spot], now: datetime) -> QuerySet[Spot]:
    taken, closed = (rows(spots, now).values("pk") for rows in (spots_taken, spots_closed))
    return spots.exclude(pk__in=taken).exclude(pk__in=closed)


SPOT_STATES: dict[str, tuple[Any, Callable[[QuerySet[Spot], datetime], QuerySet[Spot]]]] = {
    "taken": (_("Taken"), spots_taken),
    "free": (_("Free"), spots_free),
    "closed": (_("Out of service"), spots_closed),
}
