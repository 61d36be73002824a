"""What we owe people about a booking: outbox rows, written in the transaction that causes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from accounts import outbox
from bookings.models import Booking
from lots.models import Lot, Spot


def owe(booking: Booking, kind: str, *, now: datetime, **more: Any) -> None:
    """Owe the driver the mail templates/bookings/email/<kind>; once per booking and what happened."""
    if booking.driver is None:
        return
    entry = more.pop("sequence", 0)
    outbox.owe(
        template=f"bookings/email/{kind}",
        recipient=booking.driver.email,
        user=booking.driver,
        event=f"booking:{booking.reference}:{kind}:{entry}",
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
        event=f"booking:{booking.reference}:waitlist_offer:0",
        context={
            "booking": frozen(booking, booking.lot, booking.spot),
            "entry": entry,
            "offered_until": offered_until,
        },
        now=now,
        expires_at=booking.held_until,
    )


def frozen(booking: Booking, lot: Lot, spot: Spot) -> dict[str, Any]:
    """What a mail says, as it was when it was owed; times are ISO in the lot's own zone."""

    def local(at: datetime | None) -> str:
        return at.astimezone(lot.zone).isoformat() if at else ""

    return {
        "reference": booking.reference,
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
