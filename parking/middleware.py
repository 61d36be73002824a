"""What surrounds every request: an id to find it again, and a polite answer when the database is busy."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from parking import logs
from parking.problems import problem_response

logger = logging.getLogger(__name__)
Handler = Callable[[HttpRequest], HttpResponse]
_GOOD_ID = re.compile(r"[\w.-]{1,64}\Z", re.ASCII)
RETRY_AFTER = "5"  # seconds


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

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            return self.get_response(request)
        except (OperationalError, InterfaceError) as error:  # raised by middleware below us
            return busy(request, error)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return busy(request, error) if isinstance(error, OperationalError | InterfaceError) else None


def busy(request: HttpRequest, error: Exception) -> HttpResponse:
    logger.warning("database busy or away: %s", type(error).__name__)
    if request.path.startswith("/api/"):
        response: HttpResponse = problem_response(request, 503, "busy", "Please try again in a moment.")
    else:
        # The template asks the database for nothing: it has none.
        response = render(None, "503.html", status=503)
    response["Retry-After"] = RETRY_AFTER
    return response
