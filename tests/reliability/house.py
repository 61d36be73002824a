"""Parkwell as it runs: the Procfile's processes, a Redis and a PostgreSQL of one's own to be broken."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis
from django.conf import settings
from django.db import connection

ROOT = Path(settings.BASE_DIR)
PATIENCE = 60.0  # seconds
# RELIABILITY=long runs each test as long as the promise is worded; the suite runs a short version.
LONG = os.environ.get("RELIABILITY") == "long"
REDIS_SERVER = shutil.which("redis-server")
# Once is enough; these are about processes, and PostgreSQL is what several of them share in earnest.
once = pytest.mark.skipif(connection.vendor != "postgresql", reason="run with PostgreSQL")
needs_redis = pytest.mark.skipif(REDIS_SERVER is None, reason="there is no redis-server to start and kill")


def until(what: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """What it gives, once that is true; fails the test when it never is."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.05)
    pytest.fail(f"waited {seconds:.0f} s in vain for {getattr(what, '__name__', what)}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def database_url() -> str:
    """The test's own database, for processes beside it."""
    found = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{found['NAME']}"
    who = f"{quote(found['USER'])}:{quote(found['PASSWORD'], safe='')}"
    return f"postgres://{who}@{found['HOST']}:{found['PORT'] or 5432}/{found['NAME']}"


class House:
    """Starts processes and ends each of them when the test is over."""

    def __init__(self, var: Path):
        self.var = var
        self.port = free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "EMAIL_URL")},
            "ENV_FILE": os.devnull,
            "DEBUG": "true",
            "VAR_DIR": str(var),
            "SECRET_KEY": settings.SECRET_KEY,
            "JWT_SECRET_KEY": settings.JWT_SECRET_KEY,
            "DATABASE_URL": database_url(),
            "PORT": str(self.port),
            "WEB_WORKERS": "1",
            "THROTTLE_USER": "",
            "THROTTLE_ANON": "",
        }
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, app: str = "parking", **environment: str) -> subprocess.Popen[bytes]:
        """One of the Procfile's; `app` names another Celery application for it."""
        command = [sys.executable, "-m", "parking.start", name]
        if app != "parking":
            words = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())[name]
            program, *arguments = words.replace("-A parking", f"-A {app}").split()
            command = [str(Path(sys.executable).parent / program), *arguments]
        return self.run(command, name, **environment)

    def run(self, command: list[str], log: str, **environment: str) -> subprocess.Popen[bytes]:
        with (self.var / f"{log}.log").open("ab") as file:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**self.environment, **environment},
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def log(self, name: str) -> str:
        return (self.var / f"{name}.log").read_text(errors="replace")

    def start_web(self) -> None:
        self.start("web")
        until(lambda: self.get("/healthz")[0] == 200)

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], str]:
        return self.ask("GET", path, None, headers)

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers (in small letters) and text; status 0 where nobody answers."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(link):
            try:
                link.request(method, path, json.dumps(body) if body else None, headers or {})
                answer = link.getresponse()
                return answer.status, _lower(answer.headers), answer.read().decode(errors="replace")
            except OSError:
                return 0, {}, ""

    def close(self) -> None:
        for process in self._started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGCONT)
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _lower(headers: http.client.HTTPMessage) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


class Redis:
    """A Redis that remembers nothing, to be killed, stopped and frozen."""

    def __init__(self, house: House):
        self.house, self.port = house, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = [str(REDIS_SERVER), "--port", str(self.port), "--bind", "127.0.0.1"]
        self.process = self.house.run(
            [*command, "--save", "", "--appendonly", "no", "--dir", str(self.house.var)], "redis"
        )
        link = redis.Redis(port=self.port, socket_timeout=1)
        until(lambda: _answers(link))
        link.close()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)


def _answers(link: redis.Redis) -> bool:
    try:
        return bool(link.ping())
    except redis.RedisError:
        return False


@pytest.fixture
def house(tmp_path: Path, transactional_db: None) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()
    connection.close()
