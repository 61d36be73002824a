"""A guest with a phone at a label: no account, one key, and nothing left behind."""

import re

import pytest
from django.utils import timezone

from bookings.models import Booking
from bookings.tests.factories import HOUR, make_lot

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE = {"viewport": {"width": 360, "height": 780}, "has_touch": True}


@pytest.fixture
def quay():
    lot = make_lot(4, name="Quay", price="0", now=timezone.now() - HOUR)
    lot.spots.filter(number="4").update(building="West", floor="2")
    return lot


@pytest.mark.promise("S0-01")
@pytest.mark.promise("S0-11")
@pytest.mark.promise("S0-17")
@pytest.mark.parametrize("java_script_enabled", [True, False])
def test_a_guest_scans_parks_extends_changes_and_stops(new_page, quay, java_script_enabled):
    page = new_page(java_script_enabled=java_script_enabled, **PHONE)

    def fits():
        return page.evaluate("document.documentElement.scrollWidth") <= 360

    page.goto(f"/s/{quay.spots.get(number='4').code}/")
    assert page.get_by_label("4", exact=True).is_checked()
    assert fits()
    page.get_by_label("2", exact=True).check()
    page.fill("input[name=plate]", "HH AB 1")
    if java_script_enabled:
        # The choice outlives the next look at what is free, and what is free moves by itself.
        quay.spots.filter(number="3").update(is_in_service=False)
        page.get_by_text("3 spots free").wait_for(timeout=12_000)
        assert page.get_by_label("2", exact=True).is_checked()
        assert page.input_value("input[name=plate]") == "HH AB 1"
    page.get_by_role("button", name="Park here").dblclick()
    page.wait_for_url("**/s/stay/")
    stay = Booking.objects.get()
    assert (stay.state, stay.spot.number) == ("active", "2")
    assert fits()

    page.get_by_role("button", name=re.compile(r"\+15")).click()
    page.get_by_text("Extended.").wait_for()
    page.get_by_role("link", name="Change").click()
    page.get_by_label("4", exact=True).check()
    page.get_by_role("button", name="Move there").click()
    page.get_by_text("West").first.wait_for()
    page.goto(f"/s/{quay.code}/")
    page.wait_for_url("**/s/stay/")

    page.get_by_role("link", name="Stop").click()
    page.get_by_role("button", name=re.compile("Leave")).click()
    page.get_by_text("Nothing any more").wait_for()
    stay.refresh_from_db()
    assert (stay.state, stay.spot.number, stay.plate, stay.guest.key_hash) == ("completed", "4", "", None)
    assert [entry.action for entry in stay.timeline.order_by("sequence")] == [
        *("booked", "extended", "moved", "released")
    ]
