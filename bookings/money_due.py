"""What was paid for a booking, what went back and what is still owed, from the ledger."""

from __future__ import annotations

from decimal import Decimal

from bookings.models import Booking
from bookings.payments.ledger import Account, account, unpaid, with_money

__all__ = ["Account", "account", "due", "paid", "refunded", "unpaid", "with_money"]


def paid(booking: Booking) -> Decimal:
    return account(booking).paid


def refunded(booking: Booking) -> Decimal:
    return account(booking).refunded


def due(booking: Booking) -> Decimal:
    return account(booking).due
