"""The clock's heartbeat, and how to tell that it stands still."""

from __future__ import annotations

from datetime import datetime, timedelta

from reports.models import Heartbeat

NAME = "clock"
STANDS_STILL_AFTER = timedelta(minutes=3)  # it beats every minute


def beat(*, now: datetime) -> None:
    Heartbeat.objects.update_or_create(name=NAME, defaults={"beat_at": now})


def last_beat() -> datetime | None:
    return Heartbeat.objects.filter(name=NAME).values_list("beat_at", flat=True).first()


def stands_still(last: datetime | None, now: datetime) -> bool:
    return last is None or now - last > STANDS_STILL_AFTER
