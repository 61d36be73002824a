"""Errors as RFC 9457 problem documents: one shape for everything the API refuses."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults

CONTENT_TYPE = "application/problem+json"
API = "/api/"


def problem(request: HttpRequest | None, status: int, code: str, detail: str, **more: Any) -> dict[str, Any]:
    """`code` is stable and for programs, `detail` a sentence for people."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": getattr(request, "id", ""),
        **more,
    }


def problem_response(request: HttpRequest, status: int, code: str, detail: str, **more: Any) -> JsonResponse:
    return JsonResponse(
        problem(request, status, code, detail, **more), status=status, content_type=CONTENT_TYPE
    )


# Django's own error views: a problem for programs, a page for people.


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(API):
        return problem_response(request, 400, "bad_request", "This request cannot be understood.")
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(API):
        return problem_response(request, 403, "permission_denied", "You may not do this.")
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(API):
        return problem_response(request, 404, "not_found", "There is nothing at this address.")
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if request.path.startswith(API):
        return problem_response(request, 500, "server_error", "Something went wrong on our side.")
    return defaults.server_error(request)
