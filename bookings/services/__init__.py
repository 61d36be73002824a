"""Everything that changes a booking. Pages, API, admin, imports and the clock all come through here.

Each command is one short transaction: lock the lot, catch up with the clock, look, decide, write, owe
the notices. `now` is an argument; nothing here mails, renders, calls the network or reads the clock,
but for pay() and reconcile_payments(), which ask the providers of payments between transactions.
Refusals are bookings.errors.BookingRefused, bad input is bookings.errors.BadBooking.
"""

from bookings.services.changes import cancel, cancellation_preview, extend, move
from bookings.services.closing import close, closing_preview, lift_closure, shorten_closure
from bookings.services.making import HOLD, book, confirm
from bookings.services.payments import (
    apply_provider_state,
    apply_refund_state,
    pay,
    pay_out,
    record_desk_payment,
    refund,
    settle,
)
from bookings.services.premises import (
    remove_lot,
    set_capacity,
    set_spot_in_service,
    update_spot,
    used_spots,
)
from bookings.services.reconciling import reconcile_payments
from bookings.services.spot_lists import change_spots
from bookings.services.stays import called_off, check_in, price_so_far, release
from bookings.services.sweeps import (
    end_stays,
    lapse_holds,
    mark_no_shows,
    rescue_bookings,
    roll_on_overstays,
    start_stays,
)
from bookings.services.waitlist import accept, join, leave, serve_waitlist, snooze

__all__ = [
    "HOLD",
    "accept",
    "apply_provider_state",
    "apply_refund_state",
    "book",
    "called_off",
    "cancel",
    "cancellation_preview",
    "change_spots",
    "check_in",
    "close",
    "closing_preview",
    "confirm",
    "end_stays",
    "extend",
    "join",
    "lapse_holds",
    "leave",
    "lift_closure",
    "mark_no_shows",
    "move",
    "pay",
    "pay_out",
    "price_so_far",
    "reconcile_payments",
    "record_desk_payment",
    "refund",
    "release",
    "remove_lot",
    "rescue_bookings",
    "roll_on_overstays",
    "serve_waitlist",
    "set_capacity",
    "set_spot_in_service",
    "settle",
    "shorten_closure",
    "snooze",
    "start_stays",
    "update_spot",
    "used_spots",
]
