"""Which ways to pay there are: here, now, and for whom."""

from __future__ import annotations

from django.conf import settings

from bookings.payments.models import Provider
from bookings.payments.providers.base import PaymentProvider
from bookings.payments.providers.demo import DemoProvider
from bookings.payments.providers.desk import DeskProvider
from bookings.payments.providers.stripe import StripeProvider


def provider(name: str) -> PaymentProvider:
    """The one that knows what became of a payment, even where it is not offered any more."""
    if name == Provider.STRIPE:
        return StripeProvider(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE)
    return DemoProvider() if name == Provider.DEMO else DeskProvider()


def offered() -> list[str]:
    """What a driver can pay with, the best first. The demo is for trying out and never for production."""
    names = []
    if settings.STRIPE_SECRET_KEY:
        names.append(Provider.STRIPE.value)
    if settings.DEMO_PAYMENTS:
        names.append(Provider.DEMO.value)
    return names
