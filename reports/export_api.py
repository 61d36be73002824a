"""Exports for programs: ask, look how far it is, fetch the file by its link."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field, extend_schema_view
from rest_framework import mixins, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from accounts.answers import NotKept, user_of
from accounts.models import User
from accounts.strict import StrictSerializer, StrictTextField
from bookings.api import fields
from bookings.idempotency import Idempotent
from reports import exports
from reports.export_models import Export, Format, Kind, State


class ExportInput(StrictSerializer):
    kind = serializers.ChoiceField(choices=Kind.choices, default=Kind.OWN_BOOKINGS)
    format = serializers.ChoiceField(
        choices=Format.choices,
        required=False,
        help_text="own-bookings: csv, xlsx-csv or pdf; all-data: zip, or xlsx-csv for a ZIP of such files",
    )
    locals()["from"] = fields.MomentField(
        required=False, allow_null=True, help_text="Only bookings that end, and payments begun, after it"
    )
    to = fields.MomentField(
        required=False, allow_null=True, help_text="Only bookings that start, and payments begun, before it"
    )

    lots = serializers.ListField(
        child=StrictTextField(max_length=140),
        max_length=500,
        required=False,
        help_text="all-data: only of these lots, by their slugs; without it, of all lots you run",
    )


class ExportError(serializers.Serializer):
    code = serializers.CharField(help_text=", ".join(exports.REASONS))
    detail = serializers.CharField()


def error_of(export: Export) -> dict[str, str] | None:
    if export.state != State.FAILED:
        return None
    return {"code": export.error_code, "detail": exports.reason(export)}


@extend_schema_field(ExportError(allow_null=True))
class ErrorField(serializers.Field):
    def to_representation(self, export: Export) -> dict[str, str] | None:
        return error_of(export)


class ExportSerializer(serializers.ModelSerializer):
    status = serializers.ChoiceField(source="state", choices=State.choices)
    lots: Any = serializers.SlugRelatedField("slug", many=True, read_only=True)
    url = serializers.SerializerMethodField()
    error = ErrorField(source="*", read_only=True)
    created_at = fields.MomentField()
    finished_at = fields.MomentField(allow_null=True)
    expires_at = fields.MomentField(allow_null=True)

    class Meta:
        model = Export
        fields = [
            *("id", "kind", "format", "lots", "status", "progress", "rows", "size", "url", "error"),
            *("created_at", "finished_at", "expires_at"),
        ]

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_url(self, export: Export) -> str | None:
        """The file, for an hour and without a token; ask again for a fresh one."""
        path = exports.link(export, now=timezone.now())
        return self.context["request"].build_absolute_uri(path) if path else None


_JUST_ASKED = {
    "id": "1f0c7d52-6c55-4f0e-9f0b-0a8e3c1f5d11",
    "kind": "own-bookings",
    "format": "csv",
    "lots": [],
    "status": "queued",
    "progress": 0,
    "rows": 0,
    "size": 0,
    "url": None,
    "error": None,
    "created_at": "2030-01-31T12:00:00Z",
    "finished_at": None,
    "expires_at": None,
}
_READY = _JUST_ASKED | {
    "status": "done",
    "progress": 100,
    "rows": 182,
    "size": 31904,
    "url": "https://parking.example/exports/1f0c7d52-6c55-4f0e-9f0b-0a8e3c1f5d11/file/?key=…",
    "finished_at": "2030-01-31T12:00:04Z",
    "expires_at": "2030-02-01T12:00:04Z",
}
_FAILED = _JUST_ASKED | {
    "status": "failed",
    "progress": 41,
    "error": {"code": "gave_up", "detail": str(exports.REASONS["gave_up"])},
    "finished_at": "2030-01-31T12:01:04Z",
}
READY = OpenApiExample("Done", _READY, response_only=True, status_codes=["200"])
FAILED = OpenApiExample("Failed", _FAILED, response_only=True, status_codes=["200"])
JUST_ASKED = OpenApiExample("Just asked for", _JUST_ASKED, response_only=True, status_codes=["202"])
ASK_OWN = OpenApiExample("My bookings", {"kind": "own-bookings", "format": "csv"}, request_only=True)
ASK_ALL = OpenApiExample(
    "Staff: all data", {"kind": "all-data", "format": "zip", "lots": ["alexanderplatz"]}, request_only=True
)


@extend_schema_view(retrieve=extend_schema(examples=[READY, FAILED]))
class ExportViewSet(
    NotKept, Idempotent, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet
):
    """One's own exports, the latest first."""

    serializer_class = ExportSerializer
    queryset: Any = Export.objects.none()
    page_ordering = "-created_at"
    lookup_value_regex = "[0-9A-Fa-f-]{32,36}"

    def get_queryset(self) -> QuerySet[Export]:
        if not isinstance(self.request.user, User):  # the schema is drawn for nobody
            return self.queryset
        return Export.objects.of(self.request.user).prefetch_related("lots")

    @extend_schema(
        request=ExportInput, responses={202: ExportSerializer}, examples=[ASK_OWN, ASK_ALL, JUST_ASKED]
    )
    def create(self, request: Request) -> Response:
        """Answers at once; the file is made in the background, and mailed as a link when it is done.

        One at a time for each person: 409 `export_under_way`. `all-data` is for staff whose role allows it.
        """
        data = ExportInput(data=request.data)
        data.is_valid(raise_exception=True)
        wish = data.validated_data
        export = exports.ask(
            owner=user_of(request),
            kind=wish["kind"],
            format=wish.get("format", ""),
            period=(wish.get("from"), wish.get("to")),
            lots=wish.get("lots", ()),
            now=timezone.now(),
        )
        address = reverse("api:export-detail", args=[export.pk], request=request)
        return Response(self.get_serializer(export).data, status=202, headers={"Location": address})
