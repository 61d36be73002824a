"""The stream of events, who listens to it, and what each listener is owed.

An event is a row of a booking's timeline; there is no second copy of it. Found by Django through
bookings.models.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from bookings import safe_http


def new_secret() -> str:
    return f"whsec_{secrets.token_urlsafe(32)}"


def check_url(url: str) -> None:
    safe_http.check(url)


class EventStream(models.Model):
    """One row: the place the newest event got, and until when a sweep has the turn to deliver."""

    last = models.BigIntegerField(default=0)
    delivering_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="event_one_stream")]

    def __str__(self) -> str:
        return str(self.last)


class WebhookEndpoint(models.Model):
    """An address an operator wants told what happens on the lots they run."""

    url = models.CharField(_("address"), max_length=500, validators=[check_url])
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="webhooks", verbose_name=_("operator")
    )
    wants_bookings = models.BooleanField(_("tell of bookings"), default=True)
    wants_payments = models.BooleanField(_("tell of payments and refunds"), default=True)
    is_active = models.BooleanField(_("active"), default=True)
    # Why it was switched off by itself, e.g. its server answered 410.
    switched_off = models.CharField(_("switched off because"), max_length=200, blank=True, editable=False)
    secret = models.CharField(max_length=80, default=new_secret, editable=False)
    # The one before: signatures carry both until `old_secret_until`, so that receivers can change over.
    old_secret = models.CharField(max_length=80, blank=True, editable=False)
    old_secret_until = models.DateTimeField(null=True, editable=False)
    # Events up to this place of the stream have become deliveries.
    position = models.BigIntegerField(default=0, editable=False)
    # Its server is away: nothing is tried before.
    not_before = models.DateTimeField(null=True, editable=False)
    times_away = models.PositiveSmallIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(_("registered"), editable=False)

    class Meta:
        verbose_name = _("webhook")

    def __str__(self) -> str:
        return f"{self.pk}: {self.url}"


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def open(self) -> WebhookDeliveryQuerySet:
        """Neither delivered nor given up."""
        return self.filter(delivered_at=None, failed_at=None)

    def due(self, now: datetime) -> WebhookDeliveryQuerySet:
        """May be tried now. What happened to one booking is told in order: later waits for earlier."""
        earlier = WebhookDelivery.objects.open().filter(
            endpoint=OuterRef("endpoint"),
            entry__booking=OuterRef("entry__booking"),
            entry__sequence__lt=OuterRef("entry__sequence"),
        )
        rested = Q(endpoint__not_before=None) | Q(endpoint__not_before__lte=now)
        ready = self.open().filter(rested, not_before__lte=now, endpoint__is_active=True)
        return ready.filter(~Exists(earlier)).order_by("not_before", "pk")


class WebhookDelivery(models.Model):
    """One event for one endpoint, until it was taken or given up. Also the log of both."""

    endpoint = models.ForeignKey(
        WebhookEndpoint, models.CASCADE, related_name="deliveries", verbose_name=_("webhook")
    )
    entry = models.ForeignKey(
        "bookings.TimelineEntry", models.CASCADE, related_name="deliveries", verbose_name=_("event")
    )
    created_at = models.DateTimeField(_("owed since"))
    not_before = models.DateTimeField(_("next try"))
    attempts = models.PositiveIntegerField(_("tries"), default=0)
    delivered_at = models.DateTimeField(_("delivered"), null=True)
    failed_at = models.DateTimeField(_("given up"), null=True)
    last_status = models.PositiveSmallIntegerField(_("last answer"), null=True)
    # Never what the other side wrote: only what went wrong, in our words.
    last_error = models.CharField(_("last error"), max_length=200, blank=True)

    objects: Any = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "entry"], name="webhook_event_once_an_endpoint"),
        ]
        indexes = [
            models.Index(
                F("not_before"),
                F("id"),
                name="webhook_due",
                condition=Q(delivered_at=None, failed_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.entry_id} to {self.endpoint_id}"
