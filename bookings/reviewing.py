"""Who may review a lot: drivers who have stayed there. Lots know nothing of stays; here they meet."""

from __future__ import annotations

from datetime import datetime

from accounts.models import User
from bookings.errors import AlreadyReviewed, NotStayed
from bookings.models import Booking, BookingQuerySet, State
from lots import reviews
from lots.models import Lot, Review


def stays_of(driver: User) -> BookingQuerySet:
    """The bookings that let somebody review their lot."""
    return Booking.objects.of(driver).in_state(State.COMPLETED)


def has_stayed(driver: User, lot: Lot) -> bool:
    return stays_of(driver).filter(lot=lot).exists()


def own(driver: User, lot: Lot) -> Review | None:
    review: Review | None = Review.objects.filter(lot=lot, author=driver).first()
    return review


def write(*, lot: Lot, author: User, rating: int, text: str, now: datetime) -> Review:
    """Raises NotStayed, AlreadyReviewed, or ValidationError by field."""
    if not has_stayed(author, lot):
        raise NotStayed
    try:
        return reviews.write(lot=lot, author=author, rating=rating, text=text, now=now)
    except reviews.AlreadyReviewed as error:
        raise AlreadyReviewed from error
