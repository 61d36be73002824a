"""One process of the Procfile at a time, for containers and systemd, and the probe that asks the web one."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from honcho.environ import parse_procfile

from parking import probe, start

HOME = Path(__file__).resolve().parents[2]


def test_each_process_is_started_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(start.os, "execve", lambda _path, command, _env: started.append(command))
    commands = parse_procfile((HOME / "Procfile").read_text()).processes
    for name in commands:
        start.main([name])
    assert [command[-1] for command in started] == [f"exec {command}" for command in commands.values()]


def test_an_unknown_process_is_refused_with_the_names_there_are() -> None:
    command = [sys.executable, "-m", "parking.start", "wep"]
    done = subprocess.run(command, cwd=HOME, capture_output=True, text=True)
    assert done.returncode == 2
    assert "web, worker, beat" in done.stderr


@pytest.mark.promise("S1-23")
def test_units_and_compose_start_what_the_procfile_has() -> None:
    names = set(parse_procfile((HOME / "Procfile").read_text()).processes)
    compose = (HOME / "compose.yaml").read_text()
    for name in names:
        assert f'"parking.start", "{name}"' in compose
        unit = (HOME / "deploy" / "systemd" / f"parkwell-{name}.service").read_text()
        assert f"-m parking.start {name}\n" in unit


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (None, 1)])
def test_the_probe_asks_under_the_site_s_own_name(
    status: int | None, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str | None]] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Host"]))
            self.send_response(status or 0)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    monkeypatch.setenv("PORT", str(server.server_address[1]))
    monkeypatch.setenv("ALLOWED_HOSTS", ".park.example.com, other.example.com")
    if status is None:
        server.server_close()
        assert probe.main() == code
        return
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    assert probe.main() == code
    thread.join()
    server.server_close()
    assert asked == [("/healthz", "park.example.com")]
