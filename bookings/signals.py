"""What the heart lets watchers know; nobody needs to listen, and nothing depends on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.dispatch import Signal

from bookings.errors import BookingRefused
from bookings.models import Booking

# outcome: the new booking's state, or the code of the refusal.
booking_answered = Signal()
# seconds: how long a command waited for its lot.
lot_locked = Signal()

P = ParamSpec("P")
B = TypeVar("B", bound=Booking)


def answers(command: Callable[P, B]) -> Callable[P, B]:
    """Tell what came of a wish to book. Sent after the transaction: a listener cannot spoil it."""

    @wraps(command)
    def told(*args: P.args, **kwargs: P.kwargs) -> B:
        try:
            booking = command(*args, **kwargs)
        except BookingRefused as refusal:
            booking_answered.send_robust(Booking, outcome=refusal.code)
            raise
        booking_answered.send_robust(Booking, outcome=booking.state)
        return booking

    return told
