"""Start everything on this machine: check, set up, then the Procfile's web, worker and beat."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connection

from parking import doctor
from parking.processes import TICK, Processes, stop_when_gone

DEMO_PASSWORD = "parkwell-demo"  # noqa: S105  the demo's, in DEBUG only
DEMO_USERS = ["driver@example.com", "second@example.com", "operator@example.com (operator)"]


class Command(BaseCommand):
    help = "Set up the database and start web, worker and beat. Ctrl-C stops all three."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--while", dest="token", type=Path, help="make this file, and stop when somebody deletes it"
        )

    def handle(self, *args: Any, token: Path | None, **options: Any) -> None:
        parent = os.getppid()
        try:
            if token:
                token.touch()
            code = self._run(token, parent)
        except KeyboardInterrupt:
            code = 130
        finally:
            if token:
                token.unlink(missing_ok=True)
        sys.exit(code)

    def _run(self, token: Path | None, parent: int) -> int:
        host = os.environ.get("HOST", "127.0.0.1")
        check_port(host, settings.PORT)
        # No pool in this process: it hides why there is no answer, and its threads must not be forked.
        connection.settings_dict["OPTIONS"].pop("pool", None)
        check_database()
        self.stdout.write("Preparing the database …")
        call_command("setup", stdout=self.stdout)
        if settings.DEBUG and "demo" in get_commands():
            call_command("demo", "--if-empty", stdout=self.stdout)
        connection.close()

        def beside() -> None:
            told = False
            while not stop_when_gone(token, parent):
                if not told and _answers(host, settings.PORT):
                    told = True
                    self.stdout.write(greeting())
                    self.stdout.flush()
                time.sleep(TICK)

        processes = Processes(beside)
        processes.add_all(settings.BASE_DIR / "Procfile", _environment())
        processes.loop()
        return processes.returncode or 0


def check_port(host: str, port: int) -> None:
    advice = "stop what uses it or choose another: PORT=8001 make run."
    if not 1 <= port <= 65535:
        raise CommandError(f"Port {port} does not exist; set PORT to a number from 1 to 65535.")
    # The browser may take "localhost" for the other address family, where somebody else may listen.
    if _answers("localhost", port):
        raise CommandError(f"Port {port} is taken; {advice}")
    try:
        with socket.create_server((host, port)):
            pass
    except PermissionError:
        raise CommandError(
            f"Port {port} is not for ordinary users; choose one above 1023 with PORT."
        ) from None
    except OSError as error:
        raise CommandError(f"Port {port} of {host} cannot be used ({error.strerror}); {advice}") from None


def check_database() -> None:
    try:
        doctor.try_writing()
    except Error as error:
        reason = str(error).strip().splitlines()[0]
        name = connection.settings_dict["NAME"]
        raise CommandError(
            f"The database {name} cannot be written ({reason}); see to that or name another in DATABASE_URL."
        ) from None


def greeting() -> str:
    lines = ["", f"Parkwell is at http://localhost:{settings.PORT}/"]
    if settings.DEBUG:
        lines += [
            f"Sign in as {', '.join(DEMO_USERS[:-1])} or {DEMO_USERS[-1]}, password {DEMO_PASSWORD}",
            f"Outgoing mail is kept at http://localhost:{settings.PORT}/outbox/",
        ]
    return "\n".join([*lines, "Ctrl-C stops everything.", ""])


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def _environment() -> dict[str, str]:
    """The commands of this very Python first, whether or not its environment was activated."""
    here = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PATH": os.pathsep.join([here, os.environ.get("PATH", "")]),
        "PORT": str(settings.PORT),
        "PYTHONUNBUFFERED": "1",
    }
