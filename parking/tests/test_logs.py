"""Nothing that could be used, or that tells who it was, is written to a log."""

from __future__ import annotations

import io
import json
import logging
import sys
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from parking import logs

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
SENTINELS = {
    "e-mail": "sentinel@example.com",
    "JWT": JWT,
    "password": "s3ntinel-pass",
    "code": "918273",
    "plate": "SENT 1NEL",
    "card token": "sk_live_sentinel0123",
    "session": "k2gkmc0h869njv4u79m46twzyw71ltmt",
}


@pytest.fixture(params=["json", "plain"])
def written(request: Any) -> Any:
    """A logger, and what it wrote."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    as_set = logs.config(is_json=request.param == "json", level="DEBUG")["formatters"]["line"]
    is_json = request.param == "json"
    handler.setFormatter(
        logs.JsonFormatter() if is_json else logs.PlainFormatter(as_set["format"], style="{")
    )
    logger = logging.getLogger(f"test.{request.param}")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.DEBUG)
    logger.read = stream.getvalue  # type: ignore[attr-defined]
    return logger


@pytest.mark.parametrize(
    "line",
    [
        "mail to {e-mail} failed",
        "Authorization: Bearer {JWT}",
        "got {JWT} from a client",
        "POST /login?password={password}&next=/",
        '{{"password": "{password}", "code": "{code}"}}',
        "code={code}",
        "plate: '{plate}'",
        "key {card token} refused",
        "Cookie: sessionid={session}; csrftoken={session}",
        "GET /g/{session}/ 200",
        'DETAIL:  Key (lower(email))=({e-mail}) already exists, plate="{plate}"',
    ],
)
def test_secrets_in_running_text_are_hidden(line: str, written: Any):
    written.warning(line.format(**SENTINELS))

    assert [name for name, secret in SENTINELS.items() if secret in written.read()] == []


def test_secrets_in_extras_are_hidden_by_their_names(written: Any):
    written.info(
        "x", extra={"plate": SENTINELS["plate"], "data": {"code": "918273", "deep": [{"token": JWT}]}}
    )

    assert [name for name, secret in SENTINELS.items() if secret in written.read()] == []


def test_secrets_in_exceptions_are_hidden(written: Any):
    try:
        raise ValueError(f"email={SENTINELS['e-mail']} password={SENTINELS['password']}")
    except ValueError:
        written.exception("failed", exc_info=sys.exc_info())

    assert "ValueError" in written.read()
    assert [name for name, secret in SENTINELS.items() if secret in written.read()] == []


def test_one_event_is_one_line_whatever_a_caller_sends(written: Any):
    written.warning("agent %s", "evil\r\n2026-01-01 INFO forged \x1b[31mred\x00")

    assert len(written.read().splitlines()) == 1
    assert "\x1b" not in written.read()


def test_a_json_line_says_when_what_and_for_which_request():
    record = logging.makeLogRecord({"name": "n", "levelname": "INFO", "msg": "hello %s", "args": ("you",)})
    record.door = "account_login"
    token = logs.request_id.set("abc")
    try:
        entry = json.loads(logs.JsonFormatter().format(record))
    finally:
        logs.request_id.reset(token)

    assert (entry["level"], entry["message"], entry["request_id"]) == ("INFO", "hello you", "abc")
    assert entry["door"] == "account_login"
    assert entry["time"].endswith("+00:00")


@pytest.mark.django_db
def test_a_whole_sign_up_and_sign_in_leaves_no_trace_of_who_it_was(caplog: Any, settings: Any):
    settings.EMAIL_BACKEND = "accounts.outbox.OutboxBackend"
    caplog.set_level(logging.DEBUG)
    caplog.handler.setFormatter(logs.JsonFormatter())
    email, password = SENTINELS["e-mail"], SENTINELS["password"] + "-long-enough"
    client = Client(raise_request_exception=False)
    client.post("/accounts/signup/", {"email": email, "password1": password})
    client.post("/accounts/confirm-email/", {"code": "918273"})
    client.post(f"/accounts/login/?password={password}", {"login": email, "password": password + "!"})
    client.get(f"/nowhere/?email={email}&token={JWT}", headers={"Authorization": f"Bearer {JWT}"})
    for _try in range(7):
        client.post(
            "/api/auth/app/v1/auth/login", {"email": email, "password": "x"}, content_type="application/json"
        )

    # Statements hold what they write; they are logged only where DEBUG asks for them.
    lines = [caplog.handler.format(r) for r in caplog.records if not r.name.startswith("django.db")]
    assert len(lines) > 5
    found = [name for name, secret in SENTINELS.items() if any(secret in line for line in lines)]
    assert found == []
    assert all(json.loads(line)["request_id"] for line in lines if '"django.request"' in line)
    assert User.objects.exists()


def test_the_status_of_an_answer_is_no_secret_and_a_code_is() -> None:
    assert logs.clean("status_code", 404) == 404
    assert logs.clean("login_code", "123456") == logs.HIDDEN


@pytest.mark.django_db
def test_the_probes_answers_carry_an_id_of_their_own(client: Client) -> None:
    first, second = (client.get("/readyz")["X-Request-ID"] for _i in range(2))
    assert first != second
