"""The guest's cookie: encrypted, signed and hidden from scripts, good for 16 hours, nothing personal in it.

Whatever is not ours (forged, altered, too old, made with a key we no longer know) is as good as no cookie.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.encoding import force_bytes

LIFE = timedelta(hours=16)
SALT = b"parkwell.guest.cookie"


@dataclass(frozen=True, slots=True)
class Cookie:
    """`key`: 128 random bits as hex, the guest's proof that the stay is theirs (we keep its hash only).

    `stay`: the reference of the stay booked last. Once that is over and the key is forgotten, it still
    shows what the stay cost, which names nobody.
    """

    key: str
    stay: str = ""


def new(stay: str = "") -> Cookie:
    return Cookie(secrets.token_hex(16), stay)


def read(request: HttpRequest, *, now: datetime) -> Cookie | None:
    token = request.COOKIES.get(name(), "")
    if not token:
        return None
    seconds = int(LIFE.total_seconds())
    try:
        text = _box().decrypt_at_time(token.encode(), seconds, int(now.timestamp()))
        data = json.loads(text)
        return Cookie(str(data["key"]), str(data["stay"]))
    except (InvalidToken, ValueError, KeyError, TypeError):
        return None


def give(response: HttpResponse, cookie: Cookie, *, now: datetime) -> None:
    """Hand the cookie out, for 16 hours from now."""
    text = json.dumps({"key": cookie.key, "stay": cookie.stay}).encode()
    response.set_cookie(
        name(),
        _box().encrypt_at_time(text, int(now.timestamp())).decode(),
        max_age=LIFE,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",  # also when a payment provider's page sends the guest back
    )


def name() -> str:
    """Browsers take a cookie of the longer name only over TLS, for this very host."""
    return "__Host-guest" if settings.SESSION_COOKIE_SECURE else "guest"


def _box() -> MultiFernet:
    """Locks with today's key; also opens what was locked with those before it."""
    return MultiFernet([_lock(key) for key in [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]])


def _lock(secret: str | bytes) -> Fernet:
    # A key of its own: what this one opens, no other use of the site's secret does.
    key = HKDF(algorithm=SHA256(), length=32, salt=SALT, info=b"1").derive(force_bytes(secret))
    return Fernet(base64.urlsafe_b64encode(key))
