"""When a spot, or a whole lot, is out of service for a while. Knows nothing of bookings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class ClosureQuerySet(models.QuerySet["Closure"]):
    def in_force(self) -> ClosureQuerySet:
        """Not lifted; their period may lie ahead or be over."""
        return self.filter(lifted_at=None)

    def overlapping(self, starts_at: Any, ends_at: Any) -> ClosureQuerySet:
        """Periods are half-open; one without an end goes on until it is lifted. Takes moments or columns."""
        return self.filter(Q(ends_at=None) | Q(ends_at__gt=starts_at), starts_at__lt=ends_at)

    def of_spot(self, spot: Any, lot: Any) -> ClosureQuerySet:
        """The spot's own and those of its whole lot. Takes keys or columns."""
        return self.filter(Q(spot=spot) | Q(spot=None, lot=lot))

    def of_lots(self) -> ClosureQuerySet:
        return self.filter(spot=None)

    def of_spots(self) -> ClosureQuerySet:
        return self.exclude(spot=None)


def shut(starts_at: datetime, ends_at: datetime) -> Q:
    """Of spots: closed, or on a closed lot, at some moment of the window.

    Two lists the database makes once, whatever the number of spots; there are few closures, if any.
    """
    closures = Closure.objects.in_force().overlapping(starts_at, ends_at)
    return Q(pk__in=closures.of_spots().values("spot")) | Q(lot__in=closures.of_lots().values("lot"))


class Closure(models.Model):
    """A spot, or its whole lot, is out of service for [starts_at, ends_at). Never deleted: lifted."""

    lot = models.ForeignKey("lots.Lot", models.PROTECT, related_name="closures", verbose_name=_("lot"))
    # None: the whole lot.
    spot = models.ForeignKey(
        "lots.Spot", models.PROTECT, null=True, related_name="closures", verbose_name=_("spot")
    )
    starts_at = models.DateTimeField(_("from"))
    # None: until it is lifted.
    ends_at = models.DateTimeField(_("until"), null=True)
    # For the staff, and on the mails of those it moves or sends away.
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )
    created_at = models.DateTimeField(_("made"))
    lifted_at = models.DateTimeField(_("lifted"), null=True)

    objects = ClosureQuerySet.as_manager()

    class Meta:
        verbose_name = _("closure")
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")), name="closure_ends_after_start"
            ),
        ]
        indexes = [
            # Availability asks for what is closed in a window; closures that are over stay for the history.
            models.Index(fields=["ends_at"], condition=Q(lifted_at=None), name="closure_in_force"),
        ]

    def __str__(self) -> str:
        return f"{self.lot_id}/{self.spot_id or 'all'} {self.starts_at:%Y-%m-%d %H:%M}"

    def is_in_force(self, now: datetime) -> bool:
        """Not lifted, and not over."""
        return self.lifted_at is None and (self.ends_at is None or self.ends_at > now)
