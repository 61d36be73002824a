"""Production starts only when it is safe, and every answer carries its headers."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.staff import verify

HOME = Path(__file__).resolve().parents[2]


def start(tmp_path: Path, *command: str, **changed: str | None) -> subprocess.CompletedProcess[str]:
    env: dict[str, str | None] = {
        "PATH": os.environ["PATH"],
        "ENV_FILE": os.devnull,
        "DEBUG": "false",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "JWT_SECRET_KEY": secrets.token_urlsafe(64),
        "ALLOWED_HOSTS": "park.example.com",
        "BASE_URL": "https://park.example.com",
        "VAR_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
        **changed,
    }
    clean = {name: value for name, value in env.items() if value is not None}
    run = [sys.executable, str(HOME / "manage.py"), *command]
    return subprocess.run(run, env=clean, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.promise("S1-20")
@pytest.mark.slow
def test_the_deployment_check_finds_nothing(tmp_path: Path):
    done = start(tmp_path, "check", "--deploy", "--fail-level", "WARNING")

    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"SECRET_KEY": None}, "SECRET_KEY"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY"),
        ({"SECRET_KEY": "change-me-" * 8}, "SECRET_KEY"),
        ({"JWT_SECRET_KEY": "ab" * 40}, "JWT_SECRET_KEY"),
        ({"SECRET_KEY": "0123456789abcdef" * 4, "JWT_SECRET_KEY": "0123456789abcdef" * 4}, "JWT_SECRET_KEY"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS"),
        ({"ALLOWED_HOSTS": "park.example.com,*"}, "ALLOWED_HOSTS"),
        ({"SECURE_COOKIES": "false"}, "SECURE_COOKIES"),
    ],
)
def test_production_does_not_start_with(changed: dict[str, str | None], told: str, tmp_path: Path):
    done = start(tmp_path, "version", **changed)

    assert done.returncode != 0
    assert told in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/accounts/login/", "/nowhere/", "/api/v1/nowhere/"])
def test_every_answer_carries_the_strict_policy(path: str, client: Client):
    answer = client.get(path)

    policy = dict(part.strip().partition(" ")[::2] for part in answer["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["X-Frame-Options"] == "DENY"
    assert "camera=()" in answer["Permissions-Policy"]


@pytest.mark.django_db
def test_only_the_back_office_may_evaluate(client: Client):
    operator = User.objects.create_user("o@example.com", None, is_staff=True, is_superuser=True)
    policy = verify(client, operator).get("/admin/")["Content-Security-Policy"]

    assert "script-src 'self' 'unsafe-eval'" in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
    assert "frame-ancestors 'none'" in policy


@pytest.mark.django_db
def test_private_pages_are_not_kept(client: Client, alice: Any):
    client.force_login(alice)

    for path in ["/accounts/profile/", "/accounts/vehicles/", "/accounts/privacy/", "/bookings/"]:
        assert "no-store" in client.get(path)["Cache-Control"], path
