"""What the back office's first page knows besides the list of what there is.

Today and now are counted at each visit, and each figure leads to the rows it counts. The charts come after
the page and are drawn again every few minutes: over twelve months of a large house they take seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.core.cache import cache
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.models import User
from bookings.admin.base import operator
from bookings.models import Booking
from bookings.people import known_to
from bookings.situations import SITUATIONS, spots_taken
from lots.models import Lot, LotQuerySet, Spot
from parking import installation, readings
from parking.health import LATEST_NOTICE
from reports import clock, figures, lines, people
from reports.days import Days, whole, zone_of
from reports.office_charts import SPANS, Drawn, draw
from reports.scope import Scope

DRAWN_FOR = 300  # seconds
MOST_LOTS = 12
BOOKINGS = "admin:bookings_booking_changelist"
SPOTS = "admin:lots_spot_changelist"
LEDGER = "admin:bookings_ledgerentry_changelist"


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure, and the list of what it counts."""

    label: str
    value: str
    link: str
    is_warning: bool = False


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    user, now = operator(request), timezone.now()
    lots, today = Lot.objects.run_by(user), now.astimezone(zone_of(user)).date()
    found = {reading.name: reading.value for reading in readings.read(now=now)}
    known = {**context, "clock_tile": clock_tile(now, found)}
    # The page comes with its figures and asks for its charts afterwards, alone.
    is_part = bool(request.htmx)  # type: ignore[attr-defined]
    if user.has_perm("bookings.view_booking") and not is_part:
        known |= {"tiles": list(tiles(user, lots, now=now)), "lots_now": lots_now(lots, now=now)}
    if user.has_perms(["bookings.view_booking", "bookings.view_ledgerentry"]):
        asked = request.GET.get("span", "")
        span = asked if asked in SPANS else "7"
        steps = SPANS[span].steps(today, zone_of(user))
        may_wait = "charts" not in request.GET
        drawn = _drawn(user, lots, span, steps, now, may_wait=may_wait)
        known |= {"spans": SPANS, "span": span, "drawn": drawn, "more": _more(whole(steps))}
    if user.has_perm("reports.view_jobrun") and not is_part:
        known["health"] = list(installation.health(found))
    return known


# --- Today and now ---


def tiles(user: User, lots: QuerySet[Lot], *, now: datetime) -> Iterator[Tile]:
    day, scope = Days.day(now.astimezone(zone_of(user)).date(), zone_of(user)), Scope(lots)
    spots = Spot.objects.in_service().filter(lot__in=lots)
    all_spots, taken = spots.count(), spots_taken(spots, now).count()
    share = lines.percent(taken / all_spots if all_spots else None)
    yield Tile(
        _("Spots taken now"),
        _("%(taken)d of %(all)d (%(share)s)") % {"taken": taken, "all": all_spots, "share": share},
        _list(SPOTS, now="taken", is_in_service__exact=1),
    )
    for name, (label, rows) in SITUATIONS.items():
        count = rows(scope.bookings(), now).count()
        is_warning = bool(count) and name == "staying-on"
        yield Tile(str(label), str(count), _list(BOOKINGS, now=name), is_warning)
    made = figures.activity(scope, day)
    for label, count, kind in [
        (_("Reserved today"), made.made_reserved, Booking.Kind.RESERVED),
        (_("Booked at once today"), made.made_instant, Booking.Kind.INSTANT),
    ]:
        yield Tile(label, str(count), _list(BOOKINGS, kind__exact=kind.value, **_within("created_at", day)))
    if user.has_perm("bookings.view_ledgerentry"):
        yield from _money_tiles(scope, day)
    if user.has_perm("accounts.view_user"):
        joined = {"is_staff__exact": 0, "is_active__exact": 1, **_within("date_joined", day)}
        count = people.new_users(day, known_to(user))
        yield Tile(_("New drivers today"), str(count), _list("admin:accounts_user_changelist", **joined))


def _money_tiles(scope: Scope, day: Days) -> Iterator[Tile]:
    money = figures.money(scope, day)
    yield Tile(_("Revenue today"), lines.revenues(money), _list(LEDGER, **_within("at", day)))
    refunds = _list(LEDGER, kind__exact="refund", **_within("at", day))
    yield Tile(_("Refunded today"), lines.refunded(money), refunds)


def lots_now(lots: LotQuerySet, *, now: datetime) -> dict[str, Any]:
    """The fullest lots at this moment, and how many there are in all."""
    spots = Spot.objects.in_service()
    ids = list(lots.kept().order_by().values_list("pk", flat=True))
    offered, taken = spots.counts(ids), spots_taken(spots, now).counts(ids)  # type: ignore[attr-defined]
    fullest = sorted(offered, key=lambda pk: (-taken.get(pk, 0) / offered[pk], pk))[:MOST_LOTS]
    found = Lot.objects.in_bulk(fullest)
    rows = [
        {
            "lot": found[pk],
            "taken": taken.get(pk, 0),
            "spots": offered[pk],
            "share": lines.percent(taken.get(pk, 0) / offered[pk]),
            "link": _list(SPOTS, lot__id__exact=pk, now="taken", is_in_service__exact=1),
        }
        for pk in fullest
    ]
    return {"rows": rows, "count": len(ids)}


def _list(page: str, **filters: Any) -> str:
    return f"{reverse(page)}?{urlencode(filters)}"


def _within(field: str, day: Days) -> dict[str, str]:
    return {f"{field}__gte": day.starts_at.isoformat(), f"{field}__lt": day.ends_at.isoformat()}


# --- The charts ---


def _drawn(
    user: User, lots: QuerySet[Lot], span: str, steps: list[Days], now: datetime, *, may_wait: bool
) -> Drawn | None:
    """Kept while the operator runs the same lots, on the same day. None where it has to be drawn first."""
    ids = sorted(lots.order_by().values_list("pk", flat=True))
    key = repr((user.pk, span, str(steps[-1].last), steps[0].zone.key, get_language(), ids))
    address = f"dashboard:{hashlib.sha256(key.encode()).hexdigest()}"
    found = cache.get(address)
    if isinstance(found, Drawn):
        return found
    if may_wait:
        return None
    drawn = draw(lots, known_to(user), steps, now=now)
    cache.set(address, drawn, DRAWN_FOR)
    return drawn


def _more(period: Days) -> str:
    """The same period as a report, with its tables and files."""
    days = {"first": str(period.first), "last": str(period.last)}
    return f"{reverse('admin:reports_figures')}?{urlencode(days)}"


# --- The clock ---


def clock_tile(now: datetime, late: dict[str, float]) -> dict[str, Any]:
    """The same facts as /readyz tells."""
    last = clock.last_beat()
    return {
        "beat_at": last,
        "stands_still": clock.stands_still(last, now),
        "notice_minutes": int(late["outbox_oldest_seconds"] // 60),
        "notices_wait": late["outbox_oldest_seconds"] > LATEST_NOTICE.total_seconds(),
        "runs_wrong": int(late["job_runs_wrong"]),
    }
