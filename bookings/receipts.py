"""Receipts: who gets one, what stands in it, and numbers without gaps.

A booking gets its receipt when somebody first asks for it: nobody waits for the counter while a stay
ends. What was charged is written down for good; payments are read from the ledger, which only grows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from bookings import pricing
from bookings.errors import NoReceipt
from bookings.models import Booking, LedgerEntry, State
from bookings.payments import ledger
from bookings.receipt_models import Receipt, ReceiptCounter
from bookings.services import core
from lots import money

# What makes two documents say the same about a stay; the rest is about us.
CHARGED = ("lines", "total", "reduction", "state", "starts_at", "ends_at")


@dataclass(frozen=True, slots=True)
class Movement:
    """Money that moved: `amount` is below zero where it went back."""

    at: datetime
    amount: Decimal
    how: str
    reference: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A receipt with what was paid for it up to now."""

    receipt: Receipt
    booking: Booking
    movements: tuple[Movement, ...]
    owed: Decimal
    paid: Decimal
    due: Decimal

    @property
    def document(self) -> dict[str, Any]:
        return self.receipt.document


def issue(booking: Booking, *, now: datetime) -> Receipt:
    """The booking's latest receipt; the first one, or one that corrects the last, is made now.

    NoReceipt while the stay is not over, or where there is nothing to write about. Safe to repeat.
    """
    _check(booking)
    last = _latest(booking)
    if last and _same(last.document, _document(booking)):
        return last
    with transaction.atomic():
        fresh = _locked(booking)
        _check(fresh)
        document, last = _document(fresh), _latest(fresh)
        if last and _same(last.document, document):
            return last
        return Receipt.objects.create(
            number=_next_number(),
            booking=fresh,
            corrects=last,
            currency=fresh.currency,
            total=Decimal(document["owed"]),
            document=document,
            issued_at=now,
        )


def statement(booking: Booking, *, now: datetime) -> Statement:
    """What the page and the PDF show."""
    return printed(issue(booking, now=now))


def printed(receipt: Receipt) -> Statement:
    """This very receipt, also where a later one corrects it, with what was paid up to now."""
    booking = receipt.booking
    account = ledger.account(booking)
    entries = booking.ledger.select_related("payment").order_by("at", "pk")
    return Statement(
        receipt=receipt,
        booking=booking,
        movements=tuple(_movement(entry) for entry in entries),
        owed=Decimal(receipt.document["owed"]),
        paid=account.paid - account.refunded,
        due=account.due,
    )


def may_have(booking: Booking) -> bool:
    """Completed, or over in another way that cost something."""
    if booking.state == State.COMPLETED:
        return True
    has_cost = booking.state != State.EXPIRED and bool(booking.total)
    return booking.is_over and (has_cost or booking.ledger.exists())


def recomputed(booking: Booking) -> pricing.Price:
    """What a completed stay costs by its pinned tariff: to the cent what its receipt says."""
    return core.final_price(booking, booking.ends_at)


def gaps(*, most: int = 100) -> list[int]:
    """Numbers that were given and have no receipt, or have one and were not given. There must be none."""
    counter = ReceiptCounter.objects.filter(pk=1).first()
    last, expected, found = counter.last if counter else 0, 1, list[int]()
    for number in Receipt.objects.order_by("number").values_list("number", flat=True).iterator():
        found.extend(range(expected, min(number, expected + most)))
        if number > last:
            found.append(number)
        expected = number + 1
        if len(found) >= most:
            return found[:most]
    found.extend(range(expected, min(last + 1, expected + most)))
    return found[:most]


def _check(booking: Booking) -> None:
    if not booking.is_over:
        raise NoReceipt(_("There is a receipt once the stay is over."))
    if not may_have(booking):
        raise NoReceipt


def _latest(booking: Booking) -> Receipt | None:
    return booking.receipts.order_by("-number").first()


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one[name] == other[name] for name in CHARGED)


def _locked(booking: Booking) -> Booking:
    """Two who ask at once get one receipt; what is charged cannot change meanwhile."""
    rows = Booking.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("lot", "spot", "tariff").get(pk=booking.pk)


def _next_number() -> int:
    """Given back with everything else when the transaction fails: that is what keeps numbers whole.

    The counter is always the last lock taken, so nobody who holds it waits for anything.
    """
    ReceiptCounter.objects.get_or_create(pk=1)
    counter = ReceiptCounter.objects.select_for_update().get(pk=1)
    counter.last += 1
    counter.save()
    return counter.last


def _document(booking: Booking) -> dict[str, Any]:
    lot, currency = booking.lot, booking.currency
    account = ledger.account(booking)
    total = money.quantise(booking.total, currency)
    tax = sum((Decimal(line["tax"]) for line in booking.price_lines), Decimal(0))
    if total and account.owed != total:
        tax = tax * account.owed / total
    tax = money.quantise(tax, currency)
    place = [lot.address_line1, lot.address_line2, f"{lot.postcode} {lot.city}", lot.region, lot.country]
    return {
        "operator": {
            "name": settings.OPERATOR_NAME,
            "address": settings.OPERATOR_ADDRESS,
            "tax_number": settings.OPERATOR_TAX_NUMBER,
            "email": settings.OPERATOR_EMAIL,
        },
        "lot": {
            "name": lot.name,
            "address": [line.strip() for line in place if line.strip()],
            "timezone": lot.timezone,
        },
        "spot": booking.spot.number,
        "reference": booking.reference,
        "kind": booking.kind,
        "state": booking.state,
        "tariff_version": booking.tariff.version,
        "starts_at": booking.booked_from.isoformat(),
        "ends_at": max(booking.booked_until, booking.ends_at).isoformat()
        if booking.kind == Booking.Kind.RESERVED
        else booking.ends_at.isoformat(),
        "currency": currency,
        "lines": booking.price_lines,
        "total": str(total),
        # What staff let the driver off afterwards.
        "reduction": str(total - account.owed),
        "owed": str(account.owed),
        "tax": str(tax),
        "net": str(account.owed - tax),
    }


def _movement(entry: LedgerEntry) -> Movement:
    amount = money.quantise(entry.amount, entry.currency)
    is_refund = entry.kind == LedgerEntry.Kind.REFUND
    how = entry.payment.method or entry.get_provider_display()
    return Movement(entry.at, -amount if is_refund else amount, how, entry.reference)
