"""What a booking would cost: asked by anyone, promising the price but no spot."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import permissions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.answers import NotKept
from accounts.models import Vehicle
from accounts.strict import StrictSerializer, StrictTextField
from bookings import quotes
from bookings.api import fields
from bookings.api.serializers import (
    AlternativeSerializer,
    FeaturesField,
    ListedLotField,
    LocalTimes,
    PriceSerializer,
    alternative_json,
)
from bookings.models import Booking
from bookings.services.making import Wish


class QuoteInput(StrictSerializer):
    lot = ListedLotField()
    kind = serializers.ChoiceField(choices=Booking.Kind.choices, default=Booking.Kind.RESERVED)
    spot = StrictTextField(numbers=True, required=False, allow_blank=True, max_length=20)
    features = FeaturesField(required=False)
    vehicle_kind = serializers.ChoiceField(choices=Vehicle.Kind.choices, required=False, allow_blank=True)
    starts_at = fields.MomentField(required=False, allow_null=True)
    ends_at = fields.MomentField(required=False, allow_null=True)

    def wish(self) -> Wish:
        data: dict[str, Any] = self.validated_data
        return Wish(
            kind=data["kind"],
            spot_number=data.get("spot", "").strip(),
            features=tuple(data.get("features", ())),
            vehicle_kind=data.get("vehicle_kind", ""),
            starts_at=data.get("starts_at"),
            ends_at=data.get("ends_at"),
        )


class QuoteSerializer(serializers.Serializer):
    lot = serializers.CharField()
    kind = serializers.CharField()
    spot = serializers.CharField(allow_null=True, help_text="The one that would be given; null when full")
    starts_at = fields.MomentField()
    ends_at = fields.MomentField()
    local = LocalTimes()
    free = serializers.IntegerField()
    price = PriceSerializer()
    quote = serializers.CharField(help_text="Send it along with the booking: it keeps this price")
    expires_at = fields.MomentField()
    alternatives = AlternativeSerializer(many=True)


class QuoteView(NotKept):
    permission_classes = [permissions.AllowAny]

    @extend_schema(request=QuoteInput, responses=QuoteSerializer, operation_id="quote")
    def post(self, request: Request) -> Response:
        data = QuoteInput(data=request.data)
        data.is_valid(raise_exception=True)
        now = timezone.now()
        return Response(_json(quotes.quote(data.validated_data["lot"], data.wish(), now=now), now))


def _json(quote: quotes.Quote, now: datetime) -> dict[str, Any]:
    currency = quote.price.currency
    return {
        "lot": quote.lot.slug,
        "kind": quote.wish.kind,
        "spot": quote.spot.number if quote.spot else None,
        "starts_at": fields.utc(quote.starts_at),
        "ends_at": fields.utc(quote.ends_at),
        "local": fields.local(quote.lot, quote.starts_at, quote.ends_at),
        "free": quote.free.count(),
        "price": {
            "total": fields.amount(quote.price.total, currency),
            "currency": currency,
            "lines": [line.to_json() for line in quote.price.lines],
        },
        "quote": quote.token,
        "expires_at": fields.utc(quote.expires_at),
        "alternatives": [alternative_json(alternative) for alternative in quote.alternatives(now=now)],
    }
