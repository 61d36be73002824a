"""The link that ends reminders and reports, for whoever holds the mail: signed, and good for a year."""

from __future__ import annotations

from django.conf import settings
from django.core import signing
from django.urls import reverse

from accounts.models import User

SALT = "reports.unsubscribe"
LIFE = 366 * 24 * 3600  # seconds


class BadLink(ValueError):
    """Not ours, changed on its way, or too old."""


def token(user: User) -> str:
    return signing.dumps(user.pk, salt=SALT)


def link(user: User) -> str:
    return f"{settings.BASE_URL}{reverse('reports:unsubscribe', args=[token(user)])}"


def headers(user: User) -> dict[str, str]:
    """What lets a mail reader show a button of its own (RFC 2369, RFC 8058)."""
    return {"List-Unsubscribe": f"<{link(user)}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def read(given: str) -> int:
    """Whose link it is. Raises BadLink."""
    try:
        pk = signing.loads(given, salt=SALT, max_age=LIFE)
    except signing.BadSignature as error:
        raise BadLink from error
    return int(pk)


def switch(pk: int, *, wants: bool) -> None:
    """Twice is once; an account that is gone wants nothing."""
    User.objects.filter(pk=pk, is_active=True).update(wants_reminders=wants)
