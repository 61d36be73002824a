"""Files people ask for and get when they are made: what was asked, how far it is, where the file lies."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from lots.models import Lot


class State(models.TextChoices):
    QUEUED = "queued", _("queued")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    # It was done, and the file is gone since.
    EXPIRED = "expired", _("expired")


UNFINISHED = [State.QUEUED, State.RUNNING]


class Kind(models.TextChoices):
    OWN_BOOKINGS = "own-bookings", _("own bookings")
    ALL_DATA = "all-data", _("all data")


class Format(models.TextChoices):
    CSV = "csv", _("CSV")
    XLSX_CSV = "xlsx-csv", _("CSV for spreadsheets")
    PDF = "pdf", _("PDF")
    ZIP = "zip", _("ZIP of CSV files")


# What can be had; the first is what one gets who does not say.
FORMATS: dict[str, list[Format]] = {
    Kind.OWN_BOOKINGS: [Format.CSV, Format.XLSX_CSV, Format.PDF],
    # A ZIP in any case: the format says how the files in it are written.
    Kind.ALL_DATA: [Format.ZIP, Format.CSV, Format.XLSX_CSV],
}


class ExportQuerySet(models.QuerySet["Export"]):
    def of(self, owner: User) -> ExportQuerySet:
        return self.filter(owner=owner)

    def unfinished(self) -> ExportQuerySet:
        return self.filter(state__in=UNFINISHED)

    def due(self, now: datetime) -> ExportQuerySet:
        """Not begun, or begun by a worker that has not been heard of since its lease ran out."""
        return self.unfinished().filter(Q(locked_until=None) | Q(locked_until__lte=now))

    def in_work(self, now: datetime) -> ExportQuerySet:
        return self.filter(state=State.RUNNING, locked_until__gt=now)

    def past_their_time(self, now: datetime) -> ExportQuerySet:
        return self.filter(state=State.DONE, expires_at__lte=now)


class Export(models.Model):
    """One file. Its id is beyond guessing, and still opens nothing by itself (reports.exports)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="exports", verbose_name=_("asked for by")
    )
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    format = models.CharField(_("format"), max_length=8, choices=Format)
    # Only bookings and payments of this time, half-open; None is open on that side.
    period_from = models.DateTimeField(_("from"), null=True, blank=True)
    period_until = models.DateTimeField(_("until"), null=True, blank=True)
    # Only of these lots, for all data; none named: of every lot its owner runs.
    lots = models.ManyToManyField(Lot, related_name="+", blank=True, verbose_name=_("lots"))
    state = models.CharField(_("state"), max_length=7, choices=State, default=State.QUEUED)
    # Percent of the rows; 100 means that the file is there.
    progress = models.PositiveSmallIntegerField(_("progress (%)"), default=0)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    error_code = models.CharField(max_length=20, blank=True, editable=False)
    # The file's name in STORAGES["exports"], and its length in bytes.
    file_name = models.CharField(max_length=100, blank=True, editable=False)
    size = models.PositiveBigIntegerField(_("size (bytes)"), default=0)
    created_at = models.DateTimeField(_("asked for"))
    started_at = models.DateTimeField(_("begun"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    # The file is kept until then.
    expires_at = models.DateTimeField(_("kept until"), null=True, blank=True)
    locked_until = models.DateTimeField(null=True, editable=False)
    # Also the fence: whoever began attempt 1 cannot touch the row once attempt 2 has begun.
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0, editable=False)

    objects = ExportQuerySet.as_manager()

    class Meta:
        verbose_name = _("export")
        permissions = [("export_all_data", "Can export all data")]
        constraints = [
            models.UniqueConstraint(
                fields=["owner"],
                condition=Q(state__in=["queued", "running"]),
                name="export_one_at_a_time_a_person",
            ),
            models.CheckConstraint(condition=Q(progress__lte=100), name="export_progress_in_percent"),
        ]
        indexes = [
            models.Index(fields=["owner", "-created_at"], name="export_history"),
            models.Index(
                fields=["created_at"], condition=Q(state__in=["queued", "running"]), name="export_open"
            ),
            models.Index(fields=["expires_at"], condition=Q(state="done"), name="export_kept"),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def is_unfinished(self) -> bool:
        """See also ExportQuerySet.unfinished()."""
        return self.state in UNFINISHED

    def has_file(self, now: datetime) -> bool:
        return self.state == State.DONE and self.expires_at is not None and now < self.expires_at

    @property
    def suffix(self) -> str:
        if self.kind == Kind.ALL_DATA:
            return "zip"
        return "pdf" if self.format == Format.PDF else "csv"

    @property
    def download_name(self) -> str:
        """Fixed: nothing anybody typed stands in a header."""
        return f"parkwell-{self.kind}.{self.suffix}"
