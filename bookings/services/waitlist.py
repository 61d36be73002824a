"""Waiting for a spot of a full lot. Whatever is freed is offered down the line, and an offer is a hold.

Everything here happens under the lot's lock. What a command frees is offered in its own transaction
(core.pass_on); the sweep offers what time alone frees, and what somebody snoozed past.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from django.conf import settings
from django.db import DatabaseError, OperationalError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import User
from bookings import availability, notices
from bookings.errors import (
    AlreadyWaiting,
    BadBooking,
    BookingRefused,
    InvalidTransition,
    LotFull,
    NoOffer,
    NotFull,
    PaymentDue,
    WaitlistLimit,
)
from bookings.models import Booking, State, WaitlistEntry, WaitlistState
from bookings.promises import Wish
from bookings.services import core, making
from bookings.waitlist_models import SHORTEST_OFFER
from lots.models import Lot

logger = logging.getLogger(__name__)
MOST_ENTRIES = 5  # live ones of a driver, over all lots


# --- What drivers do ---


def join(
    *,
    lot_id: int,
    driver: User,
    starts_at: datetime | None,
    ends_at: datetime | None,
    now: datetime,
    plate: str = "",
    vehicle_kind: str = "",
    features: tuple[str, ...] = (),
) -> WaitlistEntry:
    """Stand in line for a window of a lot that is full then. The same once more is the same place.

    The window keeps to the rules of a reserved booking (BadBooking, LotClosed, SpotUnsuitable). Refused
    with NotFull (and what is free), AlreadyWaiting for a part of the window, or WaitlistLimit.
    """
    wish = Wish(Booking.Kind.RESERVED, "", tuple(features), vehicle_kind, starts_at, ends_at)
    plate = making.clean_plate(plate)
    with core.refusals(), transaction.atomic():
        lot = core.lock_lot(lot_id)
        core.catch_up_lot(lot, now)
        begin, end = making.check(lot, wish, now)
        known = WaitlistEntry.objects.of(driver).live().filter(lot=lot).overlapping(begin, end).first()
        if known:
            if (known.starts_at, known.ends_at) == (begin, end):
                return known
            raise AlreadyWaiting(entry=known.reference)
        _check_full(lot, wish, begin, end, now)
        _check_entries(driver)
        return WaitlistEntry.objects.create(
            driver=driver,
            lot=lot,
            starts_at=begin,
            ends_at=end,
            plate=plate,
            vehicle_kind=vehicle_kind,
            features=wish.features,  # type: ignore[misc]  # the stubs know no column of ours
            joined_at=now,
        )


def accept(entry: WaitlistEntry, *, by: User, now: datetime) -> WaitlistEntry:
    """Take the offer. Twice gives the same answer. PaymentDue names the booking where the lot is paid first.

    Accepting and expiry may race: whichever commits first wins.
    """
    fresh = WaitlistEntry.objects.select_related("offer").get(pk=entry.pk)
    if fresh.state == WaitlistState.ACCEPTED:
        return fresh
    if fresh.state != WaitlistState.OFFERED or fresh.offer is None:
        raise NoOffer
    try:
        making.confirm(fresh.offer, by=by, now=now)
    except PaymentDue as due:
        raise PaymentDue(booking=fresh.offer.reference) from due
    fresh.refresh_from_db()
    return fresh


def snooze(entry: WaitlistEntry, *, by: User, now: datetime) -> WaitlistEntry:
    """Not now: an offer goes to the next in line, and this place is passed over for a while."""
    with _command(entry, now) as fresh:
        if not fresh.is_live:
            raise InvalidTransition(_("This place in line is %s.") % fresh.get_state_display())
        hold = fresh.live_offer(now)
        fresh.snooze(now)
        fresh.save()
        if hold:
            _let_go(hold, by=by, now=now)
        return fresh


def leave(entry: WaitlistEntry, *, by: User, now: datetime) -> WaitlistEntry:
    """Wait no more: an offer goes to the next in line. Twice gives the same answer."""
    with _command(entry, now) as fresh:
        if fresh.state == WaitlistState.LEFT:
            return fresh
        if not fresh.is_live:
            raise InvalidTransition(_("This place in line is %s.") % fresh.get_state_display())
        hold = fresh.live_offer(now)
        fresh.state = WaitlistState.LEFT
        fresh.save()
        if hold:
            _let_go(hold, by=by, now=now)
        return fresh


@contextmanager
def _command(entry: WaitlistEntry, now: datetime) -> Iterator[WaitlistEntry]:
    """The frame of every change of one place in line: yields it as it is under the lot's lock."""
    with core.refusals(), transaction.atomic():
        lot = core.lock_lot(entry.lot_id)
        core.catch_up_lot(lot, now)
        fresh = WaitlistEntry.objects.select_related("driver", "offer").get(pk=entry.pk)
        fresh.lot = lot
        yield fresh


def _let_go(hold: Booking, *, by: User, now: datetime) -> None:
    with core.command(hold, now) as booking:
        core.charge_fee(booking, Decimal(0), "", "")
        reason = "The offer was declined."
        core.transition(booking, State.CANCELLED, "cancelled", by=by, now=now, reason=reason)


def _check_full(lot: Lot, wish: Wish, begin: datetime, end: datetime, now: datetime) -> None:
    asked: availability.Wanted = {"features": wish.features, "vehicle_kind": wish.vehicle_kind}
    if availability.free_spots(begin, end, now=now, lots=[lot.pk], **asked).exists():
        refusal = NotFull()
        refusal.look = partial(availability.alternatives, lot, begin, end, now=now, **asked)
        raise refusal


def _check_entries(driver: User) -> None:
    # Their other lines are at other lots; whoever counts them waits here for the others who do.
    driver = User.objects.select_for_update(no_key=True).get(pk=driver.pk)
    if WaitlistEntry.objects.of(driver).live().count() >= MOST_ENTRIES:
        raise WaitlistLimit


# --- Serving ---


def serve(lot: Lot, *, now: datetime, freed: tuple[datetime, datetime] | None = None) -> int:
    """Make an offer to everybody, in line, whom a free spot of this locked lot suits; how many.

    Nobody is asked who snoozes or whose time is about to begin. Whom the lot's rules do not let book at
    the moment is passed over, with the rule's code beside the entry.
    """
    line = WaitlistEntry.objects.waiting(now).filter(lot=lot, starts_at__gt=now + SHORTEST_OFFER)
    if freed:
        line = line.overlapping(*freed)
    offers = 0
    # Nothing is freed meanwhile: what one could not get, nobody behind who wants the same can.
    in_vain: dict[tuple[object, ...], str] = {}
    for entry in line.in_line().select_related("driver"):
        entry.lot = lot
        wanted = (entry.starts_at, entry.ends_at, entry.features_set(), entry.vehicle_kind)
        reason = in_vain[wanted] if wanted in in_vain else _try_offer(entry, now)
        if reason is None:
            offers += 1
            continue
        in_vain[wanted] = reason
        _note(entry, reason)
    return offers


def serve_waitlist(*, now: datetime) -> int:
    """Offer what time alone has freed, and end the entries whose time has begun. Safe at any time."""
    entries = WaitlistEntry.objects.filter(state=WaitlistState.WAITING).filter(
        Q(snoozed_until=None) | Q(snoozed_until__lte=now) | Q(starts_at__lte=now)
    )
    offers = 0
    for lot_id in list(entries.order_by("lot_id").values_list("lot_id", flat=True).distinct()):
        try:
            with core.refusals(), transaction.atomic():
                lot = core.lock_lot(lot_id)
                core.catch_up_lot(lot, now)
                WaitlistEntry.objects.filter(lot=lot).over(now).update(
                    state=WaitlistState.PASSED, snoozed_until=None
                )
                offers += serve(lot, now=now)
        except OperationalError:
            raise  # the database is busy or away: the next sweep does the rest
        except Exception:
            logger.exception("serving the waitlist of lot %s failed", lot_id)
    return offers


def _try_offer(entry: WaitlistEntry, now: datetime) -> str | None:
    """None: the offer is made. Otherwise why not; "" where simply nothing is free."""
    try:
        with transaction.atomic():
            _offer(entry, now)
    except LotFull:
        return ""
    except (BookingRefused, BadBooking) as refused:
        return refused.code
    except DatabaseError:
        raise
    except Exception:
        # One sick row must neither keep the rows behind it waiting nor undo what freed the spot.
        logger.exception("making an offer to waitlist entry %s failed", entry.reference)
        return "failed"
    return None


def _offer(entry: WaitlistEntry, now: datetime) -> None:
    wish = Wish(
        Booking.Kind.RESERVED, "", entry.features_set(), entry.vehicle_kind, entry.starts_at, entry.ends_at
    )
    until = min(now + timedelta(minutes=settings.WAITLIST_OFFER_MINUTES), entry.starts_at)
    booking = making.offer(entry.lot, wish, driver=entry.driver, plate=entry.plate, until=until, now=now)
    entry.state, entry.offer = WaitlistState.OFFERED, booking
    entry.snoozed_until, entry.passed_over = None, ""
    entry.save()
    notices.owe_offer(booking, entry.reference, now=now)


def _note(entry: WaitlistEntry, reason: str) -> None:
    if entry.passed_over != reason:
        entry.passed_over = reason
        entry.save(update_fields=["passed_over"])
