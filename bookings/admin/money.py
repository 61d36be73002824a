"""A booking's money in the back office: what moved, and what the desk takes and gives back."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminTextInputWidget

from accounts.models import User
from bookings import services
from bookings.admin.base import amount, local
from bookings.admin.commands import Command
from bookings.admin.forms import CommandForm
from bookings.models import Booking, State
from bookings.payments import ledger

METHODS = [("cash", _("Cash")), ("card", _("Card"))]


def _amount_field() -> forms.DecimalField:
    # As text: a number field would turn what was typed wrongly into nothing.
    widget = UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"})
    return forms.DecimalField(max_digits=12, decimal_places=3, widget=widget)


class MoneyForm(CommandForm):
    """Once a page: `request_id` is drawn when it is asked for, so that sending it twice is one movement."""

    request_id = forms.UUIDField(widget=forms.HiddenInput())

    def prepare(self) -> None:
        self.initial["request_id"] = uuid.uuid4()
        self.initial["amount"] = self.suggestion(ledger.account(self.booking))
        self.fields["amount"].label = _("Amount in %(currency)s") % {"currency": self.booking.currency}

    def suggestion(self, account: ledger.Account) -> Decimal:
        raise NotImplementedError

    def clean(self) -> dict[str, Any]:
        if "request_id" in self.errors:
            # Its own place is hidden.
            self.add_error(None, _("Please open this page again."))
        return super().clean() or {}


class PaymentForm(MoneyForm):
    method = forms.ChoiceField(
        label=_("Paid by"), choices=METHODS, initial="cash", widget=UnfoldAdminRadioSelectWidget()
    )
    amount = _amount_field()

    def suggestion(self, account: ledger.Account) -> Decimal:
        return account.due


class RefundForm(MoneyForm):
    amount = _amount_field()
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("The driver reads it, and it stands in the booking's timeline."),
    )

    def suggestion(self, account: ledger.Account) -> Decimal:
        return account.refundable


@dataclass(frozen=True)
class MoneyCommand(Command):
    """A command that depends on what was paid rather than on the state."""

    part: Callable[[Booking], Decimal] = lambda booking: Decimal(0)

    def fits(self, booking: Booking) -> bool:
        return self.part(booking) > 0

    def told(self, booking: Booking) -> str:
        account = ledger.account(booking)
        paid, due, back = (
            amount(value, booking.currency)
            for value in (account.paid, account.due, account.refunded + account.on_its_way)
        )
        return f"{paid} paid, {back} sent back, {due} due."


def _due(booking: Booking) -> Decimal:
    return ledger.account(booking).due


def _refundable(booking: Booking) -> Decimal:
    return ledger.account(booking).refundable


def _record(booking: Booking, form: Any, by: User, now: datetime) -> Booking:
    data = form.cleaned_data
    services.record_desk_payment(
        booking,
        method=data["method"],
        amount=data["amount"],
        request_id=data["request_id"],
        by=by,
        now=now,
    )
    return _read(booking)


def _refund(booking: Booking, form: Any, by: User, now: datetime) -> Booking:
    data = form.cleaned_data
    services.refund(
        booking,
        amount=data["amount"],
        reason=data["reason"],
        request_id=data["request_id"],
        by=by,
        now=now,
    )
    return _read(booking)


def _read(booking: Booking) -> Booking:
    return Booking.objects.select_related("lot", "spot", "driver").get(pk=booking.pk)


def _what_is_due(booking: Booking, _now: datetime) -> list[str]:
    facts = [f"{amount(_due(booking), booking.currency)} is due, {booking.actor_name()}, {booking.plate}."]
    if booking.state == State.ACTIVE:
        facts.append("The stay still runs; what it costs is known for certain when it ends.")
    return facts


def _what_may_go_back(booking: Booking, _now: datetime) -> list[str]:
    methods = [
        f"{amount(payment.amount - payment.refunded(), payment.currency)} paid by "
        f"{payment.method or payment.get_provider_display()}"
        for payment in booking.payments.succeeded().order_by("created_at").prefetch_related("refunds")
    ]
    return [
        f"At most {amount(_refundable(booking), booking.currency)} can go back, the way it was paid.",
        *methods,
        "What was paid at the desk you hand over yourself, now.",
    ]


RECORD_PAYMENT = MoneyCommand(
    "record_payment", _("Record payment"), "payments", frozenset(), _record, _what_is_due, PaymentForm,
    permission="payment", part=_due,
)  # fmt: skip
REFUND = MoneyCommand(
    "refund", _("Refund"), "undo", frozenset(), _refund, _what_may_go_back, RefundForm,
    is_danger=True, permission="refund", part=_refundable,
)  # fmt: skip
MONEY = {command.name: command for command in (RECORD_PAYMENT, REFUND)}


# --- The box on the booking's page ---


def money_box(booking: Booking) -> dict[str, Any]:
    account = ledger.account(booking)
    sums = [
        (_("Charged"), account.owed),
        (_("Paid"), account.paid),
        (_("Sent back"), account.refunded),
        (_("On its way back"), account.on_its_way),
        (_("Due"), account.due),
    ]
    return {
        "sums": [(label, amount(value, booking.currency)) for label, value in sums],
        "lists": [
            (_("Payments"), [_payment(row, booking) for row in booking.payments.order_by("created_at")]),
            (_("Refunds"), [_refund_row(row, booking) for row in booking.refunds.order_by("created_at")]),
            (_("Ledger"), [_entry(row, booking) for row in booking.ledger.order_by("at", "pk")]),
        ],
    }


def _payment(row: Any, booking: Booking) -> tuple[str, ...]:
    how = row.method or row.get_provider_display()
    return (local(row.created_at, booking.lot), f"{how}, {row.get_status_display()}", row.note,
            row.transaction_id or "", amount(row.amount, row.currency))  # fmt: skip


def _refund_row(row: Any, booking: Booking) -> tuple[str, ...]:
    return (local(row.created_at, booking.lot), f"{row.get_status_display()}: {row.reason}", row.note,
            row.transaction_id or "", amount(row.amount, row.currency))  # fmt: skip


def _entry(row: Any, booking: Booking) -> tuple[str, ...]:
    return (local(row.at, booking.lot), f"{row.get_kind_display()}, {row.get_provider_display()}", row.reason,
            row.reference, amount(row.amount, row.currency))  # fmt: skip
