"""Waiting for a full lot: the driver's own places in line, and what they answer to an offer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.answers import NotKept, user_of
from accounts.models import User, Vehicle
from accounts.strict import NothingSerializer, StrictSerializer, StrictTextField
from bookings import services
from bookings.api import fields
from bookings.api.filters import ChoicesFilter, OrderingFilter
from bookings.api.serializers import FeaturesField, ListedLotField, LocalTimes
from bookings.idempotency import Idempotent
from bookings.models import WaitlistEntry, WaitlistState


class WaitlistFilter(django_filters.FilterSet):
    state = ChoicesFilter(choices=WaitlistState.choices, label="One state or several, separated by commas")
    lot = django_filters.CharFilter("lot__slug", label="The lot's slug")
    ordering = OrderingFilter(["joined_at", "starts_at"])


class JoinInput(StrictSerializer):
    lot = ListedLotField()
    starts_at = fields.MomentField()
    ends_at = fields.MomentField()
    plate = StrictTextField(required=False, allow_blank=True, max_length=20)
    features = FeaturesField(required=False)
    vehicle_kind = serializers.ChoiceField(choices=Vehicle.Kind.choices, required=False, allow_blank=True)


class WaitlistSerializer(serializers.ModelSerializer):
    lot = serializers.CharField(source="lot.slug")
    starts_at = fields.MomentField()
    ends_at = fields.MomentField()
    local = serializers.SerializerMethodField()
    features = serializers.SerializerMethodField()
    position = serializers.SerializerMethodField()
    offer = serializers.SerializerMethodField()
    offered_until = serializers.SerializerMethodField()
    snoozed_until = fields.MomentField(allow_null=True)
    joined_at = fields.MomentField()

    class Meta:
        model = WaitlistEntry
        fields = [
            "reference",
            "state",
            "lot",
            "starts_at",
            "ends_at",
            "local",
            "plate",
            "vehicle_kind",
            "features",
            "position",
            "offer",
            "offered_until",
            "snoozed_until",
            "joined_at",
        ]

    @extend_schema_field(LocalTimes)
    def get_local(self, entry: WaitlistEntry) -> dict[str, Any]:
        return fields.local(entry.lot, entry.starts_at, entry.ends_at)

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_features(self, entry: WaitlistEntry) -> list[str]:
        return list(entry.features_set())

    @extend_schema_field(
        serializers.IntegerField(
            allow_null=True, help_text="1 is next; null where nothing is waited for any more"
        )
    )
    def get_position(self, entry: Any) -> int | None:
        return entry.position if entry.is_live else None

    @extend_schema_field(
        serializers.CharField(
            allow_null=True,
            help_text="The booking that is held, or was taken; a prepaid one is accepted by paying",
        )
    )
    def get_offer(self, entry: WaitlistEntry) -> str | None:
        return entry.offer.reference if entry.offer and self._is_theirs(entry) else None

    @extend_schema_field(serializers.DateTimeField(allow_null=True, help_text="Accept before this moment"))
    def get_offered_until(self, entry: WaitlistEntry) -> str | None:
        offer = entry.live_offer(timezone.now())
        return fields.utc(offer.held_until) if offer else None

    def _is_theirs(self, entry: WaitlistEntry) -> bool:
        return entry.state == WaitlistState.ACCEPTED or entry.live_offer(timezone.now()) is not None


class WaitlistViewSet(
    NotKept, Idempotent, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet
):
    serializer_class = WaitlistSerializer
    filterset_class = WaitlistFilter
    queryset: Any = WaitlistEntry.objects.none()
    lookup_field = "reference"
    lookup_value_regex = "[0-9A-Za-z]{16}"
    default_ordering = "-joined_at"

    def get_queryset(self) -> QuerySet[WaitlistEntry]:
        if not isinstance(self.request.user, User):  # the schema is drawn for nobody
            return self.queryset
        mine = WaitlistEntry.objects.of(self.request.user).with_positions(timezone.now())
        return mine.select_related("lot", "offer")

    def filter_queryset(self, queryset: Any) -> Any:
        return queryset if self.detail else super().filter_queryset(queryset)

    @extend_schema(request=JoinInput, responses={201: WaitlistSerializer})
    def create(self, request: Request) -> Response:
        data = JoinInput(data=request.data)
        data.is_valid(raise_exception=True)
        wish = {**data.validated_data, "lot_id": data.validated_data["lot"].pk}
        wish["features"] = tuple(wish.get("features", ()))
        del wish["lot"]
        entry = services.join(driver=user_of(request), now=timezone.now(), **wish)
        return self._answer(entry, status=201)

    @extend_schema(request=NothingSerializer)
    @action(detail=True, methods=["post"])
    def accept(self, request: Request, reference: str) -> Response:
        return self._change(services.accept)

    @extend_schema(request=NothingSerializer)
    @action(detail=True, methods=["post"])
    def snooze(self, request: Request, reference: str) -> Response:
        return self._change(services.snooze)

    @extend_schema(request=NothingSerializer)
    @action(detail=True, methods=["post"])
    def leave(self, request: Request, reference: str) -> Response:
        return self._change(services.leave)

    def _change(self, command: Callable[..., WaitlistEntry]) -> Response:
        entry = self.get_object()
        NothingSerializer(data=self.request.data).is_valid(raise_exception=True)
        return self._answer(command(entry, by=user_of(self.request), now=timezone.now()))

    def _answer(self, entry: WaitlistEntry, status: int = 200) -> Response:
        return Response(WaitlistSerializer(self.get_queryset().get(pk=entry.pk)).data, status=status)
