"""What every command shares: the lock, the catching up, rules; and the steps, by the same name."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.prepared import prepared
from bookings import guards, notices, signals
from bookings.errors import (
    AlreadyParked,
    BadBooking,
    BookingRefused,
    LotClosed,
    LotOutOfService,
    SpotClosed,
    SpotTaken,
)
from bookings.models import SOON, Booking, State, WaitlistEntry
from bookings.pieces import LONGEST_STAY
from bookings.services import rescue
from bookings.services.steps import (  # noqa: F401  who has core has the steps
    actor,
    agreed_price,
    append,
    charge_fee,
    charged_period,
    complete,
    final_price,
    note_refund,
    owe_refund_mail,
    priced,
    set_price,
    settle,
    take_price,
    transition,
)
from bookings.words import exact
from lots import clock
from lots.models import Closure, Lot, LotQuerySet

# How PostgreSQL and SQLite name the constraints that allow a driver and a guest one stay at a time.
ONE_STAY = (
    *("booking_one_instant_stay_a_driver", "bookings_booking.driver_id"),
    *("booking_one_stay_a_guest", "bookings_booking.guest_id"),
)


def lock_lot(lot_id: int) -> Lot:
    """Whoever wants to change who stands where waits here; what is read after this is the last word.

    Lock first and look in a second query: one statement that does both double-books under READ COMMITTED.
    On SQLite the transaction itself holds the write lock from its beginning (IMMEDIATE).
    """
    start = time.perf_counter()
    lots = _locked_lot(lot_id=lot_id)
    if not lots:
        raise Lot.DoesNotExist
    lot: Lot = lots[0]
    signals.lot_locked.send_robust(Lot, seconds=time.perf_counter() - start)
    return lot


@prepared("lot_id")
def _locked_lot(*, lot_id: int) -> LotQuerySet:
    return Lot.objects.select_for_update(no_key=True).filter(pk=lot_id)


@contextmanager
def refusals() -> Iterator[None]:
    """The database's own refusals in our words. It only ever speaks up where the lock was forgotten."""
    try:
        yield
    except IntegrityError as error:
        text = str(error)
        if guards.NAME in text:
            raise SpotTaken from error
        if any(name in text for name in ONE_STAY):
            raise AlreadyParked from error
        raise


@contextmanager
def command(booking: Booking, now: datetime) -> Iterator[Booking]:
    """The frame of every change of one booking: yields the row as it is under the lot's lock."""
    with refusals(), transaction.atomic():
        lot = lock_lot(booking.lot_id)
        catch_up_lot(lot, now)
        fresh = on(lot, booking.pk)
        kept = _kept(fresh)
        catch_up(fresh, now)
        yield fresh
        if kept and kept != _kept(fresh):
            pass_on(lot, now, kept[1:])


def _kept(booking: Booking) -> tuple[int, datetime, datetime] | None:
    """The spot and the period a booking keeps others off; None where it does not."""
    return (booking.spot_id, booking.starts_at, booking.ends_at) if booking.is_occupying else None


def pass_on(lot: Lot, now: datetime, freed: tuple[datetime, datetime] | None = None) -> None:
    """Offer what was freed to those who wait for it, in the transaction that frees it: nobody jumps the line.

    The lot is locked. `freed` is the period in question; None: look at everybody who waits here.
    """
    in_line = WaitlistEntry.objects.waiting(now).filter(lot=lot)
    if (in_line.overlapping(*freed) if freed else in_line).exists():
        # Here and not above: the waitlist books, so it stands on this module.
        from bookings.services import waitlist

        waitlist.serve(lot, now=now, freed=freed)


def _locked(pk: int) -> Booking:
    rows = Booking.objects.select_related("spot", "driver", "guest", "tariff").select_for_update(
        of=("self",), no_key=True
    )
    return rows.get(pk=pk)


# --- Catching up with the clock: what a sweep will do anyway is done before anybody decides on old news ---


def catch_up_lot(lot: Lot, now: datetime) -> None:
    """Do what time has made due on this lot, in the one order that gives the same answer whoever asks first.

    First what only frees: holds nobody confirmed, no-shows. Then those are rescued whose spot cannot be
    had. Then the stays that go on grow, and last what is left is offered down the line. Stays that ended
    by themselves are in nobody's way; their sweep closes them.
    """
    rows = _due(lot_id=lot.pk, now=now)
    soon = [pk for pk, state, *_moments in rows if state != State.ACTIVE]
    blocked = _to_rescue(soon, now)
    freed = []
    for pk, state, held_until, no_show_at in rows:
        ends = {State.HELD: held_until, State.CONFIRMED: no_show_at}.get(State(state))
        if ends and ends <= now and pk not in blocked:
            booking = on(lot, pk)
            catch_up(booking, now)
            freed.append((booking.starts_at, booking.ends_at))
    for pk in blocked:
        rescue.rescue(on(lot, pk), now=now)
    for pk, state, *_moments in rows:
        if state == State.ACTIVE:
            catch_up(on(lot, pk), now)
    if freed:
        pass_on(lot, now, (min(starts for starts, _ends in freed), max(ends for _starts, ends in freed)))


@prepared("lot_id", "now")
def _due(*, lot_id: int, now: datetime) -> QuerySet[Any]:
    due = Booking.objects.filter(lot=lot_id).filter(
        Q(state=State.HELD, held_until__lte=now)
        | Q(state=State.HELD, starts_at__lte=now + SOON)
        | Q(state=State.CONFIRMED, starts_at__lte=now + SOON)
        | Q(state=State.ACTIVE, ends_at__lte=now, is_open_ended=True)
    )
    return due.order_by("pk").values_list("pk", "state", "held_until", "no_show_at")


def _to_rescue(soon: list[int], now: datetime) -> list[int]:
    """Asked only where somebody begins soon. The first to begin gets the first free spot."""
    if not soon:
        return []
    rows = Booking.objects.filter(pk__in=soon).to_rescue(now).order_by("starts_at", "pk")
    return list(rows.values_list("pk", flat=True))


def on(lot: Lot, pk: int) -> Booking:
    """A booking of a lot that is locked, as it is now."""
    booking = _locked(pk)
    booking.lot = booking.spot.lot = lot
    return booking


def catch_up(booking: Booking, now: datetime) -> bool:
    """Whatever time alone has done to this booking, in order. Says whether it did anything."""
    moved = False
    if booking.hold_is_over(now):
        transition(booking, State.EXPIRED, "expired", by=None, now=now)
        if not WaitlistEntry.objects.filter(offer=booking).exists():
            notices.owe(booking, "expired", now=now)
        moved = True
    if booking.is_missed(now):
        _no_show(booking, now)
        moved = True
    if booking.starts_by_itself(now):
        booking.checked_in_at = booking.starts_at
        transition(booking, State.ACTIVE, "started", by=None, now=now)
        moved = True
    if booking.has_ended(now):
        complete(booking, at=booking.ends_at, action="ended", by=None, now=now)
        moved = True
    if booking.is_overstaying(now):
        moved |= _roll_on(booking, now)
    return moved


def _no_show(booking: Booking, now: datetime) -> None:
    percent = booking.no_show_fee_percent
    fee = booking.total * percent / 100
    charge_fee(booking, fee, "No-show fee", f"Not checked in in time: {percent} % of the price.")
    transition(booking, State.NO_SHOW, "no_show", by=None, now=now, details={"fee": str(booking.total)})
    notices.owe(booking, "no_show", now=now)


def _roll_on(booking: Booking, now: datetime) -> bool:
    """A stay that goes on until released grows in steps of the grid while nobody else is due."""
    following = (
        Booking.objects.blocking(now)
        .filter(spot=booking.spot_id, starts_at__gte=booking.ends_at)
        .exclude(pk=booking.pk)
        .order_by("starts_at")
        .values_list("starts_at", flat=True)
        .first()
    )
    step = clock.next_on_grid(now + timedelta(seconds=1), booking.lot.grid_minutes, booking.lot.zone)
    until = min(step, following) if following else step
    if until <= booking.ends_at:
        return False
    booking.ends_at = until
    booking.save(update_fields=["ends_at"])
    return True


# --- Rules about periods that booking and extending share ---


def check_grid(lot: Lot, field: str, at: datetime) -> None:
    if clock.is_on_grid(at, lot.grid_minutes, lot.zone):
        return
    following = clock.next_on_grid(at, lot.grid_minutes, lot.zone).astimezone(lot.zone)
    raise BadBooking(
        field,
        _("Times here go in steps of %(grid)d minutes; the next is %(moment)s.")
        % {"grid": lot.grid_minutes, "moment": exact(following)},
        code="off_grid",
    )


def check_length(lot: Lot, starts_at: datetime, ends_at: datetime) -> None:
    if ends_at <= starts_at:
        raise BadBooking("ends_at", _("The end must lie after the start."), code="end_before_start")
    if ends_at - starts_at > LONGEST_STAY:
        raise BadBooking("ends_at", _("Nobody stays here for more than ten years."), code="too_long")
    minutes = (ends_at - starts_at).total_seconds() / 60
    if minutes < lot.min_stay_minutes:
        raise BadBooking(
            "ends_at", _("The shortest stay here is %d minutes.") % lot.min_stay_minutes, code="too_short"
        )
    if lot.max_stay_minutes and minutes > lot.max_stay_minutes:
        raise BadBooking(
            "ends_at", _("The longest stay here is %d minutes.") % lot.max_stay_minutes, code="too_long"
        )


def check_open(lot: Lot, starts_at: datetime, ends_at: datetime) -> None:
    if not lot.is_active or lot.archived_at:
        raise LotClosed(_("This lot takes no bookings at the moment."))
    if lot.hours.is_open_throughout(starts_at, ends_at, lot.zone):
        return
    opens_at = None if lot.hours.is_open(starts_at, lot.zone) else lot.hours.next_opening(starts_at, lot.zone)
    closes_at = lot.hours.open_until(starts_at, lot.zone) if opens_at is None else None
    if opens_at:
        raise LotClosed(
            _("The lot is closed then; it opens at %s.") % _local(lot, opens_at), opens_at=opens_at
        )
    if closes_at:
        raise LotClosed(_("The lot closes at %s.") % _local(lot, closes_at), closes_at=closes_at)
    raise LotClosed


def out_of_service(lot: Lot, closure: Closure) -> BookingRefused:
    """What a closure answers who asks for the spot, or the lot."""
    if not closure.spot_id:
        opens = {"opens_at": closure.ends_at} if closure.ends_at else {}
        return LotOutOfService(closed_words(lot, closure.ends_at), **opens)
    if closure.ends_at is None:
        return SpotClosed(_("This spot is out of service until further notice."))
    sentence = _("This spot is out of service until %s.") % _local(lot, closure.ends_at)
    return SpotClosed(sentence, opens_at=closure.ends_at)


def closed_words(lot: Lot, ends_at: datetime | None) -> str:
    """What a page and a refusal say of a lot closed as a whole; None: nobody knows how long."""
    if ends_at is None:
        return _("This lot is out of service until further notice.")
    return _("This lot is out of service until %s.") % _local(lot, ends_at)


def _local(lot: Lot, at: datetime) -> str:
    return exact(timezone.localtime(at, lot.zone))
