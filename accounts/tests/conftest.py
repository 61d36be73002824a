"""Sign-up and sign-in on their real path: mail becomes rows, and the code is read from the row."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from accounts import limits
from accounts.models import Notice, User

API = "/api/auth/app/v1"
PASSWORD = "violet-harbour-42"


@pytest.fixture(autouse=True)
def mail_as_rows(settings: Any) -> None:
    """Django's test runner swaps the mail backend; these tests are about ours."""
    settings.EMAIL_BACKEND = "accounts.outbox.OutboxBackend"


def make_member(name: str, **fields: Any) -> User:
    """Somebody with a password whose address is verified."""
    user = User.objects.create_user(f"{name}@example.com", PASSWORD, name=name.title(), **fields)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


@pytest.fixture
def member(db: None) -> User:
    return make_member("mia")


def prove(client: Client) -> None:
    """Enter the password again, as changes of address and the like ask for."""
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})


def latest_mail(recipient: str) -> Notice:
    return Notice.objects.filter(recipient=recipient).latest("pk")


def code_for(recipient: str) -> str:
    found = re.search(r"^\s+(\d{6})$", latest_mail(recipient).text, re.MULTILINE)
    assert found, latest_mail(recipient).text
    return found[1]


def another(code: str) -> str:
    """A code that is certainly wrong."""
    return f"{(int(code) + 1) % 1_000_000:06d}"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    class Clock:
        at = time.time_ns() // 1000

        def move(self, seconds: float) -> None:
            self.at += int(seconds * limits.MICRO)

    clock = Clock()
    monkeypatch.setattr(limits, "_now", lambda: clock.at)
    return clock


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every code really compared with the right one, by allauth or by the second factor's device."""
    from allauth.account import forms
    from allauth.headless.account import inputs
    from django_otp.plugins.otp_email.models import EmailDevice

    seen: list[str] = []
    compare = forms.compare_user_code

    def spy(*, actual: str, expected: str) -> bool:
        seen.append(actual)
        return compare(actual=actual, expected=expected)

    monkeypatch.setattr(forms, "compare_user_code", spy)
    monkeypatch.setattr(inputs, "compare_user_code", spy)
    verify = EmailDevice.verify_token

    def spy_on_device(device: EmailDevice, token: str) -> bool:
        seen.append(token)
        return verify(device, token)

    monkeypatch.setattr(EmailDevice, "verify_token", spy_on_device)
    return seen


class Api:
    """A program that talks to the headless API and keeps its tokens."""

    def __init__(self, client: Client | None = None):
        self.client = client or Client()
        self.session = ""
        self.access = ""
        self.refresh = ""

    def call(self, method: str, path: str, data: Any = None, **headers: str) -> Any:
        if self.session:
            headers.setdefault("X-Session-Token", self.session)
        if self.access:
            headers.setdefault("Authorization", f"Bearer {self.access}")
        answer = self.client.generic(
            method,
            path if path.startswith("/api/v1") else API + path,
            json.dumps(data) if data is not None else "",
            content_type="application/json",
            headers=headers,
        )
        body = answer.json() if answer.content else {}
        meta = body.get("meta", {}) if isinstance(body, dict) else {}
        self.session = meta.get("session_token", self.session)
        self.access = meta.get("access_token", self.access)
        self.refresh = meta.get("refresh_token", self.refresh)
        return answer

    def post(self, path: str, data: Any = None, **headers: str) -> Any:
        return self.call("POST", path, data, **headers)


@pytest.fixture
def api() -> Api:
    return Api()
