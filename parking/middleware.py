"""What surrounds every request: an id to find it again, and a polite answer when the database is busy."""

from __future__ import annotations

import logging
import re
import sys
import uuid
from collections.abc import Callable

from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from parking import logs
from parking.problems import problem_response

logger = logging.getLogger(__name__)
Handler = Callable[[HttpRequest], HttpResponse]
_GOOD_ID = re.compile(r"[\w.-]{1,64}\Z", re.ASCII)
RETRY_AFTER = "5"  # seconds
AWAY = (OperationalError, InterfaceError)


class RequestIdMiddleware:
    """Takes the caller's X-Request-ID where it is harmless, else makes one; the answer carries it."""

    def __init__(self, get_response: Handler):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request.id = given if _GOOD_ID.match(given) else uuid.uuid4().hex  # type: ignore[attr-defined]
        logs.request_id.set(request.id)  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["X-Request-ID"] = request.id  # type: ignore[attr-defined]
        for name, value in getattr(request, "rate", {}).items():  # parking.throttles counted it
            response[name] = value
        return response


class BusyMiddleware:
    """A lock waited for too long or a database that is away: 503 with Retry-After, never a bare 500."""

    def __init__(self, get_response: Handler):
        self.get_response = get_response
        got_request_exception.connect(_remember)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            if connection.vendor == "postgresql":
                connection.ensure_connection()  # one wait where it is away, not one a query
            response = self.get_response(request)
        except AWAY as error:
            return busy(request, error)
        # What middleware below us raises, Django has made a 500 of by now.
        error_below = getattr(request, "database_error", None)
        return busy(request, error_below) if error_below and response.status_code == 500 else response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return busy(request, error) if isinstance(error, AWAY) else None


def _remember(request: HttpRequest | None = None, **_: object) -> None:
    error = sys.exc_info()[1]
    if request is not None and isinstance(error, AWAY):
        request.database_error = error  # type: ignore[attr-defined]


def busy(request: HttpRequest, error: Exception) -> HttpResponse:
    logger.warning("database busy or away: %s", type(error).__name__)
    if request.path.startswith("/api/"):
        response: HttpResponse = problem_response(request, 503, "busy", "Please try again in a moment.")
    else:
        # The template asks the database for nothing: it has none.
        response = render(None, "503.html", status=503)
    response["Retry-After"] = RETRY_AFTER
    return response
