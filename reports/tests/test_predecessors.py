"""The page for those who come from a predecessor names only calls there are."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from rest_framework.test import APIClient

from reports.api_jobs import BY_HAND

CALL = re.compile(r"`(GET|POST|PATCH|DELETE) (/?[a-z][^ `]*)`")


@pytest.mark.django_db
def test_every_call_on_the_page_exists():
    schema = APIClient().get("/api/schema/", headers={"Accept": "application/json"}).json()["paths"]
    text = (settings.BASE_DIR / "docs" / "api-predecessors.md").read_text()
    ours = [row.rsplit(" | ", 1)[1] for row in text.splitlines() if row.startswith("| ") and " | " in row]

    calls = {(found[0], found[1]) for cell in ours for found in CALL.findall(cell)}

    assert len(calls) > 30
    missing = {call for call in calls if call[0].lower() not in schema.get(_path(call[1]), {})}
    assert missing == set()


def _path(written: str) -> str:
    path = written if written.startswith("/") else f"/api/v1/{written}"
    name = re.fullmatch(r"/api/v1/jobs/([a-z-]+|\{id\})/", path)
    if name and (name[1] in BY_HAND or name[1] == "{id}"):
        return "/api/v1/jobs/{job}/"
    return path
