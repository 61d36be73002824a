"""The sweep that tells endpoints what happened: at least once, and in order for each booking.

One sweep has the turn at a time. What a dead or slow endpoint is owed waits with it, not with the others.
"""

from __future__ import annotations

import json
import logging
import time
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from accounts.outbox import backoff
from bookings import events, safe_http
from bookings.api.events import event_json, with_bookings
from bookings.models import TimelineEntry
from bookings.webhooks.models import EventStream, WebhookDelivery, WebhookEndpoint
from bookings.webhooks.signing import HEADER, signature

logger = logging.getLogger(__name__)
LONGEST_TRY = timedelta(days=3)
LONGEST_SWEEP = 40.0  # seconds
# Longer than a sweep with its last request; a sweep that died gives the turn back after this.
TURN = timedelta(seconds=120)
LONGEST_REST = timedelta(minutes=10)
MOST_AT_ONCE = 500  # events an endpoint gets made into deliveries in one sweep


def sweep(*, now: datetime) -> int:
    """Make and deliver what is due; returns how many were taken. Safe to run at any time."""
    if not WebhookEndpoint.objects.filter(is_active=True).exists() or not _take_turn(now):
        return 0
    try:
        newest = events.number_new()
        for endpoint in WebhookEndpoint.objects.filter(is_active=True).order_by("pk"):
            _queue(endpoint.pk, newest, now)
        return _deliver_due(now)
    finally:
        EventStream.objects.filter(pk=1).update(delivering_until=None)


def _take_turn(now: datetime) -> bool:
    """Compare and set: of two sweeps at once, one goes on."""
    EventStream.objects.get_or_create(pk=1)
    free = Q(delivering_until=None) | Q(delivering_until__lt=now)
    return bool(EventStream.objects.filter(free, pk=1).update(delivering_until=now + TURN))


@transaction.atomic
def _queue(endpoint_id: int, newest: int, now: datetime) -> None:
    """Make the events since the endpoint's place into deliveries."""
    endpoint = WebhookEndpoint.objects.select_for_update(of=("self",)).get(pk=endpoint_id)
    if endpoint.position >= newest:
        return
    new = events.seen_by(endpoint.operator).filter(position__gt=endpoint.position, position__lte=newest)
    if not endpoint.wants_payments:
        new = new.exclude(action__in=events.PAYMENT_ACTIONS)
    if not endpoint.wants_bookings:
        new = new.filter(action__in=events.PAYMENT_ACTIONS)
    entries = list(new.only("pk", "position")[:MOST_AT_ONCE])
    owed = [
        WebhookDelivery(endpoint=endpoint, entry=entry, created_at=now, not_before=now) for entry in entries
    ]
    WebhookDelivery.objects.bulk_create(owed, ignore_conflicts=True)
    is_all = len(entries) < MOST_AT_ONCE
    endpoint.position = newest if is_all else entries[-1].position or newest
    endpoint.save(update_fields=["position"])


def _deliver_due(now: datetime) -> int:
    started, taken = time.monotonic(), 0
    while (elapsed := time.monotonic() - started) < LONGEST_SWEEP:
        moment = now + timedelta(seconds=elapsed)
        delivery = WebhookDelivery.objects.due(moment).select_related("endpoint").first()
        if delivery is None:
            break
        taken += _try(delivery, moment)
    return taken


def _try(delivery: WebhookDelivery, now: datetime) -> bool:
    delivery.attempts += 1
    delivery.last_status = None
    try:
        delivery.last_status = _send(delivery, now)
        delivery.last_error = ""
    except safe_http.Blocked as error:
        _rest(delivery.endpoint, now)
        delivery.last_error = f"blocked: {error}"[:200]
    except safe_http.Away as error:
        _rest(delivery.endpoint, now)
        delivery.last_error = f"no answer: {error}"[:200]
    except Exception as error:  # one sick row must not stop the rows behind it
        logger.exception("webhook delivery %s failed", delivery.pk)
        delivery.last_error = type(error).__name__
    _note(delivery, now)
    delivery.save()
    return delivery.delivered_at is not None


def _send(delivery: WebhookDelivery, now: datetime) -> int:
    entry = with_bookings(TimelineEntry.objects.filter(pk=delivery.entry_id)).get()
    event = event_json(entry)
    body = json.dumps(event, separators=(",", ":")).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Parkwell",
        "Parkwell-Event": str(event["id"]),
        HEADER: signature(delivery.endpoint, body, now),
    }
    status = safe_http.post(delivery.endpoint.url, body, headers)
    if delivery.endpoint.times_away:
        WebhookEndpoint.objects.filter(pk=delivery.endpoint_id).update(times_away=0, not_before=None)
    return status


def _note(delivery: WebhookDelivery, now: datetime) -> None:
    status = delivery.last_status
    if status is not None and 200 <= status < 300:
        delivery.delivered_at = now
        return
    if status is not None:
        delivery.last_error = "redirects are not followed" if 300 <= status < 400 else f"answered {status}"
    if status == 410:
        _switch_off(delivery.endpoint, "Its server answered 410: it wants to hear no more.")
    if status == 410 or now - delivery.created_at > LONGEST_TRY:
        delivery.failed_at = now
        return
    delivery.not_before = now + backoff(delivery.attempts)


def _rest(endpoint: WebhookEndpoint, now: datetime) -> None:
    """Nobody there: asking for each of its deliveries would only take the time of the others."""
    endpoint.times_away = min(endpoint.times_away + 1, 1000)
    endpoint.not_before = now + min(backoff(endpoint.times_away), LONGEST_REST)
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
        times_away=endpoint.times_away, not_before=endpoint.not_before
    )


def _switch_off(endpoint: WebhookEndpoint, why: str) -> None:
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(is_active=False, switched_off=why)
