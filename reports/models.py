"""What the clock has done: a row for every run of a periodic job, and its heartbeat."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import OuterRef, Q, Subquery
from django.utils.translation import gettext_lazy as _

KEPT = timedelta(days=400)


class JobRunQuerySet(models.QuerySet["JobRun"]):
    def to_take(self, now: datetime) -> JobRunQuerySet:
        """Waiting for somebody to do them: new, failed a while ago, or left behind by a worker that died."""
        left = Q(state__in=[JobRun.State.RUNNING, JobRun.State.FAILED], locked_until__lte=now)
        return self.filter(Q(state=JobRun.State.QUEUED) | left)

    def forget_old(self, now: datetime) -> int:
        return (
            self.exclude(state__in=[JobRun.State.QUEUED, JobRun.State.RUNNING])
            .filter(due_at__lt=now - KEPT)
            .delete()[0]
        )

    def last_of_each(self) -> JobRunQuerySet:
        """The newest run of each job."""
        newest = JobRun.objects.filter(job=OuterRef("job")).order_by("-due_at", "-id")
        return self.filter(pk=Subquery(newest.values("pk")[:1]))

    def went_wrong(self) -> JobRunQuerySet:
        return self.filter(state__in=[JobRun.State.FAILED, JobRun.State.MISSED])


class JobRun(models.Model):
    """One period of a periodic job: whoever wrote the row first owns the run, and nobody writes it twice."""

    class State(models.TextChoices):
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        MISSED = "missed", _("missed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    job = models.CharField(_("job"), max_length=60)
    # "2027-03-01" or "2027-03"; of a run somebody asked for, with the row's own id behind it.
    period = models.CharField(_("period"), max_length=60)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.QUEUED)
    due_at = models.DateTimeField(_("due"))
    timezone = models.CharField(_("time zone"), max_length=64)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("asked for by"),
    )
    started_at = models.DateTimeField(_("started"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    # Until then it is somebody's, or (when it failed) nobody tries again.
    locked_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    # What the job says it did, e.g. {"mails": 12}.
    counts: Any = models.JSONField(_("counts"), default=dict)
    error = models.CharField(_("error"), max_length=300)

    objects = JobRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("job run")
        constraints = [
            models.UniqueConstraint(fields=["job", "period"], name="jobrun_once_a_period"),
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                name="jobrun_open",
                condition=Q(state__in=["queued", "running", "failed"]),
            ),
            models.Index(fields=["-due_at", "-id"], name="jobrun_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.job} {self.period}"


class Heartbeat(models.Model):
    """When the clock last came by: schedule, queue and worker all have to work for it to be written."""

    name = models.CharField(max_length=20, primary_key=True)
    beat_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} {self.beat_at:%Y-%m-%d %H:%M:%S}"


# These have files of their own; Django finds models through this module only.
from reports.export_models import Export as Export  # noqa: E402
from reports.readings import OccupancyImport as OccupancyImport  # noqa: E402
from reports.readings import Reading as Reading  # noqa: E402
from reports.sheets.models import ImportBatch as ImportBatch  # noqa: E402
from reports.sheets.models import ImportRow as ImportRow  # noqa: E402
