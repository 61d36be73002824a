"""Writing, changing, removing and hiding reviews. Whether somebody may write one, bookings.reviewing says."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.models import User
from lots.models import Lot, Review, ReviewQuerySet

# Nobody types these in.
NOT_ASKED = ("changed_at", "hidden_at", "hidden_by", "hidden_reason")


class AlreadyReviewed(Exception):
    """One for each driver and lot: the one there is can be changed."""


def write(*, lot: Lot, author: User, rating: int, text: str, now: datetime) -> Review:
    """Raises AlreadyReviewed, or ValidationError by field."""
    review = Review(lot=lot, author=author, rating=rating, text=text.strip(), created_at=now)
    review.clean_fields(exclude=NOT_ASKED)
    try:
        with transaction.atomic():
            review.save(force_insert=True)
    except IntegrityError as error:
        raise AlreadyReviewed from error
    return review


def change(review: Review, *, rating: int | None = None, text: str | None = None, now: datetime) -> Review:
    """A hidden review stays hidden: staff look at what it says now."""
    review.rating = review.rating if rating is None else rating
    review.text = review.text if text is None else text.strip()
    review.changed_at = now
    review.clean_fields(exclude=NOT_ASKED)
    review.save(update_fields=["rating", "text", "changed_at"])
    return review


def hide(reviews: ReviewQuerySet, *, reason: str, by: User, now: datetime) -> int:
    """Take them off the pages and out of the ratings. Raises ValidationError without a reason."""
    reason = reason.strip()
    if not reason:
        raise ValidationError({"reason": _("Say why: the author gets to read it.")}, code="required")
    return reviews.shown().update(hidden_at=now, hidden_by=by, hidden_reason=reason[:200])


def show(reviews: ReviewQuerySet) -> int:
    return reviews.update(hidden_at=None, hidden_by=None, hidden_reason="")
