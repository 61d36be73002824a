"""A limit's refusal as an answer: 429 with Retry-After, as a page or as a problem document."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from allauth.headless.internal.restkit.response import APIResponse
from django.contrib.sessions.backends.base import UpdateError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts import doors
from accounts.limits import TooOften
from parking.problems import problem_response

logger = logging.getLogger("parkwell.security")


class LimitsMiddleware:
    """Asks accounts.doors before each view, and answers for whatever limit refuses below."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code == 500 and isinstance(response, APIResponse):
            # allauth's "should not happen": the same code was used by another request a moment before.
            return problem_response(request, 409, "code_used", "This code was used already.")
        return response

    def process_view(self, request: HttpRequest, *_view: Any) -> HttpResponse | None:
        try:
            doors.guard(request, _door(request))
        except TooOften as refusal:
            return too_often(request, refusal)
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, TooOften):
            return too_often(request, error)
        if isinstance(error, UpdateError) and request.path.startswith("/api/"):
            # Another request ended this session while this one ran. Pages get Django's own 400.
            return problem_response(request, 409, "session_ended", "This session was ended meanwhile.")
        return None


def too_often(request: HttpRequest, refusal: TooOften) -> HttpResponse:
    logger.warning("auth.limit", extra={"door": _door(request)})
    response: HttpResponse
    if request.path.startswith("/api/"):
        wait = refusal.retry_after
        response = problem_response(request, 429, refusal.code, str(refusal), retry_after=wait)
    else:
        response = render(request, "429.html", {"retry_after": refusal.retry_after}, status=429)
    response["Retry-After"] = str(refusal.retry_after)
    response["Cache-Control"] = "no-store"
    return response


def _door(request: HttpRequest) -> str:
    return request.resolver_match.view_name if request.resolver_match else ""
