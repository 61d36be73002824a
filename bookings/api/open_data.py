"""Lots for other people's maps, in the shapes they read already. No key, and no exact counts.

Free spots are told in steps of five, so that nobody watches a single car come and go.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import permissions, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.replica import may_lag
from bookings import availability
from bookings.api import fields
from bookings.api.http import PublicReads
from lots.models import Lot, Spot

STEP = 5
A_MINUTE = timedelta(minutes=1)


class LanguageText(serializers.Serializer):
    language = serializers.CharField()
    string = serializers.CharField()


class PointSerializer(serializers.Serializer):
    type = serializers.ChoiceField(choices=["Point"])
    coordinates = serializers.ListField(
        child=serializers.FloatField(), min_length=2, max_length=2, help_text="Longitude, latitude"
    )


class OccupancySerializer(serializers.Serializer):
    supplyQuantity = serializers.IntegerField()
    vacantSpaces = serializers.IntegerField(help_text="In steps of five; 1 stands for 1 to 4")
    observedAt = serializers.DateTimeField()


class PlaceSerializer(serializers.Serializer):
    """A place as in the APDS (ISO 5206) data domain model, the parts that fit a lot."""

    id = serializers.CharField()
    type = serializers.ChoiceField(choices=["place"])
    version = serializers.IntegerField()
    name = LanguageText(many=True)
    address = serializers.CharField()
    countryCode = serializers.CharField()
    timezone = serializers.CharField()
    indicativePointLocation = PointSerializer(allow_null=True)
    occupancy = OccupancySerializer()
    isOpenNow = serializers.BooleanField()
    url = serializers.CharField()


class ParkingSiteSerializer(serializers.Serializer):
    """A parking site as ParkAPI 3 calls things."""

    uid = serializers.CharField()
    name = serializers.CharField()
    purpose = serializers.ChoiceField(choices=["CAR"])
    address = serializers.CharField()
    public_url = serializers.CharField()
    lat = serializers.FloatField(allow_null=True)
    lon = serializers.FloatField(allow_null=True)
    timezone = serializers.CharField()
    max_height = serializers.IntegerField(allow_null=True, help_text="In centimetres")
    capacity = serializers.IntegerField()
    has_realtime_data = serializers.BooleanField()
    realtime_capacity = serializers.IntegerField()
    realtime_free_capacity = serializers.IntegerField(help_text="In steps of five; 1 stands for 1 to 4")
    realtime_opening_status = serializers.ChoiceField(choices=["OPEN", "CLOSED"])
    realtime_data_updated_at = serializers.DateTimeField()


def blurred(free: int) -> int:
    return free // STEP * STEP or min(free, 1)


class OpenData(PublicReads, viewsets.GenericViewSet):
    queryset: Any = Lot.objects.listed()
    permission_classes = [permissions.AllowAny]
    authentication_classes = []
    filterset_class = None
    page_ordering = "slug"
    page_size = 200

    @may_lag()
    def answer(self, shape: Any) -> Response:
        # Whole minutes: who asks again within one gets the same answer, and 304.
        now = timezone.now().replace(second=0, microsecond=0)
        lots = self.paginate_queryset(self.get_queryset()) or []
        ids = [lot.pk for lot in lots]
        free = availability.free_counts(ids, now, now + A_MINUTE, now=now)
        capacity = Spot.objects.kept().counts(ids)
        shut = availability.shut_lots(dict.fromkeys(ids, (now, now + A_MINUTE)))
        rows = [
            shape(
                lot,
                capacity.get(lot.pk, 0),
                blurred(free[lot.pk]),
                lot.pk not in shut and lot.hours.is_open(now, lot.zone),
                now,
            )
            for lot in lots
        ]
        return self.get_paginated_response(rows)


class PlaceViewSet(OpenData):
    serializer_class = PlaceSerializer

    @extend_schema(operation_id="open_places")
    def list(self, request: Request) -> Response:
        return self.answer(place_json)


class ParkingSiteViewSet(OpenData):
    serializer_class = ParkingSiteSerializer

    @extend_schema(operation_id="open_parking_sites")
    def list(self, request: Request) -> Response:
        return self.answer(parking_site_json)


def place_json(lot: Lot, capacity: int, free: int, is_open: bool, now: datetime) -> dict[str, Any]:
    position = [_degrees(lot.longitude), _degrees(lot.latitude)]
    return {
        "id": lot.slug,
        "type": "place",
        "version": 1,
        "name": [{"language": settings.LANGUAGE_CODE, "string": lot.name}],
        "address": _address(lot),
        "countryCode": lot.country,
        "timezone": lot.timezone,
        "indicativePointLocation": None if None in position else {"type": "Point", "coordinates": position},
        "occupancy": {"supplyQuantity": capacity, "vacantSpaces": free, "observedAt": fields.utc(now)},
        "isOpenNow": is_open,
        "url": _url(lot),
    }


def parking_site_json(lot: Lot, capacity: int, free: int, is_open: bool, now: datetime) -> dict[str, Any]:
    return {
        "uid": lot.slug,
        "name": lot.name,
        "purpose": "CAR",
        "address": _address(lot),
        "public_url": _url(lot),
        "lat": _degrees(lot.latitude),
        "lon": _degrees(lot.longitude),
        "timezone": lot.timezone,
        "max_height": lot.max_height_cm,
        "capacity": capacity,
        "has_realtime_data": True,
        "realtime_capacity": capacity,
        "realtime_free_capacity": free,
        "realtime_opening_status": "OPEN" if is_open else "CLOSED",
        "realtime_data_updated_at": fields.utc(now),
    }


def _address(lot: Lot) -> str:
    parts = [lot.address_line1, lot.address_line2, f"{lot.postcode} {lot.city}".strip()]
    return ", ".join(filter(None, parts))


def _url(lot: Lot) -> str:
    return f"{settings.BASE_URL}{reverse('lots:detail', args=[lot.slug])}"


def _degrees(value: Any) -> float | None:
    return None if value is None else float(value)
