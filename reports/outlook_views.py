"""How many spots are usually free: a part of a lot's page, and a page of its own without scripts."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.http import Request
from accounts.replica import may_lag
from lots.models import Lot
from reports import charts, lines
from reports.charts import Chart, Point
from reports.outlook import Outlook, outlook

FRESH = 300  # seconds


@login_not_required
@require_safe
@vary_on_headers("HX-Request", "Cookie", "Accept-Language")
@may_lag()
def usually(request: Request, slug: str) -> HttpResponse:
    lot = get_object_or_404(Lot.objects.listed(), slug=slug)
    found = outlook(lot, now=timezone.now())
    context: dict[str, Any] = {"lot": lot, "outlook": found}
    if found:
        context |= {"chart": drawn(lot, found), "hits": lines.percent(found.hit_rate)}
    answer = render(request, "reports/_usually.html" if request.htmx else "reports/usually.html", context)
    answer["Cache-Control"] = f"private, max-age={FRESH}"
    return answer


def drawn(lot: Lot, found: Outlook) -> Chart:
    """Likely free spots by quarter hour, in the lot's own time."""
    points = [
        Point(
            date_format(free.at.astimezone(lot.zone), "H:i"),
            free.spots,
            f"{free.spots} ± {free.spread}" if free.spread else str(free.spots),
        )
        for free in found.free
    ]
    return charts.line(_("Usually free"), points, headings=(_("When"), _("Free spots")))
