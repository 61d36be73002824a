"""Registering an endpoint, changing its secret, and telling it something once more."""

from __future__ import annotations

from datetime import datetime, timedelta

from accounts.models import User
from bookings import events
from bookings.webhooks.models import (
    WebhookDelivery,
    WebhookDeliveryQuerySet,
    WebhookEndpoint,
    new_secret,
)

BOTH_SECRETS = timedelta(hours=24)
KEPT = timedelta(days=30)


def register(endpoint: WebhookEndpoint, *, by: User, now: datetime) -> WebhookEndpoint:
    """Save a new endpoint: it is told what happens from now on. Raises ValidationError."""
    endpoint.operator, endpoint.created_at = by, now
    endpoint.full_clean()
    endpoint.position = events.number_new()
    endpoint.save()
    return endpoint


def change(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    """Save what an operator changed; a new attempt begins at once."""
    endpoint.full_clean()
    endpoint.not_before, endpoint.times_away = None, 0
    if endpoint.is_active:
        endpoint.switched_off = ""
    # Not its position or secret: a sweep may be moving the one, and rotate() changes the other.
    endpoint.save(
        update_fields=[
            *("url", "wants_bookings", "wants_payments", "is_active"),
            *("switched_off", "not_before", "times_away"),
        ]
    )
    return endpoint


def rotate(endpoint: WebhookEndpoint, *, now: datetime) -> str:
    """A new secret, which is returned; for a day, signatures carry the old one's as well."""
    endpoint.old_secret, endpoint.old_secret_until = endpoint.secret, now + BOTH_SECRETS
    endpoint.secret = new_secret()
    endpoint.save(update_fields=["secret", "old_secret", "old_secret_until"])
    return endpoint.secret


def replay(deliveries: WebhookDeliveryQuerySet, *, now: datetime) -> int:
    """Owe again what was delivered or given up; what is still open is tried at once."""
    # Three days begin anew.
    again = {"delivered_at": None, "failed_at": None, "attempts": 0, "created_at": now, "not_before": now}
    return deliveries.update(**again)


def forget_old(*, now: datetime) -> int:
    """Drop the log of what was over a month ago. The events themselves stay."""
    over = WebhookDelivery.objects.filter(delivered_at__lt=now - KEPT)
    over |= WebhookDelivery.objects.filter(failed_at__lt=now - KEPT)
    return over.delete()[0]
