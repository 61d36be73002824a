"""Every page drivers and guests see, with something on it, for the tests that go through all of them.

A new address is visited here or excused by name, or tests/test_budget.py fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.test import Client
from django.urls import URLPattern, get_resolver, resolve
from django.utils import timezone

from accounts.models import Vehicle
from bookings import services
from bookings.tests.factories import HOUR, make_lot, make_user, park, reserve
from reports import unsubscribe

ANYONE = [
    *("/", "/?q=nowhere", "/places/", "/lots/alexanderplatz/", "/lots/full/", "/offline/"),
    *("/lots/alexanderplatz/rules/", "/lots/alexanderplatz/usually/", "/help/rules/"),
    *("/accounts/login/", "/accounts/login/code/", "/accounts/signup/", "/accounts/password/reset/"),
]
SIGNED_IN = [
    *("/bookings/", "/bookings/calendar/", "/payments/", "/exports/", "/dashboard/", "/accounts/logout/"),
    *("/accounts/profile/", "/accounts/vehicles/", "/accounts/vehicles/add/", "/accounts/privacy/"),
    *("/accounts/sessions/", "/accounts/email/", "/accounts/password/change/"),
    "/lots/alexanderplatz/review/",
]
RUNNING = ["", "pass/", "extend/", "move/", "release/", "problem/"]
GUESTS = ["/s/stay/", "/s/stay/change/", "/s/stay/stop/"]
NO_PAGES = {
    "parts of pages": {
        *("bookings:live", "lots:results", "lots:live", "lots:quote", "guests:live", "guests:stay-live"),
    },
    "what forms send": {
        *("bookings:check-in", "bookings:waitlist-accept", "bookings:waitlist-snooze"),
        *("bookings:waitlist-leave", "lots:book", "lots:wait", "guests:book", "guests:extend", "guests:pay"),
        *("guests:forget", "accounts:vehicle-remove", "accounts:session-end", "set_language"),
    },
    "files, and what programs read": {
        *("bookings:pass-picture", "bookings:receipt-pdf", "bookings:calendar", "bookings:feed"),
        *("exports:file", "guests:receipt", "accounts:download", "worker", "payments:stripe-webhook"),
    },
    "only operators or developers see them": {
        *("staff:security", "staff:step-up", "staff:add-app", "staff:remove-app", "staff:backup-codes"),
        *("outbox:list", "outbox:mail", "outbox:html"),
    },
    "behind signing in afresh": {"accounts:erase"},
    "the same form of one field as on the pages before them, or the same note": {
        *("account_inactive", "account_reauthenticate", "account_email_verification_sent"),
        *("account_set_password", "account_confirm_login_code", "account_confirm_password_reset_code"),
        *("account_complete_password_reset", "account_password_reset_completed"),
    },
}


@dataclass(frozen=True)
class Visitor:
    client: Client
    pages: list[str]


def everybody(settings: Any) -> list[Visitor]:
    """Somebody without an account, a guest, and a driver with one booking of each kind."""
    settings.DEBUG = True  # the demo's card page is nowhere else
    now = timezone.now()
    lot = make_lot(6, name="Alexanderplatz", city="Berlin", country="DE", now=now - timedelta(days=9))
    lot.spots.filter(number="2").update(features="|ev|", connector="CHADEMO", power_kw=50)
    full = make_lot(1, name="Full", now=now - timedelta(days=9))
    park(full, None, now=now)
    return [Visitor(Client(), [*ANYONE, f"/s/{lot.code}/"]), _guest(lot), _driver(lot, full, now)]


def _guest(lot: Any) -> Visitor:
    client, label = Client(), f"/s/{lot.code}/"
    client.get(label)
    order = {"spot": "", "leaving": (timezone.now() + HOUR).isoformat(), "plate": "B AB 1", "email": ""}
    client.post(f"{label}book/", order)
    return Visitor(client, GUESTS)


def _driver(lot: Any, full: Any, now: Any) -> Visitor:
    alice = make_user("alice")
    alice.set_password("correct horse battery")
    alice.save()
    client = Client()
    client.force_login(alice)
    over = services.release(park(lot, alice, now=now - 2 * HOUR), by=alice, now=now)
    running = park(lot, alice, now=now)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    coming = reserve(lot, alice, now=midnight, starts_in=timedelta(hours=50))
    payment = services.pay(coming, provider_name="demo", by=alice, now=now)
    quarter = midnight + timedelta(hours=60)
    park_all = {"starts_at": quarter, "ends_at": quarter + HOUR}
    services.book(lot_id=full.pk, kind="reserved", driver=None, now=now, **park_all)
    waiting = services.join(lot_id=full.pk, driver=alice, now=now, **park_all)
    vehicle = Vehicle.objects.create(driver=alice, plate="B AB 1")
    client.post("/exports/", {"format": "csv"})
    export = alice.exports.get()
    pages = [f"/bookings/{running.reference}/{name}" for name in RUNNING]
    pages += [f"/bookings/{coming.reference}/{name}" for name in ("cancel/", "pay/")]
    pages += [f"/bookings/{over.reference}/{name}" for name in ("", "receipt/")]
    pages += [f"/payments/{payment.pk}/", f"/payments/{payment.pk}/demo/", f"/exports/{export.pk}/"]
    pages += [f"/bookings/waitlist/{waiting.reference}/", f"/accounts/vehicles/{vehicle.pk}/"]
    pages += [f"/unsubscribe/{unsubscribe.token(alice)}/"]
    return Visitor(client, SIGNED_IN + pages)


def unvisited(visitors: list[Visitor]) -> set[str]:
    """Names of addresses that no visitor goes to and nothing excuses."""
    pages = [page for visitor in visitors for page in visitor.pages]
    seen = {resolve(page.split("?")[0]).view_name for page in pages}
    return set(_named(get_resolver().url_patterns)) - seen - set().union(*NO_PAGES.values())


def _named(patterns: Any, space: str = "") -> Iterator[str]:
    for pattern in patterns:
        if str(pattern.pattern) in ("admin/", "api/", "api/auth/"):
            continue
        if not isinstance(pattern, URLPattern):
            yield from _named(pattern.url_patterns, pattern.namespace or space)
        elif pattern.name:
            yield f"{space}:{pattern.name}" if space else pattern.name
