"""A booking's files: its receipt as a PDF, its time as a calendar entry."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request

from accounts.answers import NotKept, user_of
from bookings import receipt_views, receipts
from bookings.api.http import REFUSED
from bookings.models import Booking

REFERENCE = OpenApiParameter("reference", OpenApiTypes.STR, OpenApiParameter.PATH)


class WhateverIsAsked(BaseContentNegotiation):
    """The file is what it is, and errors are JSON, whatever the client says it accepts."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class FileView(NotKept):
    content_negotiation_class = WhateverIsAsked

    def own(self, reference: str) -> Booking:
        """Somebody else's booking does not exist."""
        mine = Booking.objects.of(user_of(self.request)).select_related("lot", "spot", "tariff")
        return get_object_or_404(mine, reference=reference)


class ReceiptView(FileView):
    @extend_schema(
        operation_id="bookings_receipt",
        parameters=[REFERENCE],
        responses={(200, "application/pdf"): OpenApiTypes.BINARY, 409: REFUSED},
    )
    def get(self, request: Request, reference: str) -> HttpResponse:
        """409 `no_receipt` until the stay is over, and where nothing was charged."""
        now = timezone.now()
        return receipt_views.pdf_answer(receipts.statement(self.own(reference), now=now), now)


class CalendarView(FileView):
    @extend_schema(
        operation_id="bookings_calendar",
        parameters=[REFERENCE],
        responses={(200, "text/calendar"): OpenApiTypes.STR},
    )
    def get(self, request: Request, reference: str) -> HttpResponse:
        return receipt_views.calendar_answer(self.own(reference))
