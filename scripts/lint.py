"""Everything a machine can say about the code; all checks run, and any that fails fails the whole."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
BIN = Path(PYTHON).parent
CHECKS: list[tuple[str, list[str]]] = [
    ("style", [f"{BIN}/ruff", "check", "."]),
    ("shape", [f"{BIN}/ruff", "format", "--check", "--quiet", "."]),
    ("directions of imports", [f"{BIN}/lint-imports", "--no-cache"]),
    ("types", [f"{BIN}/mypy", "--no-error-summary"]),
    ("migrations", [PYTHON, "manage.py", "makemigrations", "--check", "--dry-run", "-v", "1"]),
    ("deployment", [PYTHON, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]),
]


def main() -> int:
    failed = []
    with tempfile.TemporaryDirectory(prefix="parkwell-lint-") as var:
        for name, command in CHECKS:
            start = time.monotonic()
            done = subprocess.run(
                command, cwd=ROOT, env=_environment(name, var), text=True, capture_output=True
            )
            seconds = time.monotonic() - start
            print(f"{name}: {'FAILED' if done.returncode else 'ok'} ({seconds:.0f} s)", flush=True)
            if done.returncode:
                failed.append(name)
                print(done.stdout, done.stderr, sep="", flush=True)
    print(f"lint: {', '.join(failed)} failed" if failed else "lint: all ok")
    return 1 if failed else 0


def _environment(name: str, var: str) -> dict[str, str]:
    settings = {"ENV_FILE": os.devnull, "VAR_DIR": var, "DATABASE_URL": f"sqlite:///{var}/db.sqlite3"}
    if name == "deployment":  # as production runs it
        settings |= {
            "DEBUG": "false",
            "SECRET_KEY": secrets.token_urlsafe(64),
            "JWT_SECRET_KEY": secrets.token_urlsafe(64),
            "ALLOWED_HOSTS": "parking.example.com",
            "BASE_URL": "https://parking.example.com",
        }
    return {**os.environ, **settings}


if __name__ == "__main__":
    sys.exit(main())
