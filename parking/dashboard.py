"""What the back office's first page knows besides the list of what there is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from parking import readings
from parking.health import LATEST_NOTICE
from reports import clock


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    return {**context, "clock_tile": clock_tile(timezone.now())}


def clock_tile(now: datetime) -> dict[str, Any]:
    """The same facts as /readyz tells."""
    late = {reading.name: reading.value for reading in readings.read(now=now)}
    last = clock.last_beat()
    return {
        "beat_at": last,
        "stands_still": clock.stands_still(last, now),
        "notice_minutes": int(late["outbox_oldest_seconds"] // 60),
        "notices_wait": late["outbox_oldest_seconds"] > LATEST_NOTICE.total_seconds(),
        "runs_wrong": int(late["job_runs_wrong"]),
    }
