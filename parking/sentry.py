"""Errors to Sentry where SENTRY_DSN is set, with nothing in them that tells who it was."""

from __future__ import annotations

from typing import Any

import sentry_sdk

from parking.logs import clean, request_id


def start(dsn: str) -> None:
    sentry_sdk.init(
        dsn=dsn,
        send_default_pii=False,
        include_local_variables=False,  # they hold plates, codes and passwords
        max_request_body_size="never",
        before_send=scrubbed,  # type: ignore[arg-type]  # its event is a dict
        before_breadcrumb=lambda crumb, _hint: clean("", crumb),
    )


def scrubbed(event: dict[str, Any], _hint: dict[str, Any]) -> dict[str, Any]:
    """The same silence the log keeps; the request's id leads from here to its lines."""
    event.pop("user", None)
    request = event.pop("request", {})
    event = clean("", event)
    event["request"] = {"method": request.get("method", ""), "url": clean("", request.get("url", ""))}
    event.setdefault("tags", {})["request_id"] = request_id.get()
    return event
