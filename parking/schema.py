"""The API's description: our paths and allauth's in one document, each with the statuses it really has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from allauth.headless.spec.internal.schema import get_schema
from django.urls import resolve
from drf_spectacular.openapi import AutoSchema
from rest_framework.negotiation import DefaultContentNegotiation

from accounts.rights import StaffRights
from bookings.api.http import PublicReads
from bookings.idempotency import HEADER
from parking.problems import CONTENT_TYPE

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable; see docs/api-errors.md"},
        "detail": {"type": "string", "description": "A sentence for people"},
        "request_id": {"type": "string"},
        "fields": {
            "type": "object",
            "description": "On 400: sentences by field",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "codes": {
            "type": "object",
            "description": "On 400: codes by field",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "alternatives": {
            "type": "array",
            "description": "On 409: what could be booked instead",
            "items": {"$ref": "#/components/schemas/Alternative"},
        },
    },
}
KEY_PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "The same key with the same body has one effect and one answer, for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
# A value that works, of what is asked for in the address; what has an enum needs none. Those of one operation
# alone go by its name too.
EXAMPLES = {
    "after": 0,
    "booking": "4F7K2M9PQ8RW3XYZ",
    "city": "Berlin",
    "country": "DE",
    "email": "driver@example.com",
    "features": "ev,covered",
    "from": "2030-01-31T12:00:00Z",
    "lat": 52.52,
    "lon": 13.405,
    "lot": "alexanderplatz",
    "min_free": 2,
    "page_size": 50,
    "plate": "B DO 1234",
    "postcode": "10178",
    "radius_km": 5,
    "region": "Berlin",
    "search": "alexanderplatz",
    "spot": "12",
    "to": "2030-01-31T14:00:00Z",
    "bookings_list state": "confirmed,active",
    "payments_list status": "succeeded",
    "waitlist_list state": "waiting,offered",
    "stats from": "2030-01-01",
    "stats to": "2030-01-31",
    "users_list search": "dora",
}
ETAG_PARAMETER = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the answer one has: 304 while nothing has changed.",
    "schema": {"type": "string"},
}
RETRY_AFTER = {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 1}}
METHODS = ("get", "post", "put", "patch", "delete")
WITH_BODY = ("POST", "PUT", "PATCH")
WHY = {
    304: "Nothing has changed since the answer with that ETag",
    400: "Something that was sent cannot be used: see `fields`",
    401: "No token, or one that is not valid (any more)",
    403: "Not for this role, or a browser's session without its CSRF token",
    404: "It does not exist, or is somebody else's",
    406: "Answers are JSON",
    409: "Understood, but no: `code` says why",
    413: "The body is too large",
    415: "Send `application/json`",
    422: "This Idempotency-Key was used for another request",
    429: "Too many requests",
    503: "The database or another service is busy or away",
}


class Schema(AutoSchema):
    """An operation with every status it can answer with, read off its view.

    What a view alone knows (a refusal where nothing is posted, a 404 without a name in the path) it says in
    its own `extend_schema(responses=…)`.
    """

    def get_auth(self) -> list[dict[str, Any]]:
        auth: list[dict[str, Any]] = super().get_auth()
        return [*auth, {}] if auth and {} not in auth and self._is_for_everybody() else auth

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        parameters = operation.setdefault("parameters", [])
        if self._takes_key():
            parameters.append(KEY_PARAMETER)
        if self._has_etag():
            parameters.append(ETAG_PARAMETER)
        labels = getattr(getattr(self.view, "filterset_class", None), "base_filters", {})
        for parameter in parameters:
            _add_example(operation["operationId"], parameter)
            # drf-spectacular drops the label of a filter whose type is said by hand.
            if "description" not in parameter and parameter["name"] in labels:
                parameter["description"] = str(labels[parameter["name"]].label)
        responses = operation["responses"]
        for status in self._statuses(operation):
            responses.setdefault(str(status), {"description": WHY[status]})
        for status, answer in responses.items():
            if status >= "400":
                _make_problem(int(status), answer)
        operation["responses"] = dict(sorted(responses.items()))
        return operation

    def _statuses(self, operation: dict[str, Any]) -> Iterator[int]:
        places = {parameter["in"] for parameter in operation["parameters"]}
        is_known = any(operation.get("security", ()))
        if self._has_etag():
            yield 304
        if "query" in places or self.method in WITH_BODY:
            yield 400
        if is_known:
            yield 401
        if is_known and (self.method != "GET" or self._is_for_staff()):
            yield 403
        if "path" in places:
            yield 404
        if issubclass(self.view.content_negotiation_class, DefaultContentNegotiation):
            yield 406
        if self.method in WITH_BODY:
            yield from (413, 415)
        if self._takes_key():
            yield from (409, 422)
        if self.view.throttle_classes:
            yield 429
        yield 503

    def _takes_key(self) -> bool:
        return self.method == "POST" and getattr(self.view, "takes_key", False)

    def _has_etag(self) -> bool:
        return self.method == "GET" and isinstance(self.view, PublicReads)

    def _is_for_staff(self) -> bool:
        rights = self.view.get_permissions()
        return any(isinstance(right, StaffRights) and not right.reading_is_public for right in rights)

    def _is_for_everybody(self) -> bool:
        rights = self.view.get_permissions()
        return self.method == "GET" and any(getattr(right, "reading_is_public", False) for right in rights)


def _add_example(operation: str, parameter: dict[str, Any]) -> None:
    name = parameter["name"]
    found = EXAMPLES.get(f"{operation} {name}", EXAMPLES.get(name))
    if parameter["in"] == "query" and found is not None and "enum" not in parameter["schema"]:
        parameter.setdefault("example", found)


def _make_problem(status: int, answer: dict[str, Any]) -> None:
    answer["content"] = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    if status in (429, 503):
        answer["headers"] = {"Retry-After": RETRY_AFTER}


def with_problems(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    return result


def with_sign_in(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """allauth describes its part itself. What is not installed is left out, and our limits are put in."""
    theirs = get_schema()
    theirs["paths"] = {path: methods for path, methods in theirs["paths"].items() if _is_there(path)}
    for path, methods in theirs["paths"].items():
        for method in METHODS:
            if method in methods:
                operation = methods[method]
                operation.setdefault("operationId", f"auth_{method}_{_words(path)}")
                _add_limits(method, operation["responses"])
    for kind, parts in theirs.get("components", {}).items():
        ours = result["components"].setdefault(kind, {})
        if clash := ours.keys() & parts.keys():
            raise ValueError(f"allauth and we both describe {', '.join(sorted(clash))}.")
        ours.update(parts)
    result["paths"].update(theirs["paths"])
    result.setdefault("tags", []).extend(theirs.get("tags", []))
    return result


def _is_there(path: str) -> bool:
    return resolve(path).func.__module__.startswith("allauth.")


def _add_limits(method: str, responses: dict[str, Any]) -> None:
    """accounts.doors and parking.middleware stand before allauth as well."""
    for status in (429, 503):
        if str(status) not in responses:
            responses[str(status)] = answer = {"description": WHY[status]}
            _make_problem(status, answer)


def _words(path: str) -> str:
    return "_".join(part for part in path.replace("{", "").replace("}", "").split("/")[4:] if part).replace(
        "-", "_"
    )
