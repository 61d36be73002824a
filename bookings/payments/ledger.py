"""What moved, what is owed: the ledger's two kinds of rows, and the sums everybody shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import DecimalField, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from accounts.models import User
from bookings.models import Booking, State
from bookings.payments.models import LedgerEntry, Payment, Refund
from lots import money

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Account:
    """A booking's money: `owed` in all, `paid` in, `refunded`, and what is on its way back.

    All have the currency's decimals.
    """

    owed: Decimal
    paid: Decimal
    refunded: Decimal
    on_its_way: Decimal

    @property
    def due(self) -> Decimal:
        """Never below zero: what was paid too much is a refund, not a debt."""
        return max(self.owed - self.paid + self.refunded, self.owed * 0)

    @property
    def excess(self) -> Decimal:
        """What still has to be sent back."""
        return max(self.refundable - self.owed, self.owed * 0)

    @property
    def refundable(self) -> Decimal:
        return self.paid - self.refunded - self.on_its_way


def charge(payment: Payment, *, by: User | None, now: datetime) -> LedgerEntry:
    return LedgerEntry.objects.create(
        booking_id=payment.booking_id,
        kind=LedgerEntry.Kind.CHARGE,
        amount=payment.amount,
        currency=payment.currency,
        provider=payment.provider,
        reference=payment.transaction_id or f"{payment.provider}_{payment.pk.hex}",
        payment=payment,
        by=by,
        at=now,
    )


def refund(refund: Refund, *, by: User | None, now: datetime) -> LedgerEntry:
    return LedgerEntry.objects.create(
        booking_id=refund.booking_id,
        kind=LedgerEntry.Kind.REFUND,
        amount=refund.amount,
        currency=refund.currency,
        provider=refund.payment.provider,
        reference=refund.transaction_id or f"{refund.payment.provider}_{refund.pk.hex}",
        payment=refund.payment,
        refund=refund,
        by=by,
        reason=refund.reason,
        at=now,
    )


def account(booking: Booking) -> Account:
    """From with_money()'s columns where the booking was read with them, else asked for now."""
    if "paid_sum" not in booking.__dict__:
        # Read afresh each time and not kept: the caller may be in the middle of moving money.
        row = with_money(Booking.objects.filter(pk=booking.pk)).values(*SUMS).get()
    else:
        row = {name: booking.__dict__[name] for name in SUMS}
    paid, refunded, on_its_way, let_off = (money.quantise(row[name], booking.currency) for name in SUMS)
    owed = NOTHING if booking.state == State.EXPIRED else max(booking.total - let_off, NOTHING)
    return Account(money.quantise(owed, booking.currency), paid, refunded, on_its_way)


def unpaid(booking: Booking) -> Account:
    """Of a booking that was made a moment ago: no row of the ledger can name it yet."""
    nothing = money.quantise(NOTHING, booking.currency)
    return Account(money.quantise(booking.total, booking.currency), nothing, nothing, nothing)


SUMS = ("paid_sum", "refunded_sum", "on_its_way_sum", "let_off_sum")
_AMOUNT: Any = DecimalField(max_digits=14, decimal_places=3)


def with_money(bookings: QuerySet[Booking]) -> QuerySet[Booking]:
    """Adds the sums account() needs: a list of bookings costs no query more."""
    entries = LedgerEntry.objects.filter(booking=OuterRef("pk"))
    refunds = Refund.objects.filter(booking=OuterRef("pk"))
    return bookings.annotate(
        paid_sum=_sum(entries.charges()),
        refunded_sum=_sum(entries.refunds()),
        on_its_way_sum=_sum(refunds.on_its_way()),
        let_off_sum=_sum(refunds.standing().filter(lowers_price=True)),
    )


def _sum(rows: Any) -> Coalesce:
    total = rows.order_by().values("booking").annotate(sum=Sum("amount")).values("sum")
    return Coalesce(Subquery(total, output_field=_AMOUNT), Value(NOTHING, output_field=_AMOUNT))
