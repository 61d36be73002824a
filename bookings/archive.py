"""The archive: old bookings that are settled are proven once more, then frozen by the database itself.

They stay rows of the same table, so reports, receipts and drivers' histories are right by construction, and
the indexes that booking uses hold live bookings only: history does not slow it. What did grow with history
was the nightly proof; it leaves out what nothing can change any more (bookings.archive_guards).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from bookings import integrity
from bookings.models import OVER, Booking
from bookings.payments.ledger import account, with_money
from bookings.payments.models import Payment, Refund, Status

BATCH = 200  # each a transaction of its own, during which these bookings take no refund
MOST = 50_000  # in one run: a worker's task has minutes, and the next night goes on


def archive_old(*, now: datetime) -> int:
    """Archive bookings that ended ARCHIVE_AFTER_DAYS ago, are settled and add up; returns how many.

    Safe to repeat, and to run twice at once. What owes, is owed, waits for a provider or does not add up is
    left where the nightly proof sees it. 0 days: nothing is archived.
    """
    if not settings.ARCHIVE_AFTER_DAYS:
        return 0
    before = now - timedelta(days=settings.ARCHIVE_AFTER_DAYS)
    old = Booking.objects.in_state(*OVER).filter(archived_at=None, ends_at__lt=before).order_by("pk")
    done = last = 0
    while done < MOST and (keys := list(old.filter(pk__gt=last).values_list("pk", flat=True)[:BATCH])):
        last = keys[-1]
        done += _archive(keys, now)
    return done


@transaction.atomic
def _archive(keys: list[int], now: datetime) -> int:
    # Lock first, look second: money that moves meanwhile waits, or was there before we look.
    locked = Booking.objects.select_for_update(of=("self",), no_key=True).order_by("pk")
    list(locked.filter(pk__in=keys).values_list("pk", flat=True))
    open_money = {"booking__in": keys, "status__in": [Status.PENDING, Status.REVIEW]}
    unsure = {
        *Payment.objects.filter(**open_money).values_list("booking", flat=True),
        *Refund.objects.filter(**open_money).values_list("booking", flat=True),
    }
    wrong = {booking.pk for booking, _finding in integrity.faults(Booking.objects.filter(pk__in=keys))}
    fit = [
        booking.pk
        for booking in with_money(Booking.objects.filter(pk__in=keys, archived_at=None))
        if booking.pk not in unsure | wrong and not (sums := account(booking)).due and not sums.excess
    ]
    return Booking.objects.filter(pk__in=fit).update(archived_at=now)
