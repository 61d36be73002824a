"""Other people's admin pages in our skin: schedules, e-mail addresses, second factors, sessions."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from django_celery_beat.admin import PeriodicTaskAdmin, PeriodicTaskForm, TaskSelectWidget
from django_celery_beat.models import PeriodicTask
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget


class TaskSelect(UnfoldAdminSelectWidget, TaskSelectWidget):
    """The tasks there are, in a select that looks like the others."""


class ScheduleForm(PeriodicTaskForm):
    """Staff choose among our own tasks; they name no others, and hand them no arguments."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        field = self.fields["regtask"]
        field.widget = TaskSelect()
        field.label, field.required = _("Task"), True
        field.initial = self.instance.task

    def clean_regtask(self) -> str:
        name = self.cleaned_data["regtask"]
        if name not in dict(self.fields["regtask"].widget.choices):  # type: ignore[attr-defined]
            self.add_error("regtask", _("There is no such task."))
        self.instance.task = name
        return str(name)

    def clean(self) -> dict[str, Any]:
        # The form we inherit from insists on a name typed in by hand otherwise.
        self.cleaned_data.setdefault("regtask", self.instance.task)
        return dict(super().clean())


class ScheduleAdmin(PeriodicTaskAdmin, ModelAdmin):
    form = ScheduleForm
    list_display = ["name", "enabled", "scheduler", "last_run_at"]
    list_filter = ["enabled"]
    date_hierarchy = None
    # Theirs brings an inline script, which our policy refuses.
    change_form_template = "admin/change_form.html"
    # Not "run": it would publish to the broker inside the request.
    actions = ["enable_tasks", "disable_tasks"]
    readonly_fields = ["last_run_at"]
    fieldsets = [
        (None, {"fields": ["name", "regtask", "enabled", "description"]}),
        (
            _("When"),
            {
                "fields": ["interval", "crontab", "expire_seconds", "last_run_at"],
                "description": _("Either an interval or a time of day, in the time zone that belongs to it."),
            },
        ),
    ]


def restyle(site: admin.AdminSite) -> None:
    """Register every admin that is not Unfold's again as one that is. Called once all are registered."""
    for model, model_admin in list(site._registry.items()):
        if isinstance(model_admin, ModelAdmin):
            continue
        theirs = type(model_admin)
        ours = ScheduleAdmin if model is PeriodicTask else type(theirs.__name__, (theirs, ModelAdmin), {})
        site.unregister(model)
        site.register(model, ours)
