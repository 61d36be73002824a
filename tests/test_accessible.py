"""No page hinders anybody, as far as a machine can tell: axe, by WCAG 2.2 A and AA, in both themes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.stage import everybody

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
AXE = (Path(__file__).parent / "vendor/axe-core/axe.min.js").read_text()
RULES = "{resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']}"
CONTRAST = "{resultTypes: ['violations'], runOnly: ['color-contrast']}"


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


@pytest.mark.parametrize("language", ["en", "fa"])
def test_no_page_hinders_anybody(new_page, live_server, settings, language):
    wrong = []
    for visitor in everybody(settings):
        # axe writes styles of its own.
        page = new_page(reduced_motion="reduce", bypass_csp=True, locale=language)
        cookies = [(name, morsel.value) for name, morsel in visitor.client.cookies.items()]
        page.context.add_cookies(
            [{"name": name, "value": value, "url": live_server.url} for name, value in cookies]
        )
        for address in visitor.pages:
            page.goto(address)
            assert page.locator(f"html[lang={language}]").count() == 1, address
            wrong += found(page)

    assert wrong == []
