"""What drivers say about a lot. Found by Django through lots.models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Avg, Case, Count, Q, Value, When, Window
from django.utils.translation import gettext_lazy as _

MOST_STARS = 5
LONGEST_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Rating:
    """What all shown reviews of a lot come to; `stars` is None without any."""

    stars: float | None = None
    count: int = 0

    @classmethod
    def of(cls, mean: Any, count: int) -> Rating:
        return cls(round(float(mean), 1) if count else None, count)


class ReviewQuerySet(models.QuerySet["Review"]):
    def shown(self) -> ReviewQuerySet:
        return self.filter(hidden_at=None)

    def newest_first(self) -> ReviewQuerySet:
        return self.order_by("-created_at", "-id")

    def with_rating(self) -> ReviewQuerySet:
        """Each row knows what all shown ones come to: `mean` and `count`."""
        shown = Case(When(hidden_at=None, then="rating"))
        return self.annotate(mean=Window(Avg(shown)), count=Window(Count(shown)))

    def for_reader(self, author: Any) -> ReviewQuerySet:
        """What is shown, the newest first; before them the reader's own, shown or not."""
        if author is None:
            return self.shown().newest_first()
        mine = self.filter(Q(hidden_at=None) | Q(author=author))
        return mine.order_by(Case(When(author=author, then=Value(0)), default=Value(1)), "-created_at", "-id")

    def ratings(self, lot_ids: Iterable[int]) -> dict[int, Rating]:
        """By lot, in one query; lots nobody has reviewed are not in it."""
        rows = self.shown().filter(lot__in=list(lot_ids)).order_by().values("lot")
        return {
            row["lot"]: Rating.of(row["mean"], row["count"])
            for row in rows.annotate(mean=Avg("rating"), count=Count("pk"))
        }


class Review(models.Model):
    """1 to 5 stars and a text, one for each driver and lot. Who has stayed there, bookings know."""

    lot = models.ForeignKey("lots.Lot", models.PROTECT, related_name="reviews", verbose_name=_("lot"))
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="reviews", verbose_name=_("author")
    )
    rating = models.PositiveSmallIntegerField(
        _("rating"), validators=[MinValueValidator(1), MaxValueValidator(MOST_STARS)]
    )
    text = models.TextField(_("text"), blank=True, max_length=LONGEST_TEXT)
    created_at = models.DateTimeField(_("written"))
    changed_at = models.DateTimeField(_("changed"), null=True, editable=False)
    # Staff took it off the pages. Its author sees it, and why.
    hidden_at = models.DateTimeField(_("hidden"), null=True, editable=False)
    hidden_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )
    hidden_reason = models.CharField(_("hidden because"), max_length=200, blank=True, editable=False)

    objects: Any = ReviewQuerySet.as_manager()

    class Meta:
        verbose_name = _("review")
        constraints = [
            models.UniqueConstraint(fields=["lot", "author"], name="review_once_a_driver_and_lot"),
            models.CheckConstraint(
                condition=Q(rating__gte=1, rating__lte=MOST_STARS), name="review_rating_one_to_five"
            ),
        ]
        indexes = [
            models.Index(fields=["lot", "-created_at"], condition=Q(hidden_at=None), name="review_shown")
        ]

    def __str__(self) -> str:
        return f"{self.lot_id} {self.rating}/{MOST_STARS} #{self.pk}"

    @property
    def stars(self) -> str:
        return "★" * self.rating + "☆" * (MOST_STARS - self.rating)

    def age(self) -> tuple[float, int]:
        """Sorts as newest_first() does."""
        return -self.created_at.timestamp(), -self.pk

    @property
    def is_hidden(self) -> bool:
        """See also ReviewQuerySet.shown()."""
        return self.hidden_at is not None
