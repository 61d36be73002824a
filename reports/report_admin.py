"""The reports page of the back office: a period and its lots, beside the period before, and as a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any

from django import forms
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts import viewings
from accounts.models import User
from accounts.replica import may_lag
from bookings.admin.base import operator
from bookings.people import known_to
from lots.models import Lot
from reports import charts, figures, lines, people, tables
from reports.chart_rows import revenue_charts
from reports.charts import Chart, Point
from reports.days import BadPeriod, Days, zone_of
from reports.mails import lots_of
from reports.occupancy import occupancy_series
from reports.outlook import counted_series, outlook
from reports.outlook_views import drawn
from reports.scope import Scope

View = Callable[[HttpRequest], HttpResponseBase]

MOST_DAYS = 62  # more of them are drawn as months


class PeriodForm(forms.Form):
    """Which days, and which lots of those the operator runs. Without days: the present month."""

    first = forms.DateField(
        label=gettext_lazy("From"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
    )
    last = forms.DateField(
        label=gettext_lazy("To, included"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
    )
    lot = forms.ModelChoiceField(
        label=gettext_lazy("Lot"),
        queryset=Lot.objects.none(),
        to_field_name="slug",
        required=False,
        empty_label=gettext_lazy("All lots"),
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, data: QueryDict, *, user: User, now: datetime):
        self.zone, self.lots = zone_of(user), lots_of(user)
        self.month = Days.month(now.astimezone(self.zone).date(), self.zone)
        known = data.dict()
        known.setdefault("first", str(self.month.first))
        known.setdefault("last", str(self.month.last))
        super().__init__(known)
        self.fields["lot"].queryset = self.lots.order_by("name", "pk")  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        first, last = (data.get(name) or getattr(self.month, name) for name in ("first", "last"))
        if not self.errors:
            try:
                data["period"] = Days.chosen(first, last, self.zone)
            except BadPeriod as error:
                self.add_error("last", str(error))
        return data

    def chosen(self) -> tuple[QuerySet[Lot], Days]:
        lot = self.cleaned_data["lot"]
        return self.lots.filter(pk=lot.pk) if lot else self.lots, self.cleaned_data["period"]


def urls(site: AdminSite) -> list[URLPattern]:
    views: list[tuple[str, str, View]] = [
        ("", "figures", partial(_page, site)),
        ("lots.csv", "lots_csv", _lots_file),
        ("bookings.csv", "bookings_csv", _bookings_file),
    ]
    return [
        path(f"reports/figures/{address}", site.admin_view(require_safe(view)), name=f"reports_{name}")
        for address, name, view in views
    ]


def may_read(user: Any) -> bool:
    """Reports tell of bookings and of money."""
    return user.has_perms(["bookings.view_booking", "bookings.view_ledgerentry"])


def _page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    form, now = _form(request)
    context = {**site.each_context(request), "title": _("Reports"), "form": form}
    if not form.is_valid():
        return TemplateResponse(request, "admin/reports/figures.html", context, status=422)
    lots, period = form.chosen()
    context |= (
        _told(lots, period, known_to(operator(request)), now)
        | _expected(form, now)
        | {"query": request.GET.urlencode()}
    )
    return TemplateResponse(request, "admin/reports/figures.html", context)


def _lots_file(request: HttpRequest) -> HttpResponseBase:
    form, now = _form(request)
    if not form.is_valid():
        return HttpResponse(status=422)
    lots, period = form.chosen()
    return _file(tables.lots_csv(lots, period, now=now), "lots", period)


def _bookings_file(request: HttpRequest) -> HttpResponseBase:
    form, _now = _form(request)
    if not form.is_valid():
        return HttpResponse(status=422)
    lots, period = form.chosen()
    viewings.note_rows(request, "report bookings.csv", tables.bookings(Scope(lots), period), "driver")
    return _file(tables.bookings_csv(Scope(lots), period), "bookings", period)


def _form(request: HttpRequest) -> tuple[PeriodForm, datetime]:
    if not may_read(request.user):
        raise PermissionDenied
    now = timezone.now()
    return PeriodForm(request.GET, user=operator(request), now=now), now


def _file(content: Iterator[bytes], name: str, period: Days) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(content, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="parkwell-{name}-{period.first}-{period.last}.csv"'
    return answer


@may_lag()
def _told(lots: QuerySet[Lot], period: Days, among: QuerySet[User], now: datetime) -> dict[str, Any]:
    scope = Scope(lots)
    rows = figures.by_lot(lots, period, now=now)
    found, before = figures.total(rows, period), figures.summary(lots, period.before, now=now)
    providers = figures.money_by_provider(scope, period)
    title = _("Revenue (%(currency)s)")
    steps = period.by_day() if period.count <= MOST_DAYS else period.by_month()
    # What is to come is no zero.
    steps = [step for step in steps if step.starts_at < now] or steps[:1]
    earned = figures.money_series(scope, steps)
    return {
        "period": lines.named(period),
        "before": lines.named(period.before),
        "zone": period.zone.key,
        "lines": lines.of_lots(found, before),
        "charged": lines.amounts(figures.charged(scope, period)),
        "new_users": people.new_users(period, among),
        "failed": figures.failed_payments(scope, period),
        "providers": {name: lines.revenues(money) for name, money in providers.items()},
        "lots": [
            {"lot": lot, "summary": summary, "revenue": lines.revenues(summary.money),
             "occupancy": lines.percent(summary.occupancy.share)}
            for lot, summary in rows
        ],
        "charts": [
            *revenue_charts(earned, _names(steps), title=title, heading=_("When")),
            _occupancy(lots, steps, now),
            *_counted(lots, steps),
        ],
    }  # fmt: skip


def _names(steps: list[Days]) -> list[str]:
    return [date_format(step.first, "j" if step.count == 1 else "M") for step in steps]


def _occupancy(lots: QuerySet[Lot], steps: list[Days], now: datetime) -> Chart:
    points = [
        Point(name, (found.share or 0) * 100, lines.percent(found.share))
        for name, found in zip(_names(steps), occupancy_series(lots, steps, now=now), strict=True)
    ]
    return charts.line(_("Occupancy"), points, headings=(_("When"), _("Occupancy")), unit=" %")


def _counted(lots: QuerySet[Lot], steps: list[Days]) -> list[Chart]:
    """The same as others counted it, where they did: cars that never booked here included."""
    shares = counted_series(lots, steps)
    points = [
        Point(name, share * 100, lines.percent(share))
        for name, share in zip(_names(steps), shares, strict=True)
        if share is not None
    ]
    title, headings = _("Occupancy, as counted"), (_("When"), _("Occupancy"))
    return [charts.line(title, points, headings=headings, unit=" %")] if points else []


def _expected(form: PeriodForm, now: datetime) -> dict[str, Any]:
    """What to expect of the one lot that was chosen."""
    lot = form.cleaned_data["lot"]
    found = outlook(lot, now=now) if lot else None
    if lot is None or found is None:
        return {}
    words = {"hits": lines.percent(found.hit_rate), "near": found.tolerance}
    return {"expected": drawn(lot, found), "expected_hits": words}
