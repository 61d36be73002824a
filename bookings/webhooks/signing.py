"""How a receiver knows that it was us, and now."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

from bookings.webhooks.models import WebhookEndpoint

HEADER = "Parkwell-Signature"


def signature(endpoint: WebhookEndpoint, body: bytes, now: datetime) -> str:
    """`t=<seconds since 1970>,v1=<hex>`: HMAC-SHA256 of "t.body". Two v1 while the secret changes."""
    at = int(now.timestamp())
    until = endpoint.old_secret_until
    secrets = [endpoint.secret, *([endpoint.old_secret] if until and now < until else [])]
    return ",".join([f"t={at}", *(f"v1={_sign(secret, at, body)}" for secret in secrets)])


def _sign(secret: str, at: int, body: bytes) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
