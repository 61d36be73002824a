"""Paying, and what was paid. Paying is safe to repeat by itself: one attempt at a time, one charge."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Prefetch, QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import mixins, serializers, viewsets
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.answers import NotKept, user_of
from accounts.models import User
from accounts.strict import StrictSerializer, StrictTextField
from bookings import services
from bookings.api import fields
from bookings.api.filters import ChoicesFilter
from bookings.idempotency import HEADER, KeyReused, checked_key
from bookings.models import Booking
from bookings.payments.models import Payment, Provider, Refund, Status
from bookings.payments.providers.base import ProviderAway


class ProviderUnavailable(APIException):
    status_code = 503
    default_code = "provider_unavailable"
    default_detail = "The payment service does not answer. Please try again; nothing is paid twice."
    wait = 10


class PayInput(StrictSerializer):
    provider = StrictTextField(
        required=False, max_length=20, help_text="stripe or demo; left out: the first one there is"
    )


class RefundSerializer(serializers.ModelSerializer):
    amount = serializers.SerializerMethodField()
    created_at = fields.MomentField()
    settled_at = fields.MomentField(allow_null=True)

    class Meta:
        model = Refund
        fields = ["status", "amount", "reason", "transaction_id", "created_at", "settled_at"]

    def get_amount(self, refund: Refund) -> str:
        return fields.amount(refund.amount, refund.currency)


class PaymentSerializer(serializers.ModelSerializer):
    booking = serializers.CharField(source="booking.reference")
    provider = serializers.ChoiceField(choices=Provider.choices)
    status = serializers.ChoiceField(choices=Status.choices)
    amount = serializers.SerializerMethodField()
    refunded = serializers.SerializerMethodField()
    redirect_url = serializers.SerializerMethodField()
    created_at = fields.MomentField()
    settled_at = fields.MomentField(allow_null=True)
    refunds = RefundSerializer(many=True)

    class Meta:
        model = Payment
        fields = [
            "id",
            "booking",
            "provider",
            "method",
            "status",
            "amount",
            "currency",
            "refunded",
            "transaction_id",
            "redirect_url",
            "note",
            "created_at",
            "settled_at",
            "refunds",
        ]

    def get_amount(self, payment: Payment) -> str:
        return fields.amount(payment.amount, payment.currency)

    def get_refunded(self, payment: Payment) -> str:
        return fields.amount(payment.refunded(), payment.currency)

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_redirect_url(self, payment: Payment) -> str | None:
        """The page to send the driver to; there is one only while it can be paid."""
        return (payment.redirect_url or None) if payment.is_pending else None


class PayView(NotKept):
    takes_key = True

    @extend_schema(
        operation_id="bookings_pay",
        request=PayInput,
        responses={201: PaymentSerializer, 200: PaymentSerializer},
        parameters=[OpenApiParameter("reference", OpenApiTypes.STR, OpenApiParameter.PATH)],
    )
    def post(self, request: Request, reference: str) -> Response:
        """Answers 201 with a new attempt to pay, or 200 with the one that is under way.

        Not kept by bookings.idempotency: the provider must not be asked inside its transaction, so the
        attempt itself remembers the key.
        """
        data = PayInput(data=request.data)
        data.is_valid(raise_exception=True)
        now, driver = timezone.now(), user_of(request)
        booking = get_object_or_404(
            Booking.objects.of(driver).select_related("lot", "spot", "tariff", "driver"), reference=reference
        )
        name = data.validated_data.get("provider", "")
        key = request.headers.get(HEADER)
        if key is not None:
            _check_key(checked_key(key), booking, name, driver)
        try:
            payment = services.pay(booking, provider_name=name, by=driver, now=now, key=key or "")
        except ProviderAway as error:
            raise ProviderUnavailable from error
        is_new = payment.created_at == now
        return Response(PaymentSerializer(payment).data, status=201 if is_new else 200)


def _check_key(key: str, booking: Booking, name: str, driver: User) -> None:
    other = Payment.objects.filter(by=driver, client_key=key).first()
    if other and (other.booking_id != booking.pk or name not in ("", other.provider)):
        raise KeyReused


class PaymentFilter(django_filters.FilterSet):
    booking = django_filters.CharFilter("booking__reference", label="The booking's reference")
    status = ChoicesFilter(choices=Status.choices, label="One status or several, separated by commas")


class PaymentViewSet(NotKept, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """The driver's own payments, the latest first, with what went back of each."""

    serializer_class = PaymentSerializer
    filterset_class = PaymentFilter
    queryset: Any = Payment.objects.none()
    page_ordering = "-created_at"
    lookup_value_regex = "[0-9A-Fa-f-]{32,36}"

    def get_queryset(self) -> QuerySet[Payment]:
        if not isinstance(self.request.user, User):  # the schema is drawn for nobody
            return self.queryset
        refunds = Prefetch("refunds", Refund.objects.order_by("created_at", "pk"))
        return Payment.objects.of(self.request.user).select_related("booking").prefetch_related(refunds)

    def get_object(self) -> Payment:
        try:
            return super().get_object()
        except (ValueError, TypeError) as error:
            raise Http404 from error
