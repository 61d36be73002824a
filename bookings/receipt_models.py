"""Numbered receipts. Found by Django through bookings.models."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class ReceiptCounter(models.Model):
    """One row, which whoever takes a number locks: numbers are given one after the other, without gaps."""

    last = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="receipt_one_counter")]

    def __str__(self) -> str:
        return str(self.last)


class Receipt(models.Model):
    """What a booking cost, as it was written down under a number. Only ever added to.

    The database itself refuses to change or delete a row (bookings.receipt_guards). What was charged
    can change only where staff let off a part or a no-show came after all: then a new document with a
    number of its own corrects the last one. Who drove is not in it: that is the booking's, and goes
    when a person erases themselves.
    """

    number = models.PositiveIntegerField(_("number"), unique=True)
    booking = models.ForeignKey("bookings.Booking", models.PROTECT, related_name="receipts")
    corrects = models.ForeignKey("self", models.PROTECT, null=True, related_name="+")
    currency = models.CharField(_("currency"), max_length=3)
    total = models.DecimalField(_("total"), max_digits=12, decimal_places=3)
    # bookings.receipts writes it: operator, place, period, lines, sums.
    document: Any = models.JSONField(editable=False)
    issued_at = models.DateTimeField(_("issued"))

    class Meta:
        verbose_name = _("receipt")
        constraints = [
            models.CheckConstraint(condition=Q(number__gte=1), name="receipt_numbers_begin_at_one"),
            models.UniqueConstraint(
                fields=["booking"], condition=Q(corrects=None), name="receipt_one_original_a_booking"
            ),
            models.UniqueConstraint(fields=["corrects"], name="receipt_corrected_once"),
            # receipts_only_grow is a trigger (bookings.receipt_guards).
        ]

    def __str__(self) -> str:
        return f"{self.number:06d}"
