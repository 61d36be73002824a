"""The map is there only where tiles are, and the list does without it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.utils import timezone

from bookings.tests.factories import make_lot, park

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TILES = "https://tiles.example.com/{z}/{x}/{y}.png"
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


@pytest.fixture
def lots() -> list[Any]:
    now = timezone.now()
    return [
        make_lot(6, name="Quay", latitude="53.5430", longitude="9.9660", now=now),
        make_lot(2, name="Harbour", latitude="53.5460", longitude="9.9790", now=now),
        make_lot(1, name="Nowhere", now=now),
    ]


@pytest.mark.django_db
def test_without_tiles_nothing_of_a_map_is_there(client: Any, lots: list[Any]):
    page = client.get("/")

    assert "map-box" not in page.content.decode()
    assert "map.js" not in page.content.decode()
    assert "img-src 'self' data:;" in page["Content-Security-Policy"] + ";"


def test_the_map_shows_what_the_list_shows(new_page: Any, settings: Any, lots: list[Any]):
    settings.MAP_TILE_URL = TILES
    page = new_page()
    tiles: list[str] = []

    def tile(route: Any) -> None:
        tiles.append(route.request.url)
        route.fulfill(body=PIXEL, content_type="image/png")

    page.route("https://tiles.example.com/**", tile)
    page.goto("/")
    assert tiles == []
    page.locator("#map-box summary").press("Enter")
    pin = page.get_by_role("button", name="Quay: 6 of 6 free, €5.00")
    pin.wait_for()
    assert page.locator(".pw-pin").count() == 2
    assert "OpenStreetMap" in page.locator("#map").inner_text()
    page.wait_for_function("document.querySelector('.leaflet-tile-loaded') !== null")
    assert tiles

    park(lots[0], None, now=timezone.now())
    pin = page.get_by_role("button", name="Quay: 5 of 6 free")
    pin.wait_for(timeout=12_000)
    pin.press("Enter")
    page.locator("#map").get_by_role("link", name="Quay").press("Enter")
    page.wait_for_url("**/lots/quay/")
    # Only the page with the map may fetch from there.
    assert page.request.get("/lots/quay/").headers["content-security-policy"].count("tiles.example.com") == 0
