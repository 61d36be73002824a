"""Persian in a real browser: right to left, and nothing wider than a small phone."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from lots.models import Lot

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE = {"viewport": {"width": 360, "height": 780}, "has_touch": True, "locale": "fa-IR"}


@pytest.mark.promise("S0-16")
def test_persian_pages_run_right_to_left_and_fit_a_phone(new_page: Any, lot: Lot):
    page = new_page(**PHONE)
    addresses = [
        reverse("lots:search"),
        reverse("lots:detail", args=[lot.slug]),
        reverse("lots:rules", args=[lot.slug]),
        reverse("account_login"),
    ]
    for address in addresses:
        page.goto(address)
        assert page.evaluate("getComputedStyle(document.documentElement).direction") == "rtl"
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, address
    # The brand stands where reading begins.
    assert page.locator(".pw-brand").bounding_box()["x"] > 180

    page.locator("#language").select_option("ru")
    page.wait_for_selector("html[lang=ru]", state="attached")
    assert page.evaluate("document.documentElement.dir") == "ltr"
