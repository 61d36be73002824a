"""The API about people: the signed-in one, their vehicles, and for operators the list of users."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

import django_filters
from django.conf import settings
from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import mixins, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import services, viewings
from accounts.answers import NotKept, user_of
from accounts.models import User, Vehicle
from accounts.rights import StaffRights
from accounts.strict import StrictBooleanField, StrictSerializer, StrictTextField


class MeSerializer(serializers.ModelSerializer):
    roles = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = [
            "email",
            "username",
            "name",
            "phone",
            "address",
            "postcode",
            "language",
            "timezone",
            "date_joined",
            "is_staff",
            "roles",
        ]

    def get_roles(self, user: User) -> list[str]:
        groups = user.groups.order_by("name").values_list("name", flat=True)
        return ["driver", *(["operator"] if user.is_staff else []), *groups]


class MeInput(StrictSerializer):
    username = StrictTextField(required=False, allow_null=True, allow_blank=True, max_length=40)
    name = StrictTextField(required=False, allow_blank=True, max_length=120)
    phone = StrictTextField(required=False, allow_blank=True, max_length=40)
    address = StrictTextField(required=False, allow_blank=True, max_length=200)
    postcode = StrictTextField(required=False, allow_blank=True, max_length=16)
    language = serializers.ChoiceField(choices=settings.LANGUAGES, required=False, allow_blank=True)
    timezone = StrictTextField(required=False, allow_blank=True, max_length=64)

    def validate_timezone(self, name: str) -> str:
        if name and name not in available_timezones():
            raise serializers.ValidationError("Use a name such as Europe/Berlin.", code="unknown_timezone")
        return name


class MeView(NotKept):
    @extend_schema(responses=MeSerializer, operation_id="me")
    def get(self, request: Request) -> Response:
        return Response(MeSerializer(request.user).data)

    @extend_schema(request=MeInput(partial=True), responses=MeSerializer, operation_id="me_update")
    def patch(self, request: Request) -> Response:
        data = MeInput(data=request.data, partial=True)
        data.is_valid(raise_exception=True)
        user = services.update_profile(user=user_of(request), **data.validated_data)
        return Response(MeSerializer(user).data)


class VehicleSerializer(serializers.ModelSerializer):
    class Meta:
        model = Vehicle
        fields = ["id", "plate", "country", "kind", "connector", "is_default"]


class VehicleInput(StrictSerializer):
    plate = StrictTextField(max_length=20)
    country = StrictTextField(required=False, allow_blank=True, max_length=2)
    kind = serializers.ChoiceField(choices=Vehicle.Kind.choices, required=False)
    connector = StrictTextField(required=False, allow_blank=True, max_length=32)
    is_default = StrictBooleanField(required=False)


class VehicleViewSet(NotKept, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    serializer_class = VehicleSerializer
    queryset = Vehicle.objects.none()
    lookup_value_regex = r"[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[Vehicle]:
        if not isinstance(self.request.user, User):  # the schema is drawn for nobody
            return self.queryset
        return self.request.user.vehicles.select_related("driver")

    @extend_schema(request=VehicleInput, responses={201: VehicleSerializer})
    def create(self, request: Request) -> Response:
        data = VehicleInput(data=request.data)
        data.is_valid(raise_exception=True)
        vehicle = services.add_vehicle(driver=user_of(request), **data.validated_data)
        return Response(VehicleSerializer(vehicle).data, status=201)

    @extend_schema(request=VehicleInput(partial=True), responses=VehicleSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        data = VehicleInput(data=request.data, partial=True)
        data.is_valid(raise_exception=True)
        vehicle = services.update_vehicle(vehicle=self.get_object(), **data.validated_data)
        return Response(VehicleSerializer(vehicle).data)

    def destroy(self, request: Request, pk: str) -> Response:
        services.remove_vehicle(vehicle=self.get_object())
        return Response(status=204)


@extend_schema_serializer(component_name="UserRow")  # allauth's part of the schema has a User
class UserSerializer(serializers.ModelSerializer):
    class Meta:
        model = User
        fields = ["id", "email", "username", "name", "is_staff", "is_active", "date_joined"]


class UserFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(method="with_text", label="A part of the e-mail, username or name")
    is_staff = django_filters.BooleanFilter(label="Staff, or drivers only")
    is_active = django_filters.BooleanFilter(label="Who may sign in, or who may not")

    def with_text(self, users: QuerySet[User], _name: str, text: str) -> QuerySet[User]:
        for word in text.split()[:8]:
            users = users.filter(
                Q(email__icontains=word) | Q(username__icontains=word) | Q(name__icontains=word)
            )
        return users


class UserRights(StaffRights):
    rights = {"GET": "accounts.view_user"}


class UserViewSet(NotKept, mixins.ListModelMixin, viewsets.GenericViewSet):
    serializer_class = UserSerializer
    permission_classes = [UserRights]
    queryset: Any = User.objects.all()
    filterset_class = UserFilter

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        answer = super().list(request, *args, **kwargs)
        viewings.note(request, "API users", [row["id"] for row in answer.data["results"]])
        return answer
