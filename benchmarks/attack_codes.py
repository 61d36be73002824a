"""The deep version of accounts/tests/test_codes.py: many wrong codes at once, for many rounds.

    python benchmarks/attack_codes.py --parallel 100 --rounds 50 --flows "sign in, API"

Attacks only a test database it makes itself and throws away, in this very process: nothing is sent over
the net. DATABASE_URL chooses the kind, as it does for the tests. `--canary` takes the guard away, to see
that the attack would get through. Exits with 1 when a round let more than five codes be evaluated.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "parking.settings")

import django

MOST = 5  # evaluated codes a round


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parallel", type=int, default=100, choices=range(2, 501), metavar="2..500")
    parser.add_argument("--rounds", type=int, default=50, choices=range(1, 1001), metavar="1..1000")
    parser.add_argument("--flows", nargs="*", help='such as "sign in, API"; all of them when left out')
    parser.add_argument("--minutes", type=float, default=60, help="stop then, and say how far it went")
    parser.add_argument("--canary", action="store_true")
    return parser.parse_args()


class Spy:
    """Counts the codes that are really compared with the right one."""

    def __init__(self) -> None:
        from allauth.account import forms
        from allauth.headless.account import inputs
        from django_otp.plugins.otp_email.models import EmailDevice

        self.seen = 0
        self._compare = forms.compare_user_code
        forms.compare_user_code = inputs.compare_user_code = self
        verify = EmailDevice.verify_token

        def verify_token(device: EmailDevice, token: str) -> bool:
            self.seen += 1
            return verify(device, token)

        EmailDevice.verify_token = verify_token

    def __call__(self, *, actual: str, expected: str) -> bool:
        self.seen += 1
        return self._compare(actual=actual, expected=expected)


def round_of(name: str, email: str, parallel: int, spy: Spy) -> tuple[int, Counter[int]]:
    from accounts.models import RateLimit
    from accounts.tests.flows import attack

    spy.seen = 0
    RateLimit.objects.all().delete()  # the caller's own address has its limit too
    statuses = attack(name, email, parallel)
    return spy.seen, Counter(statuses)


def run(name: str, wanted: argparse.Namespace, spy: Spy, until: float) -> bool:
    evaluated: Counter[int] = Counter()
    statuses: Counter[int] = Counter()
    begin = time.monotonic()
    for number in range(wanted.rounds):
        if time.monotonic() > until:
            break
        seen, answered = round_of(
            name, f"r{abs(hash(name)) % 10**8}n{number}@example.com", wanted.parallel, spy
        )
        evaluated[seen] += 1
        statuses += answered
    rounds, most = evaluated.total(), max(evaluated, default=0)
    took = (time.monotonic() - begin) / max(rounds, 1)
    print(
        f"{name:14} {wanted.parallel:3} at once, {rounds}/{wanted.rounds} rounds, {took:.2f} s each: "
        f"codes evaluated in a round: at most {most} {dict(sorted(evaluated.items()))}; "
        f"answers {dict(sorted(statuses.items()))}",
        flush=True,
    )
    return most <= MOST and max(statuses, default=0) < 500


def main() -> int:
    wanted = arguments()
    django.setup()
    logging.disable()
    from django.conf import settings
    from django.db import connection
    from django.test.utils import setup_test_environment, teardown_test_environment

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    setup_test_environment()
    settings.EMAIL_BACKEND = "accounts.outbox.OutboxBackend"
    with tempfile.TemporaryDirectory() as folder:
        if connection.vendor == "postgresql":
            # All run in this one process, hundreds to a pool of ten: a web server has no more threads than
            # it has connections. Were they refused for want of one, fewer codes would be tried.
            connection.settings_dict["OPTIONS"]["pool"]["timeout"] = 60
        if connection.vendor == "sqlite":  # in memory there would be no locks to test
            connection.settings_dict["TEST"]["NAME"] = f"{folder}/attack.sqlite3"
        name = connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            return attack_all(wanted)
        finally:
            connection.creation.destroy_test_db(name, verbosity=0)
            teardown_test_environment()


def attack_all(wanted: argparse.Namespace) -> int:
    from accounts import doors, limits
    from accounts.tests.flows import ALL_FLOWS

    if wanted.canary:
        doors.guard = lambda request, door: None
        limits.STAFF_CODE = limits.Limit("second factor", 1_000_000, limits.HOUR)
    spy, until = Spy(), time.monotonic() + wanted.minutes * 60
    outcomes = [run(name, wanted, spy, until) for name in wanted.flows or ALL_FLOWS]
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    raise SystemExit(main())
