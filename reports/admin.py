"""The ledger of job runs in the back office, only read; exports and imports have files of their own."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from reports import export_admin as export_admin
from reports import reading_admin as reading_admin
from reports.models import JobRun
from reports.sheets import import_admin as import_admin
from reports.sheets import lists as lists

LABELS = {"done": "success", "failed": "danger", "missed": "danger", "running": "info", "queued": "warning"}


@admin.register(JobRun)
class JobRunAdmin(ModelAdmin):
    """A run is what it was. A new one is asked for at its schedule."""

    list_display = ["job", "period", "shown_state", "due_at", "finished_at", "attempts", "error"]
    list_filter = ["state", "job"]
    list_select_related = ["asked_by"]
    ordering = ["-due_at", "-id"]
    show_full_result_count = False
    fields = [
        "job", "period", "shown_state", "due_at", "timezone", "asked",
        "started_at", "finished_at", "attempts", "counts", "error",
    ]  # fmt: skip
    readonly_fields = [
        "job", "period", "shown_state", "due_at", "timezone", "asked",
        "started_at", "finished_at", "attempts", "counts", "error",
    ]  # fmt: skip

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who asked may run other lots."""
        return [name for name in self.fields if name != "asked" or request.user.is_superuser]

    @display(description=_("asked by"))
    def asked(self, run: JobRun) -> str:
        return str(run.asked_by or "–")

    @display(description=_("state"), ordering="state", label={**LABELS})
    def shown_state(self, run: JobRun) -> tuple[str, str]:
        return run.state, run.get_state_display()
