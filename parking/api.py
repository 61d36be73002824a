"""The API's frame: how errors look."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied
from django.core.exceptions import ValidationError as ModelError
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest
from django.urls import resolve
from rest_framework import exceptions, permissions, views
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from bookings.api.fields import jsonable
from bookings.api.serializers import alternative_json
from bookings.errors import BadBooking, BookingRefused
from parking.problems import CONTENT_TYPE, problem

INVALID = "Some of what was sent cannot be used; see fields."
# Columns that the API calls by another name.
PUBLIC_NAMES = {"address_line1": "address", NON_FIELD_ERRORS: api_settings.NON_FIELD_ERRORS_KEY}
Fields = dict[str, list[tuple[str, str]]]


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    request = context["request"]._request
    if isinstance(error, OperationalError | InterfaceError):
        return None  # parking.middleware answers 503
    if isinstance(error, BookingRefused):
        return _refused(request, error)
    if isinstance(error, BadBooking):
        return _invalid(request, {error.field: [(error.code, str(error))]})
    if isinstance(error, ModelError):
        return _invalid(request, _model_fields(error))
    if isinstance(error, exceptions.ValidationError):
        return _invalid(request, _fields(error.detail))
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    response = views.exception_handler(error, context)
    if response is None or not isinstance(error, exceptions.APIException):
        return response
    return _as_problem(request, error, response)


def _refused(request: HttpRequest, refusal: BookingRefused) -> Response:
    facts = {name: jsonable(value) for name, value in refusal.details.items()}
    facts["alternatives"] = [alternative_json(alternative) for alternative in refusal.alternatives]
    return _answer(request, 409, refusal.code, str(refusal), **facts)


def _invalid(request: HttpRequest, fields: Fields) -> Response:
    """`code` is the one all fields share, where they do."""
    codes = {code for found in fields.values() for code, _sentence in found}
    sentences = [sentence for found in fields.values() for _code, sentence in found]
    return _answer(
        request,
        400,
        codes.pop() if len(codes) == 1 else "invalid",
        sentences[0] if len(sentences) == 1 else INVALID,
        fields={name: [sentence for _code, sentence in found] for name, found in fields.items()},
        codes={name: [code for code, _sentence in found] for name, found in fields.items()},
    )


def _as_problem(request: HttpRequest, error: exceptions.APIException, response: Response) -> Response:
    detail = error.detail if isinstance(error.detail, str) else HTTPStatus(error.status_code).phrase
    code = getattr(error.detail, "code", error.default_code)
    if isinstance(error, exceptions.Throttled):
        code = "too_many_requests"  # as parking.limits says
    if error.status_code == 404:
        code, detail = "not_found", detail if isinstance(error, exceptions.NotFound) else "Not found."
    answer = _answer(request, error.status_code, code, str(detail))
    for name in ("WWW-Authenticate", "Retry-After"):
        if name in response.headers:
            answer[name] = response.headers[name]
    return answer


def _model_fields(error: ModelError) -> Fields:
    by_name = error.error_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.error_list}
    return {
        PUBLIC_NAMES.get(name, name): [
            (part.code or "invalid", sentence) for part in parts for sentence in part.messages
        ]
        for name, parts in by_name.items()
    }


def _fields(detail: Any, path: str = "") -> Fields:
    """Flat: what lies in a list or an object is named by its path, features.0."""
    if isinstance(detail, dict):
        found: Fields = {}
        for name, part in detail.items():
            for inner, errors in _fields(part, f"{path}.{name}" if path else str(name)).items():
                found.setdefault(inner, []).extend(errors)
        return found
    if isinstance(detail, list):
        found = {}
        for index, part in enumerate(detail):
            nested = isinstance(part, dict | list)
            for inner, errors in _fields(part, f"{path}.{index}" if nested else path).items():
                found.setdefault(inner, []).extend(errors)
        return found
    name = path or api_settings.NON_FIELD_ERRORS_KEY
    return {name: [(getattr(detail, "code", "") or "invalid", str(detail))]}


def _answer(request: Any, status: int, code: str, detail: str, **more: Any) -> Response:
    return Response(problem(request, status, code, detail, **more), status=status, content_type=CONTENT_TYPE)


class UnknownPath(views.APIView):
    """Whatever lies under /api/ and is nothing: a problem document, with DEBUG on as well."""

    authentication_classes = []
    permission_classes = [permissions.AllowAny]
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not request.path.endswith("/") and not _is_unknown(f"{request.path_info}/"):
            raise exceptions.NotFound(f"Addresses end with a slash: {request.path}/")
        raise exceptions.NotFound("There is nothing at this address.")


def _is_unknown(path: str) -> bool:
    return getattr(resolve(path).func, "cls", None) is UnknownPath
