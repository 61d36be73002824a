"""What a lot's settings mean, in sentences: the same on its rules page and beside the back office's form."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from bookings.words import spell
from lots.models import Lot


def sentences(lot: Lot) -> list[str]:
    """In the order of a stay: booking, paying, arriving, leaving, not coming. The lot may be unsaved."""
    return [*_booking(lot), *_paying(lot), *_arriving(lot), *_leaving(lot), *_cancelling(lot)]


def _minutes(count: int) -> str:
    return spell(timedelta(minutes=count))


def _booking(lot: Lot) -> Iterator[str]:
    shortest, longest = _minutes(lot.min_stay_minutes), _minutes(lot.max_stay_minutes or 0)
    if lot.max_stay_minutes:
        span = {"shortest": shortest, "longest": longest}
        yield _("A stay lasts %(shortest)s at least and %(longest)s at most.") % span
    else:
        yield _("A stay lasts %(shortest)s at least; there is no upper limit.") % {"shortest": shortest}
    usual = {"time": _minutes(lot.default_stay_minutes)}
    yield _("Where no end is said, %(time)s are planned.") % usual
    yield _("Reserved times are in steps of %(time)s.") % {"time": _minutes(lot.grid_minutes)}
    days = {"days": lot.max_notice_days}
    yield (
        ngettext(
            "You can book up to %(days)d day ahead.",
            "You can book up to %(days)d days ahead.",
            lot.max_notice_days,
        )
        % days
    )
    if lot.min_notice_minutes:
        notice = {"time": _minutes(lot.min_notice_minutes)}
        yield _("A reservation must be made %(time)s before it starts.") % notice
    if lot.guests_may_book:
        yield _("Guests park without an account by scanning the label on the spot.")
    else:
        yield _("You need an account to park here.")


def _paying(lot: Lot) -> Iterator[str]:
    if lot.payment_timing == Lot.PaymentTiming.PREPAID:
        yield _("You pay before the booking is confirmed; until then the spot is kept for ten minutes.")
    else:
        yield _("You pay when you leave.")


def _arriving(lot: Lot) -> Iterator[str]:
    if not lot.needs_check_in:
        yield _("Nobody has to check in: a reserved stay begins by itself.")
        return
    late = {"time": _minutes(lot.no_show_grace_minutes), "percent": lot.no_show_fee_percent}
    if lot.no_show_fee_percent:
        yield (
            _(
                "Check in within %(time)s of the start, or the spot is given away and %(percent)d %% of the "
                "price is due."
            )
            % late
        )
    else:
        yield (
            _("Check in within %(time)s of the start, or the spot is given away; nothing is due then.") % late
        )


def _leaving(lot: Lot) -> Iterator[str]:
    if lot.end_of_stay == Lot.EndOfStay.ENDS_ITSELF:
        yield _("A stay ends by itself at its planned end.")
    else:
        yield _("A stay goes on past its planned end until you leave, while nobody else is due.")
        if lot.overstay_percent > 100:
            late = {"percent": lot.overstay_percent}
            yield _("Time past the agreed end costs %(percent)d %% of the tariff.") % late
        else:
            yield _("Time past the agreed end costs as much as any other.")
    if lot.early_release == Lot.EarlyRelease.USED:
        yield _("Who leaves a reserved stay early pays for the time used only.")
    else:
        yield _("Who leaves a reserved stay early pays for all of the reserved time.")


def _cancelling(lot: Lot) -> Iterator[str]:
    """The tiers as cancellation.outcome() reads them: the best whose notice is kept."""
    best, said = 0, []
    for tier in sorted(lot.cancellation_tiers, key=lambda tier: tier["notice_minutes"]):
        if tier["refund_percent"] > best:
            best = tier["refund_percent"]
            said.append((tier["notice_minutes"], best))
    for minutes, percent in reversed(said):
        known = {"time": _minutes(minutes), "percent": percent}
        if minutes:
            yield _("Cancelled %(time)s before the start or earlier, %(percent)d %% comes back.") % known
        else:
            yield _("Cancelled before the start, %(percent)d %% comes back.") % known
    if not said:
        yield _("Nothing comes back when you cancel.")
    elif said[0][0]:
        yield _("Cancelled later, nothing comes back.")
