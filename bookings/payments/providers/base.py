"""What every provider of payments can do, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Protocol

from bookings.payments.models import Payment, Refund, Status


class ProviderAway(Exception):
    """No answer, or none that says what became of it: ask again later with the same key."""


class ProviderRefused(Exception):
    """A definite no, with the reason in its words: nothing moved and nothing will."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a payment or a refund, as the provider knows it.

    `amount` and `currency` are what it really moved; left out where it did not say.
    """

    status: str
    reference: str = ""
    transaction_id: str = ""
    redirect_url: str = ""
    amount: Decimal | None = None
    currency: str = ""
    method: str = ""
    note: str = ""


PENDING = Outcome(Status.PENDING)


def failed(note: str) -> Outcome:
    return Outcome(Status.FAILED, note=note[:300])


class PaymentProvider(Protocol):
    """All methods but `takes` may call the network, so none is called inside a transaction.

    Each may be repeated: the id of the payment or refund is the key of its one effect. They raise
    ProviderAway when nobody knows what happened.
    """

    name: str
    # So long may the page on which it is paid stay open.
    page_open: timedelta
    # Answers without asking anybody else, so a refund is done where it is decided.
    is_local: bool

    def takes(self, amount: Decimal, currency: str) -> str:
        """Empty, or the sentence that says why it does not."""

    def start(self, payment: Payment) -> Outcome: ...

    def ask(self, payment: Payment) -> Outcome: ...

    def close(self, payment: Payment) -> Outcome:
        """See to it that nobody can pay this attempt any more; tells what became of it."""

    def refund(self, refund: Refund) -> Outcome: ...
