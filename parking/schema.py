"""The API's description: our paths and allauth's in one document."""

from __future__ import annotations

from typing import Any

from allauth.headless.spec.internal.schema import get_schema

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
METHODS = ("get", "post", "put", "patch", "delete")
WITHOUT_EFFECT = {"quote"}


def with_problems(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Any operation may answer with a problem document; POSTs that change something take a key."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    answer = {
        "description": "A problem document",
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for methods in result["paths"].values():
        for method, operation in methods.items():
            operation["responses"]["default"] = answer
            if method == "post" and operation["operationId"] not in WITHOUT_EFFECT:
                operation.setdefault("parameters", []).append(KEY_PARAMETER)
    return result


def with_sign_in(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """allauth describes its part itself; its names get a prefix where they clash with ours."""
    theirs = get_schema()
    for path, methods in theirs["paths"].items():
        for method in METHODS:
            if method in methods:
                methods[method].setdefault("operationId", f"auth_{method}_{_words(path)}")
    for kind, parts in theirs.get("components", {}).items():
        ours = result["components"].setdefault(kind, {})
        if clash := ours.keys() & parts.keys():
            raise ValueError(f"allauth and we both describe {', '.join(sorted(clash))}.")
        ours.update(parts)
    result["paths"].update(theirs["paths"])
    result.setdefault("tags", []).extend(theirs.get("tags", []))
    return result


def _words(path: str) -> str:
    return "_".join(part for part in path.replace("{", "").replace("}", "").split("/")[4:] if part).replace(
        "-", "_"
    )
