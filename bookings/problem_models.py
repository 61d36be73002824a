"""What drivers find wrong with the spot they booked. Found by Django through bookings.models."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

LONGEST_TEXT = 500


class ProblemQuerySet(models.QuerySet["Problem"]):
    def open(self) -> ProblemQuerySet:
        return self.filter(dealt_with_at=None)


class Problem(models.Model):
    """A spot was not as promised. Told once for each booking and kind, until it is dealt with."""

    class Kind(models.TextChoices):
        BLOCKED = "blocked", _("Somebody else stands there")
        BROKEN = "broken", _("Something is broken")
        OTHER = "other", _("Something else")

    booking = models.ForeignKey(
        "bookings.Booking", models.CASCADE, related_name="problems", verbose_name=_("booking")
    )
    # Where it was found: the booking may be moved away from it.
    spot = models.ForeignKey("lots.Spot", models.PROTECT, related_name="problems", verbose_name=_("spot"))
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    text = models.CharField(_("text"), max_length=LONGEST_TEXT, blank=True)
    reported_at = models.DateTimeField(_("reported"))
    dealt_with_at = models.DateTimeField(_("dealt with"), null=True, editable=False)
    dealt_with_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("dealt with by"),
    )

    objects = ProblemQuerySet.as_manager()

    class Meta:
        verbose_name = _("problem")
        constraints = [
            models.UniqueConstraint(
                fields=["booking", "spot", "kind"],
                condition=Q(dealt_with_at=None),
                name="problem_told_once_while_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.spot_id} {self.kind} {self.reported_at:%Y-%m-%d %H:%M}"
