"""What stands in the report mails, put together when they are sent. Named by settings.MAIL_BUILDERS."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import Notice, User
from accounts.outbox import Content, NotWanted
from bookings.models import Booking, State
from reports import figures, lines, people, tables, unsubscribe
from reports.days import Days, zone_of
from reports.exports import REASONS
from reports.mails import lots_of
from reports.models import JobRun
from reports.scope import Scope

SHOWN = 40  # rows of a table in a mail; the file has them all
CSV = "text/csv"


def reminder(notice: Notice) -> Content:
    user = _reader(notice)
    last = (
        Booking.objects.of(user).in_state(State.COMPLETED).order_by("-ends_at").select_related("lot").first()
    )
    lot = last.lot if last and last.lot.is_listed else None
    place = {"name": lot.name, "path": f"/lots/{lot.slug}/"} if lot else None
    return _content(user, {"last_lot": place, "is_new": last is None})


def monthly(notice: Notice) -> Content:
    """A driver's month: figures, bookings, and the bookings as a file."""
    user = _reader(notice)
    month = Days.month(date.fromisoformat(notice.context["month"]), zone_of(user))
    scope, now = Scope(driver=user), notice.not_before
    found = people.driver_figures(user, month, now=now)
    before = people.driver_figures(user, month.before, now=now)
    rows = tables.bookings(scope, month)
    context = {
        "lines": lines.of_driver(found, before),
        "rows": rows[:SHOWN],
        "more": max(rows.count() - SHOWN, 0),
        **_named(month),
    }
    name = f"parkwell-bookings-{month.first:%Y-%m}.csv"
    return _content(user, context, name, tables.bookings_csv(scope, month))


def daily(notice: Notice) -> Content:
    """An operator's day: figures, lots, and what went wrong."""
    user = _reader(notice)
    day = Days.day(date.fromisoformat(notice.context["day"]), zone_of(user))
    return _content(user, _of_lots(user, day, notice.not_before))


def monthly_lots(notice: Notice) -> Content:
    """An operator's month, with a file that has a row a lot."""
    user = _reader(notice)
    month = Days.month(date.fromisoformat(notice.context["month"]), zone_of(user))
    name = f"parkwell-lots-{month.first:%Y-%m}.csv"
    file = tables.lots_csv(lots_of(user), month, now=notice.not_before)
    return _content(user, _of_lots(user, month, notice.not_before), name, file)


def export_failed(notice: Notice) -> Content:
    """Why there is no file, in the reader's language."""
    if notice.user is None or not notice.user.is_active:
        raise NotWanted("Nobody is there any more; not sent.")
    return Content(context={"reason": str(REASONS[notice.context["code"]])})


def _of_lots(user: User, period: Days, now: datetime) -> dict[str, Any]:
    lots = lots_of(user)
    if not lots.exists():
        raise NotWanted("Runs no lot any more; not sent.")
    rows = figures.by_lot(lots, period, now=now)
    found, before = figures.total(rows, period), figures.summary(lots, period.before, now=now)
    told = lines.of_lots(found, before)
    told += _beside(Scope(lots), period)
    return {
        "lines": told,
        "busiest": figures.busiest(rows),
        "lots": [_lot(lot, summary) for lot, summary in rows[:SHOWN]],
        "more": max(len(rows) - SHOWN, 0),
        **_named(period),
    }


def _lot(lot: Any, found: figures.Summary) -> dict[str, str]:
    return {
        "name": lot.name,
        "revenue": lines.revenues(found.money),
        "stays": str(found.activity.began),
        "occupancy": lines.percent(found.occupancy.share),
    }


def _beside(scope: Scope, period: Days) -> list[lines.Line]:
    """Who came, and what somebody should look at."""
    counts: list[tuple[str, Callable[[Days], int]]] = [
        (_("New users"), people.new_users),
        (_("Payments that failed"), lambda part: figures.failed_payments(scope, part)),
        (_("Mails given up"), _mails_given_up),
        (_("Jobs that failed"), _jobs_that_failed),
    ]
    return [lines.Line(label, str(count(period)), str(count(period.before))) for label, count in counts]


def _mails_given_up(period: Days) -> int:
    return Notice.objects.filter(failed_at__gte=period.starts_at, failed_at__lt=period.ends_at).count()


def _jobs_that_failed(period: Days) -> int:
    return (
        JobRun.objects.went_wrong()
        .filter(finished_at__gte=period.starts_at, finished_at__lt=period.ends_at)
        .count()
    )


def _reader(notice: Notice) -> User:
    """Who it is for, if they still want it."""
    if notice.user is None or not notice.user.is_active:
        raise NotWanted("Nobody is there any more; not sent.")
    if not notice.user.wants_reminders:
        raise NotWanted("Unsubscribed meanwhile; not sent.")
    return notice.user


def _named(period: Days) -> dict[str, str]:
    return {
        "period": lines.named(period),
        "before": lines.named(period.before),
        "zone": period.zone.key,
    }


def _content(user: User, context: dict[str, Any], name: str = "", file: Iterable[bytes] = ()) -> Content:
    return Content(
        context={"unsubscribe": unsubscribe.link(user), "reader": user.get_short_name(), **context},
        headers=unsubscribe.headers(user),
        attachments=[(name, b"".join(file), CSV)] if name else [],
    )
