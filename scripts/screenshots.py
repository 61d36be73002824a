"""Take the README's pictures of a running demo: `make run`, then `scripts/screenshots.py [ADDRESS]`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}


def main(base: str) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        for name, viewport, scheme, path in [
            ("search", DESKTOP, "light", "/"),
            ("lot", DESKTOP, "light", "/lots/dresden-altmarkt/"),
            ("lot-dark", DESKTOP, "dark", "/lots/dresden-altmarkt/"),
            ("phone", PHONE, "light", "/bookings/"),
        ]:
            page = browser.new_page(base_url=base, viewport=viewport, color_scheme=scheme)
            sign_in(page)
            page.goto(path)
            page.wait_for_timeout(500)
            page.screenshot(path=IMAGES / f"{name}.png")
        browser.close()


def sign_in(page: Page) -> None:
    page.goto("/accounts/login/")
    page.fill("input[name=login]", "driver@example.com")
    page.fill("input[name=password]", "parkwell-demo")
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url("**/bookings/")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8000")
