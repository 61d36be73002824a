"""Take the README's pictures of a running demo: `make run`, then `scripts/screenshots.py [ADDRESS]`.

Wants Debian's chromium; writes docs/images/, 128 colours each, which is all these pages need.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
COLOURS = 128
SLUG = "dresden-altmarkt"
LOT = f"/lots/{SLUG}/"
DRIVER, OPERATOR = "driver@example.com", "operator@example.com"


@dataclass(frozen=True)
class Picture:
    name: str
    path: str  # {booking}: the driver's running one; {lot} and {label}: the lot's own
    viewport: dict[str, int]
    scheme: str = "light"
    who: str = ""
    language: str = "en"


PICTURES = [
    Picture("search", "/", DESKTOP),
    Picture("search-phone", "/", PHONE, language="fa"),
    Picture("lot", LOT, DESKTOP, who=DRIVER),
    Picture("lot-dark", LOT, DESKTOP, "dark", who=DRIVER),
    Picture("lot-phone", LOT, PHONE, "dark", who=DRIVER),
    Picture("booking", "{booking}", PHONE, who=DRIVER),
    Picture("pass", "{booking}pass/", PHONE, "dark", who=DRIVER),
    Picture("guest", "/s/{label}/", PHONE),
    Picture("dashboard", "/dashboard/", DESKTOP, who=DRIVER),
    Picture("office", "/admin/", DESKTOP, who=OPERATOR),
    Picture("board", "/admin/lots/lot/{lot}/board/", DESKTOP, "dark", who=OPERATOR),
]


def main(base: str, names: list[str]) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        keys = {who: sign_in(browser, base, who) for who in (DRIVER, OPERATOR)}
        words = addresses(browser.new_context(base_url=base, storage_state=keys[DRIVER]))
        words |= lot_and_label()
        for picture in PICTURES:
            if not names or picture.name in names:
                take(browser, base, picture, keys.get(picture.who), words)
        browser.close()


def take(browser: Browser, base: str, picture: Picture, key: object, words: dict[str, str]) -> None:
    context = browser.new_context(
        base_url=base,
        viewport=picture.viewport,
        color_scheme=picture.scheme,
        locale=picture.language,
        storage_state=key,
        reduced_motion="reduce",
        service_workers="block",
    )
    page = context.new_page()
    answer = page.goto(picture.path.format(**words))
    if answer is None or answer.status != 200:
        raise SystemExit(f"{picture.path} answered {answer and answer.status}.")
    page.wait_for_timeout(2500)
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(IMAGES / f"{picture.name}.png", optimize=True)
    context.close()


def sign_in(browser: Browser, base: str, who: str) -> object:
    context = browser.new_context(base_url=base, locale="en", timezone_id="Europe/Berlin")
    page = context.new_page()
    page.goto("/accounts/login/")
    page.fill("input[name=login]", who)
    page.fill("input[name=password]", "parkwell-demo")
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url(re.compile(r"/(bookings|login/code/confirm)/"))
    if "confirm" in page.url:  # operators prove twice who they are
        code = newest_code(context)
        page.fill("input[name=code]", code)
        page.locator("main form button[type=submit]").first.click()
        page.wait_for_url(lambda address: "confirm" not in address)
    return context.storage_state()


def newest_code(context: BrowserContext) -> str:
    """The demo shows its mail at /outbox/."""
    page = context.new_page()
    page.goto("/outbox/")
    code = re.search(r"\b\d{6}\b", page.locator("tbody tr").first.inner_text())
    if code is None:
        raise SystemExit("The newest mail of /outbox/ has no code in it.")
    return code.group()


def addresses(context: BrowserContext) -> dict[str, str]:
    page = context.new_page()
    page.goto("/bookings/")
    address = page.locator("section[aria-labelledby=running-title] h3 a").first.get_attribute("href")
    return {"booking": address or ""}


def lot_and_label() -> dict[str, str]:
    """What no page tells a visitor: asked of the demo's own database."""
    ask = f"from lots.models import Lot; lot = Lot.objects.get(slug={SLUG!r}); print(lot.pk, lot.code)"
    told = subprocess.check_output(
        [sys.executable, "manage.py", "shell", "-v0", "-c", ask], cwd=ROOT, text=True
    )
    lot, label = told.split()[-2:]
    return {"lot": lot, "label": label}


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8000", sys.argv[2:])
