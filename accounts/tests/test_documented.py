"""The examples of docs/api-accounts.md, run as they stand, one after another."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from accounts.models import Notice, RateLimit
from accounts.tests.conftest import code_for

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api-accounts.md"
EMAIL = "ada@example.com"


def examples() -> list[tuple[str, int, str]]:
    """(command, status, what is promised about the answer) of each block."""
    found = []
    for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL):
        command, _mark, promise = block.partition("\n# ")
        status, _colon, words = promise.strip().partition(":")
        found.append((command.replace("\\\n", " "), int(status), words))
    return found


def run(command: str, known: dict[str, str]) -> Any:
    for name, value in known.items():
        command = command.replace(f"${name}", value)
    words = shlex.split(command)
    assert words.pop(0) == "curl"
    method, path, body, headers = "GET", "", "", {}
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-H":
            name, _colon, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = words.pop(0)
        else:
            path = word
    return Client().generic(method, path, body, content_type="application/json", headers=headers)


@pytest.mark.promise("S3-20")
@pytest.mark.django_db
def test_the_documented_calls_do_what_they_say():
    known = {"BASE": ""}
    assert len(examples()) == 10
    for command, status, words in examples():
        RateLimit.objects.all().delete()  # as if the reader took a minute between them
        if Notice.objects.filter(recipient=EMAIL, is_urgent=True).exists():
            known["CODE"] = code_for(EMAIL) if "$CODE" in command else ""
        answer = run(command, known)

        assert answer.status_code == status, (command, answer.content)
        body = answer.json()
        meta, data = body.get("meta", {}), body.get("data", {})
        known["SESSION"] = meta.get("session_token", known.get("SESSION", ""))
        known["ACCESS"] = meta.get("access_token", data.get("access_token", known.get("ACCESS", "")))
        known["REFRESH"] = meta.get("refresh_token", data.get("refresh_token", known.get("REFRESH", "")))
        pending = re.match(r".*?(\w+) is_pending", words)
        if pending:
            flows = {flow["id"]: flow for flow in data["flows"]}
            assert flows[pending[1]]["is_pending"]
        for name in re.findall(r"(?:meta|data)\.(\w+)", words):
            assert name in {**meta, **data}, (command, name)
