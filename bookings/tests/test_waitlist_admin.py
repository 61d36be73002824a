"""The waitlist in the back office: seen, and somebody taken out of a line."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.tests.staff import verify
from bookings import services
from bookings.models import WaitlistEntry
from bookings.tests.factories import HOUR, make_lot, reserve
from bookings.tests.test_lot_views import text_of

LIST = reverse("admin:bookings_waitlistentry_changelist")


@pytest.fixture
def line(alice: User, bob: User) -> list[WaitlistEntry]:
    """Alice has an offer, Bob is behind her; the admin reads the real clock."""
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    lot = make_lot(1, now=now - timedelta(days=1))
    taken = reserve(lot, None, now=now, starts_in=25 * HOUR)
    window = {"starts_at": taken.starts_at, "ends_at": taken.ends_at}
    found = [services.join(lot_id=lot.pk, driver=driver, now=now, **window) for driver in (alice, bob)]
    services.cancel(taken, by=None, now=timezone.now())
    return found


def test_staff_see_who_waits_and_change_nothing_by_hand(olga: User, line: list[WaitlistEntry]) -> None:
    office = verify(Client(), olga)

    page = text_of(office.get(LIST))
    one = office.get(reverse("admin:bookings_waitlistentry_change", args=[line[0].pk]))

    assert line[0].reference in page
    assert "offered" in page
    assert "waiting" in page
    assert one.status_code == 200
    assert office.get(reverse("admin:bookings_waitlistentry_add")).status_code == 403


def test_taking_somebody_out_makes_the_next_an_offer(olga: User, line: list[WaitlistEntry]) -> None:
    data: dict[str, Any] = {"action": "take_out", "_selected_action": [line[0].pk]}

    page = verify(Client(), olga).post(LIST, data, follow=True)

    assert "1 does not wait any more." in text_of(page)
    assert [WaitlistEntry.objects.get(pk=entry.pk).state for entry in line] == ["left", "offered"]
