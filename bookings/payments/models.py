"""Attempts to move money, and the ledger of what moved. Found by Django through bookings.models."""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q, Sum
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from lots import money


class Provider(models.TextChoices):
    DESK = "desk", _("desk")
    DEMO = "demo", _("demo card page")
    STRIPE = "stripe", _("Stripe")


class Status(models.TextChoices):
    PENDING = "pending", _("pending")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")
    # The provider says something we did not ask for (another amount): a person must look at it.
    REVIEW = "review", _("needs review")


class PaymentQuerySet(models.QuerySet["Payment"]):
    def of(self, driver: User) -> PaymentQuerySet:
        return self.filter(booking__driver=driver)

    def pending(self) -> PaymentQuerySet:
        return self.filter(status=Status.PENDING)

    def succeeded(self) -> PaymentQuerySet:
        return self.filter(status=Status.SUCCEEDED)


class Payment(models.Model):
    """One attempt to pay for a booking. Its id is the key under which the provider knows it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    booking = models.ForeignKey(
        "bookings.Booking", models.PROTECT, related_name="payments", verbose_name=_("booking")
    )
    provider = models.CharField(_("provider"), max_length=8, choices=Provider)
    # How it was paid: "cash", "card", "Visa ending in 4242".
    method = models.CharField(_("method"), max_length=40, blank=True)
    status = models.CharField(_("status"), max_length=9, choices=Status, default=Status.PENDING)
    amount = models.DecimalField(_("amount"), max_digits=12, decimal_places=3)
    currency = models.CharField(_("currency"), max_length=3)
    # The provider's name for the attempt (a Checkout Session), and the page it is paid on.
    provider_reference = models.CharField(max_length=255, unique=True, null=True, editable=False)
    redirect_url = models.CharField(max_length=2000, blank=True, editable=False)
    # What the money itself is called there; a receipt and a bank statement show it.
    transaction_id = models.CharField(
        _("transaction"), max_length=255, unique=True, null=True, editable=False
    )
    # The provider's own notes; the demo bank keeps there what it will answer.
    details: Any = models.JSONField(default=dict, editable=False)
    # The Idempotency-Key of the request that began it.
    client_key = models.CharField(max_length=255, blank=True, editable=False)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    # Why it failed, or what a person must look at.
    note = models.CharField(_("note"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("begun"))
    # After this moment the provider's page is closed.
    expires_at = models.DateTimeField(null=True, editable=False)
    settled_at = models.DateTimeField(_("settled"), null=True, editable=False)
    # When the reconciler last asked the provider, and when it gave the case to a person.
    asked_at = models.DateTimeField(null=True, editable=False)
    flagged_at = models.DateTimeField(_("flagged"), null=True, editable=False)

    objects = PaymentQuerySet.as_manager()

    class Meta:
        verbose_name = _("payment")
        permissions = [("export_payment", "Can export payments")]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive"),
            # Whoever pays in two tabs pays once: the second finds the first one's attempt.
            models.UniqueConstraint(
                fields=["booking"], condition=Q(status="pending"), name="payment_one_attempt_at_a_time"
            ),
            models.UniqueConstraint(
                fields=["booking", "client_key"],
                condition=~Q(client_key=""),
                name="payment_once_an_idempotency_key",
            ),
        ]
        indexes = [
            models.Index(fields=["created_at"], condition=Q(status="pending"), name="payment_open"),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def is_pending(self) -> bool:
        return self.status == Status.PENDING

    @property
    def has_succeeded(self) -> bool:
        return self.status == Status.SUCCEEDED

    def page_is_open(self, now: datetime) -> bool:
        return self.is_pending and (self.expires_at is None or now < self.expires_at)

    def refunded(self) -> Decimal:
        """What went back of it; from prefetched refunds where there are any."""
        gone = [refund.amount for refund in self.refunds.all() if refund.has_succeeded]
        return sum(gone, Decimal(0))

    @property
    def shown_status(self) -> str:
        """What a person calls it: a payment that went back altogether is refunded."""
        return "refunded" if self.has_succeeded and self.refunded() >= self.amount else self.status

    def get_shown_status_display(self) -> str:
        return str(_("refunded")) if self.shown_status == "refunded" else self.get_status_display()


class RefundQuerySet(models.QuerySet["Refund"]):
    def pending(self) -> RefundQuerySet:
        return self.filter(status=Status.PENDING)

    def on_its_way(self) -> RefundQuerySet:
        """Not back yet; what a person must look at may have gone as well."""
        return self.filter(status__in=[Status.PENDING, Status.REVIEW])

    def standing(self) -> RefundQuerySet:
        """Done, or about to be: all but what definitely did not go through."""
        return self.exclude(status=Status.FAILED)

    def to_pay_out(self) -> RefundQuerySet:
        """What the desk owes: somebody must hand it over and say so."""
        return self.pending().filter(payment__provider=Provider.DESK)


class Refund(models.Model):
    """Money of one payment that goes back. Its id is the provider's idempotency key."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds")
    booking = models.ForeignKey("bookings.Booking", models.PROTECT, related_name="refunds")
    # One decision may go back over several payments; asked twice, it is one decision.
    request_id = models.UUIDField(default=uuid.uuid4, editable=False)
    status = models.CharField(_("status"), max_length=9, choices=Status, default=Status.PENDING)
    amount = models.DecimalField(_("amount"), max_digits=12, decimal_places=3)
    currency = models.CharField(_("currency"), max_length=3)
    # True: staff let the driver off a part of the price, so it is not owed again.
    lowers_price = models.BooleanField(default=False, editable=False)
    reason = models.CharField(_("reason"), max_length=200)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    transaction_id = models.CharField(
        _("transaction"), max_length=255, unique=True, null=True, editable=False
    )
    note = models.CharField(_("note"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("begun"))
    settled_at = models.DateTimeField(_("settled"), null=True, editable=False)
    asked_at = models.DateTimeField(null=True, editable=False)
    flagged_at = models.DateTimeField(_("flagged"), null=True, editable=False)

    objects = RefundQuerySet.as_manager()

    class Meta:
        verbose_name = _("refund")
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive"),
            models.UniqueConstraint(fields=["request_id", "payment"], name="refund_once_a_request"),
        ]
        indexes = [
            models.Index(fields=["created_at"], condition=Q(status="pending"), name="refund_open"),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def has_succeeded(self) -> bool:
        return self.status == Status.SUCCEEDED


class LedgerQuerySet(models.QuerySet["LedgerEntry"]):
    def charges(self) -> LedgerQuerySet:
        return self.filter(kind=LedgerEntry.Kind.CHARGE)

    def refunds(self) -> LedgerQuerySet:
        return self.filter(kind=LedgerEntry.Kind.REFUND)

    def total(self, currency: str) -> Decimal:
        """Rounded to the currency: SQLite adds decimals up as floats."""
        return money.quantise(self.aggregate(sum=Sum("amount"))["sum"] or Decimal(0), currency)


class LedgerEntry(models.Model):
    """Money that moved. Only ever added to: the database itself refuses to change or delete a row.

    A correction is a new row. Σ refunds ≤ Σ charges a booking is the database's business as well; see
    bookings.payments.guards.
    """

    class Kind(models.TextChoices):
        CHARGE = "charge", _("charge")
        REFUND = "refund", _("refund")

    booking = models.ForeignKey("bookings.Booking", models.PROTECT, related_name="ledger")
    kind = models.CharField(_("kind"), max_length=6, choices=Kind)
    amount = models.DecimalField(_("amount"), max_digits=12, decimal_places=3)
    currency = models.CharField(_("currency"), max_length=3)
    provider = models.CharField(_("provider"), max_length=8, choices=Provider)
    # What the provider calls this movement; the same movement is never written twice.
    reference = models.CharField(_("reference"), max_length=255, unique=True)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="ledger")
    refund = models.ForeignKey(Refund, models.PROTECT, null=True, related_name="ledger")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    at = models.DateTimeField(_("at"))

    objects = LedgerQuerySet.as_manager()

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger")
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="ledger_amount_positive"),
            models.CheckConstraint(
                condition=Q(kind="charge", refund=None) | Q(kind="refund", refund__isnull=False),
                name="ledger_refund_names_its_refund",
            ),
            models.UniqueConstraint(
                fields=["payment"], condition=Q(kind="charge"), name="ledger_one_charge_a_payment"
            ),
            models.UniqueConstraint(fields=["refund"], name="ledger_one_entry_a_refund"),
            # ledger_only_grows and ledger_refunds_within_charges are triggers (bookings.payments.guards).
        ]
        indexes = [
            # Money of a period is added up from the index alone.
            models.Index(
                fields=["at"],
                include=["kind", "currency", "amount", "provider", "booking"],
                name="ledger_at",
            ),
        ]

    def __str__(self) -> str:
        return self.reference


class ProviderEvent(models.Model):
    """A message a provider pushed to us; the same event is never worked on twice."""

    provider = models.CharField(max_length=8, choices=Provider)
    event_id = models.CharField(max_length=255)
    kind = models.CharField(max_length=80)
    payment = models.ForeignKey(Payment, models.PROTECT, null=True, related_name="events")
    # Whatever was not ours or did not fit: nothing was changed, and a person must look at it.
    review = models.CharField(_("needs review"), max_length=300, blank=True)
    received_at = models.DateTimeField()

    class Meta:
        verbose_name = _("provider event")
        constraints = [
            models.UniqueConstraint(fields=["provider", "event_id"], name="provider_event_once"),
        ]

    def __str__(self) -> str:
        return self.event_id
