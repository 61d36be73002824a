"""Drivers who book over HTTP, one booking after the other, and remember each answer."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts.models import User
from lots.models import Lot
from tests.reliability.house import House


def signed_in(user: User) -> dict[str, str]:
    """Headers of a browser that has a session in the database, and writes with the CSRF token."""
    client = Client()
    client.force_login(user)
    token = "t" * 32
    cookies = {settings.SESSION_COOKIE_NAME: client.session.session_key, settings.CSRF_COOKIE_NAME: token}
    return {
        "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        "X-CSRFToken": token,
        "Content-Type": "application/json",
    }


class Drivers:
    """Each books one hour after the other; what was acknowledged is in `booked`."""

    def __init__(self, house: House, lot: Lot, headers: list[dict[str, str]], pause: float = 0.1):
        self.house, self.lot, self.pause = house, lot, pause
        self.spots = list(lot.spots.order_by("pk").values_list("number", flat=True))
        self.booked: list[str] = []
        self.odd: list[tuple[int, str]] = []
        self.statuses: Counter[int] = Counter()
        self.slowest = 0.0
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._book, args=(number, found), daemon=True)
            for number, found in enumerate(headers)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=90)

    def _book(self, number: int, headers: dict[str, str]) -> None:
        begin = timezone.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=2)
        spot = self.spots[number]
        while not self._stop.wait(self.pause):
            before = time.monotonic()
            status, told, text = self.house.ask("POST", "/api/v1/bookings/", self._wish(begin, spot), headers)
            self.slowest = max(self.slowest, time.monotonic() - before)
            self.statuses[status] += 1
            if status == 201:
                self.booked.append(json.loads(text)["reference"])
            elif status != 503 or "retry-after" not in told:
                self.odd.append((status, text[:300]))
            begin += timedelta(hours=1)

    def _wish(self, begin: datetime, spot: str) -> dict[str, Any]:
        return {
            "lot": self.lot.slug,
            "kind": "reserved",
            "spot": spot,
            "plate": "RE 1",
            "starts_at": begin.isoformat(),
            "ends_at": (begin + timedelta(hours=1)).isoformat(),
        }
