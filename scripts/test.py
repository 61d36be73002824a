"""The whole suite: on SQLite, then on PostgreSQL and Redis where they answer. Says what was not run.

What no database can change (arithmetic, what a browser shows) is proven once.

Arguments go to pytest: `scripts/test.py bookings -k race`. With TEST_DEMANDS_ALL=1 whatever cannot be
run is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

POSTGRES = os.environ.get("TEST_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/15")
NOTHING_TO_RUN = 5  # as pytest says it
ROOT = Path(__file__).resolve().parent.parent
# What a developer may have set for the site they run must not reach the tests.
OURS = {
    *("ALLOWED_HOSTS", "BASE_URL", "CELERY_BROKER_URL", "CSRF_TRUSTED_ORIGINS", "DATABASE_URL", "EMAIL_URL"),
    *("HOST", "JWT_SECRET_KEY", "PORT", "REDIS_URL", "SECRET_KEY", "SECURE_SSL_REDIRECT", "VAR_DIR"),
    *("STRIPE_API_BASE", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "TRUSTED_PROXY_COUNT", "MAP_TILE_URL"),
}


def main(arguments: list[str]) -> int:
    missing = [why for why in (_no_postgres(), _no_redis(), _no_browser()) if why]
    if missing and os.environ.get("TEST_DEMANDS_ALL") == "1":
        print("Everything was asked for, and some is missing:", *missing, sep="\n  ")
        return 1

    results = [_run("SQLite", {}, arguments)]
    if not _no_postgres():
        redis = {} if _no_redis() else {"REDIS_URL": REDIS}
        name = "PostgreSQL and Redis" if redis else "PostgreSQL"
        results.append(_run(name, {"DATABASE_URL": POSTGRES, **redis}, ["--second-database", *arguments]))

    print("\n" + "=" * 80)
    for name, code, seconds in results:
        print(f"{name}: {'passed' if code == 0 else f'FAILED (pytest {code})'} in {seconds:.0f} s")
    for why in missing:
        print(f"Not run: {why}")
    return max(code for _name, code, _seconds in results)


def _run(name: str, extra: dict[str, str], arguments: list[str]) -> tuple[str, int, float]:
    print(f"\n{name}\n{'-' * len(name)}", flush=True)
    environment = {key: value for key, value in os.environ.items() if key not in OURS}
    processes = str(min(os.cpu_count() or 1, 4))
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="parkwell-test-") as var:
        environment |= {"DEBUG": "true", "ENV_FILE": os.devnull, "VAR_DIR": var, **extra}
        command = [sys.executable, "-m", "pytest", "-q", "--create-db", "-n", processes, *arguments]
        code = subprocess.run(command, cwd=ROOT, env=environment).returncode
    if "--second-database" in arguments and code == NOTHING_TO_RUN:
        code = 0
    return name, code, time.monotonic() - start


def _no_postgres() -> str:
    import psycopg

    try:
        with psycopg.connect(POSTGRES, connect_timeout=3):
            return ""
    except psycopg.Error as error:
        return f"anything on PostgreSQL; no answer at TEST_DATABASE_URL ({_first_line(error)})"


def _no_redis() -> str:
    import redis

    try:
        redis.Redis.from_url(REDIS, socket_connect_timeout=3).ping()
        return ""
    except redis.RedisError as error:
        return f"anything with Redis; no answer at TEST_REDIS_URL ({_first_line(error)})"


def _no_browser() -> str:
    return "" if _chromium() else "the browser's tests; there is no chromium"


def _chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
