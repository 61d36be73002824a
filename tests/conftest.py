"""A real browser at a real server: Debian's Chromium, driven by Playwright, against live_server."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Playwright's own browsers are not used: they would have to be downloaded."""
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        pytest.skip("There is no chromium on this machine.")
    # Playwright runs an event loop in this thread, and Django would refuse every query in it.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def mail_as_rows(settings: Any) -> None:
    """As in production; pytest-django would put it into memory."""
    settings.EMAIL_BACKEND = "accounts.outbox.OutboxBackend"


@pytest.fixture(params=["phone", "desktop"])
def screen(request: pytest.FixtureRequest) -> dict[str, Any]:
    sizes = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 900}}
    return {"viewport": sizes[request.param], "has_touch": request.param == "phone"}


ANSWERS = re.compile(
    "status of (400|409|422|503)|ERR_INTERNET_DISCONNECTED"
    "|^htmx:(sendError|afterRequest)|^Response Status Error Code 503"
)


def _is_complaint(message: Any) -> bool:
    # The browser calls every 4xx an error; a refusal (409) or a form to mend (400) is an answer.
    # Being offline is what some tests are about.
    return message.type == "error" and not ANSWERS.search(message.text)


@pytest.fixture
def new_page(browser: Any, live_server: Any) -> Iterator[Any]:
    """Opens pages whose console must stay clean: an error there (the CSP's too) fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_page(**options: Any) -> Any:
        # What the worker keeps of a page is one test's business.
        options = {"service_workers": "block"} | options
        context = browser.new_context(base_url=live_server.url, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on(
            "console", lambda message: complaints.append(message.text) if _is_complaint(message) else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
