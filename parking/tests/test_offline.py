"""What browsers keep for when there is no network."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from django.contrib.staticfiles import finders
from django.utils import timezone

from bookings import services
from bookings.tests.factories import make_lot, park
from parking.offline import FILES


def shell(answer):
    return json.loads(re.search(r"const SHELL = (.+);", answer.content.decode())[1])


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["en", "fa"])
def test_the_worker_keeps_files_that_exist_and_is_another_one_in_each_language(client, language):
    ours = shell(client.get("/worker.js", headers={"accept-language": language}))
    other = shell(client.get("/worker.js", headers={"accept-language": "ru"}))

    assert len(ours["files"]) == len(FILES) + 1
    assert all(finders.find(name.removeprefix("/static/")) for name in ours["files"])
    assert any("rtl" in name for name in ours["files"]) == (language == "fa")
    assert ours["version"] != other["version"]


def test_what_everybody_keeps_is_nobodys(alice_client, alice):
    kept = alice_client.get("/offline/").content.decode()

    assert "data-driver" not in kept
    assert "csrfmiddlewaretoken" not in kept


def test_a_booking_is_kept_until_its_time_is_over(alice_client, alice):
    now = timezone.now()
    stay = park(make_lot(now=now), alice, now=now, ends_at=now + timedelta(hours=1))
    pages = [f"/bookings/{stay.reference}/", f"/bookings/{stay.reference}/pass/"]

    kept = [alice_client.get(page).headers.get("X-Keep-Until") for page in pages]
    services.release(stay, by=alice, now=timezone.now())

    assert kept == [stay.booked_until.isoformat()] * 2
    assert "X-Keep-Until" not in alice_client.get(pages[0])
