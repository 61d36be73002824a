"""No page hinders anybody, as far as a machine can tell: axe, by WCAG 2.2 A and AA, in both themes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from bookings import services
from bookings.tests.factories import make_lot, make_user, park, reserve

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
AXE = (Path(__file__).parent / "vendor/axe-core/axe.min.js").read_text()
RULES = "{resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']}"
ANYONE = [
    *("/", "/?q=nowhere", "/places/", "/lots/alexanderplatz/", "/lots/full/"),
    *("/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"),
]
SIGNED_IN = [
    *("/bookings/", "/bookings/calendar/", "/payments/", "/exports/", "/dashboard/"),
    *("/accounts/profile/", "/accounts/vehicles/", "/accounts/privacy/", "/accounts/sessions/"),
    *("/accounts/email/", "/accounts/password/change/"),
]
CONTRAST = "{resultTypes: ['violations'], runOnly: ['color-contrast']}"
RUNNING = ["", "pass/", "extend/", "move/", "release/", "problem/"]


def found(page: Any) -> list[str]:
    """In the light; in the dark only the colours are other ones."""
    page.emulate_media(color_scheme="light")
    page.evaluate(AXE)
    violations = page.evaluate(f"axe.run(document, {RULES})")["violations"]
    page.emulate_media(color_scheme="dark")
    violations += page.evaluate(f"axe.run(document, {CONTRAST})")["violations"]
    return [f"{page.url} {v['id']}: {v['nodes'][0]['html'][:200]}" for v in violations]


def test_axe_sees_what_is_wrong(new_page):
    page = new_page()
    page.set_content(
        "<html lang=en><title>T</title><style>@media (prefers-color-scheme: dark) { h1 { color: #eee } }"
        "</style><main><h1>Title</h1><input><img src='data:,'></main></html>"
    )

    assert [line.split()[1] for line in found(page)] == ["image-alt:", "label:", "color-contrast:"]


def test_no_page_hinders_anybody(new_page, live_server):
    alice, now = make_user("alice"), timezone.now()
    lot = make_lot(6, name="Alexanderplatz", city="Berlin", country="DE", now=now - timedelta(days=9))
    lot.spots.filter(number="2").update(features="|ev|", connector="CHADEMO", power_kw=50)
    full = make_lot(1, name="Full", now=now - timedelta(days=9))
    park(full, None, now=now)
    over = services.release(park(lot, alice, now=now - timedelta(hours=2)), by=alice, now=now)
    running = park(lot, alice, now=now)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    coming = reserve(lot, alice, now=midnight, starts_in=timedelta(hours=50))
    mine = [f"/bookings/{running.reference}/{name}" for name in RUNNING]
    mine += [f"/bookings/{coming.reference}/cancel/", f"/bookings/{over.reference}/"]
    mine += [f"/bookings/{over.reference}/receipt/"]
    client = Client()
    client.force_login(alice)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}

    page = new_page(reduced_motion="reduce", bypass_csp=True)  # axe writes styles of its own
    wrong = []
    for address in ANYONE:
        page.goto(address)
        wrong += found(page)
    page.context.add_cookies([cookie])
    for address in SIGNED_IN + mine:
        assert page.goto(address).status == 200, address
        wrong += found(page)

    assert wrong == []
