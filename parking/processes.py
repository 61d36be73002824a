"""The Procfile's processes under one roof: started together, and none left behind."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from honcho.environ import parse_procfile
from honcho.manager import Manager

TICK = 0.3  # seconds


class Processes(Manager):
    """honcho's manager, which a signal in the first moments, a closed terminal or a lost parent stop too."""

    def __init__(self, beside: Callable[[], None]):
        super().__init__()
        self._beside = beside
        self._asked_early = False

    def add_all(self, procfile: Path, env: dict[str, str]) -> None:
        for name, command in parse_procfile(procfile.read_text()).processes.items():
            self.add_process(name, command, env=env, cwd=str(procfile.parent))

    def _start(self) -> None:
        signal.signal(signal.SIGHUP, _as_sigterm)
        super()._start()
        # After the forks: a thread must not be running while a process forks.
        threading.Thread(target=self._beside, daemon=True).start()

    # honcho learns a process's id from its first message; asked to stop before that it would fail and
    # leave the process running.

    def terminate(self) -> None:
        if super()._all_started():
            super().terminate()
        else:
            self._asked_early = True

    def _all_started(self) -> bool:
        started = bool(super()._all_started())
        if started and self._asked_early:
            self._asked_early = False
            super().terminate()
        return started


def stop_when_gone(token: Path | None, parent: int) -> bool:
    """Whoever started us is gone, or took away the file that says "go on": ask ourselves to stop."""
    if (token is None or token.exists()) and os.getppid() == parent:
        return False
    os.kill(os.getpid(), signal.SIGTERM)
    return True


def _as_sigterm(_signal: int, _frame: FrameType | None) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
