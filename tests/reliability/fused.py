"""Parkwell's server with a fuse: it dies like a machine without power once a booking's answer is made."""

from __future__ import annotations

import os
import signal
from typing import Any

from parking.wsgi import application as parkwell


def application(environ: dict[str, Any], start_response: Any) -> Any:
    answer = parkwell(environ, start_response)
    if environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"] == "/api/v1/bookings/":
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
