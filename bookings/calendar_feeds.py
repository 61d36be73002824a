"""All of a driver's bookings as one calendar, behind an address nobody guesses and only they hand out."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.urls import reverse
from django.utils import translation

from accounts.models import User
from bookings.calendar_files import calendar_of
from bookings.feed_models import CalendarFeed, new_key
from bookings.models import Booking, State

KEPT = timedelta(days=90)
MOST = 500  # bookings


def make(driver: User, *, now: datetime) -> CalendarFeed:
    """A new address; the one before, if any, leads nowhere from now on."""
    feed, _is_new = CalendarFeed.objects.update_or_create(
        driver=driver, defaults={"key": new_key(), "made_at": now}
    )
    return feed


def revoke(driver: User) -> None:
    CalendarFeed.objects.filter(driver=driver).delete()


def address(feed: CalendarFeed) -> str:
    return f"{settings.BASE_URL}{reverse('bookings:feed', args=[feed.key])}"


def content(feed: CalendarFeed, *, now: datetime) -> bytes:
    """What is to come and the last three months, as a calendar file."""
    bookings = (
        Booking.objects.of(feed.driver)
        .exclude(state__in=[State.HELD, State.EXPIRED])
        .filter(ends_at__gt=now - KEPT)
        .select_related("lot", "spot")
        .prefetch_related("timeline")
        .order_by("-starts_at", "-pk")[:MOST]
    )
    # A calendar program fetches it, and says nothing of languages.
    with translation.override(feed.driver.language or settings.LANGUAGE_CODE):
        return calendar_of(bookings, name="Parkwell")
