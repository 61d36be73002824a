"""A page left open: it stays true, rests when nobody looks, and goes on after it was offline."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from bookings.models import Booking
from bookings.tests.factories import HOUR, make_lot, make_user, park
from lots.models import Lot

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SOON = 12_000  # ms: a look is due every 4 s, and the machine may be busy
GONE = "We cannot be reached right now."


@pytest.fixture
def quay() -> Lot:
    return make_lot(6, name="Quay", now=timezone.now() - HOUR)


def as_driver(page: Any, live_server: Any, user: Any) -> Any:
    client = Client()
    client.force_login(user)
    cookie = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
    return page


def looks(page: Any, path: str) -> list[int]:
    """The statuses of the page's own questions from now on, as they come in."""
    statuses: list[int] = []
    page.on("response", lambda answer: statuses.append(answer.status) if path in answer.url else None)
    return statuses


def hide(page: Any, hidden: bool) -> None:
    page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def test_a_count_that_moves_lights_up_and_nothing_new_costs_nothing(new_page: Any, quay: Lot):
    page = new_page()
    page.goto("/lots/quay/")
    page.wait_for_event("response", lambda answer: "/live/" in answer.url and answer.status == 304)

    park(quay, None, now=timezone.now())

    page.locator(".is-changed", has_text="5 of 6 free").wait_for(timeout=SOON)


def test_a_hidden_page_asks_nothing_and_catches_up_when_seen(new_page: Any, quay: Lot):
    page = new_page()
    page.goto("/lots/quay/")
    hide(page, True)
    statuses = looks(page, "/live/")
    park(quay, None, now=timezone.now())
    page.wait_for_timeout(9000)
    assert statuses == []

    hide(page, False)
    page.get_by_text("5 of 6 free").wait_for(timeout=3000)


def test_a_chosen_spot_that_is_taken_meanwhile_is_told(new_page: Any, quay: Lot):
    page = new_page()
    page.goto("/lots/quay/")
    page.fill("input[name=plate]", "B AB 1")
    with page.expect_response(re.compile("/live/")):
        page.fill("input[name=spot]", "3")
        page.locator("input[name=spot]").blur()

    park(quay, None, now=timezone.now(), spot_number="3")

    page.locator(".pw-message", has_text="Spot 3 is not free for that time any more.").wait_for(timeout=SOON)
    assert page.input_value("input[name=plate]") == "B AB 1"
    assert page.input_value("input[name=spot]") == "3"


def test_trouble_is_met_with_patience_and_told_once(new_page: Any, quay: Lot):
    page = new_page()
    page.goto("/lots/quay/")
    asked: list[str] = []

    def refuse(route: Any) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.fulfill(status=503, body="<!doctype html><h1>Rush hour</h1>", content_type="text/html")
        else:
            route.abort("internetdisconnected")

    page.route("**/live/**", refuse)
    page.get_by_text(GONE).wait_for(timeout=30_000)
    # Without patience it would have asked at 4, 8, 12, … s.
    page.wait_for_timeout(9000)
    assert len(asked) == 2

    page.unroute("**/live/**")
    page.evaluate("dispatchEvent(new Event('online'))")
    page.get_by_text("Connected again").wait_for(timeout=SOON)
    assert page.get_by_text(GONE).is_hidden()


@pytest.mark.promise("S4-47")
def test_offline_and_back(new_page: Any, quay: Lot):
    page = new_page()
    page.goto("/lots/quay/")
    page.fill("input[name=plate]", "B AB 1")

    page.context.set_offline(True)
    page.get_by_text(GONE).wait_for()
    park(quay, None, now=timezone.now())
    page.get_by_role("button", name="Sign in and book").click()
    page.locator(".pw-message[data-level=error]").wait_for()
    assert page.url.endswith("/lots/quay/")

    page.context.set_offline(False)
    page.get_by_text("5 of 6 free").wait_for(timeout=SOON)
    page.get_by_text("Connected again").wait_for()
    assert page.get_by_text(GONE).is_hidden()
    assert page.input_value("input[name=plate]") == "B AB 1"


def test_the_pass_opens_without_a_network_until_somebody_else_uses_the_device(
    new_page: Any, live_server: Any, quay: Lot
):
    alice, now = make_user("alice"), timezone.now()
    stay = park(quay, alice, now=now)
    page = as_driver(new_page(service_workers="allow"), live_server, alice)
    page.goto("/")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.wait_for_function("navigator.serviceWorker.controller !== null")
    page.goto(f"/bookings/{stay.reference}/pass/")

    page.context.set_offline(True)
    page.goto("/bookings/")
    page.get_by_role("heading", name="No connection").wait_for()
    page.get_by_role("link", name=f"Pass {stay.reference}").click()
    page.get_by_role("img", name=re.compile("QR")).wait_for()
    assert page.get_by_text(GONE).is_visible()
    # With its looks: the drawing is on a sheet as white as any printed one.
    assert page.locator(".pw-qr svg").bounding_box()["width"] > 150

    page.context.set_offline(False)
    page.context.clear_cookies()
    page.goto("/")
    page.wait_for_function("caches.has('kept').then((has) => !has)")
    page.context.set_offline(True)
    page.goto(f"/bookings/{stay.reference}/pass/")
    page.get_by_role("heading", name="No connection").wait_for()


def test_a_second_tab_learns_what_the_first_one_did(new_page: Any, live_server: Any, quay: Lot):
    alice, now = make_user("alice"), timezone.now()
    stay = park(quay, alice, now=now, ends_at=now + timedelta(hours=1))
    first = as_driver(new_page(), live_server, alice)
    second = first.context.new_page()
    for tab in (first, second):
        tab.goto(f"/bookings/{stay.reference}/")
    second.get_by_role("link", name="Extend").click()
    second.locator("#dialog-body button[name=ends]").first.wait_for()

    first.get_by_role("link", name="Leave").click()
    first.get_by_role("button", name="Leave and free the spot").click()
    first.get_by_text("completed").first.wait_for()

    # Stale as its question is, what the second tab sends is refused with the truth.
    second.locator("#dialog-body button[name=ends]").first.click()
    second.locator("#dialog-body .pw-note--stop").wait_for()
    second.keyboard.press("Escape")
    second.locator("#booking", has_text="completed").wait_for(timeout=SOON)
    assert Booking.objects.get().state == "completed"


def test_a_page_that_was_signed_out_elsewhere_leads_to_signing_in(new_page: Any, live_server: Any, quay: Lot):
    alice = make_user("alice")
    stay = park(quay, alice, now=timezone.now())
    page = as_driver(new_page(), live_server, alice)
    page.goto(f"/bookings/{stay.reference}/")

    page.context.clear_cookies()

    page.wait_for_url(f"**/accounts/login/?next=/bookings/{stay.reference}/", timeout=SOON)


def test_the_site_can_be_put_on_the_home_screen_and_its_bar_takes_the_chosen_theme(new_page: Any):
    page = new_page(color_scheme="dark")
    page.goto("/")
    browser = page.context.new_cdp_session(page)

    wrong = {
        error["errorId"] for error in browser.send("Page.getInstallabilityErrors")["installabilityErrors"]
    }
    assert wrong <= {"in-incognito"}  # as every test is
    assert browser.send("Page.getAppManifest")["errors"] == []
    bars = "[...document.querySelectorAll('meta[name=theme-color]')].map((bar) => bar.content)"
    assert page.evaluate(bars) == ["#ffffff", "#17211e"]
    page.get_by_role("button", name="Dark colours").click()
    assert page.evaluate(bars) == ["#ffffff", "#ffffff"]
