"""Readings of how full lots were, from counters and files of the years before; and what a file brought.

Our own occupancy is derived from bookings (reports.occupancy) and never stored. Readings come from outside,
and are the only way to know of cars that never booked here.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from lots.models import Lot


class OccupancyImportQuerySet(models.QuerySet["OccupancyImport"]):
    def of(self, user: User) -> OccupancyImportQuerySet:
        return self if user.is_superuser else self.filter(by=user)


class OccupancyImport(models.Model):
    """One file of readings: how many of its rows were taken, and of each other row, why not."""

    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("imported by"),
    )
    file_name = models.CharField(_("file"), max_length=120)
    imported_at = models.DateTimeField(_("imported at"))
    row_count = models.PositiveIntegerField(_("rows"))
    new_count = models.PositiveIntegerField(_("new"))
    known_count = models.PositiveIntegerField(_("known before"))
    # [[line, column, sentence]]
    refused: Any = models.JSONField(default=list, editable=False)
    refused_count = models.PositiveIntegerField(_("refused"))

    objects = OccupancyImportQuerySet.as_manager()

    class Meta:
        verbose_name = _("import of readings")
        verbose_name_plural = _("imports of readings")
        indexes = [models.Index(fields=["-imported_at"], name="reading_import_newest")]

    def __str__(self) -> str:
        return self.file_name


class Reading(models.Model):
    """How many of a lot's spots were taken at a moment, as somebody else counted them."""

    lot = models.ForeignKey(Lot, models.CASCADE, related_name="readings", verbose_name=_("lot"))
    at = models.DateTimeField(_("at"))
    occupied = models.PositiveIntegerField(_("occupied"))
    capacity = models.PositiveIntegerField(_("capacity"))
    source = models.ForeignKey(
        OccupancyImport, models.CASCADE, related_name="readings", verbose_name=_("from the file")
    )

    class Meta:
        verbose_name = _("reading")
        constraints = [
            models.UniqueConstraint(fields=["lot", "at"], name="reading_once_a_moment"),
            models.CheckConstraint(
                condition=Q(capacity__gt=0, occupied__lte=models.F("capacity")), name="reading_fits"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lot_id} {self.at:%Y-%m-%d %H:%M}"
