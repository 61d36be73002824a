"""What we owe people about a booking: outbox rows, written in the transaction that causes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.urls import reverse

from accounts import outbox
from accounts.models import Notice, User
from bookings.models import Booking, State
from lots.models import Lot, Spot


def owe(booking: Booking, kind: str, *, now: datetime, **more: Any) -> None:
    """Owe the driver the mail templates/bookings/email/<kind>; once per booking and what happened.

    Guests get it where they left an address. Walk-ins, whom the operator booked, get none. A promise
    comes with its reminders.
    """
    entry = more.pop("sequence", 0)
    said = frozen(booking, booking.lot, booking.spot)
    mails = [_mail(booking, kind, f"{kind}:{entry}", said, now=now, **more)]
    if kind == "confirmed":
        mails += _reminders(booking, said, now)
    outbox.owe_all(list(filter(None, mails)))


def remind(booking: Booking, *, now: datetime) -> None:
    """Owe the reminders anew: those not sent yet said something else. One for each moment, ever."""
    forget_reminders(booking)
    said = frozen(booking, booking.lot, booking.spot)
    outbox.owe_all(list(filter(None, _reminders(booking, said, now))))


def forget_reminders(booking: Booking) -> None:
    """Nothing starts or ends at the moments that were agreed. Call it before they change."""
    outbox.withdraw([_event(booking, key) for key in (_starts_soon(booking), _ends_soon(booking))])


def _reminders(booking: Booking, said: dict[str, Any], now: datetime) -> list[Notice | None]:
    """By the lot's minutes before start and end, while that is yet to come and the stay long enough."""
    lot, found = booking.lot, []
    before_start = timedelta(minutes=lot.remind_before_start_minutes)
    before_end = timedelta(minutes=lot.remind_before_end_minutes)
    is_long = booking.booked_until - booking.booked_from >= 2 * before_end
    starts, ends = booking.booked_from, booking.booked_until
    if before_start and booking.state == State.CONFIRMED and starts - before_start > now:
        found.append(("starts_soon", _starts_soon(booking), starts - before_start, starts))
    if before_end and is_long and ends - before_end > now:
        found.append(("ends_soon", _ends_soon(booking), ends - before_end, ends))
    return [
        _mail(booking, kind, key, said, now=now, not_before=moment, expires_at=over)
        for kind, key, moment, over in found
    ]


def _starts_soon(booking: Booking) -> str:
    return f"starts_soon:{booking.booked_from.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _ends_soon(booking: Booking) -> str:
    return f"ends_soon:{booking.booked_until.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _event(booking: Booking, key: str) -> str:
    return f"{event_of(booking.reference)}{key}"


def _mail(
    booking: Booking,
    kind: str,
    key: str,
    said: dict[str, Any],
    *,
    now: datetime,
    not_before: datetime | None = None,
    expires_at: datetime | None = None,
    **more: Any,
) -> Notice | None:
    """None: nobody to tell. `said` is frozen() of the booking."""
    driver, guest = booking.driver, booking.guest
    recipient = driver.email if driver else guest.email if guest else ""
    if not recipient:
        return None
    return outbox.owed(
        template=f"bookings/email/{kind}",
        recipient=recipient,
        user=driver,
        language=guest.language if guest else "",
        event=_event(booking, key),
        context={"booking": said, **more},
        now=now,
        not_before=not_before,
        expires_at=expires_at,
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


def sample(booking: Booking, kind: str, *, recipient: User, now: datetime, **more: Any) -> Notice:
    """The mail templates/bookings/email/<kind> about this booking, to whoever looks; not written down."""
    return outbox.owed(
        template=f"bookings/email/{kind}",
        recipient=recipient.email,
        user=recipient,
        context={"booking": frozen(booking, booking.lot, booking.spot), **more},
        now=now,
    )


def event_of(reference: str) -> str:
    """How the events of a booking's mails begin."""
    return f"booking:{reference}:"


def frozen(booking: Booking, lot: Lot, spot: Spot) -> dict[str, Any]:
    """What a mail says, as it was when it was owed; times are ISO in the lot's own zone."""

    def local(at: datetime | None) -> str:
        return at.astimezone(lot.zone).isoformat() if at else ""

    def page(name: str) -> str:
        # A guest's page knows the stay by the cookie; the reference opens nothing there.
        return reverse("guests:stay") if booking.guest_id else reverse(name, args=[booking.reference])

    return {
        "reference": booking.reference,
        "path": page("bookings:detail"),
        "extend_path": page("bookings:extend"),
        "kind": booking.kind,
        "state": booking.state,
        "lot": lot.name,
        "address": ", ".join(filter(None, [lot.address_line1, f"{lot.postcode} {lot.city}".strip()])),
        "timezone": lot.timezone,
        "spot": spot.number,
        "building": spot.building,
        "floor": spot.floor,
        "plate": booking.plate,
        "is_open_ended": booking.is_open_ended,
        "starts_at": local(booking.starts_at),
        "ends_at": local(booking.ends_at),
        "booked_from": local(booking.booked_from),
        "booked_until": local(booking.booked_until),
        "total": str(booking.total),
        "currency": booking.currency,
        "lines": booking.price_lines,
    }
