"""A booking's pass: what the driver shows at the gate, and what it is worth to whoever scans it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import segno
from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from bookings.models import Booking, State

# Dark on light whatever the theme, with the quiet border cameras need.
LOOK: dict[str, Any] = {"scale": 6, "dark": "#111", "light": "#fff", "border": 4}
# Only these promise a spot.
WITH_PASS = frozenset({State.CONFIRMED, State.ACTIVE})


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the driver may stand there now; `tone` is go, lamp or stop."""

    tone: str
    sentence: str


def keep_offline(response: HttpResponse, booking: Booking) -> HttpResponse:
    """Let the driver's own browser show this page without a network, until the time booked is over."""
    if booking.state in WITH_PASS:
        response["X-Keep-Until"] = booking.ends_at.isoformat()  # read by templates/worker.js
    return response


def code(booking: Booking) -> segno.QRCode:
    """The address of the page on which staff see what the pass is worth.

    The reference in it is beyond guessing, so whoever shows it has the pass; there is nothing to sign.
    """
    path = reverse("admin:bookings_booking_pass", args=[booking.reference])
    return segno.make(f"{settings.BASE_URL}{path}", error="m", micro=False)


def verdict(booking: Booking, now: datetime) -> Verdict:
    if booking.state not in WITH_PASS:
        return Verdict("stop", _("Not valid: this booking is %s.") % booking.get_state_display())
    if now < booking.starts_at:
        return Verdict("lamp", _("Valid, but not yet: it begins later."))
    if booking.ends_at <= now:
        return Verdict("lamp", _("The time that was booked is over."))
    if booking.state == State.ACTIVE:
        return Verdict("go", _("Valid now: the stay is running."))
    return Verdict("go", _("Valid now."))
