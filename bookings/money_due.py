"""What was paid for a booking and what is still owed."""

from __future__ import annotations

from decimal import Decimal

from bookings.models import Booking, State

NOTHING = Decimal(0)


def paid(booking: Booking) -> Decimal:
    """Nothing yet: the ledger comes with the payments."""
    return NOTHING


def refunded(booking: Booking) -> Decimal:
    return NOTHING


def due(booking: Booking) -> Decimal:
    """Never below zero: what was paid too much is a refund, not a debt."""
    if booking.state == State.EXPIRED:
        return NOTHING
    return max(booking.total - paid(booking) + refunded(booking), NOTHING)
