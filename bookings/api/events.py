"""What happened on the lots an operator runs, to catch up with: the same documents webhooks carry."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, viewsets

from accounts.answers import NotKept
from accounts.models import User
from accounts.rights import StaffRights
from bookings import events, money_due
from bookings.api import fields
from bookings.api.filters import WholeNumberFilter
from bookings.api.serializers import BookingSerializer
from bookings.models import Booking, TimelineEntry

FIRST, LAST = 0, 2**63 - 1


class EventSerializer(serializers.ModelSerializer):
    """One thing that happened to a booking, and the booking as it is now."""

    id = serializers.SerializerMethodField(help_text="The same however often the event is told")
    position = serializers.IntegerField(help_text="Its place in the stream; goes into `after`")
    kind = serializers.SerializerMethodField(help_text="booking.confirmed, payment.paid and so on")
    sequence = serializers.IntegerField(help_text="Counts the events of one booking from 1, without gaps")
    at = fields.MomentField()
    lot = serializers.CharField(source="booking.lot.slug")
    booking = BookingSerializer()

    class Meta:
        model = TimelineEntry
        fields = [
            "id",
            "position",
            "kind",
            "sequence",
            "at",
            "lot",
            "from_state",
            "to_state",
            "actor",
            "reason",
            "details",
            "booking",
        ]

    @extend_schema_field(serializers.CharField())
    def get_id(self, entry: TimelineEntry) -> str:
        return events.event_id(entry)

    @extend_schema_field(serializers.CharField())
    def get_kind(self, entry: TimelineEntry) -> str:
        return events.kind(entry)


def event_json(entry: TimelineEntry) -> dict[str, Any]:
    return dict(EventSerializer(entry).data)


def with_bookings(entries: QuerySet[TimelineEntry]) -> QuerySet[TimelineEntry]:
    """Everything an event's document needs, in a few queries however many there are."""
    bookings = money_due.with_money(Booking.objects.all())
    bookings = bookings.select_related("lot", "spot", "tariff", "driver").prefetch_related("timeline")
    return entries.prefetch_related(Prefetch("booking", bookings))


class EventRights(StaffRights):
    rights = {"GET": "bookings.view_booking"}


class EventFilter(django_filters.FilterSet):
    after = WholeNumberFilter(
        "position", "gt", min_value=FIRST, max_value=LAST, label="Only what came after this position"
    )
    lot = django_filters.CharFilter("booking__lot__slug", max_length=140, label="The lot's slug")
    booking = django_filters.CharFilter("booking__reference", max_length=16, label="The booking's reference")


class EventViewSet(NotKept, mixins.ListModelMixin, viewsets.GenericViewSet):
    """The oldest first. Nothing is ever put in before what was read: ask again `after` the last position."""

    serializer_class = EventSerializer
    permission_classes = [EventRights]
    filterset_class = EventFilter
    queryset: Any = TimelineEntry.objects.none()
    page_ordering = "position"

    def get_queryset(self) -> QuerySet[TimelineEntry]:
        if not isinstance(self.request.user, User):  # the schema is drawn for nobody
            return self.queryset
        events.number_new()
        return with_bookings(events.seen_by(self.request.user))

    @extend_schema(operation_id="events_list")
    def list(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return super().list(request, *args, **kwargs)
