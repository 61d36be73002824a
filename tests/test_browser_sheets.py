"""An import in a real browser: the pages of the back office allow no script or style of their own."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.tests.staff import verify
from bookings.tests.factories import make_lot, make_user
from lots.models import Lot

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_file_is_uploaded_mapped_confirmed_and_undone(new_page: Any, live_server: Any) -> None:
    make_lot(2, name="Alexanderplatz", now=timezone.now())
    client = verify(Client(), make_user("olga", is_staff=True, is_superuser=True))
    page = new_page(viewport={"width": 1280, "height": 900})
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}]
    )
    content = "slug;Bezeichnung;Preis\nalexanderplatz;Alex;3,50\n".encode("cp1252")

    page.goto(reverse("admin:lots_lot_changelist"))
    page.goto(page.get_by_role("link", name="Import CSV").get_attribute("href"))
    page.set_input_files("input[type=file]", {"name": "f.csv", "mimeType": "text/csv", "buffer": content})
    page.get_by_role("button", name="Check it").click()
    page.get_by_role("heading", name="Which column is which?").wait_for()
    page.get_by_role("button", name="Check it").click()
    page.get_by_role("button", name="Import it").click()
    page.get_by_role("button", name="Undo").wait_for()
    assert Lot.objects.get().name == "Alex"
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("undone", exact=True).wait_for()
    assert Lot.objects.get().name == "Alexanderplatz"
