"""What happened, as one stream: every row of every booking's timeline, in an order that never changes.

A row's id will not do as its place in the stream: a transaction that took a smaller one may commit
later, and whoever had read past it would never see it. So rows get their place afterwards, one run at a
time, in the order they became visible in.
"""

from __future__ import annotations

from django.db import connection, transaction
from django.db.models import QuerySet

from accounts.models import User
from bookings.models import TimelineEntry
from bookings.webhooks.models import EventStream
from lots.models import Lot

BATCH = 20_000
# PostgreSQL and SQLite understand it alike.
NUMBERING = """
UPDATE bookings_timelineentry SET position = new.position FROM (
    SELECT id, %s + ROW_NUMBER() OVER (ORDER BY id) AS position
    FROM bookings_timelineentry WHERE position IS NULL ORDER BY id LIMIT %s
) AS new WHERE bookings_timelineentry.id = new.id
"""
# The actions of a timeline that are about money; all others are about the booking.
PAYMENT_ACTIONS = ("paid", "refunded")


def kind(entry: TimelineEntry) -> str:
    """As other programs know it: booking.confirmed, payment.paid."""
    return f"{'payment' if entry.action in PAYMENT_ACTIONS else 'booking'}.{entry.action}"


def event_id(entry: TimelineEntry) -> str:
    """The same however often it is told. Beyond guessing, as the booking's reference is."""
    return f"{entry.booking.reference}-{entry.sequence}"


def number_new() -> int:
    """Give what happened since the last call its place; returns the newest place there is."""
    while TimelineEntry.objects.filter(position=None).exists():
        with transaction.atomic():
            _number()
    return newest()


def newest() -> int:
    return EventStream.objects.filter(pk=1).values_list("last", flat=True).first() or 0


def _number() -> None:
    EventStream.objects.get_or_create(pk=1)
    # Lock first, look in a second query: what another run has numbered meanwhile is seen.
    stream = EventStream.objects.select_for_update().get(pk=1)
    with connection.cursor() as cursor:
        cursor.execute(NUMBERING, [stream.last, BATCH])
        stream.last += cursor.rowcount
    stream.save(update_fields=["last"])


def seen_by(operator: User) -> QuerySet[TimelineEntry]:
    """Numbered events of the lots this operator runs, if they may see bookings at all."""
    if not operator.has_perm("bookings.view_booking"):
        return TimelineEntry.objects.none()
    entries = TimelineEntry.objects.filter(position__isnull=False)
    if not operator.is_superuser:
        entries = entries.filter(booking__lot__in=Lot.objects.run_by(operator).values("pk"))
    return entries.order_by("position")
