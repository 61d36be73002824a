"""Stripe Checkout: its own page takes the card; we learn what became of it by asking and by webhook."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import stripe
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from bookings.payments.models import Payment, Provider, Refund, Status
from bookings.payments.providers.base import PENDING, Outcome, ProviderAway, ProviderRefused, failed
from lots import money

# Their page cannot close earlier than 30 minutes after it was opened; one more for clocks that differ.
PAGE_OPEN = timedelta(minutes=31)
TIMEOUT = 10  # seconds, a try
RETRIES = 2
# ISO 4217 gives these no decimals; Stripe wants their amounts times 100 all the same.
TIMES_100 = {"ISK", "UGX"}
# They did not say what became of it; the same key finds out.
UNCLEAR = (stripe.APIConnectionError, stripe.RateLimitError, stripe.IdempotencyError)


def to_minor(amount: Decimal, currency: str) -> int:
    """Stripe counts in whole smallest units: 12.34 EUR are 1234, 500 JPY are 500, 1.230 KWD are 1230."""
    cent = Decimal("0.01") if currency in TIMES_100 else money.cent(currency)
    return int(amount / cent)


def from_minor(units: int, currency: str) -> Decimal:
    return units * (Decimal("0.01") if currency in TIMES_100 else money.cent(currency))


@lru_cache(maxsize=4)
def _client(key: str, base: str, retries: int) -> stripe.StripeClient:
    more: dict[str, Any] = {"base_addresses": {"api": base}} if base else {}
    return stripe.StripeClient(
        key, max_network_retries=retries, http_client=stripe.RequestsClient(timeout=TIMEOUT), **more
    )


@contextmanager
def _answers() -> Iterator[None]:
    try:
        yield
    except UNCLEAR as error:
        raise ProviderAway(type(error).__name__) from error
    except stripe.StripeError as error:
        # 409 is another request with our key that is still running, 5xx anything at all.
        if error.http_status is None or error.http_status == 409 or error.http_status >= 500:
            raise ProviderAway(type(error).__name__) from error
        if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
            raise ProviderAway("Our key is refused.") from error
        raise ProviderRefused(error.user_message or "The request was refused.") from error


class StripeProvider:
    name = Provider.STRIPE.value
    page_open = PAGE_OPEN
    is_local = False

    def __init__(self, key: str, base: str = ""):
        self.client = _client(key, base, RETRIES).v1 if key else None

    @property
    def _v1(self) -> Any:
        if self.client is None:
            raise ProviderAway("No key is set.")
        return self.client

    def takes(self, amount: Decimal, currency: str) -> str:
        if money.cent(currency) == Decimal("0.001") and to_minor(amount, currency) % 10:
            return _("Card payments in %s go in steps of 0.010; please pay at the desk.") % currency
        return ""

    def start(self, payment: Payment) -> Outcome:
        booking = payment.booking
        page = settings.BASE_URL + reverse("payments:detail", args=[payment.pk])
        back = settings.BASE_URL + reverse("bookings:detail", args=[booking.reference])
        ours = {"payment": str(payment.pk), "booking": booking.reference}
        params = {
            "mode": "payment",
            "payment_method_types": ["card"],
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": payment.currency.lower(),
                        "unit_amount": to_minor(payment.amount, payment.currency),
                        "product_data": {"name": f"Parking {booking.reference}"},
                    },
                }
            ],
            "client_reference_id": booking.reference,
            "metadata": ours,
            "payment_intent_data": {"metadata": ours},
            "success_url": page,
            "cancel_url": back,
        }
        if payment.expires_at:
            params["expires_at"] = int(payment.expires_at.timestamp())
        # The same row always asks the same question, so its key always finds the same session.
        with _answers():
            return session_outcome(
                self._v1.checkout.sessions.create(params, {"idempotency_key": str(payment.pk)})
            )

    def ask(self, payment: Payment) -> Outcome:
        if not payment.provider_reference:
            # Nobody knows whether the first request arrived. Its key finds the session it made, if it did.
            return self._known(lambda: self.start(payment))
        with _answers():
            return session_outcome(self._v1.checkout.sessions.retrieve(payment.provider_reference))

    def close(self, payment: Payment) -> Outcome:
        found = self.ask(payment)
        if found.status != Status.PENDING or not found.reference:
            return found
        try:
            with _answers():
                return session_outcome(self._v1.checkout.sessions.expire(found.reference))
        except ProviderRefused:
            return self.ask(payment)  # paid or expired in the meantime

    def refund(self, refund: Refund) -> Outcome:
        if refund.transaction_id:  # it was begun, and is on its way
            with _answers():
                return refund_outcome(self._v1.refunds.retrieve(refund.transaction_id))
        params = {
            "payment_intent": refund.payment.transaction_id,
            "amount": to_minor(refund.amount, refund.currency),
            "metadata": {"refund": str(refund.pk)},
        }
        return self._known(
            lambda: refund_outcome(self._v1.refunds.create(params, {"idempotency_key": str(refund.pk)}))
        )

    def _known(self, call: Callable[[], Outcome]) -> Outcome:
        """A definite no is an outcome as well."""
        try:
            with _answers():
                return call()
        except ProviderRefused as refusal:
            return failed(str(refusal))


def session_outcome(session: Any) -> Outcome:
    """What a Checkout Session, fetched or pushed, says about the payment."""
    reference, url = session.id, getattr(session, "url", None) or ""
    if session.payment_status == "paid":
        currency = session.currency.upper()
        return Outcome(
            Status.SUCCEEDED,
            reference=reference,
            transaction_id=session.payment_intent or "",
            amount=from_minor(session.amount_total, currency),
            currency=currency,
            method="card",
        )
    if session.status == "expired":
        return Outcome(Status.FAILED, reference=reference, note="Nobody paid in time.")
    return Outcome(Status.PENDING, reference=reference, redirect_url=url)


def refund_outcome(refund: Any) -> Outcome:
    currency = refund.currency.upper()
    known = {"amount": from_minor(refund.amount, currency), "currency": currency, "transaction_id": refund.id}
    if refund.status == "succeeded":
        return Outcome(Status.SUCCEEDED, **known)
    if refund.status in ("failed", "canceled"):
        return Outcome(Status.FAILED, note="The refund did not go through.", **known)
    return Outcome(PENDING.status, **known)
