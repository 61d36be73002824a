"""`/healthz` and `/readyz`, for whoever restarts, balances and watches the web processes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Min
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone

from accounts.models import Notice
from reports import clock

Handler = Callable[[HttpRequest], HttpResponse]
Check = Callable[[datetime], dict[str, Any]]
OK, WARN, BAD = "ok", "warn", "bad"
LATEST_NOTICE = timedelta(minutes=5)  # the sweep comes by every five seconds
BROKER_PATIENCE = 0.5  # seconds
_all_applied = False


class HealthMiddleware:
    """Outermost: a probe comes by address, without our host's name, TLS or a session, and is no statistic."""

    def __init__(self, get_response: Handler):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = {"/healthz": healthz, "/readyz": readyz}.get(request.path)
        if answer is None or request.method not in ("GET", "HEAD"):
            return self.get_response(request)
        response = answer(request)
        response["Cache-Control"] = "no-store"
        return response


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers; it asks nobody else."""
    return JsonResponse({"status": OK})


def readyz(request: HttpRequest) -> HttpResponse:
    """200 where all is well, else 503 and what is not; tells ages and no names.

    A balancer asks with ?only=database,migrations: a clock that stands still is no reason to turn
    drivers away.
    """
    now = timezone.now()
    only = set(request.GET.get("only", "").split(",")) - {""}
    checks = {name: _safely(check, now) for name, check in CHECKS.items() if not only or name in only}
    statuses = {found["status"] for found in checks.values()}
    worst = next((status for status in (BAD, WARN) if status in statuses), OK)
    return JsonResponse({"status": worst, "checks": checks}, status=503 if worst == BAD else 200)


def _safely(check: Check, now: datetime) -> dict[str, Any]:
    try:
        return check(now)
    except Error as error:
        return {"status": BAD, "error": type(error).__name__}


def _database(_now: datetime) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    return {"status": OK}


def _migrations(_now: datetime) -> dict[str, Any]:
    global _all_applied
    pending = 0 if _all_applied else _pending()
    # This process's code will never have more of them, and counting reads every migration's file.
    _all_applied = not pending
    return {"status": BAD if pending else OK, "pending": pending}


def _pending() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _notices(now: datetime) -> dict[str, Any]:
    due = Notice.objects.due(now).aggregate(oldest=Min("not_before"))["oldest"]
    age = now - due if due else timedelta(0)
    retried = Notice.objects.open().filter(attempts__gt=0).count()
    status = BAD if age > LATEST_NOTICE else WARN if retried else OK
    return {"status": status, "oldest_seconds": round(age.total_seconds()), "being_retried": retried}


def _clock(now: datetime) -> dict[str, Any]:
    last = clock.last_beat()
    age = round((now - last).total_seconds()) if last else None
    return {"status": BAD if clock.stands_still(last, now) else OK, "beat_seconds_ago": age}


def _broker(_now: datetime) -> dict[str, Any]:
    """Bookings go on without it, so that it is only a warning."""
    if not urlsplit(settings.CELERY_BROKER_URL).scheme.startswith("redis"):
        return {"status": OK}
    link = redis.Redis.from_url(
        settings.CELERY_BROKER_URL,
        socket_timeout=BROKER_PATIENCE,
        socket_connect_timeout=BROKER_PATIENCE,
        retry=None,
    )
    try:
        link.ping()
    except redis.RedisError as error:
        return {"status": WARN, "error": type(error).__name__}
    finally:
        link.close()
    return {"status": OK}


CHECKS: dict[str, Check] = {
    "database": _database,
    "migrations": _migrations,
    "notices": _notices,
    "clock": _clock,
    "broker": _broker,
}
