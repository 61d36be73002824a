"""A bank that is not one: a card page with a button for every answer, for trying out and for tests.

What it will answer is kept on the payment itself, so that it survives restarts as a real bank does.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from bookings.payments.models import Payment, Provider, Refund, Status
from bookings.payments.providers.base import PENDING, Outcome, failed

SLOW = timedelta(seconds=15)
ANSWERS = ("approve", "decline", "slow")
CARD = "Visa ending in 4242"


def decide(answer: str, now: datetime) -> dict[str, Any]:
    """What the bank notes when a button of its page is pressed."""
    at = now + SLOW if answer == "slow" else now
    return {"answer": "approve" if answer == "slow" else answer, "answers_at": at.isoformat()}


class DemoProvider:
    name = Provider.DEMO.value
    page_open = timedelta(minutes=10)
    is_local = True

    def takes(self, amount: Decimal, currency: str) -> str:
        return ""

    def start(self, payment: Payment) -> Outcome:
        page = reverse("payments:demo", args=[payment.pk])
        return Outcome(
            Status.PENDING, reference=f"demo_{payment.pk.hex}", redirect_url=settings.BASE_URL + page
        )

    def ask(self, payment: Payment) -> Outcome:
        now = timezone.now()  # the bank's own clock
        details = payment.details
        if "answer" not in details:
            return PENDING if payment.page_is_open(now) else failed("Nobody paid in time.")
        if now < datetime.fromisoformat(details["answers_at"]):
            return PENDING
        if details["answer"] != "approve":
            return failed("The card was declined.")
        return Outcome(
            Status.SUCCEEDED,
            transaction_id=f"demo_pay_{payment.pk.hex}",
            amount=payment.amount,
            currency=payment.currency,
            method=CARD,
        )

    def close(self, payment: Payment) -> Outcome:
        """A card that was charged already, or is about to be, cannot be stopped."""
        return self.ask(payment) if "answer" in payment.details else failed("Closed.")

    def refund(self, refund: Refund) -> Outcome:
        return Outcome(Status.SUCCEEDED, transaction_id=f"demo_refund_{refund.pk.hex}")
