"""What we owe people about a booking: outbox rows, written in the transaction that causes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse

from accounts import outbox
from bookings.models import Booking
from lots.models import Lot, Spot


def owe(booking: Booking, kind: str, *, now: datetime, **more: Any) -> None:
    """Owe the driver the mail templates/bookings/email/<kind>; once per booking and what happened.

    Guests get it where they left an address. Walk-ins, whom the operator booked, get none.
    """
    driver, guest = booking.driver, booking.guest
    recipient = driver.email if driver else guest.email if guest else ""
    if not recipient:
        return
    entry = more.pop("sequence", 0)
    outbox.owe(
        template=f"bookings/email/{kind}",
        recipient=recipient,
        user=driver,
        language=guest.language if guest else "",
        event=f"{event_of(booking.reference)}{kind}:{entry}",
        context={"booking": frozen(booking, booking.lot, booking.spot), **more},
        now=now,
    )


def owe_offer(booking: Booking, entry: str, *, now: datetime) -> None:
    """Tell who is next in line that a spot is held for them; pointless once the hold is over.

    `entry` is the reference of their place on the waitlist: the mail leads there.
    """
    if booking.driver is None or booking.held_until is None:
        return
    offered_until = booking.held_until.astimezone(booking.lot.zone).isoformat()
    outbox.owe(
        template="bookings/email/waitlist_offer",
        recipient=booking.driver.email,
        user=booking.driver,
        event=f"{event_of(booking.reference)}waitlist_offer:0",
        context={
            "booking": frozen(booking, booking.lot, booking.spot),
            "entry": entry,
            "offered_until": offered_until,
        },
        now=now,
        expires_at=booking.held_until,
    )


def event_of(reference: str) -> str:
    """How the events of a booking's mails begin."""
    return f"booking:{reference}:"


def frozen(booking: Booking, lot: Lot, spot: Spot) -> dict[str, Any]:
    """What a mail says, as it was when it was owed; times are ISO in the lot's own zone."""

    def local(at: datetime | None) -> str:
        return at.astimezone(lot.zone).isoformat() if at else ""

    return {
        "reference": booking.reference,
        # A guest's page knows the stay by the cookie; the reference opens nothing there.
        "path": reverse("guests:stay")
        if booking.guest_id
        else reverse("bookings:detail", args=[booking.reference]),
        "kind": booking.kind,
        "state": booking.state,
        "lot": lot.name,
        "address": ", ".join(filter(None, [lot.address_line1, f"{lot.postcode} {lot.city}".strip()])),
        "timezone": lot.timezone,
        "spot": spot.number,
        "building": spot.building,
        "floor": spot.floor,
        "plate": booking.plate,
        "starts_at": local(booking.starts_at),
        "ends_at": local(booking.ends_at),
        "booked_from": local(booking.booked_from),
        "booked_until": local(booking.booked_until),
        "total": str(booking.total),
        "currency": booking.currency,
        "lines": booking.price_lines,
    }
