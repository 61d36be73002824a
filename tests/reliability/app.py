"""Parkwell's Celery application with short leases: a test does not wait two minutes for a dead worker's.

RELIABILITY_CANARY takes a safety away; the test that asks for it must then fail its proof.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from celery.signals import import_modules

from parking.celery import app

LEASE = timedelta(seconds=4)


@import_modules.connect(weak=False)
def _shorten(**_: Any) -> None:
    from django.utils import timezone

    from accounts import outbox
    from accounts.models import Notice

    outbox.LEASE = LEASE
    if os.environ.get("RELIABILITY_CANARY") != "sent first":
        return
    deliver = outbox._deliver

    def forgetful(notice: Notice, now: Any) -> bool:
        """As a queue that forgets a message when it hands it out."""
        Notice.objects.filter(pk=notice.pk).update(sent_at=timezone.now())
        return deliver(notice, now)

    outbox._deliver = forgetful


__all__ = ["app"]
