"""Sending a request twice has one effect and one answer: the Idempotency-Key header.

The key's row is inserted first, in the same transaction as the effect. Whoever comes second with the
same key waits at the unique index and then reads the first one's answer. A crash takes the row back
together with the effect, so no key ever stays locked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bookings.keys import IdempotencyKey

KEPT = timedelta(hours=48)  # we promise 24
LONGEST_KEY = 255
HEADER = "Idempotency-Key"
Handler = Callable[..., Response]


class KeyReused(APIException):
    status_code = 422
    default_code = "idempotency_key_reused"
    default_detail = "This Idempotency-Key was used for another request. Use a new key for a new request."


class InProgress(APIException):
    status_code = 409
    default_code = "in_progress"
    default_detail = "The first request with this Idempotency-Key is still running. Ask again in a moment."
    wait = 1


class _KeyKnown(Exception):
    pass


class Idempotent(APIView):
    """For views whose POST changes something."""

    takes_key = True

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        key = request.headers.get(HEADER)
        if request.method == "POST" and key is not None and request.user.is_authenticated:
            self.post = _once(self.post, checked_key(key))  # type: ignore[attr-defined, has-type]


def forget_old_keys(*, now: datetime) -> int:
    """Delete the answers nobody may ask for any more. Safe to run at any time."""
    return IdempotencyKey.objects.older_than(now - KEPT).delete()[0]


def _once(handler: Handler, key: str) -> Handler:
    def answer(request: Request, *args: Any, **kwargs: Any) -> Response:
        now = timezone.now()
        print_ = _fingerprint(request)
        try:
            # A refusal is raised through here, and takes the key back with whatever it had begun.
            with transaction.atomic():
                row = _claim(request.user.pk, key, print_, now)
                response = handler(request, *args, **kwargs)
                _keep(row, response)
                return response
        except _KeyKnown:
            return _replay(request.user.pk, key, print_)

    return answer


def checked_key(key: str) -> str:
    if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        sentence = f"Use 1 to {LONGEST_KEY} printable ASCII characters, for example a UUID."
        raise ValidationError({HEADER: [sentence]}, code="invalid")
    return key


def _fingerprint(request: Request) -> str:
    body = json.dumps(request.data, sort_keys=True, separators=(",", ":"))
    text = "|".join([request.method or "", request.get_full_path(), body])
    return hashlib.sha256(text.encode()).hexdigest()


def _claim(user_id: Any, key: str, fingerprint: str, now: datetime) -> IdempotencyKey:
    IdempotencyKey.objects.older_than(now - KEPT).filter(user=user_id).delete()
    row = IdempotencyKey(user_id=user_id, key=key, fingerprint=fingerprint, created_at=now)
    try:
        row.save(force_insert=True)
    except IntegrityError as error:
        raise _KeyKnown from error
    except OperationalError as error:
        # PostgreSQL waited lock_timeout for the first request to end. SQLite waits at BEGIN already.
        if connection.vendor == "postgresql" and "lock timeout" in str(error):
            raise InProgress from error
        raise
    return row


def _keep(row: IdempotencyKey, response: Response) -> None:
    if response.status_code >= 300:
        # Only what had an effect is kept; anything else may be asked again.
        transaction.set_rollback(True)
        return
    row.status = response.status_code
    row.body = JSONRenderer().render(response.data).decode()
    row.save(update_fields=["status", "body"])


def _replay(user_id: Any, key: str, fingerprint: str) -> Response:
    row = IdempotencyKey.objects.filter(user=user_id, key=key).first()
    if row is None:  # the first one was refused between our insert and this look
        raise InProgress
    if row.fingerprint != fingerprint:
        raise KeyReused
    data = json.loads(row.body) if row.body else None
    return Response(data, status=row.status, headers={"Idempotent-Replayed": "true"})
