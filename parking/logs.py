"""Log lines: JSON with the request's id, and nothing in them that could be used or that tells who it was."""

from __future__ import annotations

import json
import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

request_id: ContextVar[str] = ContextVar("request_id", default="")

HIDDEN = "[hidden]"
SECRET_WORD = re.compile(
    r"passw|secret|token|authori[sz]ation|cookie|session|csrf|\bcode\b|(?<!status)_code\b|\bkey\b|api_?key|otp|plate|e-?mail|phone",
    re.IGNORECASE,
)
# In running text: what can be recognised by its shape alone.
_SHAPES = [
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), HIDDEN),  # e-mail addresses
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), HIDDEN),  # JSON web tokens
    (re.compile(r"\b(Bearer|Basic)\s+\S+", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(r"\b(sk|rk|pk|whsec)_\w{6,}"), HIDDEN),  # the payment provider's keys
    # password=…, "code": "…", plate: …; and what PostgreSQL tells of a row it refused.
    (
        re.compile(
            r"""(?i)(["']?[\w-]*(?:passw(?:or)?d|secret|token|authorization|cookie|session_?(?:id|key)?|code"""
            r"""|\bkey|otp|plate(?:_normalised)?|e-?mail|phone)["']?\s*[=:]\s*)(?:"[^"]*"|'[^']*'|[^\s,;&)}\]]+)"""
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"(?i)(detail:\s*(?:key|failing row)\b).*"), rf"\1 {HIDDEN}"),
    (re.compile(r"(?<=/)[\w-]{24,}(?=/|\s|$|\?)"), HIDDEN),  # signed links
    (re.compile(r"\?[^\s\"']+"), f"?{HIDDEN}"),  # query strings
]
_STANDARD = set(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "request", "taskName"}


def scrub(text: str) -> str:
    for shape, instead in _SHAPES:
        text = shape.sub(instead, text)
    return text


def clean(name: str, value: Any) -> Any:
    """An extra field as it may be written; `name` says as much as the value."""
    if SECRET_WORD.search(name):
        return HIDDEN
    if isinstance(value, dict):
        return {str(key): clean(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [clean("", inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return scrub(str(value))


class PlainFormatter(logging.Formatter):
    """For people at a terminal; just as silent about secrets, and one line for one event."""

    def format(self, record: logging.LogRecord) -> str:
        lines = scrub(super().format(record)).splitlines() or [""]
        # A caller's line breaks and escape codes must not look like lines of ours.
        return "\n".join(_printable(line) for line in (lines if record.exc_info else [" ".join(lines)]))


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": scrub(record.getMessage()),
            "request_id": request_id.get(),
        }
        request = getattr(record, "request", None)
        if request is not None and hasattr(request, "path"):
            entry |= {"method": request.method, "path": scrub(request.path)}
            # The number, not the name; and only if somebody asked for it already.
            user = getattr(request, "_cached_user", None)
            if user is not None and user.pk:
                entry["user"] = user.pk
        extras = {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
        entry |= {name: clean(name, value) for name, value in extras.items()}
        if record.exc_info:
            entry["exception"] = scrub(self.formatException(record.exc_info))
        # json escapes line breaks and control characters.
        return json.dumps(entry, default=str, ensure_ascii=True)


def _printable(line: str) -> str:
    return "".join(char if char.isprintable() or char == "\t" else f"\\x{ord(char):02x}" for char in line)


def config(*, is_json: bool, level: str) -> dict[str, Any]:
    """Django's LOGGING."""
    plain = {
        "()": "parking.logs.PlainFormatter",
        "format": "{asctime} {levelname} {name} {message}",
        "style": "{",
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "parking.logs.JsonFormatter"} if is_json else plain},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
        # Django's own handlers would write the same lines again, unscrubbed.
        "loggers": {
            "django": {"handlers": [], "propagate": True},
            "django.server": {"handlers": [], "propagate": True},
        },
    }
