"""Why a booking command was not carried out: a refusal (409) or bad input (400)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from django.utils.translation import gettext_lazy as _


class BookingRefused(Exception):
    """Nothing wrong with the question, but the answer is no. `code` for programs, the text for people.

    `details` are JSON-ready facts that help to ask again (latest_end, opens_at, spots …);
    `alternatives` are what could be booked instead (see availability.Alternative), looked up by
    `look` when a door first asks for them: by then the lot's lock is gone, and an import never asks.
    """

    code = "refused"
    message = _("This is not possible.")

    def __init__(self, message: str = "", **details: Any):
        # Said now, in the language of whoever asked.
        super().__init__(str(message or self.message))
        self.details = details
        self.look: Callable[[], list[Any]] = list

    @cached_property
    def alternatives(self) -> list[Any]:
        return self.look()


class LotFull(BookingRefused):
    code = "lot_full"
    message = _("No spot of this lot is free for the whole time.")


class SpotTaken(BookingRefused):
    code = "spot_taken"
    message = _("This spot is taken for a part of that time.")


class SpotClosed(BookingRefused):
    code = "spot_closed"
    message = _("This spot is out of service.")


class SpotUnsuitable(BookingRefused):
    code = "spot_unsuitable"
    message = _("This spot does not offer what was asked for.")


class PriceChanged(BookingRefused):
    """What a page showed is not what booking would cost now; the sentence names the price."""

    code = "price_changed"
    message = _("The price has changed since you looked: it is %s now. Book again if that suits you.")


class LotClosed(BookingRefused):
    code = "lot_closed"
    message = _("The lot is closed for a part of that time.")


class LotOutOfService(LotClosed):
    """Not for its hours: an operator has closed it for a while."""

    message = _("This lot is out of service for a part of that time.")


class AlreadyParked(BookingRefused):
    code = "already_parked"
    message = _("You already have a running stay. Release it before you start another.")


class NoGuests(BookingRefused):
    code = "no_guests"
    message = _("This lot takes no guests. Sign in to book here.")


class InvalidTransition(BookingRefused):
    code = "invalid_transition"
    message = _("The booking is past that.")


class CalledOff(BookingRefused):
    code = "called_off"
    message = _(
        "Your spot cannot be had and no equal one is free: your booking is cancelled, and everything "
        "you paid comes back."
    )


class HoldExpired(BookingRefused):
    code = "hold_expired"
    message = _("The time to confirm this booking is over.")


class HoldLimit(BookingRefused):
    code = "hold_limit"
    message = _("You already keep two spots that wait for your payment. Pay or cancel one first.")


class AlreadyPaid(BookingRefused):
    code = "already_paid"
    message = _("This booking is paid.")


class NothingDue(BookingRefused):
    code = "nothing_due"
    message = _("Nothing is to be paid for this booking.")


class NoReceipt(BookingRefused):
    code = "no_receipt"
    message = _("Nothing was charged for this booking, so there is no receipt.")


class PaymentDue(BookingRefused):
    code = "payment_due"
    message = _("This booking is confirmed when it is paid.")


class PaymentUnderWay(BookingRefused):
    code = "payment_under_way"
    message = _("A payment for this booking is under way. Wait a moment, and look whether it went through.")


class AlreadyRefunded(BookingRefused):
    code = "already_refunded"
    message = _("Everything that was paid has gone back already.")


class NotFull(BookingRefused):
    code = "not_full"
    message = _("A spot is free for that time: book it.")


class AlreadyWaiting(BookingRefused):
    code = "already_waiting"
    message = _("You are in line for this lot and a part of that time already.")


class WaitlistLimit(BookingRefused):
    code = "waitlist_limit"
    message = _("You wait for as many places as one may. Leave one of the lines first.")


class NoOffer(BookingRefused):
    code = "no_offer"
    message = _("There is no offer for you at the moment.")


class TooEarly(BookingRefused):
    code = "too_early"
    message = _("It is too early for that.")


class SpotsInUse(BookingRefused):
    code = "spots_in_use"
    message = _("Spots are in use now or booked later.")


class LotInUse(BookingRefused):
    code = "lot_in_use"
    message = _("Cannot delete lot with occupied spots.")


class NotStayed(BookingRefused):
    code = "not_stayed"
    message = _("You can review a lot once you have stayed there.")


class AlreadyReviewed(BookingRefused):
    code = "already_reviewed"
    message = _("You have reviewed this lot already; change that review instead.")


class BadBooking(Exception):
    """Bad input: the field it lies in and a sentence that says what would do."""

    def __init__(self, field: str, message: str, *, code: str = "invalid"):
        super().__init__(message)
        self.field = field
        self.code = code
