"""The real server on a port of its own, and how much memory and processor it takes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    environment: dict[str, str], *, workers: int = 2, threads: int = 4, processes: tuple[str, ...] = ("web",)
) -> Iterator[int]:
    """The Procfile's processes with the benchmark's settings; gives web's port."""
    port = free_port()
    env = {
        **os.environ,
        **environment,
        "PORT": str(port),
        "WEB_WORKERS": str(workers),
        "WEB_THREADS": str(threads),
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "parking.start", name],
            cwd=ROOT,
            env=env,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
        )
        for name in processes
    ]
    try:
        _await(port, started[0])
        yield port
    finally:
        for process in started:
            with suppress(ProcessLookupError):  # it ended by itself; why, has been said
                os.killpg(process.pid, signal.SIGTERM)
        for process in started:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(900):
        if process.poll() is not None:
            raise SystemExit(f"The server stopped at once (exit code {process.returncode}).")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("The server did not come up in 90 seconds.")
