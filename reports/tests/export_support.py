"""Asking for exports, making them, and reading what came out."""

from __future__ import annotations

import csv
import io
from typing import Any

from django.test import Client

from bookings.tests.factories import NOW
from reports import exports
from reports.export_models import Export


def asked(owner: Any, **wish: Any) -> Export:
    return exports.ask(owner=owner, kind=wish.pop("kind", "own-bookings"), now=NOW, **wish)


def made(owner: Any, **wish: Any) -> Export:
    export = asked(owner, **wish)
    exports.make_due(now=NOW)
    export.refresh_from_db()
    return export


def content(export: Export) -> bytes:
    with exports.open_file(export) as file:
        return file.read()


def fetched(url: str, client: Client | None = None) -> tuple[int, bytes]:
    """Status and file behind a link; read to its end, it is closed."""
    answer = (client or Client()).get(url)
    data = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return answer.status_code, data


def rows_of(data: bytes, **how: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), **how))
