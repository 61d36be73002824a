"""The shapes of lots and spots, and what operators may say about a lot."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from accounts.strict import StrictBooleanField, StrictSerializer, StrictTextField
from bookings import availability
from bookings.api.serializers import LocalTimes
from lots.models import FEATURES, Lot, Spot
from lots.services import MOST_SPOTS

MOST_MINUTES = 60 * 24 * 366


class LotSerializer(serializers.Serializer):
    slug = serializers.CharField()
    name = serializers.CharField()
    address = serializers.CharField()
    city = serializers.CharField()
    postcode = serializers.CharField()
    country = serializers.CharField()
    latitude = serializers.FloatField(allow_null=True)
    longitude = serializers.FloatField(allow_null=True)
    timezone = serializers.CharField()
    currency = serializers.CharField()
    capacity = serializers.IntegerField()
    free = serializers.IntegerField(help_text="For the window asked about")
    price_per_hour = serializers.CharField()
    features = serializers.ListField(child=serializers.ChoiceField(choices=FEATURES))
    rating = serializers.FloatField(allow_null=True)
    reviews = serializers.IntegerField()
    is_open = serializers.BooleanField(help_text="Now, or throughout the window asked about")


class SpotShape(serializers.Serializer):
    number = serializers.CharField()
    building = serializers.CharField()
    floor = serializers.CharField()
    kind = serializers.ChoiceField(choices=Spot.Kind.choices)
    features = serializers.ListField(child=serializers.ChoiceField(choices=FEATURES))


class SpotSerializer(SpotShape):
    status = serializers.ChoiceField(choices=["free", "taken", "closed"])


class OpeningSerializer(SpotShape):
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True, help_text="When somebody comes after")
    confidence = serializers.ChoiceField(
        choices=[availability.CERTAIN, availability.LIKELY, availability.UNCERTAIN],
        help_text="certain: free, or after a booking that ends by itself; likely: after a stay that goes on"
        " until its driver leaves, or a hold, which may end sooner; uncertain: after an overdue stay",
    )
    local = LocalTimes()


def _text(most: int) -> StrictTextField:
    return StrictTextField(required=False, allow_blank=True, max_length=most)


def _degrees(most: int) -> serializers.DecimalField:
    return serializers.DecimalField(
        max_digits=9, decimal_places=6, min_value=-most, max_value=most, required=False, allow_null=True
    )


def _count(low: int, high: int, **kwargs: Any) -> serializers.IntegerField:
    return serializers.IntegerField(min_value=low, max_value=high, required=False, **kwargs)


class LotPatch(StrictSerializer):
    name = StrictTextField(max_length=120)
    capacity = serializers.IntegerField(min_value=0, max_value=MOST_SPOTS)
    price_per_hour = serializers.DecimalField(max_digits=10, decimal_places=3, min_value=Decimal(0))
    address = StrictTextField(source="address_line1", required=False, allow_blank=True, max_length=200)
    city = _text(100)
    region = _text(100)
    postcode = _text(16)
    country = _text(2)
    phone = _text(40)
    latitude = _degrees(90)
    longitude = _degrees(180)
    timezone = StrictTextField(required=False, max_length=64)
    currency = StrictTextField(required=False, max_length=3)
    opening_hours = serializers.JSONField(required=False)
    max_height_cm = _count(1, 2000, allow_null=True)
    default_stay_minutes = _count(1, MOST_MINUTES)
    min_stay_minutes = _count(1, MOST_MINUTES)
    max_stay_minutes = _count(1, MOST_MINUTES, allow_null=True)
    min_notice_minutes = _count(0, MOST_MINUTES)
    max_notice_days = _count(0, 3660)
    grid_minutes = _count(1, 1440)
    end_of_stay = serializers.ChoiceField(choices=Lot.EndOfStay.choices, required=False)
    needs_check_in = StrictBooleanField(required=False)
    no_show_grace_minutes = _count(0, MOST_MINUTES)
    no_show_fee_percent = _count(0, 100)
    cancellation_tiers = serializers.JSONField(required=False)
    is_active = StrictBooleanField(required=False)


class LotInput(LotPatch):
    """A new lot: name, capacity and price are enough."""
