"""The private address of a driver's calendar. Found by Django through bookings.models."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


def new_key() -> str:
    return secrets.token_urlsafe(32)


class CalendarFeed(models.Model):
    """Whoever has the key reads when and where this driver parks: a calendar program cannot sign in."""

    driver = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="calendar_feed")
    key = models.CharField(max_length=64, unique=True, default=new_key, editable=False)
    made_at = models.DateTimeField(_("made"))

    class Meta:
        verbose_name = _("calendar feed")

    def __str__(self) -> str:
        return f"calendar of {self.driver_id}"
