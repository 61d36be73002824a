"""Sending back what a booking has paid and does not owe. Only rows are written here, under the lot's lock.

Whoever pays through a provider that must be asked over the network gets the money by the sweep
(bookings.payments.reconcile): what is owed is a row first.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal

from accounts.models import User
from bookings.models import Booking
from bookings.payments import ledger
from bookings.payments.models import Payment, Refund, Status
from bookings.payments.providers import provider
from bookings.payments.providers.base import Outcome
from lots import money


def settle(booking: Booking, *, reason: str, by: User | None, now: datetime) -> list[Refund]:
    """Begin to refund whatever was paid too much; nothing where nothing was. Safe to repeat."""
    if not booking.payments.succeeded().exists():
        return []
    excess = ledger.account(booking).excess
    return begin(booking, excess, reason=reason, by=by, now=now) if excess else []


def begin(
    booking: Booking,
    amount: Decimal,
    *,
    reason: str,
    by: User | None,
    now: datetime,
    lowers_price: bool = False,
    request_id: uuid.UUID | None = None,
) -> list[Refund]:
    """Spread an amount over the payments, the latest first; the caller saw that it is there."""
    request_id, refunds = request_id or uuid.uuid4(), []
    for payment in booking.payments.succeeded().order_by("-settled_at", "-pk").prefetch_related("refunds"):
        part = money.quantise(min(amount, _left(payment)), payment.currency)
        if part <= 0:
            continue
        amount -= part
        refund = Refund.objects.create(
            payment=payment,
            booking=booking,
            request_id=request_id,
            amount=part,
            currency=payment.currency,
            lowers_price=lowers_price,
            reason=reason[:200],
            by=by,
            created_at=now,
        )
        bank = provider(payment.provider)
        if bank.is_local:
            finish(refund, bank.refund(refund), by=by, now=now)
        refunds.append(refund)
    return refunds


def finish(refund: Refund, outcome: Outcome, *, by: User | None, now: datetime) -> bool:
    """Write down what became of a refund, once; says whether anything changed. The caller holds the lock."""
    if refund.has_succeeded:
        return False
    if outcome.status == Status.PENDING:
        if outcome.transaction_id and not refund.transaction_id:
            refund.transaction_id = outcome.transaction_id
            refund.save(update_fields=["transaction_id"])
        return False
    told = (outcome.amount, outcome.currency)
    if outcome.amount is not None and told != (refund.amount, refund.currency):
        refund.status = Status.REVIEW
        refund.note = f"The provider sent back {outcome.amount} {outcome.currency}."
    else:
        refund.status, refund.note = outcome.status, outcome.note
    if refund.status != Status.SUCCEEDED:
        refund.flagged_at = refund.flagged_at or now
    refund.settled_at = now
    refund.transaction_id = outcome.transaction_id or refund.transaction_id
    refund.save()
    if refund.has_succeeded:
        ledger.refund(refund, by=by, now=now)
    return True


def _left(payment: Payment) -> Decimal:
    """What of a payment has neither gone back nor is on its way."""
    gone = [refund.amount for refund in payment.refunds.all() if refund.status != Status.FAILED]
    return payment.amount - sum(gone, Decimal(0))
