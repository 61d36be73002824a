"""Making a booking: at once or for later, held or promised."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from accounts.models import User
from accounts.prepared import insert
from bookings import availability, notices, promises, signals
from bookings.errors import (
    AlreadyParked,
    BadBooking,
    BookingRefused,
    HoldExpired,
    HoldLimit,
    LotFull,
    LotOutOfService,
    NoGuests,
    PaymentDue,
    SpotClosed,
    SpotTaken,
    SpotUnsuitable,
)
from bookings.models import Actor, Booking, BookingQuerySet, Guest, State, normalise_plate
from bookings.payments import ledger
from bookings.promises import Wish
from bookings.services import core
from lots.models import Lot, Spot
from lots.services import tariff_at

HOLD = timedelta(minutes=10)
MOST_HOLDS = 2
HOLD_AGAIN = timedelta(minutes=2)  # so long a driver who let a hold run out leaves its time to others
MOST_PLATE = 20
NO_SUCH_SPOT = gettext_noop("No spot of this lot offers what was asked for.")


@signals.answers
def book(
    *,
    lot_id: int,
    kind: str,
    driver: User | None,
    guest: Guest | None = None,
    now: datetime,
    by: Actor = None,
    spot_number: str = "",
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    plate: str = "",
    vehicle_kind: str = "",
    features: tuple[str, ...] = (),
    hold: bool | None = None,
    source_id: str | None = None,
    quote: str = "",
) -> Booking:
    """Book a spot: an *instant* stay from now, or a *reserved* window. Returns the booking.

    `by` is who does it, where that is not the driver or the guest. With `hold` the spot is kept for HOLD,
    until confirm() or a payment; None: where the lot wants to be paid first. A signed `quote` keeps its
    price. Refused with LotFull or SpotTaken (with alternatives), LotClosed, SpotClosed, SpotUnsuitable,
    AlreadyParked, HoldLimit or NoGuests; BadBooking names a field that cannot be right.
    """
    wish = Wish(kind, spot_number.strip(), tuple(features), vehicle_kind, starts_at, ends_at)
    promise = promises.read(quote, now=now) if quote else None
    if promise:
        promise.check(lot_id, wish)
    try:
        with core.refusals(), transaction.atomic():
            lot = core.lock_lot(lot_id)
            core.catch_up_lot(lot, now)
            order = _Order(wish, driver, guest, by or guest or driver, plate, hold, source_id, promise)
            return _book(lot, order, now)
    except (LotFull, SpotTaken, SpotClosed, LotOutOfService) as refusal:
        refusal.look = partial(_alternatives, lot_id, wish, now)
        raise


def confirm(booking: Booking, *, by: User | None, now: datetime) -> Booking:
    """Turn a hold into a promise. Confirm and expiry may race: whichever commits first wins."""
    with core.command(booking, now) as fresh:
        if fresh.state == State.CONFIRMED:
            return fresh
        if fresh.state != State.EXPIRED:
            if by is not None and not by.is_staff and _wants_payment(fresh) and ledger.account(fresh).due:
                raise PaymentDue
            core.transition(fresh, State.CONFIRMED, "confirmed", by=by, now=now)
            notices.owe(fresh, "confirmed", now=now)
            return fresh
    # Raised outside the transaction, so that the expiry it found stays written.
    raise HoldExpired


def check(lot: Lot, wish: Wish, now: datetime) -> tuple[datetime, datetime]:
    """The period a wish means, where this lot's rules and hours allow it and it has a spot like that."""
    starts_at, ends_at = _period(lot, wish, now)
    core.check_open(lot, starts_at, ends_at)
    if not lot.spots.in_service().offering(features=wish.features, vehicle_kind=wish.vehicle_kind).exists():
        raise SpotUnsuitable(_(NO_SUCH_SPOT))
    return starts_at, ends_at


def offer(lot: Lot, wish: Wish, *, driver: User, plate: str, until: datetime, now: datetime) -> Booking:
    """Hold a spot for whoever is next in line, beside the holds they keep themselves. The lot is locked."""
    return _book(lot, _Order(wish, driver, plate=plate, offered_until=until), now)


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be booked, by whom, and how."""

    wish: Wish
    driver: User | None
    guest: Guest | None = None
    by: Actor = None
    plate: str = ""
    hold: bool | None = None  # None: where the lot wants to be paid first
    source_id: str | None = None
    promise: promises.Promise | None = None
    offered_until: datetime | None = None


def _book(lot: Lot, order: _Order, now: datetime) -> Booking:
    """The lot is locked, and has caught up with the clock."""
    starts_at, ends_at = _period(lot, order.wish, now)
    core.check_open(lot, starts_at, ends_at)
    _check_stays(lot, order, now)
    spot = _choose(lot, order.wish, starts_at, ends_at, now, order.promise.spot_kind if order.promise else "")
    booking = _drafted(spot, order, starts_at, ends_at, now)
    core.set_price(booking, starts_at, ends_at)
    if order.promise:
        order.promise.check_price(booking)
    action = _enter(booking, order, now)
    insert([booking])
    core.append(booking, action, from_state="", by=order.by, now=now, sequence=1)
    if action == "booked":
        notices.owe(booking, "confirmed", now=now)
    return booking


def _drafted(spot: Spot, order: _Order, starts_at: datetime, ends_at: datetime, now: datetime) -> Booking:
    """The row, but for its price and state; with what the lot's rules are today."""
    lot, wish, promise = spot.lot, order.wish, order.promise
    return Booking(
        kind=wish.kind,
        lot=lot,
        spot=spot,
        driver=order.driver,
        guest=order.guest,
        plate=clean_plate(order.plate),
        plate_normalised=normalise_plate(order.plate),
        vehicle_kind=wish.vehicle_kind,
        features=wish.features,  # type: ignore[misc]  # the stubs know no column of ours
        starts_at=starts_at,
        ends_at=ends_at,
        booked_from=starts_at,
        booked_until=ends_at,
        no_show_at=_no_show_at(lot, wish.kind, starts_at),
        is_open_ended=lot.end_of_stay == Lot.EndOfStay.UNTIL_RELEASED,
        tariff=promise.tariff(lot) if promise else tariff_at(lot, now),
        cancellation_tiers=lot.cancellation_tiers,
        no_show_fee_percent=lot.no_show_fee_percent,
        early_release=lot.early_release,
        overstay_percent=lot.overstay_percent,
        source_id=order.source_id,
        created_at=now,
    )


def _check_stays(lot: Lot, order: _Order, now: datetime) -> None:
    if order.guest is not None:
        if not lot.guests_may_book:
            raise NoGuests
        _end_or_refuse_stay(Booking.objects.of_guest(order.guest).occupying(), now)
    elif order.wish.kind == Booking.Kind.INSTANT and order.driver is not None:
        stays = Booking.objects.of(order.driver).running()
        _end_or_refuse_stay(stays.filter(kind=Booking.Kind.INSTANT), now)


def _wants_payment(booking: Booking) -> bool:
    return booking.lot.payment_timing == Lot.PaymentTiming.PREPAID and booking.total > 0


def _enter(booking: Booking, order: _Order, now: datetime) -> str:
    """The first state: offered, held for a while, there at once, or promised. Returns the action."""
    hold = order.hold
    if hold is None:
        hold = order.source_id is None and _wants_payment(booking)
    if order.offered_until:
        booking.state, booking.held_until = State.HELD, order.offered_until
        return "offered"
    if hold:
        _check_holds(booking, now)
        booking.state, booking.held_until = State.HELD, now + HOLD
        return "held"
    if booking.kind == Booking.Kind.INSTANT:
        booking.state, booking.checked_in_at = State.ACTIVE, booking.starts_at
    else:
        booking.state = State.CONFIRMED
    return "booked"


def _check_holds(booking: Booking, now: datetime) -> None:
    """Nobody keeps others off many spots, or one spot for ever, without paying."""
    if booking.driver_id is None:
        return
    # Their bookings may lie on several lots; whoever counts them waits here for the others who do.
    driver = User.objects.select_for_update(no_key=True).get(pk=booking.driver_id)
    # What the waitlist offers them they did not ask for now: it does not count.
    asked_for = Booking.objects.of(driver).filter(waitlist_entry=None)
    holds = asked_for.in_state(State.HELD).blocking(now).order_by("held_until")
    live = list(holds.values_list("held_until", flat=True))
    if len(live) >= MOST_HOLDS:
        raise HoldLimit(until=live[0])
    again = asked_for.in_state(State.EXPIRED).filter(
        lot=booking.lot, booked_from=booking.booked_from, held_until__gt=now - HOLD_AGAIN
    )
    latest = again.order_by("-held_until").values_list("held_until", flat=True).first()
    if latest:
        raise HoldLimit(_("You have just let this go. Try again in two minutes."), until=latest + HOLD_AGAIN)


def _no_show_at(lot: Lot, kind: str, starts_at: datetime) -> datetime | None:
    if kind == Booking.Kind.INSTANT or not lot.needs_check_in:
        return None
    return starts_at + timedelta(minutes=lot.no_show_grace_minutes)


def _period(lot: Lot, wish: Wish, now: datetime) -> tuple[datetime, datetime]:
    if wish.kind == Booking.Kind.INSTANT:
        return _instant_period(lot, wish, now)
    if wish.kind == Booking.Kind.RESERVED:
        return _reserved_period(lot, wish, now)
    raise BadBooking("kind", _("A booking is instant or reserved."))


def _instant_period(lot: Lot, wish: Wish, now: datetime) -> tuple[datetime, datetime]:
    if wish.starts_at is not None:
        raise BadBooking("starts_at", _("An instant booking starts now; leave the start out or reserve."))
    if wish.ends_at is None:
        starts_at, ends_at = availability.window(lot, now)
        # Nobody named an end, so the lot's closing time is as good as its default stay.
        closes_at = lot.hours.open_until(now, lot.zone)
        return starts_at, min(ends_at, closes_at) if closes_at else ends_at
    if wish.ends_at <= now:
        raise BadBooking("ends_at", _("The end must lie in the future."), code="end_in_the_past")
    core.check_length(lot, now, wish.ends_at)
    return now, wish.ends_at


def _reserved_period(lot: Lot, wish: Wish, now: datetime) -> tuple[datetime, datetime]:
    starts_at, ends_at = wish.starts_at, wish.ends_at
    if starts_at is None:
        raise BadBooking("starts_at", _("Say when the booking starts."), code="required")
    if ends_at is None:
        raise BadBooking("ends_at", _("Say when the booking ends."), code="required")
    if starts_at <= now:
        raise BadBooking("starts_at", _("The start must lie in the future."), code="start_in_the_past")
    core.check_length(lot, starts_at, ends_at)
    core.check_grid(lot, "starts_at", starts_at)
    core.check_grid(lot, "ends_at", ends_at)
    if starts_at < now + timedelta(minutes=lot.min_notice_minutes):
        raise BadBooking(
            "starts_at",
            _("Book at least %d minutes before the start.") % lot.min_notice_minutes,
            code="too_soon",
        )
    if starts_at > now + timedelta(days=lot.max_notice_days):
        raise BadBooking(
            "starts_at",
            ngettext("Book at most %d day ahead.", "Book at most %d days ahead.", lot.max_notice_days)
            % lot.max_notice_days,
            code="too_far",
        )
    return starts_at, ends_at


def clean_plate(plate: str) -> str:
    plate = " ".join(plate.split())
    if len(plate) > MOST_PLATE:
        raise BadBooking("plate", _("A plate has at most %d characters.") % MOST_PLATE, code="max_length")
    return plate


def _end_or_refuse_stay(stays: BookingQuerySet, now: datetime) -> None:
    """One at a time: `stays` are those in the way of another."""
    rows = stays.select_related("lot", "spot", "guest", "tariff")
    stay = rows.select_for_update(of=("self",), no_key=True).first()
    if stay is None:
        return
    if not (stay.has_ended(now) or stay.hold_is_over(now)):
        raise AlreadyParked(booking=stay.reference)
    # Over, and the sweep has not come by yet. Ending it needs no lock on its lot: it only frees.
    core.catch_up(stay, now)


def _choose(
    lot: Lot, wish: Wish, starts_at: datetime, ends_at: datetime, now: datetime, spot_kind: str = ""
) -> Spot:
    named = _named(lot, wish) if wish.spot_number else None
    spot = availability.first_free(
        lot.pk,
        starts_at,
        ends_at,
        now=now,
        features=wish.features,
        vehicle_kind=wish.vehicle_kind,
        spot_kind=spot_kind,
        spot_id=named.pk if named else None,
    )
    if spot is not None:
        spot.lot = lot
        return spot
    if named is not None:
        named.lot = lot
        raise _taken(named, starts_at, ends_at, now)
    closure = availability.closure_of_lot(lot, starts_at, ends_at)
    raise core.out_of_service(lot, closure) if closure else _full(lot, wish)


def _named(lot: Lot, wish: Wish, spot: Spot | None = None) -> Spot:
    """The spot that was asked for by its number, if it will do; `spot` where it was read already."""
    spot = spot or lot.spots.kept().filter(number__iexact=wish.spot_number).first()
    if spot is None:
        raise BadBooking("spot", _("This lot has no spot %s.") % wish.spot_number[:20], code="unknown_spot")
    if not spot.is_in_service:
        raise SpotClosed
    if not spot.offers(wish.features, wish.vehicle_kind):
        raise SpotUnsuitable
    return spot


def _taken(spot: Spot, starts_at: datetime, ends_at: datetime, now: datetime) -> BookingRefused:
    """Names the window in the way, not whose it is."""
    closure = availability.closure_of(spot, starts_at, ends_at)
    if closure:
        return core.out_of_service(spot.lot, closure)
    other = (
        Booking.objects.blocking(now)
        .filter(spot=spot)
        .overlapping(starts_at, ends_at)
        .order_by("starts_at")
        .values("starts_at", "ends_at")
        .first()
    )
    return SpotTaken(conflict=other) if other else SpotTaken()


def _full(lot: Lot, wish: Wish) -> BookingRefused:
    offered = lot.spots.in_service().offering(features=wish.features, vehicle_kind=wish.vehicle_kind)
    if not offered.exists():
        return SpotUnsuitable(_(NO_SUCH_SPOT))
    return LotFull()


def _alternatives(lot_id: int, wish: Wish, now: datetime) -> list[availability.Alternative]:
    lot = Lot.objects.get(pk=lot_id)
    starts_at, ends_at = _period(lot, wish, now)
    return availability.alternatives(
        lot, starts_at, ends_at, now=now, features=wish.features, vehicle_kind=wish.vehicle_kind
    )
