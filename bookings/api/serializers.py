"""Bookings in and out, and what both share with quotes and refusals."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import Vehicle
from accounts.strict import StrictSerializer, StrictTextField
from bookings import money_due, promises
from bookings.api import fields
from bookings.availability import Alternative
from bookings.models import Booking, TimelineEntry
from lots.models import FEATURES, Lot

MAX_SLUG = 140


class PriceLine(serializers.Serializer):
    label = serializers.CharField()  # type: ignore[assignment]
    kind = serializers.CharField()
    quantity = serializers.CharField()
    unit = serializers.CharField()
    rate = serializers.CharField()
    amount = serializers.CharField()
    tax = serializers.CharField()
    explanation = serializers.CharField()


class PriceSerializer(serializers.Serializer):
    total = serializers.CharField()
    currency = serializers.CharField()
    lines = PriceLine(many=True)


class LocalTimes(serializers.Serializer):
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True)
    timezone = serializers.CharField()


class TimelineSerializer(serializers.ModelSerializer):
    """`actor` is a role (driver, operator, clock), never a name."""

    at = fields.MomentField()

    class Meta:
        model = TimelineEntry
        fields = ["at", "action", "from_state", "to_state", "actor", "reason", "details"]


class BookingSerializer(serializers.ModelSerializer):
    lot = serializers.CharField(source="lot.slug")
    spot = serializers.CharField(source="spot.number")
    starts_at = fields.MomentField()
    ends_at = fields.MomentField()
    local = serializers.SerializerMethodField()
    booked_from = fields.MomentField()
    booked_until = fields.MomentField()
    checked_in_at = fields.MomentField(allow_null=True)
    checked_out_at = fields.MomentField(allow_null=True)
    held_until = fields.MomentField(allow_null=True)
    price = serializers.SerializerMethodField()
    paid = serializers.SerializerMethodField()
    refunded = serializers.SerializerMethodField()
    due = serializers.SerializerMethodField()
    timeline = serializers.SerializerMethodField()

    class Meta:
        model = Booking
        fields = [
            "reference",
            "kind",
            "state",
            "lot",
            "spot",
            "starts_at",
            "ends_at",
            "local",
            "booked_from",
            "booked_until",
            "checked_in_at",
            "checked_out_at",
            "held_until",
            "plate",
            "price",
            "paid",
            "refunded",
            "due",
            "timeline",
        ]

    @extend_schema_field(LocalTimes)
    def get_local(self, booking: Booking) -> dict[str, Any]:
        return fields.local(booking.lot, booking.starts_at, booking.ends_at)

    @extend_schema_field(PriceSerializer)
    def get_price(self, booking: Booking) -> dict[str, Any]:
        total = fields.amount(booking.total, booking.currency)
        return {"total": total, "currency": booking.currency, "lines": booking.price_lines}

    def get_paid(self, booking: Booking) -> str:
        return fields.amount(money_due.paid(booking), booking.currency)

    def get_refunded(self, booking: Booking) -> str:
        return fields.amount(money_due.refunded(booking), booking.currency)

    def get_due(self, booking: Booking) -> str:
        return fields.amount(money_due.due(booking), booking.currency)

    @extend_schema_field(TimelineSerializer(many=True))
    def get_timeline(self, booking: Booking) -> list[dict[str, Any]]:
        # Sorted here, so that a prefetched timeline is used.
        entries = sorted(booking.timeline.all(), key=lambda entry: entry.sequence)
        return list(TimelineSerializer(entries, many=True).data)


class FeaturesField(serializers.ListField):
    child = serializers.ChoiceField(choices=FEATURES)

    def __init__(self, **kwargs: Any):
        super().__init__(max_length=len(FEATURES), **kwargs)


class ListedLotField(serializers.SlugRelatedField):
    """A lot by its slug; only those drivers see."""

    default_error_messages = {"does_not_exist": "There is no such lot."}

    def __init__(self, **kwargs: Any):
        super().__init__(slug_field="slug", queryset=Lot.objects.listed(), **kwargs)

    def to_internal_value(self, data: Any) -> Lot:
        if not isinstance(data, str) or len(data) > MAX_SLUG:
            self.fail("does_not_exist")
        return super().to_internal_value(data)


class BookInput(StrictSerializer):
    lot = ListedLotField()
    kind = serializers.ChoiceField(choices=Booking.Kind.choices)
    spot = StrictTextField(numbers=True, required=False, allow_blank=True, max_length=20)
    starts_at = fields.MomentField(required=False, allow_null=True)
    ends_at = fields.MomentField(required=False, allow_null=True)
    plate = StrictTextField(required=False, allow_blank=True, max_length=20)
    features = FeaturesField(required=False)
    vehicle_kind = serializers.ChoiceField(choices=Vehicle.Kind.choices, required=False, allow_blank=True)
    quote = StrictTextField(
        required=False, max_length=promises.LONGEST, help_text="From quotes/: books at the price it names"
    )


class ExtendInput(StrictSerializer):
    ends_at = fields.MomentField()


class AlternativeSerializer(serializers.Serializer):
    kind = serializers.CharField(
        help_text="To book: other_spot, shorter, later, nearby. To POST to waitlist/: waitlist"
    )
    lot = serializers.CharField()
    spot = serializers.CharField(allow_null=True)
    starts_at = fields.MomentField()
    ends_at = fields.MomentField()
    free = serializers.IntegerField()


def alternative_json(alternative: Alternative) -> dict[str, Any]:
    return {
        "kind": alternative.kind,
        "lot": alternative.lot.slug,
        "spot": alternative.spot.number if alternative.spot else None,
        "starts_at": fields.utc(alternative.starts_at),
        "ends_at": fields.utc(alternative.ends_at),
        "free": alternative.free,
    }
