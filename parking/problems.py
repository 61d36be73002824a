"""Errors as RFC 9457 problem documents: one shape for everything the API refuses."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, JsonResponse

CONTENT_TYPE = "application/problem+json"


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
