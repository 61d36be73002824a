"""How long we know whose car stood where."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta

from django.conf import settings

from bookings.models import OVER, Booking
from bookings.payments.ledger import account, with_money

MARK = "~"  # no plate begins with it
BATCH = 2000


def pseudonymise_plates(*, now: datetime) -> int:
    """Put a pseudonym in the place of plates of bookings that ended KEEP_PLATES_DAYS ago and are settled.

    The same plate gets the same pseudonym, so that one can still count how often a vehicle came; without
    SECRET_KEY nobody can compute it. Returns how many bookings it was done to; 0 days: plates are kept.
    """
    if not settings.KEEP_PLATES_DAYS:
        return 0
    done = 0
    before = now - timedelta(days=settings.KEEP_PLATES_DAYS)
    last = 0
    while batch := _batch(before, after=last):
        last = batch[-1].pk
        settled = [booking for booking in batch if not account(booking).due]
        for booking in settled:
            booking.plate = booking.plate_normalised = pseudonym(booking.plate_normalised)
        # No state and no price changes, so that no command's lock is needed.
        Booking.objects.bulk_update(settled, ["plate", "plate_normalised"])
        done += len(settled)
    return done


def _batch(before: datetime, *, after: int) -> list[Booking]:
    old = Booking.objects.in_state(*OVER).filter(ends_at__lt=before, pk__gt=after)
    named = old.exclude(plate_normalised="").exclude(plate_normalised__startswith=MARK)
    return list(with_money(named).order_by("pk")[:BATCH])


def pseudonym(plate: str) -> str:
    digest = hmac.new(settings.SECRET_KEY.encode(), f"plate:{plate}".encode(), hashlib.sha256)
    return MARK + digest.hexdigest()[:16].upper()
