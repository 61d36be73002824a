"""An import is a row: the file, and what it changes. So it can be shown, done and undone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import User


class ImportQuerySet(models.QuerySet["ImportBatch"]):
    def of(self, user: User) -> ImportQuerySet:
        return self if user.is_superuser else self.filter(by=user)

    def waiting(self, now: datetime) -> ImportQuerySet:
        """What a worker is to do next, also where another worker died over it."""
        return self.filter(state__in=ImportBatch.WORK).filter(Q(slot=None) | Q(lease_until__lt=now))


class ImportBatch(models.Model):
    """One file somebody wants imported."""

    class Kind(models.TextChoices):
        LOTS = "lots", _("lots")
        SPOTS = "spots", _("spots")
        TARIFFS = "tariffs", _("tariffs")
        VEHICLES = "vehicles", _("vehicles")

    class State(models.TextChoices):
        MAPPING = "mapping", _("which column is which?")
        CHECKING = "checking", _("being checked")
        REFUSED = "refused", _("has errors")
        READY = "ready", _("checked, to be confirmed")
        CONFIRMED = "confirmed", _("being imported")
        DONE = "done", _("imported")
        UNDOING = "undoing", _("being undone")
        UNDONE = "undone", _("undone")

    WORK = (State.CHECKING, State.CONFIRMED, State.UNDOING)

    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.MAPPING)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("imported by")
    )
    file_name = models.CharField(_("file"), max_length=120)
    # In the database and not in a folder: whichever machine works on it has it, and it goes with the row.
    content = models.BinaryField(editable=False)
    sha256 = models.CharField(max_length=64, editable=False)
    # How the file is read (reports.sheets.reading.Reading as JSON), and of what headings that is true.
    reading = models.JSONField(default=dict, editable=False)
    headings_sha256 = models.CharField(max_length=64, editable=False, db_index=True)
    # What was shown when it was checked: only that is ever done.
    plan_sha256 = models.CharField(max_length=64, blank=True, editable=False)

    row_count = models.PositiveIntegerField(_("rows"), default=0)
    rows_done = models.PositiveIntegerField(default=0, editable=False)
    new_count = models.PositiveIntegerField(_("new"), default=0)
    changed_count = models.PositiveIntegerField(_("changed"), default=0)
    # [{"line", "column", "sentence"}]
    problems: Any = models.JSONField(default=list, editable=False)
    uploaded_at = models.DateTimeField(_("uploaded"))
    imported_at = models.DateTimeField(_("imported at"), null=True, editable=False)
    undone_at = models.DateTimeField(_("undone at"), null=True, editable=False)
    # 1 while somebody works on it: unique, so that imports come one after the other. Past the lease
    # that worker has died, and another may.
    slot = models.PositiveSmallIntegerField(null=True, unique=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)

    objects = ImportQuerySet.as_manager()

    class Meta:
        verbose_name = _("import")
        indexes = [models.Index(fields=["-uploaded_at"], name="import_newest")]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_at_work(self) -> bool:
        return self.state in self.WORK


class ImportRow(models.Model):
    """What an import does to one row of ours. Rows it leaves as they are have none."""

    class Action(models.TextChoices):
        NEW = "new", _("new")
        CHANGED = "changed", _("changed")

    batch = models.ForeignKey(ImportBatch, models.CASCADE, related_name="rows")
    line = models.PositiveIntegerField(_("line"))
    action = models.CharField(_("what"), max_length=7, choices=Action)
    # The natural key, for people.
    name = models.CharField(_("row"), max_length=300)
    object_id = models.BigIntegerField(null=True, editable=False)
    # Column → cell, of the columns that change.
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("imported row")
        constraints = [models.UniqueConstraint(fields=["batch", "line"], name="import_row_once_a_line")]

    def __str__(self) -> str:
        return f"{self.batch_id}, line {self.line}"
