"""The driver's bookings: make, see, change, leave. One service call an action."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.answers import NotKept, user_of
from accounts.models import User
from accounts.plates import normalise_plate
from accounts.strict import NothingSerializer
from bookings import money_due, services
from bookings.api import fields
from bookings.api.filters import ChoicesFilter, MomentFilter, OrderingFilter
from bookings.api.http import FORBIDDEN, REFUSED
from bookings.api.serializers import BookingSerializer, BookInput, ExtendInput, new_booking_json
from bookings.errors import InvalidTransition
from bookings.idempotency import Idempotent
from bookings.models import Booking, State
from lots.models import Lot


class BookingFilter(django_filters.FilterSet):
    state = ChoicesFilter(choices=State.choices, label="One state or several, separated by commas")
    kind = django_filters.ChoiceFilter(choices=Booking.Kind.choices)
    lot = django_filters.CharFilter("lot__slug", label="The lot's slug")
    # Those that overlap the window: an end after `from`, a start before `to`.
    locals()["from"] = MomentFilter("ends_at", "gt", label="Ends after this moment")
    to = MomentFilter("starts_at", "lt", label="Starts before this moment")
    spot = django_filters.CharFilter("spot__number", max_length=20, label="The spot's number")
    plate = django_filters.CharFilter(method="with_plate", max_length=20, label="A plate, spaced as it may")
    email = django_filters.CharFilter("driver__email", "iexact", max_length=254, label="The driver's e-mail")
    whose = django_filters.ChoiceFilter(
        choices=[("mine", "mine"), ("all", "all")],
        method="no_filter",
        label="`all`: everybody's on the lots one runs, for staff who may see bookings",
    )
    ordering = OrderingFilter(["starts_at", "ends_at", "created_at"])

    def with_plate(self, bookings: Any, name: str, text: str) -> Any:
        return bookings.filter(plate_normalised=normalise_plate(text))

    def no_filter(self, bookings: Any, name: str, value: str) -> Any:
        return bookings  # get_queryset() has seen to it


class CancellationSerializer(serializers.Serializer):
    reference = serializers.CharField()
    currency = serializers.CharField()
    total = serializers.CharField()
    refund_percent = serializers.IntegerField()
    refunded = serializers.CharField(help_text="What would not be charged, or comes back")
    retained = serializers.CharField()
    reason = serializers.CharField()


@extend_schema_view(list=extend_schema(responses={200: BookingSerializer(many=True), 403: FORBIDDEN}))
class BookingViewSet(
    NotKept, Idempotent, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet
):
    serializer_class = BookingSerializer
    filterset_class = BookingFilter
    queryset: Any = Booking.objects.none()
    lookup_field = "reference"
    lookup_value_regex = "[0-9A-Za-z]{16}"
    default_ordering = "-starts_at"

    def get_queryset(self) -> QuerySet[Booking]:
        if not isinstance(self.request.user, User):  # the schema is drawn for nobody
            return self.queryset
        bookings = money_due.with_money(self._seen_by(self.request.user))
        return bookings.select_related("lot", "spot", "tariff", "driver").prefetch_related("timeline")

    def _seen_by(self, user: User) -> QuerySet[Booking]:
        """One's own; in the list, staff may ask for everybody's. They change bookings in the back office."""
        if self.detail or self.request.query_params.get("whose") != "all":
            return Booking.objects.of(user)
        if not user.is_staff or not user.has_perm("bookings.view_booking"):
            raise PermissionDenied
        return Booking.objects.filter(lot__in=Lot.objects.run_by(user).values("pk"))

    def filter_queryset(self, queryset: Any) -> Any:
        return queryset if self.detail else super().filter_queryset(queryset)

    @extend_schema(request=BookInput, responses={201: BookingSerializer})
    def create(self, request: Request) -> Response:
        data = BookInput(data=request.data)
        data.is_valid(raise_exception=True)
        booking = services.book(driver=user_of(request), now=timezone.now(), **_order(data.validated_data))
        return Response(new_booking_json(booking), status=201)

    @extend_schema(request=NothingSerializer)
    @action(detail=True, methods=["post"], url_path="check-in")
    def check_in(self, request: Request, reference: str) -> Response:
        return self._change(services.check_in, NothingSerializer)

    @extend_schema(request=NothingSerializer)
    @action(detail=True, methods=["post"])
    def release(self, request: Request, reference: str) -> Response:
        return self._change(services.release, NothingSerializer)

    @extend_schema(request=ExtendInput)
    @action(detail=True, methods=["post"])
    def extend(self, request: Request, reference: str) -> Response:
        return self._change(services.extend, ExtendInput)

    @extend_schema(request=NothingSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, reference: str) -> Response:
        return self._change(services.cancel, NothingSerializer)

    @extend_schema(responses={200: CancellationSerializer, 409: REFUSED}, filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def cancellation(self, request: Request, reference: str) -> Response:
        booking = self.get_object()
        if not booking.may_become(State.CANCELLED):
            raise InvalidTransition(
                _("This booking is %s; it cannot be cancelled.") % booking.get_state_display()
            )
        found = services.cancellation_preview(booking, now=timezone.now())
        return Response(
            {
                "reference": booking.reference,
                "currency": booking.currency,
                "total": fields.amount(found.total, booking.currency),
                "refund_percent": found.refund_percent,
                "refunded": fields.amount(found.refunded, booking.currency),
                "retained": fields.amount(found.retained, booking.currency),
                "reason": found.reason,
            }
        )

    def _change(self, command: Callable[..., Booking], input_class: type[serializers.Serializer]) -> Response:
        booking = self.get_object()
        data = input_class(data=self.request.data)
        data.is_valid(raise_exception=True)
        changed = command(booking, by=user_of(self.request), now=timezone.now(), **data.validated_data)
        return Response(BookingSerializer(changed).data)


def _order(data: dict[str, Any]) -> dict[str, Any]:
    """As services.book() calls things."""
    order = {**data, "lot_id": data["lot"].pk, "spot_number": data.get("spot", "")}
    order["features"] = tuple(data.get("features", ()))
    return {name: value for name, value in order.items() if name not in ("lot", "spot")}
