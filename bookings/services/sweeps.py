"""What time does by itself. Each sweep does whatever is due, in any order, any number of times."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import OperationalError

from bookings.models import Booking, BookingQuerySet
from bookings.services import core

logger = logging.getLogger(__name__)
BATCH = 500
MOVED_BY_TIME = ("state", "ends_at", "spot_id")


def lapse_holds(*, now: datetime) -> int:
    """Let go the holds nobody confirmed."""
    return _each(Booking.objects.holds_over(now), now)


def start_stays(*, now: datetime) -> int:
    """Start the reserved stays whose time has come, on lots where nobody checks in."""
    return _each(Booking.objects.to_start(now), now)


def end_stays(*, now: datetime) -> int:
    """End the stays that end by themselves."""
    return _each(Booking.objects.to_end(now), now)


def mark_no_shows(*, now: datetime) -> int:
    """Free the spots of drivers who have not checked in by start + grace."""
    return _each(Booking.objects.missed(now), now)


def roll_on_overstays(*, now: datetime) -> int:
    """Let stays that go on until released grow by the next step, while nobody else is due."""
    return _each(Booking.objects.overstaying(now), now)


def rescue_bookings(*, now: datetime) -> int:
    """Move, or give everything back to, those who begin soon on a spot that cannot be had."""
    return _each(Booking.objects.to_rescue(now), now)


def _each(due: BookingQuerySet, now: datetime) -> int:
    """Under the lot's lock core.command() catches up with the clock, and that is all a sweep is."""
    done = 0
    for booking in due.only("pk", "lot_id", "spot_id", "state", "ends_at").order_by("pk")[:BATCH]:
        try:
            with core.command(booking, now) as fresh:
                done += any(getattr(fresh, name) != getattr(booking, name) for name in MOVED_BY_TIME)
        except OperationalError:
            raise  # the database is busy or away: the next sweep does the rest
        except Exception:
            # One sick row must not keep the rows behind it waiting; the log and check_integrity show it.
            logger.exception("sweeping booking %s failed", booking.pk)
    return done
