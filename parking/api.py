"""The API's frame: how errors look, how long lists are cut."""

from __future__ import annotations

from typing import Any

from django.db import InterfaceError, OperationalError
from rest_framework import exceptions, views
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response

from bookings.errors import BadBooking, BookingRefused
from parking.problems import CONTENT_TYPE, problem


class CursorPage(CursorPagination):
    page_size = 50
    max_page_size = 200
    page_size_query_param = "page_size"
    ordering = "-id"


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    request = context["request"]._request
    if isinstance(error, BookingRefused):
        return _answer(request, 409, error.code, str(error))
    if isinstance(error, BadBooking):
        return _answer(request, 400, "invalid", str(error), fields={error.field: [str(error)]})
    if isinstance(error, OperationalError | InterfaceError):
        return None
    response = views.exception_handler(error, context)
    if response is None or not isinstance(error, exceptions.APIException):
        return response
    return response


def _answer(request: Any, status: int, code: str, detail: str, **more: Any) -> Response:
    return Response(problem(request, status, code, detail, **more), status=status, content_type=CONTENT_TYPE)
