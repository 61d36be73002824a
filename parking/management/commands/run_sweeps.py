"""The clock without Celery, for cron or systemd: runs the same schedule rows in this process."""

from __future__ import annotations

import json
import logging
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import close_old_connections
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from parking import schedules
from parking.celery import app

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Do whatever is due now, once; with --loop do it again and again, as often as the schedules say."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--loop", action="store_true", help="go on until stopped")

    def handle(self, *args: Any, loop: bool, **options: Any) -> None:
        schedules.ensure()
        if not loop:
            failed = sum(not run(row) for row in once())
            if failed:
                raise SystemExit(1)
            return
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        last_runs: dict[int, float] = {}
        while not stop.wait(1):
            for row in in_turn(last_runs):
                if not stop.is_set():
                    run(row)
            close_old_connections()


def once() -> Iterator[PeriodicTask]:
    """The sweeps, which may run at any time, and of the rows with a time of day those that are due."""
    for row in rows():
        if row.interval or is_due(row):
            yield row


def in_turn(last_runs: dict[int, float]) -> Iterator[PeriodicTask]:
    for row in rows():
        if row.interval:
            wait = row.schedule.run_every.total_seconds()
            if time.monotonic() - last_runs.get(row.pk, -wait) < wait:
                continue
            last_runs[row.pk] = time.monotonic()
            yield row
        elif is_due(row):
            yield row


def rows() -> Iterator[PeriodicTask]:
    """What staff have not paused."""
    app.loader.import_default_modules()
    known = set(app.tasks)
    enabled = PeriodicTask.objects.filter(enabled=True, task__in=known).select_related("interval", "crontab")
    yield from enabled.order_by("pk")


def is_due(row: PeriodicTask) -> bool:
    since = row.last_run_at or row.date_changed
    return bool(row.schedule.is_due(since).is_due)


def run(row: PeriodicTask) -> bool:
    """One row's task; a sweep that fails is logged and does not keep the others from running."""
    if not row.interval:
        PeriodicTask.objects.filter(pk=row.pk).update(last_run_at=timezone.now())
    try:
        app.tasks[row.task](*json.loads(row.args), **json.loads(row.kwargs))
    except Exception:
        logger.exception("%s failed", row.name)
        return False
    return True
