"""Outgoing mail as rows: what is owed is written with its cause and delivered by a sweep."""

from __future__ import annotations

import base64
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.mime.base import MIMEBase
from smtplib import SMTPConnectError, SMTPServerDisconnected
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import F, Q
from django.template.loader import render_to_string
from django.utils.module_loading import import_string
from django.utils.translation import override

from accounts.models import Notice, NoticeQuerySet, User
from accounts.prepared import insert

LEASE = timedelta(seconds=120)  # longer than EMAIL_TIMEOUT, so that no second worker sends meanwhile
ATTEMPTS = 10
FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=1)
KEPT = timedelta(days=30)
LONGEST_TRY = timedelta(days=3)  # a mail server may be away for a weekend
# The server itself is away: no fault of the row, so its attempts do not count against it.
AWAY = (ConnectionError, TimeoutError, SMTPConnectError, SMTPServerDisconnected)
ENOUGH_AWAY = 3  # in a row; the rest of this sweep would only wait as well


@dataclass(frozen=True)
class Content:
    """What a builder adds to a mail when it is sent: figures and files too large, or too new, for the row."""

    context: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    # (name, content, type)
    attachments: list[tuple[str, bytes, str]] = field(default_factory=list)


class NotWanted(Exception):
    """A builder found that nobody should get this mail any more; it is dropped, and says why."""


def owe(**mail: Any) -> None:
    """Write down a mail in the caller's transaction. Owing the same event twice sends one mail."""
    owe_all([owed(**mail)])


def owe_all(notices: Sequence[Notice]) -> None:
    insert(notices, ignore_conflicts=True)


def owed(
    *,
    template: str,
    recipient: str,
    context: dict[str, Any],
    event: str | None = None,
    user: User | None = None,
    language: str = "",
    now: datetime,
    not_before: datetime | None = None,
    expires_at: datetime | None = None,
    attachments: Sequence[tuple[str, bytes, str]] = (),
) -> Notice:
    """A mail, not yet written down.

    `template` names templates/<template>.html, .txt and _subject.txt, rendered when it is sent, in the
    user's language or, for whoever has no account, in `language`. Nothing is sent before `not_before`,
    nor from `expires_at` on. `attachments` are small files (name, content, type); they are kept in the row.
    """
    return Notice(
        template=template,
        recipient=recipient,
        context=context,
        event=event,
        user=user,
        language=user.language if user else language,
        created_at=now,
        not_before=not_before or now,
        expires_at=expires_at,
        attachments=[_attachment(part) for part in attachments],
    )


def withdraw(events: Sequence[str]) -> None:
    """What these mails would announce will not happen. Those already sent stay as they are."""
    Notice.objects.open().filter(event__in=events).delete()


class OutboxBackend(BaseEmailBackend):
    """Django's mail door: whatever calls send_mail() (allauth does) ends as rows of the outbox."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        notices = [_from_message(message, to) for message in email_messages for to in message.recipients()]
        return len(Notice.objects.bulk_create(notices))


def deliver_due(*, now: datetime, limit: int = 200) -> int:
    """Send what is due, one row at a time; returns how many were handed over. Safe to run at any time."""
    started = time.monotonic()
    sent = away = 0
    for pk in list(Notice.objects.due(now).in_order().values_list("pk", flat=True)[:limit]):
        # A sweep can take minutes; a lease counted from its beginning would be over when it is taken.
        moment = now + timedelta(seconds=time.monotonic() - started)
        notice = _claim(pk, moment)
        if notice is None:
            continue
        try:
            sent += _deliver(notice, moment)
            away = 0
        except AWAY as error:
            _retry_later(notice, error, moment)
            away += 1
        except Exception as error:  # one bad row must not stop the rows behind it
            _retry_later(notice, error, moment)
        if away == ENOUGH_AWAY:
            break
    return sent


def resend(notices: NoticeQuerySet, *, now: datetime) -> int:
    """Owe again what was given up; not what was sent or is still due, nor codes nobody waits for now."""
    given_up = notices.filter(sent_at=None, is_urgent=False).exclude(failed_at=None)
    again = {"failed_at": None, "attempts": 0, "locked_until": None, "expires_at": None}
    return given_up.update(not_before=now, created_at=now, **again)


def forget_old(*, now: datetime) -> int:
    """Mails hold names and plates: once over, they are kept only as long as somebody may ask about them."""
    over = Q(sent_at__lt=now - KEPT) | Q(failed_at__lt=now - KEPT)
    return Notice.objects.filter(over).delete()[0]


def _claim(pk: int, now: datetime) -> Notice | None:
    """Compare and set: of two workers after one row, one gets it."""
    claimed = (
        Notice.objects.due(now).filter(pk=pk).update(locked_until=now + LEASE, attempts=F("attempts") + 1)
    )
    return Notice.objects.filter(pk=pk).first() if claimed else None


def _deliver(notice: Notice, now: datetime) -> bool:
    if notice.expires_at and notice.expires_at <= now:
        _close(notice, failed_at=now, last_error="Its moment had passed; not sent.")
        return False
    if notice.attempts > ATTEMPTS:
        # It never came back to say what went wrong: the worker died with it, each time.
        _close(notice, failed_at=now, last_error="Given up: the worker did not survive it.")
        return False
    try:
        message = to_message(notice)
    except NotWanted as reason:
        _close(notice, failed_at=now, last_error=str(reason)[:300])
        return False
    get_connection(settings.EMAIL_TRANSPORT).send_messages([message])
    # Nobody needs a used code; in development /outbox/ still shows it.
    emptied = {"text": "", "html": ""} if notice.is_urgent and not settings.DEBUG else {}
    _close(notice, sent_at=now, last_error="", **emptied)
    return True


def _close(notice: Notice, **fields: Any) -> None:
    Notice.objects.filter(pk=notice.pk).update(locked_until=None, **fields)


def _retry_later(notice: Notice, error: Exception, now: datetime) -> None:
    # The text of a mail error can hold the address; the kind of error is enough to act on.
    codes = smtp_codes(error)
    reason = " ".join([type(error).__name__, *map(str, codes)])[:300]
    refused = bool(codes) and all(500 <= code < 600 for code in codes)
    worn_out = notice.attempts >= ATTEMPTS and not isinstance(error, AWAY)
    if refused or worn_out or now - notice.created_at > LONGEST_TRY:
        _close(notice, failed_at=now, last_error=reason)
        return
    attempts = notice.attempts if not isinstance(error, AWAY) else min(notice.attempts, ATTEMPTS - 1)
    _close(notice, not_before=now + backoff(notice.attempts), last_error=reason, attempts=attempts)


def backoff(attempts: int) -> timedelta:
    """How long to wait after so many tries: twice as long each time, and never in step with others."""
    # The exponent is capped before it is used: 2 ** 300 seconds is no timedelta.
    doubled = FIRST_WAIT * 2 ** min(max(attempts - 1, 0), 12)
    return min(doubled, LONGEST_WAIT) * random.uniform(0.8, 1.2)  # noqa: S311


def smtp_codes(error: Exception) -> list[int]:
    """What the mail server answered; SMTPRecipientsRefused holds an answer per recipient."""
    recipients = getattr(error, "recipients", None)
    if isinstance(recipients, dict):
        return sorted({answer[0] for answer in recipients.values()})
    code = getattr(error, "smtp_code", None)
    return [code] if isinstance(code, int) and code > 0 else []


def to_message(notice: Notice) -> EmailMultiAlternatives:
    """The mail as it goes out; also what the development outbox and the admin show."""
    subject, text, html, content = notice.subject, notice.text, notice.html, Content()
    if notice.template:
        with override(notice.language or settings.LANGUAGE_CODE):
            content = _built(notice)
            context = {"base_url": settings.BASE_URL, **notice.context, **content.context}
            subject = " ".join(render_to_string(f"{notice.template}_subject.txt", context).split())
            text = render_to_string(f"{notice.template}.txt", context)
            html = render_to_string(f"{notice.template}.html", context)
    site = urlsplit(settings.BASE_URL).hostname or "localhost"
    message = EmailMultiAlternatives(
        subject=subject,
        body=text,
        from_email=notice.sender or settings.DEFAULT_FROM_EMAIL,
        to=[notice.recipient],
        headers={**notice.headers, **content.headers, "Message-ID": f"<{notice.message_id}@{site}>"},
    )
    if html:
        message.attach_alternative(html, "text/html")
    for part in notice.attachments:
        message.attach(part["name"], base64.b64decode(part["content"]), part["type"])
    for attachment in content.attachments:
        message.attach(*attachment)
    return message


def _built(notice: Notice) -> Content:
    builder = settings.MAIL_BUILDERS.get(notice.template)
    return import_string(builder)(notice) if builder else Content()


def _from_message(message: EmailMessage, recipient: str) -> Notice:
    html = next((a[0] for a in getattr(message, "alternatives", []) if a[1] == "text/html"), "")
    return Notice(
        recipient=recipient,
        sender=message.from_email or "",
        subject=" ".join(str(message.subject).split())[:300],
        text=str(message.body),
        html=str(html),
        headers={name: str(value) for name, value in message.extra_headers.items()},
        attachments=[_attachment(part) for part in message.attachments],
        # Our own senders (accounts.adapter) mark the mails somebody waits for at a form.
        is_urgent=getattr(message, "is_urgent", False),
        expires_at=getattr(message, "expires_at", None),
    )


def _attachment(part: Any) -> dict[str, str]:
    if isinstance(part, MIMEBase):
        name, content, kind = part.get_filename(), part.get_payload(decode=True), part.get_content_type()
    else:
        name, content, kind = part
    data: Any = content.encode() if isinstance(content, str) else content
    return {
        "name": str(name or "attachment"),
        "type": str(kind or "application/octet-stream"),
        "content": base64.b64encode(data).decode(),
    }
