"""What a first visit costs: bytes on the wire, as a browser that knows nothing of us would fetch them."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import brotli
import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from bookings.tests.factories import make_lot
from tests.stage import Visitor, everybody, unvisited

pytestmark = pytest.mark.django_db
MOST_BYTES = 120_000
# What a page makes a browser fetch by itself.
FETCHED = re.compile(r'<(?:link|script|img|use)\b[^>]*?(?:href|src)="(/static/[^"#?]+)')


def first_visit(html: bytes) -> dict[str, int]:
    files = sorted(set(FETCHED.findall(html.decode())))
    paths = {name: finders.find(name.removeprefix("/static/")) for name in files}
    assert None not in paths.values()
    # Pages are compressed as they are made; collectstatic compresses files once, and thoroughly.
    weights = {name: len(brotli.compress(Path(str(path)).read_bytes())) for name, path in paths.items()}
    return {"page": len(gzip.compress(html, 6))} | weights


def test_a_first_visit_is_light_on_every_page(settings):
    visitors = everybody(settings)
    make_lot(120, name="Large")

    for visitor in [*visitors, Visitor(Client(), ["/lots/large/"])]:
        for page in visitor.pages:
            answer = visitor.client.get(page)
            assert answer.status_code == 200, page
            parts = first_visit(answer.content)
            assert "/static/site.css" in parts
            assert sum(parts.values()) <= MOST_BYTES, (page, parts)


def test_every_page_is_visited(settings):
    assert unvisited(everybody(settings)) == set()
    assert unvisited([]) > {"lots:search", "guests:label", "bookings:detail"}


def test_the_lightness_is_measured_with_what_the_page_links():
    parts = first_visit(
        b'<link rel="stylesheet" href="/static/site.css"><script src="/static/site.js"></script>'
    )

    assert set(parts) == {"page", "/static/site.css", "/static/site.js"}
    assert min(parts.values()) > 50
