"""Which lots are asked for, in which order, and for which time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import (
    Case,
    Count,
    Exists,
    IntegerField,
    OuterRef,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.utils import timezone

from bookings import availability
from bookings.api.filters import (
    ChoicesFilter,
    MeasureFilter,
    MomentFilter,
    OrderingFilter,
    WholeNumberFilter,
)
from lots.distance import distance_km
from lots.models import FEATURES, Lot, Spot

LONGEST_WINDOW = timedelta(days=366)
# What `ordering` calls things, and the column behind it. "price" is the older name of "price_per_hour".
ORDERINGS = {
    "name": "name",
    "price_per_hour": "price_per_hour",
    "price": "price_per_hour",
    "free": "free_count",
    "distance": "distance_km",
}


def check_window(starts_at: datetime | None, ends_at: datetime | None) -> None:
    if starts_at and ends_at and ends_at <= starts_at:
        raise ValidationError({"to": ValidationError("`to` must lie after `from`.", code="end_before_start")})
    if starts_at and ends_at and ends_at - starts_at > LONGEST_WINDOW:
        raise ValidationError({"to": ValidationError("Ask for at most 366 days.", code="too_long")})


class WindowForm(forms.Form):
    """`from` and `to`; either may be left out."""

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        check_window(data.get("from"), data.get("to"))
        return data


class LotForm(WindowForm):
    def clean(self) -> dict[str, Any]:
        data = super().clean()
        has_lat, has_lon = data.get("lat") is not None, data.get("lon") is not None
        if self.has_error("lat") or self.has_error("lon"):
            return data  # given, and said to be wrong
        if has_lat != has_lon:
            missing = "lon" if has_lat else "lat"
            self.add_error(missing, ValidationError("Give both lat and lon.", code="required"))
        elif not has_lat:
            for name in ("radius_km", "ordering"):
                value = data.get(name)
                if value is not None and (name == "radius_km" or str(value).endswith("distance")):
                    self.add_error(name, ValidationError("This needs lat and lon.", code="needs_position"))
        return data


class WindowFilter(django_filters.FilterSet):
    """The time that is asked about. It filters nothing: it says for when to count."""

    locals()["from"] = MomentFilter(method="no_filter", label="From this moment (default: now)")
    to = MomentFilter(method="no_filter", label="To this moment (default: the lot's default stay)")

    class Meta:
        form = WindowForm

    def __init__(self, *args: Any, now: datetime | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.now = now or timezone.now()

    def no_filter(self, rows: QuerySet[Any], name: str, value: Any) -> QuerySet[Any]:
        return rows

    @property
    def names_a_window(self) -> bool:
        return bool(self.form.cleaned_data.get("from") or self.form.cleaned_data.get("to"))

    def window(self, stay_minutes: int) -> tuple[datetime, datetime]:
        """The window for lots with this default stay."""
        data = self.form.cleaned_data
        stay = timedelta(minutes=stay_minutes)
        starts_at: datetime = data.get("from") or self.now
        ends_at: datetime = data.get("to") or starts_at + stay
        # Only an end was named, and it is over: then the stay before it is meant.
        return (starts_at, ends_at) if starts_at < ends_at else (ends_at - stay, ends_at)


def _text(*args: Any, **kwargs: Any) -> django_filters.CharFilter:
    return django_filters.CharFilter(*args, max_length=200, **kwargs)


class LotFilter(WindowFilter):
    search = _text(method="with_words", label="Words of the name, the city, the address or the postcode")
    city = _text(lookup_expr="iexact", label="The city's name")
    country = _text(lookup_expr="iexact", label="ISO 3166 code of two letters")
    region = _text(lookup_expr="iexact", label="The region's or state's name")
    postcode = _text(lookup_expr="istartswith", label="The postcode, or its beginning")
    lat = MeasureFilter(method="no_filter", min_value=-90, max_value=90, label="Latitude, -90 to 90")
    lon = MeasureFilter(method="no_filter", min_value=-180, max_value=180, label="Longitude, -180 to 180")
    radius_km = MeasureFilter(
        method="no_filter", min_value=0, max_value=20_100, label="At most so far from lat and lon"
    )
    features = ChoicesFilter(
        choices=FEATURES, method="no_filter", label="What a spot must offer, separated by commas"
    )
    min_free = WholeNumberFilter(
        method="no_filter", min_value=0, max_value=1_000_000, label="At least so many free spots"
    )
    ordering = OrderingFilter(list(ORDERINGS))

    class Meta:
        form = LotForm

    def with_words(self, lots: Any, name: str, text: str) -> Any:
        return lots.search(text)

    @property
    def features_asked(self) -> tuple[str, ...]:
        return tuple(self.form.cleaned_data["features"])

    @property
    def page_ordering(self) -> str:
        asked = self.form.cleaned_data["ordering"]
        if not asked:
            return "distance_km" if self.form.cleaned_data["lat"] is not None else "name"
        return ("-" if asked.startswith("-") else "") + ORDERINGS[asked.lstrip("-")]

    def filter_queryset(self, queryset: QuerySet[Lot]) -> QuerySet[Lot]:
        lots, data = super().filter_queryset(queryset), self.form.cleaned_data
        if self.features_asked:
            lots = lots.filter(Exists(self._spots(Spot.objects.in_service())))
        if data["lat"] is not None:
            lots = lots.exclude(latitude=None).exclude(longitude=None)
            lots = lots.annotate(distance_km=distance_km(float(data["lat"]), float(data["lon"])))
            if data["radius_km"] is not None:
                lots = lots.filter(distance_km__lte=float(data["radius_km"]))
        if data["min_free"] or self.page_ordering.endswith("free_count"):
            lots = lots.annotate(free_count=self._free_count()).filter(free_count__gte=data["min_free"] or 0)
        return lots

    def _spots(self, spots: Any) -> Any:
        return spots.offering(features=self.features_asked).filter(lot=OuterRef("pk"))

    def _free_count(self) -> Any:
        """A lot's free spots as a column; each default stay has a window of its own."""
        if self.names_a_window and self.form.cleaned_data.get("to"):
            return self._count(0)
        stays = Lot.objects.listed().order_by().values_list("default_stay_minutes", flat=True).distinct()
        cases = [When(default_stay_minutes=stay, then=self._count(stay)) for stay in stays]
        return Case(*cases, default=Value(0), output_field=IntegerField())

    def _count(self, stay_minutes: int) -> Any:
        free = availability.free_spots(
            *self.window(stay_minutes),
            now=self.now,
            lots=Lot.objects.listed().values("pk"),  # type: ignore[arg-type]
            features=self.features_asked,
        )
        counted = free.filter(lot=OuterRef("pk")).order_by().values("lot").annotate(free=Count("pk"))
        return Coalesce(Subquery(counted.values("free")), 0, output_field=IntegerField())
