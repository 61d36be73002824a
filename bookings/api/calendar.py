"""The address of the driver's own calendar."""

from __future__ import annotations

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.answers import NotKept, user_of
from accounts.strict import NothingSerializer
from bookings import calendar_feeds
from bookings.api import fields
from bookings.feed_models import CalendarFeed
from bookings.idempotency import Idempotent


class CalendarFeedSerializer(serializers.Serializer):
    url = serializers.SerializerMethodField(help_text="For a calendar program; it needs no sign-in")
    made_at = fields.MomentField()

    def get_url(self, feed: CalendarFeed) -> str:
        return calendar_feeds.address(feed)


class CalendarFeedView(NotKept, Idempotent):
    @extend_schema(
        operation_id="me_calendar",
        responses={200: CalendarFeedSerializer, 404: OpenApiResponse(description="There is none")},
    )
    def get(self, request: Request) -> Response:
        """404 while there is none."""
        feed = CalendarFeed.objects.filter(driver=user_of(request)).first()
        if feed is None:
            raise Http404
        return Response(CalendarFeedSerializer(feed).data)

    @extend_schema(
        operation_id="me_calendar_make", request=NothingSerializer, responses={201: CalendarFeedSerializer}
    )
    def post(self, request: Request) -> Response:
        """Makes an address; one there was before leads nowhere any more."""
        NothingSerializer(data=request.data).is_valid(raise_exception=True)
        feed = calendar_feeds.make(user_of(request), now=timezone.now())
        return Response(CalendarFeedSerializer(feed).data, status=201)

    @extend_schema(operation_id="me_calendar_revoke", responses={204: None})
    def delete(self, request: Request) -> Response:
        calendar_feeds.revoke(user_of(request))
        return Response(status=204)
