"""Changing a booking before it is over: longer, elsewhere, or not at all."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from django.utils.translation import gettext as _

from bookings import availability, cancellation, notices
from bookings.errors import BadBooking, InvalidTransition, SpotClosed, SpotTaken, SpotUnsuitable
from bookings.models import Actor, Booking, State
from bookings.services import core, steps
from bookings.words import exact
from lots import money


def extend(booking: Booking, *, ends_at: datetime, by: Actor, now: datetime) -> Booking:
    """Let a booking end later, in one change of its range: the spot is never let go in between.

    Where somebody comes after: SpotTaken with `latest_end` and alternatives, and nothing changes.
    """
    try:
        with core.command(booking, now) as fresh:
            if fresh.state not in (State.CONFIRMED, State.ACTIVE):
                raise InvalidTransition(
                    _("This booking is %s; it cannot be extended.") % fresh.get_state_display()
                )
            if ends_at == fresh.ends_at:
                return fresh
            _check_new_end(fresh, ends_at, now)
            was = fresh.ends_at
            notices.forget_reminders(fresh)
            fresh.ends_at = fresh.booked_until = ends_at
            core.set_price(fresh, fresh.booked_from, ends_at)
            fresh.save()
            details = {"from": was.isoformat(), "to": ends_at.isoformat(), "total": str(fresh.total)}
            sequence = core.append(fresh, "extended", from_state=fresh.state, by=by, now=now, details=details)
            notices.owe(fresh, "extended", now=now, sequence=sequence)
            notices.remind(fresh, now=now)
            return fresh
    except (SpotTaken, SpotClosed) as refusal:
        # The rest of the time elsewhere.
        refusal.look = partial(
            availability.alternatives,
            booking.lot,
            max(booking.ends_at, now),
            ends_at,
            now=now,
            features=booking.spot.features_set(),
            vehicle_kind=booking.vehicle_kind,
        )
        raise


def _check_new_end(booking: Booking, ends_at: datetime, now: datetime) -> None:
    lot = booking.lot
    if ends_at < booking.ends_at:
        current = booking.ends_at.astimezone(lot.zone)
        raise BadBooking("ends_at", _("The new end must lie after the present one, %s.") % exact(current))
    if ends_at <= now:
        raise BadBooking("ends_at", _("The end must lie in the future."), code="end_in_the_past")
    core.check_length(lot, booking.booked_from, ends_at)
    if booking.kind == Booking.Kind.RESERVED:
        core.check_grid(lot, "ends_at", ends_at)
    # Only what is added must lie in the opening hours: the rest was agreed already.
    core.check_open(lot, booking.ends_at, ends_at)
    latest = availability.latest_end(booking, now=now)
    if latest and ends_at > latest:
        local = latest.astimezone(lot.zone)
        if latest == availability.next_closing(booking):
            raise SpotClosed(_("It is out of service from %s.") % exact(local), latest_end=latest)
        raise SpotTaken(_("Somebody comes after you: at most until %s.") % exact(local), latest_end=latest)


def move(booking: Booking, *, spot_number: str, by: Actor, now: datetime) -> Booking:
    """Put a booking on another spot of its lot, without ever being without one."""
    with core.command(booking, now) as fresh:
        if fresh.state not in (State.CONFIRMED, State.ACTIVE):
            raise InvalidTransition(_("This booking is %s; it cannot be moved.") % fresh.get_state_display())
        spot = fresh.lot.spots.kept().filter(number__iexact=spot_number.strip()).first()
        if spot is None:
            raise BadBooking("spot", _("This lot has no spot %s.") % spot_number[:20], code="unknown_spot")
        if spot.pk == fresh.spot_id:
            return fresh
        if not spot.is_in_service:
            raise SpotClosed
        if spot.kind != fresh.spot.kind and steps.actor(fresh, by) != "operator":
            # The price agreed stays, and tariffs may charge kinds differently.
            raise SpotUnsuitable("Another kind of spot may have another price; book it anew.")
        begin = max(fresh.starts_at, now) if fresh.state == State.ACTIVE else fresh.starts_at
        free = availability.free_spots(begin, fresh.ends_at, now=now, lots=[fresh.lot_id])
        if not free.filter(pk=spot.pk).exists():
            closure = availability.closure_of(spot, begin, fresh.ends_at)
            raise core.out_of_service(fresh.lot, closure) if closure else SpotTaken()
        steps.put_on(fresh, spot, starts_at=begin, by=by, now=now)
        return fresh


def cancel(
    booking: Booking, *, by: Actor, now: datetime, by_operator: bool = False, reason: str = ""
) -> Booking:
    """Take a booking back by the policy copied onto it. Twice gives the same answer."""
    with core.command(booking, now) as fresh:
        if fresh.state == State.CANCELLED:
            return fresh
        if not fresh.may_become(State.CANCELLED):
            raise InvalidTransition(
                _("This booking is %s; it cannot be cancelled.") % fresh.get_state_display()
            )
        found = cancellation_preview(fresh, now=now, by_operator=by_operator)
        core.charge_fee(fresh, found.retained, "Cancellation fee", found.reason)
        details = {
            "refund_percent": found.refund_percent,
            "was": str(found.total),
            "kept": str(found.retained),
        }
        core.transition(
            fresh,
            State.CANCELLED,
            "cancelled",
            by=by,
            now=now,
            reason=reason or found.reason,
            details=details,
        )
        notices.owe(fresh, "cancelled", now=now)
        return fresh


def cancellation_preview(
    booking: Booking, *, now: datetime, by_operator: bool = False
) -> cancellation.Outcome:
    """What cancelling now would give back; writes nothing."""
    return cancellation.outcome(
        booking.cancellation_tiers,
        total=booking.total,
        cent=money.cent(booking.currency),
        starts_at=booking.booked_from,
        booked_at=booking.created_at,
        now=now,
        by_operator=by_operator or booking.state == State.HELD,
    )
