"""Queries that took longer than SLOW_QUERY_MS, in the log: the statement, never its values."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from parking import metrics

logger = logging.getLogger(__name__)
LONGEST = 2000  # characters of a statement


def watch() -> None:
    if settings.SLOW_QUERY_MS:
        connection_created.connect(_wrap, dispatch_uid="slow queries")


def _wrap(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if _timed not in connection.execute_wrappers:
        connection.execute_wrappers.append(_timed)


def _timed(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    start = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        milliseconds = (time.perf_counter() - start) * 1000
        if milliseconds >= settings.SLOW_QUERY_MS:
            metrics.SLOW_QUERIES.inc()
            # The values are left out: they are people's plates and addresses.
            logger.warning("slow query, %.0f ms: %s", milliseconds, str(sql)[:LONGEST])
