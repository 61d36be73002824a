"""The figures for staff through the API: the same as on pages and in mails (reports.figures)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.answers import NotKept, user_of
from accounts.models import User
from accounts.replica import may_lag
from accounts.rights import StaffRights
from bookings.api import fields
from bookings.people import known_to
from lots.models import Lot
from reports import figures, people
from reports.days import BadPeriod, Days, zone_of
from reports.scope import Scope

DAYS = 30  # without `from`: so many, today included
MINUTE = timedelta(minutes=1)


class StatsInput(serializers.Serializer):
    locals()["from"] = serializers.DateField(
        required=False, help_text="The first day; left out: 30 days until `to`"
    )
    to = serializers.DateField(required=False, help_text="The last day; left out: today")
    lot = serializers.SlugRelatedField(
        slug_field="slug", queryset=Lot.objects.none(), required=False, help_text="Only this lot; its slug"
    )


class MoneyFigures(serializers.Serializer):
    currency = serializers.CharField()
    captured = serializers.CharField()
    refunded = serializers.CharField()
    revenue = serializers.CharField()
    payments = serializers.IntegerField()
    refunds = serializers.IntegerField()


class ProviderFigures(MoneyFigures):
    provider = serializers.CharField()


class ActivityFigures(serializers.Serializer):
    made = serializers.IntegerField()
    made_instant = serializers.IntegerField()
    made_reserved = serializers.IntegerField()
    began = serializers.IntegerField()
    ended = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    no_shows = serializers.IntegerField()
    no_show_rate = serializers.FloatField(allow_null=True)
    overstays = serializers.IntegerField()
    dwell_minutes = serializers.IntegerField(allow_null=True)


class OccupancyFigures(serializers.Serializer):
    share = serializers.FloatField(allow_null=True, help_text="0 to 1")
    parked_minutes = serializers.IntegerField()
    available_minutes = serializers.IntegerField()
    turnover = serializers.FloatField(allow_null=True, help_text="Stays per spot and day")


class PeriodFigures(serializers.Serializer):
    bookings = ActivityFigures()
    occupancy = OccupancyFigures()
    money = MoneyFigures(many=True)


class LotFigures(PeriodFigures):
    lot = serializers.CharField(help_text="Slug")
    name = serializers.CharField()


class UserFigures(serializers.Serializer):
    total = serializers.IntegerField(help_text="Drivers; for operators of some lots, who booked there")
    new = serializers.IntegerField()
    active = serializers.IntegerField()
    inactive = serializers.IntegerField(help_text="No booking for seven days until now")


class StatsSerializer(PeriodFigures):
    locals()["from"] = serializers.DateField()
    to = serializers.DateField()
    timezone = serializers.CharField(help_text="Whose days these are: your own zone, or UTC")
    users = UserFigures()
    money_by_provider = ProviderFigures(many=True)
    charged = serializers.DictField(child=serializers.CharField(), help_text="Currency → amount")
    failed_payments = serializers.IntegerField()
    busiest_lot = serializers.CharField(allow_null=True, help_text="Slug")
    lots = LotFigures(many=True)


class StatsRights(StaffRights):
    rights = {"GET": "bookings.view_ledgerentry"}


class StatsView(NotKept):
    permission_classes = [StatsRights]

    @extend_schema(operation_id="stats", parameters=[StatsInput], responses=StatsSerializer)
    def get(self, request: Request) -> Response:
        """Users, bookings, occupancy and money of a period, of the lots you run, and lot by lot.

        docs/figures.md says what each figure means.
        """
        user, now = user_of(request), timezone.now()
        lots = Lot.objects.run_by(user)
        asked = StatsInput(data=request.query_params)
        asked.fields["lot"].queryset = lots  # type: ignore[attr-defined]
        asked.is_valid(raise_exception=True)
        if "lot" in asked.validated_data:
            lots = lots.filter(pk=asked.validated_data["lot"].pk)
        return Response(stats(user, lots, _period(user, asked.validated_data, now), now=now))


@may_lag()
def stats(user: User, lots: QuerySet[Lot], period: Days, *, now: datetime) -> dict[str, Any]:
    scope = Scope(lots)
    rows = figures.by_lot(lots, period, now=now)
    busiest = figures.busiest(rows)
    by_provider = figures.money_by_provider(scope, period)
    charged = figures.charged(scope, period)
    return {
        "from": period.first.isoformat(),
        "to": period.last.isoformat(),
        "timezone": period.zone.key,
        "users": _users(user, scope, period, now),
        **_of_period(figures.summary(lots, period, now=now)),
        "money_by_provider": [
            {"provider": provider, **_money(money)}
            for provider, moneys in sorted(by_provider.items())
            for money in moneys
        ],
        "charged": {currency: fields.amount(sum_, currency) for currency, sum_ in sorted(charged.items())},
        "failed_payments": figures.failed_payments(scope, period),
        "busiest_lot": busiest.slug if busiest else None,
        "lots": [{"lot": lot.slug, "name": lot.name, **_of_period(found)} for lot, found in rows],
    }


def _period(user: User, asked: dict[str, Any], now: datetime) -> Days:
    zone = zone_of(user)
    last = asked.get("to") or now.astimezone(zone).date()
    try:
        first = asked.get("from") or last - timedelta(days=DAYS - 1)
        return Days.chosen(first, last, zone)
    except (BadPeriod, OverflowError) as error:
        sentence = str(error) if isinstance(error, BadPeriod) else "This is no day of ours."
        raise serializers.ValidationError({"from": [sentence]}, code="bad_period") from error


def _users(user: User, scope: Scope, period: Days, now: datetime) -> dict[str, int]:
    known = known_to(user)
    return {
        "total": people.drivers().filter(pk__in=known.values("pk")).count(),
        "new": people.new_users(period, known),
        "active": people.active_drivers(scope, period),
        "inactive": people.inactive_drivers(now=now).filter(pk__in=known.values("pk")).count(),
    }


def _of_period(found: figures.Summary) -> dict[str, Any]:
    activity, occupancy = found.activity, found.occupancy
    return {
        "bookings": {
            "made": activity.made,
            "made_instant": activity.made_instant,
            "made_reserved": activity.made_reserved,
            "began": activity.began,
            "ended": activity.ended,
            "cancelled": activity.cancelled,
            "no_shows": activity.no_shows,
            "no_show_rate": _rounded(activity.no_show_rate),
            "overstays": activity.overstays,
            "dwell_minutes": activity.dwell // MINUTE if activity.dwell is not None else None,
        },
        "occupancy": {
            "share": _rounded(occupancy.share),
            "parked_minutes": occupancy.occupied // MINUTE,
            "available_minutes": occupancy.available // MINUTE,
            "turnover": _rounded(found.turnover),
        },
        "money": [_money(money) for money in found.money],
    }


def _money(money: figures.Money) -> dict[str, Any]:
    amounts = {"captured": money.captured, "refunded": money.refunded, "revenue": money.revenue}
    return {
        "currency": money.currency,
        **{name: fields.amount(value, money.currency) for name, value in amounts.items()},
        "payments": money.payments,
        "refunds": money.refunds,
    }


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
