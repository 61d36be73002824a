"""The operator's desk: cash or card, taken and given back by people."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from bookings.payments.models import Payment, Provider, Refund
from bookings.payments.providers.base import PENDING, Outcome


class DeskProvider:
    """Nothing happens by itself here: staff say when money has changed hands."""

    name = Provider.DESK.value
    page_open = timedelta(0)
    is_local = False

    def takes(self, amount: Decimal, currency: str) -> str:
        return ""

    def start(self, payment: Payment) -> Outcome:
        return PENDING

    def ask(self, payment: Payment) -> Outcome:
        return PENDING

    def close(self, payment: Payment) -> Outcome:
        return PENDING

    def refund(self, refund: Refund) -> Outcome:
        return PENDING
