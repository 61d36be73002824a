"""Bookings in and out, and what both share with quotes and refusals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers

from accounts.models import Vehicle
from accounts.prepared import prepared
from accounts.strict import StrictSerializer, StrictTextField
from bookings import money_due, promises
from bookings.api import fields
from bookings.availability import Alternative
from bookings.models import Booking, TimelineEntry
from lots.models import FEATURES, Lot, LotQuerySet

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
    """The shape of a booking; booking_json() writes it."""

    lot = serializers.CharField(source="lot.slug")
    spot = serializers.CharField(source="spot.number")
    starts_at = fields.MomentField()
    ends_at = fields.MomentField()
    local = LocalTimes(read_only=True)
    booked_from = fields.MomentField()
    booked_until = fields.MomentField()
    checked_in_at = fields.MomentField(allow_null=True)
    checked_out_at = fields.MomentField(allow_null=True)
    held_until = fields.MomentField(allow_null=True)
    price = PriceSerializer(read_only=True)
    paid = serializers.CharField(read_only=True)
    refunded = serializers.CharField(read_only=True)
    due = serializers.CharField(read_only=True)
    timeline = TimelineSerializer(many=True, read_only=True)

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

    def to_representation(self, booking: Booking) -> dict[str, Any]:
        return booking_json(booking, money_due.account(booking), booking.timeline.all())


def new_booking_json(booking: Booking) -> dict[str, Any]:
    """Of a booking that was made a moment ago by services.book(): nothing needs to be read again."""
    return booking_json(booking, money_due.unpaid(booking), [booking.beginning])


def booking_json(
    booking: Booking, account: money_due.Account, timeline: Iterable[TimelineEntry]
) -> dict[str, Any]:
    """In the shape of BookingSerializer, by hand: field by field it cost a third of a whole request."""
    lot, currency = booking.lot, booking.currency
    return {
        "reference": booking.reference,
        "kind": booking.kind,
        "state": booking.state,
        "lot": lot.slug,
        "spot": booking.spot.number,
        "starts_at": fields.utc(booking.starts_at),
        "ends_at": fields.utc(booking.ends_at),
        "local": fields.local(lot, booking.starts_at, booking.ends_at),
        "booked_from": fields.utc(booking.booked_from),
        "booked_until": fields.utc(booking.booked_until),
        "checked_in_at": fields.utc(booking.checked_in_at),
        "checked_out_at": fields.utc(booking.checked_out_at),
        "held_until": fields.utc(booking.held_until),
        "plate": booking.plate,
        "price": {
            "total": fields.amount(booking.total, currency),
            "currency": currency,
            "lines": booking.price_lines,
        },
        "paid": fields.amount(account.paid, currency),
        "refunded": fields.amount(account.refunded, currency),
        "due": fields.amount(account.due, currency),
        # Sorted here, so that a prefetched timeline is used.
        "timeline": [_entry_json(entry) for entry in sorted(timeline, key=lambda entry: entry.sequence)],
    }


def _entry_json(entry: TimelineEntry) -> dict[str, Any]:
    """In the shape of TimelineSerializer."""
    return {
        "at": fields.utc(entry.at),
        "action": entry.action,
        "from_state": entry.from_state,
        "to_state": entry.to_state,
        "actor": entry.actor,
        "reason": entry.reason,
        "details": entry.details,
    }


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
        found = _listed_lot(slug=data)
        return found[0] if found else self.fail("does_not_exist")


@prepared("slug")
def _listed_lot(*, slug: str) -> LotQuerySet:
    return Lot.objects.listed().filter(slug=slug)


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
