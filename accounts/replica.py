"""Reading from a replica, which lags: only where a moment's delay does no harm, and only where it is said.

    @may_lag()
    def dashboard(request): ...

Whoever books, signs in or asks whether a spot is free reads the database that is written, always.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import connections
from django.db.models import Model

NAME = "replica"
# Who somebody is and what they may do is never read from a copy: a switched-off account would live on there.
READABLE = {"lots", "bookings", "reports"}
_may_lag: ContextVar[bool] = ContextVar("may_lag", default=False)


@contextmanager
def may_lag() -> Iterator[None]:
    """A block, or a function that it decorates, whose reading queries the replica may answer.

    Not around a `yield`: what a generator begins holds for whoever consumes it.
    """
    token = _may_lag.set(True)
    try:
        yield
    finally:
        _may_lag.reset(token)


class Router:
    """Sends such queries to the replica, and all else to the database that is written."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        lags = _may_lag.get() and NAME in connections.settings and model._meta.app_label in READABLE
        # Inside a transaction one reads what one has written.
        return NAME if lags and not connections["default"].in_atomic_block else "default"

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        return "default"

    def allow_relation(self, one: Model, other: Model, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db != NAME
