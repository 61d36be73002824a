"""Lots as everybody sees them, with what is free; operators make, change and remove them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django_filters.utils import translate_validation
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import permissions, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.answers import user_of
from accounts.models import User
from accounts.rights import StaffRights
from bookings import availability, services
from bookings.api import fields
from bookings.api.http import REFUSED, PublicReads
from bookings.api.lot_filter import LotFilter, WindowFilter
from bookings.api.lot_serializers import LotInput, LotPatch, LotSerializer, OpeningSerializer, SpotSerializer
from bookings.idempotency import Idempotent
from lots import services as lot_services
from lots.models import Lot, Review, Spot
from lots.review_models import Rating

SPOTS_A_PAGE = 200
NO_RATING = Rating()
# Three at most: there is no other page.
ONE_PAGE = [OpenApiParameter(name, exclude=True) for name in ("cursor", "page_size")]
WINDOW = [
    OpenApiParameter(name, OpenApiTypes.DATETIME, description=str(WindowFilter.base_filters[name].label))
    for name in ("from", "to")
]


class LotRights(StaffRights):
    """Everybody looks; staff change what their role lets them."""

    rights = {"POST": "lots.add_lot", "PATCH": "lots.change_lot", "DELETE": "lots.delete_lot"}
    reading_is_public = True


class LotViewSet(PublicReads, Idempotent, viewsets.GenericViewSet):
    serializer_class = LotSerializer
    filterset_class = LotFilter
    queryset: Any = Lot.objects.all()
    lookup_field = "slug"
    lookup_value_regex = r"[-\w]{1,140}"

    permission_classes = [LotRights]

    def get_queryset(self) -> QuerySet[Lot]:
        """Operators also see their lots that are switched off, and change no others."""
        user = self.request.user
        if not isinstance(user, User) or not user.is_staff or not user.has_perm("lots.view_lot"):
            return Lot.objects.listed()
        theirs = Lot.objects.kept().run_by(user)
        if self.request.method not in permissions.SAFE_METHODS:
            return theirs
        return Lot.objects.kept().filter(Q(is_active=True) | Q(pk__in=theirs.values("pk")))

    def filter_queryset(self, queryset: Any) -> Any:
        return queryset  # list() asks the filter itself: it also says for when to count

    @extend_schema(operation_id="lots_list")
    def list(self, request: Request) -> Response:
        asked = self._asked(LotFilter, Lot.objects.listed())
        self.page_ordering = asked.page_ordering
        page = self.paginate_queryset(asked.qs) or []
        return self.get_paginated_response(lots_json(page, asked))

    @extend_schema(parameters=WINDOW)
    def retrieve(self, request: Request, slug: str) -> Response:
        return Response(self._one(self.get_object()))

    @extend_schema(request=LotInput, responses={201: LotSerializer})
    def create(self, request: Request) -> Response:
        data = LotInput(data=request.data)
        data.is_valid(raise_exception=True)
        lot = lot_services.create_lot(by=user_of(request), now=timezone.now(), **data.validated_data)
        return Response(self._one(lot), status=201)

    @extend_schema(request=LotPatch(partial=True), responses={200: LotSerializer, 409: REFUSED})
    def partial_update(self, request: Request, slug: str) -> Response:
        data = LotPatch(data=request.data, partial=True)
        data.is_valid(raise_exception=True)
        lot = _change(self.get_object(), dict(data.validated_data), user_of(request), timezone.now())
        return Response(self._one(lot))

    @extend_schema(responses={204: None, 409: REFUSED})
    def destroy(self, request: Request, slug: str) -> Response:
        services.remove_lot(lot_id=self.get_object().pk, by=user_of(request), now=timezone.now())
        return Response(status=204)

    @extend_schema(responses=SpotSerializer(many=True), parameters=WINDOW, filters=False)
    @action(detail=True)
    def spots(self, request: Request, slug: str) -> Response:
        lot = self.get_object()
        asked = self._asked(WindowFilter, Lot.objects.none())
        window = asked.window(lot.default_stay_minutes)
        self.page_ordering, self.page_size = "number_key", SPOTS_A_PAGE
        page = self.paginate_queryset(lot.spots.kept()) or []
        found = availability.spot_statuses(lot, *window, now=asked.now)
        statuses = {spot.pk: status for spot, status in found}
        rows = [{**spot_json(spot), "status": statuses.get(spot.pk, "closed")} for spot in page]
        return self.get_paginated_response(rows)

    @extend_schema(responses=OpeningSerializer(many=True), parameters=ONE_PAGE, filters=False)
    @action(detail=True)
    def soonest(self, request: Request, slug: str) -> Response:
        lot = self.get_object()
        # Whole minutes: who asks again within one gets the same answer.
        now = timezone.now().replace(second=0, microsecond=0)
        openings = availability.soonest_free(lot, now=now)
        return Response({"next": None, "previous": None, "results": [_opening(lot, o) for o in openings]})

    def _asked(self, filter_class: type[WindowFilter], rows: QuerySet[Lot]) -> Any:
        # After a change the question in the address, if any, is not ours: the answer is about now.
        params = self.request.query_params if self.request.method in permissions.SAFE_METHODS else {}
        asked = filter_class(params, rows, request=self.request, now=timezone.now())
        if not asked.is_valid():
            raise translate_validation(asked.errors)
        return asked

    def _one(self, lot: Lot) -> dict[str, Any]:
        return lots_json([lot], self._asked(WindowFilter, Lot.objects.none()))[0]


def _change(lot: Lot, data: dict[str, Any], by: Any, now: datetime) -> Lot:
    capacity = data.pop("capacity", None)
    # Two services, one change: a name that is refused must not leave a new capacity behind.
    with transaction.atomic():
        if capacity is not None:
            services.set_capacity(lot_id=lot.pk, capacity=capacity, by=by, now=now)
        return lot_services.update_lot(lot_id=lot.pk, by=by, now=now, **data)


def lots_json(lots: Sequence[Lot], asked: WindowFilter) -> list[dict[str, Any]]:
    """A page of lots; four queries more, however many they are (one more for each other default stay)."""
    features = getattr(asked, "features_asked", ())
    windows = {lot.pk: asked.window(lot.default_stay_minutes) for lot in lots}
    together: dict[tuple[datetime, datetime], list[int]] = defaultdict(list)
    for pk, window in windows.items():
        together[window].append(pk)
    free: dict[int, int] = {}
    for window, ids in together.items():
        free |= availability.free_counts(ids, *window, now=asked.now, features=features)
    capacity, offered = _premises([lot.pk for lot in lots])
    ratings = Review.objects.ratings(windows)
    at_once = asked.now + timedelta(seconds=1)
    shut = availability.shut_lots(
        windows if asked.names_a_window else dict.fromkeys(windows, (asked.now, at_once))
    )

    def is_open(lot: Lot) -> bool:
        if lot.pk in shut:
            return False
        if asked.names_a_window:
            return lot.hours.is_open_throughout(*windows[lot.pk], lot.zone)
        return lot.hours.is_open(asked.now, lot.zone)

    return [
        {
            "slug": lot.slug,
            "name": lot.name,
            "address": ", ".join(filter(None, [lot.address_line1, lot.address_line2])),
            "city": lot.city,
            "postcode": lot.postcode,
            "country": lot.country,
            "latitude": _degrees(lot.latitude),
            "longitude": _degrees(lot.longitude),
            "timezone": lot.timezone,
            "currency": lot.currency,
            "capacity": capacity[lot.pk],
            "free": free[lot.pk],
            "price_per_hour": fields.rate(lot.price_per_hour, lot.currency),
            "features": sorted(offered[lot.pk]),
            "rating": ratings.get(lot.pk, NO_RATING).stars,
            "reviews": ratings.get(lot.pk, NO_RATING).count,
            "is_open": lot.is_active and is_open(lot),
        }
        for lot in lots
    ]


def _premises(ids: list[int]) -> tuple[dict[int, int], dict[int, set[str]]]:
    """Each lot's capacity and what its spots offer, in one query."""
    capacity, offered = dict.fromkeys(ids, 0), {pk: set[str]() for pk in ids}
    rows = Spot.objects.kept().filter(lot__in=ids).order_by().values_list("lot", "features")
    for pk, features, count in rows.annotate(count=Count("pk")):
        capacity[pk] += count
        offered[pk].update(features)
    return capacity, offered


def _degrees(value: Any) -> float | None:
    return None if value is None else float(value)


def spot_json(spot: Spot) -> dict[str, Any]:
    return {
        "number": spot.number,
        "building": spot.building,
        "floor": spot.floor,
        "kind": spot.kind,
        "features": list(spot.features_set()),
    }


def _opening(lot: Lot, opening: availability.Opening) -> dict[str, Any]:
    return {
        **spot_json(opening.spot),
        "starts_at": fields.utc(opening.starts_at),
        "ends_at": fields.utc(opening.ends_at),
        "confidence": opening.confidence,
        "local": fields.local(lot, opening.starts_at, opening.ends_at),
    }
