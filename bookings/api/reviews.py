"""What drivers say about lots."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, permissions, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.answers import NotKept, user_of
from accounts.models import User
from accounts.strict import StrictSerializer, StrictTextField
from bookings import reviewing
from bookings.api import fields
from bookings.api.http import PublicReads
from bookings.idempotency import Idempotent
from lots import reviews
from lots.models import Lot, Review
from lots.review_models import LONGEST_TEXT, MOST_STARS


class ReviewSerializer(serializers.ModelSerializer):
    """Never says who wrote it."""

    created_at = fields.MomentField()
    changed_at = fields.MomentField(allow_null=True)

    class Meta:
        model = Review
        fields = ["rating", "text", "created_at", "changed_at"]


class OwnReviewSerializer(ReviewSerializer):
    is_hidden = serializers.BooleanField(help_text="Staff took it off the pages")

    class Meta(ReviewSerializer.Meta):
        fields = [*ReviewSerializer.Meta.fields, "is_hidden", "hidden_reason"]


class ReviewInput(StrictSerializer):
    rating = serializers.IntegerField(min_value=1, max_value=MOST_STARS)
    text = StrictTextField(required=False, allow_blank=True, max_length=LONGEST_TEXT)


class OfOneLot(viewsets.GenericViewSet):
    queryset: Any = Review.objects.none()
    lookup_field = "slug"
    filterset_class = None

    def lot(self) -> Lot:
        return get_object_or_404(Lot.objects.listed(), slug=self.kwargs["slug"])


class ReviewViewSet(PublicReads, Idempotent, mixins.ListModelMixin, OfOneLot):
    """Everybody reads, the newest first; who has stayed there writes."""

    serializer_class = ReviewSerializer
    permission_classes = [permissions.IsAuthenticatedOrReadOnly]
    page_ordering = "-created_at"

    def get_queryset(self) -> QuerySet[Review]:
        return self.lot().reviews.shown() if "slug" in self.kwargs else self.queryset

    @extend_schema(operation_id="lots_reviews_list")
    def list(self, request: Request, slug: str) -> Response:
        return super().list(request, slug)

    @extend_schema(
        operation_id="lots_reviews_create", request=ReviewInput, responses={201: OwnReviewSerializer}
    )
    def create(self, request: Request, slug: str) -> Response:
        lot, data = self.lot(), ReviewInput(data=request.data)
        data.is_valid(raise_exception=True)
        review = reviewing.write(
            lot=lot,
            author=user_of(request),
            rating=data.validated_data["rating"],
            text=data.validated_data.get("text", ""),
            now=timezone.now(),
        )
        return Response(OwnReviewSerializer(review).data, status=201)


class OwnReviewViewSet(NotKept, OfOneLot):
    """The driver's own review of a lot, hidden or not."""

    serializer_class = OwnReviewSerializer

    def get_queryset(self) -> QuerySet[Review]:
        if not isinstance(self.request.user, User):  # the schema is drawn for nobody
            return self.queryset
        return Review.objects.filter(author=self.request.user)

    def own(self) -> Review:
        return get_object_or_404(self.get_queryset(), lot=self.lot())

    @extend_schema(operation_id="lots_reviews_mine")
    def retrieve(self, request: Request, slug: str) -> Response:
        return Response(OwnReviewSerializer(self.own()).data)

    @extend_schema(
        operation_id="lots_reviews_mine_update",
        request=ReviewInput(partial=True),
        responses=OwnReviewSerializer,
    )
    def partial_update(self, request: Request, slug: str) -> Response:
        review, data = self.own(), ReviewInput(data=request.data, partial=True)
        data.is_valid(raise_exception=True)
        changed = reviews.change(review, now=timezone.now(), **data.validated_data)
        return Response(OwnReviewSerializer(changed).data)

    @extend_schema(operation_id="lots_reviews_mine_remove", responses={204: None})
    def destroy(self, request: Request, slug: str) -> Response:
        self.own().delete()
        return Response(status=204)
