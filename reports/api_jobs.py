"""Jobs that staff start through the API: a row at once, done by the clock, looked at by its id."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from accounts import limits
from accounts.answers import NotKept, user_of
from accounts.models import User
from accounts.rights import StaffRights
from accounts.strict import NothingSerializer
from bookings.api import fields
from bookings.idempotency import Idempotent
from reports import exports, runs
from reports.export_api import ExportError, error_of
from reports.export_models import Export, Kind, State
from reports.models import JobRun

EXPORT_ALL = "export-all-data"
# What staff may start; the house's own chores are started in the back office.
BY_HAND = ["daily-reminder", "daily-admin-report", "monthly-report", "monthly-admin-report", EXPORT_ALL]
STATUSES = [*JobRun.State.choices, (State.EXPIRED.value, State.EXPIRED.label)]


class JobSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.ChoiceField(choices=BY_HAND)
    status = serializers.ChoiceField(choices=STATUSES)
    progress = serializers.IntegerField(help_text="Percent; of mails to owe, 0 until all of them are owed")
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="What was done: mails, rows")
    url = serializers.CharField(allow_null=True, help_text="The file of export-all-data, for an hour")
    error = ExportError(allow_null=True)
    created_at = fields.MomentField()
    finished_at = fields.MomentField(allow_null=True)


class JobRights(StaffRights):
    rights = {"GET": "reports.view_jobrun", "POST": "reports.add_jobrun"}


_ASKED = {
    "id": "8a4d1be0-43f5-44a5-b6b9-5c5a2dbb3a1e",
    "name": "daily-reminder",
    "status": "queued",
    "progress": 0,
    "counts": {},
    "url": None,
    "error": None,
    "created_at": "2030-01-31T12:00:00Z",
    "finished_at": None,
}
_DONE = _ASKED | {
    "status": "done",
    "progress": 100,
    "counts": {"mails": 12},
    "finished_at": "2030-01-31T12:00:09Z",
}


class JobView(NotKept, Idempotent):
    permission_classes = [JobRights]

    @extend_schema(
        operation_id="jobs_start",
        parameters=[OpenApiParameter("job", OpenApiTypes.STR, OpenApiParameter.PATH, enum=BY_HAND)],
        request=NothingSerializer,
        responses={202: JobSerializer},
        examples=[OpenApiExample("Queued", _ASKED, response_only=True, status_codes=["202"])],
    )
    def post(self, request: Request, job: str) -> Response:
        """Answers at once. A job that you have started and that is not done yet is answered again.

        A mail that was owed for its day or month already is not owed twice. `export-all-data` is the export
        of that kind: 409 `export_under_way` while one of yours is being made.
        """
        if job not in BY_HAND:
            raise Http404
        NothingSerializer(data=request.data).is_valid(raise_exception=True)
        user, now = user_of(request), timezone.now()
        if job == EXPORT_ALL:
            found = _of_export(exports.ask(owner=user, kind=Kind.ALL_DATA, now=now), request)
        else:
            limits.take((limits.JOB, str(user.pk)))
            found = _of_run(runs.ask(job, by=user, now=now))
        address = reverse("api:job", args=[found["id"]], request=request)
        return Response(JobSerializer(found).data, status=202, headers={"Location": address})

    @extend_schema(
        operation_id="jobs_retrieve",
        parameters=[OpenApiParameter("job", OpenApiTypes.UUID, OpenApiParameter.PATH, description="Its id")],
        responses={200: JobSerializer},
        examples=[OpenApiExample("Done", _DONE, response_only=True, status_codes=["200"])],
    )
    def get(self, request: Request, job: str) -> Response:
        """A job that you have started; somebody else's does not exist."""
        user = user_of(request)
        try:
            pk = UUID(job)
        except ValueError as error:
            raise Http404 from error
        run = JobRun.objects.filter(pk=pk, asked_by=user, job__in=BY_HAND).first()
        found = _of_run(run) if run else _of_export(_all_data(user, pk), request)
        return Response(JobSerializer(found).data)


def _all_data(user: User, pk: UUID) -> Export:
    return get_object_or_404(Export.objects.of(user), pk=pk, kind=Kind.ALL_DATA)


def _of_run(run: JobRun) -> dict[str, Any]:
    is_over = run.state in (JobRun.State.FAILED, JobRun.State.MISSED)
    return {
        "id": run.pk,
        "name": run.job,
        "status": run.state,
        "progress": 100 if run.state == JobRun.State.DONE else 0,
        "counts": run.counts,
        "url": None,
        "error": {"code": run.state, "detail": run.error} if is_over else None,
        "created_at": run.due_at,
        "finished_at": run.finished_at,
    }


def _of_export(export: Export, request: Request) -> dict[str, Any]:
    path = exports.link(export, now=timezone.now())
    return {
        "id": export.pk,
        "name": EXPORT_ALL,
        "status": export.state,
        "progress": export.progress,
        "counts": {"rows": export.rows},
        "url": request.build_absolute_uri(path) if path else None,
        "error": error_of(export),
        "created_at": export.created_at,
        "finished_at": export.finished_at,
    }
