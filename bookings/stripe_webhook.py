"""What Stripe pushes to us: signed, at least once, in any order. It ends in the same door as asking."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any
from uuid import UUID

import stripe
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from bookings import services
from bookings.payments.models import Payment, Provider, ProviderEvent, Refund, Status
from bookings.payments.providers.stripe import refund_outcome, session_outcome

logger = logging.getLogger(__name__)
LARGEST = 64 * 1024
TOLERANCE = 300  # seconds
SESSIONS = {
    "checkout.session.completed",
    "checkout.session.expired",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
}
REFUNDS = {"refund.created", "refund.updated", "refund.failed"}


@csrf_exempt
@login_not_required
@require_POST
def receive(request: HttpRequest) -> HttpResponse:
    """400 what is not signed, 413 what is too much; anything else 200, for what we know already as well."""
    if not settings.STRIPE_WEBHOOK_SECRET:
        return HttpResponse("No webhook secret is set.", status=404, content_type="text/plain")
    body = _body(request)
    if body is None:
        return HttpResponse("Too large.", status=413, content_type="text/plain")
    try:
        event = stripe.Webhook.construct_event(
            body, request.headers.get("Stripe-Signature", ""), settings.STRIPE_WEBHOOK_SECRET, TOLERANCE
        )
        kind, event_id, thing = event.type, event.id, event.data.object
    except (stripe.SignatureVerificationError, ValueError, AttributeError, TypeError, KeyError):
        logger.warning("webhook refused: not signed as it should be")
        return HttpResponse("Not signed by Stripe.", status=400, content_type="text/plain")
    try:
        with transaction.atomic():
            # First, in the same transaction as its effect: the same event waits here, and finds it done.
            row = ProviderEvent.objects.create(
                provider=Provider.STRIPE, event_id=event_id[:255], kind=kind[:80], received_at=timezone.now()
            )
            _take(row, kind, thing, timezone.now())
    except IntegrityError:
        if not ProviderEvent.objects.filter(provider=Provider.STRIPE, event_id=event_id[:255]).exists():
            raise
    return HttpResponse("Thank you.", content_type="text/plain")


def _body(request: HttpRequest) -> bytes | None:
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > LARGEST:
        return None
    body = request.read(LARGEST + 1)
    return body if len(body) <= LARGEST else None


def _take(row: ProviderEvent, kind: str, thing: Any, now: datetime) -> None:
    if kind in SESSIONS:
        _take_session(row, thing, now)
    elif kind in REFUNDS:
        _take_refund(row, thing, now)


def _take_session(row: ProviderEvent, session: Any, now: datetime) -> None:
    payment = _ours(Payment, session, "payment")
    if payment is None or payment.provider_reference not in (None, session.id):
        row.review = "A Checkout Session that is none of ours."
        row.save(update_fields=["review"])
        return
    outcome = session_outcome(session)
    if row.kind == "checkout.session.async_payment_failed":
        outcome = type(outcome)(Status.FAILED, reference=session.id, note="The payment did not go through.")
    payment = services.apply_provider_state(payment, outcome, now=now)
    row.payment = payment
    row.review = payment.note if payment.status == Status.REVIEW else ""
    row.save(update_fields=["payment", "review"])


def _take_refund(row: ProviderEvent, thing: Any, now: datetime) -> None:
    refund = _ours(Refund, thing, "refund")
    if refund is None:
        row.review = "A refund we did not ask for."
        intent = getattr(thing, "payment_intent", None)
        if intent:
            row.payment = Payment.objects.filter(provider=Provider.STRIPE, transaction_id=intent).first()
        row.save(update_fields=["review", "payment"])
        return
    refund = services.apply_refund_state(refund, refund_outcome(thing), now=now)
    row.payment_id = refund.payment_id
    row.review = refund.note if refund.status == Status.REVIEW else ""
    row.save(update_fields=["payment", "review"])


def _ours(model: type[Any], thing: Any, name: str) -> Any:
    """The row the event names in the metadata we gave it; None for anything else."""
    metadata = getattr(thing, "metadata", None)
    text = str(getattr(metadata, name, "") or "") if metadata else ""
    try:
        pk = UUID(text)
    except ValueError:
        return None
    rows = model.objects.select_related("booking")
    if model is Payment:
        rows = rows.filter(provider=Provider.STRIPE)
    else:
        rows = rows.filter(payment__provider=Provider.STRIPE)
    return rows.filter(pk=pk).first()
