"""Guests: drivers without an account. Found by Django through bookings.models."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import User


class GuestQuerySet(models.QuerySet["Guest"]):
    def live(self) -> GuestQuerySet:
        return self.filter(erased_at=None)


class Guest(models.Model):
    """Somebody who parks by scanning a label: known by the key in their cookie, and for this stay only.

    When the stay is over (bookings.guests.erase_due) the key, the address and the plate go; this row
    stays behind its bookings without saying who it was.
    """

    # SHA-256 of the key, in hex: whoever reads the table gets no key. None once erased.
    key_hash = models.CharField(max_length=64, unique=True, null=True, editable=False)
    email = models.EmailField(_("e-mail"), blank=True)
    language = models.CharField(max_length=10, blank=True)
    created_at = models.DateTimeField()
    erased_at = models.DateTimeField(null=True, editable=False)

    objects = GuestQuerySet.as_manager()

    class Meta:
        verbose_name = _("guest")
        constraints = [
            models.CheckConstraint(
                condition=Q(erased_at=None, key_hash__isnull=False)
                | Q(erased_at__isnull=False, key_hash=None, email="", language=""),
                name="guest_known_or_erased",
            ),
        ]
        indexes = [
            models.Index(fields=["created_at"], condition=Q(erased_at=None), name="guest_live"),
        ]

    def __str__(self) -> str:
        return f"guest {self.pk}"

    @property
    def is_live(self) -> bool:
        """See also GuestQuerySet.live()."""
        return self.erased_at is None

    def forget(self, now: datetime) -> None:
        """The row's part of erasing; the rest is bookings.guests' business."""
        self.key_hash, self.email, self.language, self.erased_at = None, "", "", now


# Who does something to a booking. None: the clock.
Actor: TypeAlias = User | Guest | None


def account_of(by: Actor) -> User | None:
    """For columns that name an account: guests have none."""
    return by if isinstance(by, User) else None
