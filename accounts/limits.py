"""How often something may be tried: one table, one statement, exact under any number of parallel requests.

The generic cell rate algorithm: a key's row holds the moment up to which its allowance is used. Taking
moves that moment by period/burst, unless it would then lie further ahead than one period. Looking and
moving are one statement, so two requests can never both take the last one; and it is taken *before* a
code or password is looked at, so a wrong guess cannot be had for free.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import time
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import RateLimit

MICRO = 1_000_000
MINUTE, HOUR, DAY = 60, 3600, 86400


@dataclass(frozen=True)
class Limit:
    """So many in so many seconds, at once or spread out."""

    name: str
    burst: int
    period: int  # seconds

    @property
    def step(self) -> int:
        """Microseconds one use costs, rounded up: never one more than promised."""
        return -(-self.period * MICRO // self.burst)


CODE_LIFE = 10 * MINUTE
# An allowance that comes back after twelve minutes never adds a sixth guess to a code.
CODE_TRY = Limit("code try", 5, HOUR)
CODE_USE = Limit("code use", 1, HOUR)
CODE_TRY_ADDRESS = Limit("code try, address", 10, HOUR)
CODE_TRY_IP = Limit("code try, ip", 60, HOUR)
MAIL_PAUSE = Limit("mail, pause", 1, MINUTE)
MAIL_HOUR = Limit("mail, hour", 5, HOUR)
MAIL_DAY = Limit("mail, day", 10, DAY)
ASK_IP = Limit("ask for a code, ip", 20, HOUR)
SIGN_UP_IP = Limit("sign up, ip", 20, HOUR)
PASSWORD = Limit("password", 5, 5 * MINUTE)
PASSWORD_IP = Limit("password, ip", 30, MINUTE)
STAFF_CODE = Limit("second factor", 5, HOUR)
EXPORT = Limit("export", 5, HOUR)
EXPORT_STAFF = Limit("export, staff", 10, HOUR)
JOB = Limit("job started by hand", 20, HOUR)
REFRESH_IP = Limit("refresh, ip", 120, MINUTE)
# Many phones share one address (a carrier's, the garage's own Wi-Fi); more at once is no queue of drivers.
GUEST_IP = Limit("park as a guest, ip", 20, HOUR)


class TooOften(Exception):
    """Refused by a limit; `retry_after` in whole seconds."""

    code = "too_many_requests"
    message = _("That was tried too often in a short time. Wait a little and try again.")

    def __init__(self, retry_after: int):
        self.retry_after = retry_after
        super().__init__(str(self.message))


def take(*wanted: tuple[Limit, str]) -> None:
    """Use up one of each; raises TooOften at the first that has none left."""
    for limit, key in wanted:
        wait = _take(limit, key)
        if wait:
            raise TooOften(wait)


def give_back(limit: Limit, key: str) -> None:
    """For a right password: only wrong ones are counted."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {_table()} SET tat = tat - %s WHERE key = %s",  # noqa: S608
            [limit.step, hashed(limit, key)],
        )


def forget_used_up(*, now_micros: int | None = None) -> int:
    """Rows whose moment has passed say nothing any more. Run by the nightly clean-up."""
    return RateLimit.objects.filter(tat__lt=now_micros or _now()).delete()[0]


def hashed(limit: Limit, key: str) -> str:
    """Addresses and session keys do not belong in this table: keyed, so that they cannot be tried out."""
    text = f"{settings.SECRET_KEY}|{limit.name}|{key}"
    return hashlib.sha256(text.encode()).hexdigest()


def client_ip(request: HttpRequest) -> str:
    """Who is calling: the connection, or what the trusted proxies in front of us say it was.

    X-Forwarded-For is a list anybody may start; only the entries our own proxies appended count.
    """
    count = settings.TRUSTED_PROXY_COUNT
    address = request.META.get("REMOTE_ADDR") or "unknown"
    if count:
        forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
        if len(forwarded) >= count and _network(forwarded[-count]):
            address = forwarded[-count]
    return address


def network(request: HttpRequest) -> str:
    """The key of a caller's address. Whoever has one IPv6 address has 2 to the 64 of them."""
    address = client_ip(request)
    return _network(address) or address


def _network(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def _take(limit: Limit, key: str) -> int:
    """0 when it was taken, else the seconds until it can be."""
    now = _now()
    period = limit.period * MICRO
    with connection.cursor() as cursor:
        cursor.execute(
            _statement(),
            {
                "key": hashed(limit, key),
                "first": now + limit.step,
                "now": now,
                "step": limit.step,
                "latest": now + period,
            },
        )
        if cursor.fetchone():
            return 0
        cursor.execute(f"SELECT tat FROM {_table()} WHERE key = %s", [hashed(limit, key)])  # noqa: S608
        row = cursor.fetchone()
    tat = row[0] if row else now
    return max(1, math.ceil((tat + limit.step - now - period) / MICRO))


def _statement() -> str:
    table = _table()
    used_until = f"CASE WHEN {table}.tat > %(now)s THEN {table}.tat ELSE %(now)s END"
    return f"""
        INSERT INTO {table} (key, tat) VALUES (%(key)s, %(first)s)
        ON CONFLICT (key) DO UPDATE SET tat = {used_until} + %(step)s
        WHERE {used_until} + %(step)s <= %(latest)s
        RETURNING tat
    """  # noqa: S608 (our own table's name)


def _table() -> str:
    return RateLimit._meta.db_table


def _now() -> int:
    return time.time_ns() // 1000
