"""Numbers for Prometheus at `/metrics`: what the web processes counted, and what the database says now.

Counted per process and added up over all of them through files in METRICS_DIR; a restarted process begins
at nought, which Prometheus' rate() understands. Read at each scrape: outbox, holds, clock, findings.
"""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from bookings import signals
from parking import readings

Handler = Callable[[HttpRequest], HttpResponse]
LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # seconds
WAITS = (0.001, 0.005, 0.025, 0.1, 0.5, 1, 3)  # seconds; 3 is PostgreSQL's lock_timeout
STALE = 24 * 3600  # seconds; so long the numbers of a process that is gone still count

REQUESTS = Histogram(
    "parkwell_request_seconds",
    "Time to answer, by route, method and status.",
    ["route", "method", "status"],
    buckets=LATENCY,
)
BOOKINGS = Counter(
    "parkwell_bookings",
    "Asked for, by what came of it: booked, held, or the code of the refusal.",
    ["outcome"],
)
LOCK_WAITS = Histogram("parkwell_lot_lock_seconds", "Time waited for a lot's row lock.", buckets=WAITS)
SLOW_QUERIES = Counter("parkwell_slow_queries", "Queries slower than SLOW_QUERY_MS.")


class MetricsMiddleware:
    """The outermost but for the request's id, so that it times what the caller waits for."""

    def __init__(self, get_response: Handler):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        start = time.perf_counter()
        response = self.get_response(request)
        seconds = time.perf_counter() - start
        REQUESTS.labels(_route(request), _method(request), response.status_code).observe(seconds)
        return response


def _route(request: HttpRequest) -> str:
    """The pattern, never the path: ids would make a series each, and tell of people."""
    match = request.resolver_match
    return f"/{match.route}" if match and match.route else "(none)"


def _method(request: HttpRequest) -> str:
    return (
        request.method if request.method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} else "(other)"
    )


def listen() -> None:
    signals.booking_answered.connect(_count_booking, dispatch_uid="metrics")
    signals.lot_locked.connect(_time_lock, dispatch_uid="metrics")


def _count_booking(outcome: str, **_: Any) -> None:
    BOOKINGS.labels(outcome).inc()


def _time_lock(seconds: float, **_: Any) -> None:
    LOCK_WAITS.observe(seconds)


def slower_than(seconds: float) -> tuple[int, int]:
    """How many requests took longer (one of LATENCY), and of how many, by the processes still counted."""
    buckets = dict.fromkeys((str(seconds), "+Inf"), 0.0)
    for sample in _counted("parkwell_request_seconds_bucket"):
        if sample.labels["le"] in buckets:
            buckets[sample.labels["le"]] += sample.value
    return int(buckets["+Inf"] - buckets[str(seconds)]), int(buckets["+Inf"])


def slow_queries() -> int:
    return int(sum(sample.value for sample in _counted("parkwell_slow_queries_total")))


def _counted(name: str) -> Iterator[Any]:
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, path=settings.METRICS_DIR)
    return (sample for metric in registry.collect() for sample in metric.samples if sample.name == name)


@never_cache
@login_not_required
@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """For whoever shows METRICS_TOKEN; without one set there is no such page, but for developers."""
    if not _may_read(request):
        raise Http404
    return HttpResponse(generate_latest(_registry()), content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    if not settings.METRICS_TOKEN:
        return bool(settings.DEBUG)
    shown = request.headers.get("Authorization", "")
    return hmac.compare_digest(shown.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    _forget_stale(Path(settings.METRICS_DIR))
    multiprocess.MultiProcessCollector(registry, path=settings.METRICS_DIR)
    registry.register(Readings())
    return registry


def _forget_stale(folder: Path) -> None:
    for file in folder.glob("*.db"):
        pid = file.stem.rsplit("_", 1)[-1]
        if pid.isdigit() and not _lives(int(pid)) and file.stat().st_mtime < time.time() - STALE:
            file.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Readings:
    """What the database says at the moment of the scrape."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            found = list(readings.read(now=timezone.now()))
        except DatabaseError:
            yield GaugeMetricFamily("parkwell_database_up", "Whether the database answers.", value=0)
            return
        yield GaugeMetricFamily("parkwell_database_up", "Whether the database answers.", value=1)
        for name, help_text, value in found:
            yield GaugeMetricFamily(f"parkwell_{name}", help_text, value=value)
