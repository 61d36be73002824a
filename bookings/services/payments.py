"""Paying and paying back. A payment is three steps: write it down, ask the provider, write the answer.

The provider is only ever asked between transactions. Whatever it answers (at once, by its page, by
webhook, or when the reconciler asks again) ends in apply_provider_state().
"""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from bookings import availability, notices
from bookings.errors import (
    AlreadyPaid,
    AlreadyRefunded,
    BadBooking,
    HoldExpired,
    InvalidTransition,
    NothingDue,
    PaymentUnderWay,
)
from bookings.guest_models import account_of
from bookings.models import PAID_LATE, Actor, Booking, State, WaitlistEntry
from bookings.payments import ledger, settling
from bookings.payments.models import Payment, Provider, Refund, Status
from bookings.payments.providers import offered, provider
from bookings.payments.providers.base import Outcome, ProviderRefused, failed
from bookings.services import core
from bookings.services.making import HOLD
from lots import money

DESK_METHODS = ("cash", "card")


# --- Paying ---


def pay(booking: Booking, *, provider_name: str = "", by: Actor, now: datetime, key: str = "") -> Payment:
    """Begin to pay what is due, with the first provider offered or the one named.

    Asked again it answers with the attempt that is under way. Raises ProviderAway where nobody knows
    whether the provider heard us: then the attempt stays pending, and asking again finds it.
    """
    name = _offered_name(provider_name)
    payment, stale = _open(booking, name, by, now, key)
    if stale:
        # What was to be paid has changed, or its page is closed: nobody may pay that attempt any more.
        apply_provider_state(stale, provider(stale.provider).close(stale), now=now)
        payment, stale = _open(booking, name, by, now, key)
    if payment is None:
        raise PaymentUnderWay
    if payment.is_pending and not payment.redirect_url:
        return _start(payment, now)
    return payment


def _offered_name(name: str) -> str:
    names = offered()
    if not names:
        raise BadBooking("provider", _("Payments are taken at the desk only."), code="no_provider")
    if name and name not in names:
        raise BadBooking("provider", _("Pay with one of: %s.") % ", ".join(names), code="unknown_provider")
    return name or names[0]


def _open(
    booking: Booking, name: str, by: Actor, now: datetime, key: str
) -> tuple[Payment | None, Payment | None]:
    """The attempt to go on with, or the one in its way."""
    # Durable: inside somebody's transaction the provider would be asked before our row is safe.
    with transaction.atomic(durable=True), core.command(booking, now) as fresh:
        known = fresh.payments.filter(client_key=key).first() if key else None
        if known:
            return known, None
        if fresh.state != State.EXPIRED:
            amount = _due(fresh)
            under_way = fresh.payments.pending().first()
            if under_way is None:
                return _new_payment(fresh, name, amount, by, now, key), None
            fits = (under_way.provider, under_way.amount) == (name, amount)
            return (under_way, None) if fits and under_way.page_is_open(now) else (None, under_way)
    # Raised outside the transaction, so that the expiry it found stays written.
    raise HoldExpired(_("The time to pay is over, and the spot is free for others. Please book again."))


def _due(booking: Booking) -> Decimal:
    account = ledger.account(booking)
    if not account.due:
        raise AlreadyPaid if account.paid else NothingDue
    if booking.payments.filter(status=Status.REVIEW).exists():
        raise PaymentUnderWay(_("We are looking into a payment for this booking. Please do not pay again."))
    return account.due


def _new_payment(booking: Booking, name: str, amount: Decimal, by: Actor, now: datetime, key: str) -> Payment:
    bank = provider(name)
    if sentence := bank.takes(amount, booking.currency):
        raise BadBooking("provider", sentence, code="not_taken")
    expires_at = now + bank.page_open
    if booking.state == State.HELD and booking.held_until:
        if bank.page_open > HOLD and not booking.payments.exists():
            # Once: the hold lasts as long as the provider's page cannot be closed.
            booking.held_until = max(booking.held_until, expires_at)
            booking.save(update_fields=["held_until"])
        elif bank.page_open <= HOLD:
            expires_at = booking.held_until
    return Payment.objects.create(
        booking=booking,
        provider=name,
        amount=amount,
        currency=booking.currency,
        client_key=key,
        by=account_of(by),
        created_at=now,
        expires_at=expires_at,
    )


def _start(payment: Payment, now: datetime) -> Payment:
    try:
        outcome = provider(payment.provider).start(payment)
    except ProviderRefused as refusal:
        outcome = failed(str(refusal))
    return apply_provider_state(payment, outcome, now=now)


# --- What the provider says ---


def apply_provider_state(payment: Payment, outcome: Outcome, *, now: datetime) -> Payment:
    """Write down what became of a payment, and what follows from it. Any order, any number of times.

    Money that came in is final: a payment that was given up for lost still counts when it arrives.
    """
    if outcome.status == Status.PENDING:
        _note_page(payment, outcome)
        payment.refresh_from_db()
        return payment
    with core.command(payment.booking, now) as booking:
        fresh = Payment.objects.select_for_update(no_key=True).get(pk=payment.pk)
        if fresh.has_succeeded:
            return fresh
        if outcome.status == Status.SUCCEEDED:
            _received(booking, fresh, outcome, now)
        elif fresh.is_pending:
            fresh.status, fresh.note, fresh.settled_at = Status.FAILED, outcome.note, now
            fresh.provider_reference = fresh.provider_reference or outcome.reference or None
            fresh.save()
        return fresh


def _note_page(payment: Payment, outcome: Outcome) -> None:
    if outcome.reference and not payment.provider_reference:
        Payment.objects.pending().filter(pk=payment.pk, provider_reference=None).update(
            provider_reference=outcome.reference, redirect_url=outcome.redirect_url
        )


def _received(booking: Booking, payment: Payment, outcome: Outcome, now: datetime) -> None:
    payment.provider_reference = payment.provider_reference or outcome.reference or None
    payment.settled_at = now
    if sentence := _does_not_fit(payment, outcome):
        payment.status, payment.note = Status.REVIEW, sentence
        payment.flagged_at = payment.flagged_at or now
        payment.save()
        return
    payment.status, payment.method, payment.note = Status.SUCCEEDED, outcome.method, ""
    payment.transaction_id = outcome.transaction_id or None
    payment.save()
    ledger.charge(payment, by=payment.by, now=now)
    note_payment(booking, payment, now=now)
    take_up(booking, by=payment.by or booking.guest, now=now)


def _does_not_fit(payment: Payment, outcome: Outcome) -> str:
    told = (outcome.amount, outcome.currency)
    if outcome.amount is not None and told != (payment.amount, payment.currency):
        return (
            f"The provider took {outcome.amount} {outcome.currency}, "
            f"we asked for {payment.amount} {payment.currency}."
        )
    same = Payment.objects.exclude(pk=payment.pk).filter(transaction_id=outcome.transaction_id)
    if outcome.transaction_id and same.exists():
        return "The provider names a transaction that paid for something else."
    return ""


def note_payment(booking: Booking, payment: Payment, *, now: datetime) -> None:
    details = {"amount": str(payment.amount), "currency": payment.currency, "provider": payment.provider}
    who = payment.by or booking.guest
    core.append(booking, "paid", from_state=booking.state, by=who, now=now, details=details)
    notices.owe(booking, "paid", now=now, sequence=payment.pk.hex, amount=details["amount"])


def take_up(booking: Booking, *, by: Actor, now: datetime) -> None:
    """What money that has come in does to its booking: it confirms it, or goes back."""
    reason = "More was paid than was due."
    if booking.state == State.HELD and not ledger.account(booking).due:
        _confirm(booking, by=by, now=now)
    elif booking.state == State.EXPIRED:
        reason = "The payment came after the hold had ended, and the spot was given away."
        _take_again(booking, by=by, now=now)
    core.settle(booking, reason=reason, by=None, now=now)


def _confirm(booking: Booking, *, by: Actor, now: datetime) -> None:
    if _is_parked_elsewhere(booking):
        core.charge_fee(booking, Decimal(0), "", "")
        reason = "You have another running stay."
        core.transition(booking, State.CANCELLED, "cancelled", by=None, now=now, reason=reason)
        notices.owe(booking, "cancelled", now=now)
        return
    core.transition(booking, State.CONFIRMED, "confirmed", by=by, now=now)
    notices.owe(booking, "confirmed", now=now)
    core.catch_up(booking, now)


def _is_parked_elsewhere(booking: Booking) -> bool:
    """An instant stay begins when it is paid, and a driver has one. A guest has one spot at a time."""
    if booking.guest:
        return Booking.objects.of_guest(booking.guest).occupying().exclude(pk=booking.pk).exists()
    if booking.kind != Booking.Kind.INSTANT or booking.driver is None:
        return False
    running = Booking.objects.of(booking.driver).running().filter(kind=Booking.Kind.INSTANT)
    return running.exclude(pk=booking.pk).exists()


def _take_again(booking: Booking, *, by: Actor, now: datetime) -> None:
    """The hold is over and the money is here: on with it where the spot, or an equal one, is still free."""
    is_late = now >= booking.ends_at or (booking.no_show_at is not None and now >= booking.no_show_at)
    if is_late or _is_parked_elsewhere(booking):
        return
    begin = max(booking.starts_at, now)
    features = booking.spot.features_set()
    free = availability.free_spots(
        begin, booking.ends_at, now=now, lots=[booking.lot_id], features=features,
        vehicle_kind=booking.vehicle_kind,
    ).filter(kind=booking.spot.kind)  # fmt: skip
    spot = free.filter(pk=booking.spot_id).first() or free.cheapest_first().first()
    if spot is None:
        return
    booking.spot, booking.starts_at, booking.state = spot, begin, State.CONFIRMED
    booking.spot.lot = booking.lot
    booking.save()
    WaitlistEntry.objects.follow_late_payment(booking)
    core.append(booking, PAID_LATE, from_state=State.EXPIRED, by=by, now=now)
    notices.owe(booking, "confirmed", now=now)
    core.catch_up(booking, now)


# --- The desk ---


def record_desk_payment(
    booking: Booking,
    *,
    method: str,
    by: User,
    now: datetime,
    amount: Decimal | None = None,
    request_id: uuid.UUID | None = None,
) -> Payment:
    """Staff have taken cash or a card at the desk: all that is due, or a part. Once a `request_id`."""
    if method not in DESK_METHODS:
        raise BadBooking("method", _("Say how it was paid: cash or card."), code="invalid_choice")
    with core.command(booking, now) as fresh:
        known = Payment.objects.filter(pk=request_id).first() if request_id else None
        if known and known.booking_id == fresh.pk:
            return known
        if known:
            raise BadBooking("request_id", _("This form took another booking's money. Open it anew."))
        if fresh.state == State.EXPIRED:
            raise HoldExpired
        due = _due(fresh)
        payment = Payment.objects.create(
            id=request_id or uuid.uuid4(),
            booking=fresh,
            provider=Provider.DESK,
            method=method,
            status=Status.SUCCEEDED,
            amount=_amount(amount if amount is not None else due, fresh.currency, at_most=due),
            currency=fresh.currency,
            by=by,
            created_at=now,
            settled_at=now,
        )
        payment.transaction_id = f"desk_{payment.pk.hex}"
        payment.save(update_fields=["transaction_id"])
        ledger.charge(payment, by=by, now=now)
        note_payment(fresh, payment, now=now)
        take_up(fresh, by=by, now=now)
        return payment


def _amount(amount: Decimal, currency: str, *, at_most: Decimal) -> Decimal:
    if not amount.is_finite() or amount <= 0 or amount != money.quantise(amount, currency):
        raise BadBooking("amount", _("Write an amount of %s above nothing, to the cent.") % currency)
    if amount > at_most:
        raise BadBooking(
            "amount",
            _("At most %(amount)s %(currency)s.") % {"amount": at_most, "currency": currency},
            code="max_value",
        )
    return money.quantise(amount, currency)


# --- Paying back ---


def refund(
    booking: Booking,
    *,
    amount: Decimal | None = None,
    reason: str,
    by: User,
    now: datetime,
    request_id: uuid.UUID | None = None,
) -> list[Refund]:
    """Staff let the driver off a part of the price, or all: it goes back and is not owed again.

    Once a `request_id`. What goes back at the desk is handed over by who says so here.
    """
    reason = " ".join(reason.split())
    if not reason:
        raise BadBooking("reason", _("Say why."), code="required")
    with core.command(booking, now) as fresh:
        known = list(fresh.refunds.filter(request_id=request_id)) if request_id else []
        if known:
            return known
        left = ledger.account(fresh).refundable
        if left <= 0:
            raise AlreadyRefunded if fresh.payments.succeeded().exists() else NothingDue("Nothing was paid.")
        amount = _amount(left if amount is None else amount, fresh.currency, at_most=left)
        refunds = settling.begin(
            fresh, amount, reason=reason, by=by, now=now, lowers_price=True, request_id=request_id
        )
        for part in refunds:
            if part.payment.provider == Provider.DESK:
                settling.finish(part, Outcome(Status.SUCCEEDED), by=by, now=now)
            core.owe_refund_mail(fresh, part, now=now)
            if part.has_succeeded:
                core.note_refund(fresh, part, by=by, now=now)
        return refunds


def pay_out(refund: Refund, *, by: User, now: datetime) -> Refund:
    """Staff have handed over what the desk owed. Twice gives the same answer."""
    if refund.payment.provider != Provider.DESK:
        raise InvalidTransition(_("This refund goes back the way it was paid."))
    return apply_refund_state(refund, Outcome(Status.SUCCEEDED), now=now, by=by)


def apply_refund_state(refund: Refund, outcome: Outcome, *, now: datetime, by: User | None = None) -> Refund:
    """Write down what became of a refund. Any order, any number of times."""
    with core.command(refund.booking, now) as booking:
        fresh = (
            Refund.objects.select_for_update(no_key=True, of=("self",))
            .select_related("payment")
            .get(pk=refund.pk)
        )
        if settling.finish(fresh, outcome, by=by or fresh.by, now=now) and fresh.has_succeeded:
            core.note_refund(booking, fresh, by=by or fresh.by, now=now)
        return fresh


def settle(booking: Booking, *, by: User | None, now: datetime) -> Booking:
    """Send back whatever this booking was paid too much. Nothing where nothing was."""
    with core.command(booking, now) as fresh:
        core.settle(fresh, reason="More was paid than was due.", by=by, now=now)
        return fresh
