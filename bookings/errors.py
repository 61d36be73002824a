"""Why a booking command was not carried out: a refusal (409) or bad input (400)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any


class BookingRefused(Exception):
    """Nothing wrong with the question, but the answer is no. `code` for programs, the text for people.

    `details` are JSON-ready facts that help to ask again (latest_end, opens_at, spots …);
    `alternatives` are what could be booked instead (see availability.Alternative), looked up by
    `look` when a door first asks for them: by then the lot's lock is gone, and an import never asks.
    """

    code = "refused"
    message = "This is not possible."

    def __init__(self, message: str = "", **details: Any):
        super().__init__(message or self.message)
        self.details = details
        self.look: Callable[[], list[Any]] = list

    @cached_property
    def alternatives(self) -> list[Any]:
        return self.look()


class LotFull(BookingRefused):
    code = "lot_full"
    message = "No spot of this lot is free for the whole time."


class SpotTaken(BookingRefused):
    code = "spot_taken"
    message = "This spot is taken for a part of that time."


class SpotClosed(BookingRefused):
    code = "spot_closed"
    message = "This spot is out of service."


class SpotUnsuitable(BookingRefused):
    code = "spot_unsuitable"
    message = "This spot does not offer what was asked for."


class LotClosed(BookingRefused):
    code = "lot_closed"
    message = "The lot is closed for a part of that time."


class LotOutOfService(LotClosed):
    """Not for its hours: an operator has closed it for a while."""

    message = "This lot is out of service for a part of that time."


class AlreadyParked(BookingRefused):
    code = "already_parked"
    message = "You already have a running stay. Release it before you start another."


class NoGuests(BookingRefused):
    code = "no_guests"
    message = "This lot takes no guests. Sign in to book here."


class InvalidTransition(BookingRefused):
    code = "invalid_transition"
    message = "The booking is past that."


class CalledOff(BookingRefused):
    code = "called_off"
    message = (
        "Your spot cannot be had and no equal one is free: your booking is cancelled, and everything "
        "you paid comes back."
    )


class HoldExpired(BookingRefused):
    code = "hold_expired"
    message = "The time to confirm this booking is over."


class HoldLimit(BookingRefused):
    code = "hold_limit"
    message = "You already keep two spots that wait for your payment. Pay or cancel one first."


class AlreadyPaid(BookingRefused):
    code = "already_paid"
    message = "This booking is paid."


class NothingDue(BookingRefused):
    code = "nothing_due"
    message = "Nothing is to be paid for this booking."


class NoReceipt(BookingRefused):
    code = "no_receipt"
    message = "Nothing was charged for this booking, so there is no receipt."


class PaymentDue(BookingRefused):
    code = "payment_due"
    message = "This booking is confirmed when it is paid."


class PaymentUnderWay(BookingRefused):
    code = "payment_under_way"
    message = "A payment for this booking is under way. Wait a moment, and look whether it went through."


class AlreadyRefunded(BookingRefused):
    code = "already_refunded"
    message = "Everything that was paid has gone back already."


class NotFull(BookingRefused):
    code = "not_full"
    message = "A spot is free for that time: book it."


class AlreadyWaiting(BookingRefused):
    code = "already_waiting"
    message = "You are in line for this lot and a part of that time already."


class WaitlistLimit(BookingRefused):
    code = "waitlist_limit"
    message = "You wait for as many places as one may. Leave one of the lines first."


class NoOffer(BookingRefused):
    code = "no_offer"
    message = "There is no offer for you at the moment."


class TooEarly(BookingRefused):
    code = "too_early"
    message = "It is too early for that."


class SpotsInUse(BookingRefused):
    code = "spots_in_use"
    message = "Spots are in use now or booked later."


class LotInUse(BookingRefused):
    code = "lot_in_use"
    message = "Cannot delete lot with occupied spots."


class NotStayed(BookingRefused):
    code = "not_stayed"
    message = "You can review a lot once you have stayed there."


class AlreadyReviewed(BookingRefused):
    code = "already_reviewed"
    message = "You have reviewed this lot already; change that review instead."


class BadBooking(Exception):
    """Bad input: the field it lies in and a sentence that says what would do."""

    def __init__(self, field: str, message: str, *, code: str = "invalid"):
        super().__init__(message)
        self.field = field
        self.code = code
