"""Other people's admin pages in our skin: schedules, e-mail addresses, second factors, sessions."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_celery_beat.admin import PeriodicTaskAdmin, PeriodicTaskForm, TaskSelectWidget
from django_celery_beat.models import PeriodicTask
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget

from parking import schedules
from parking.cockpit import Cockpit, period_job
from reports import runs
from reports.jobs import JOBS


class TaskSelect(UnfoldAdminSelectWidget, TaskSelectWidget):
    """Our own tasks, in a select that looks like the others. Celery's own may not be scheduled."""

    def tasks_as_choices(self) -> tuple[tuple[str, str], ...]:
        return (("", ""), *((job.task, job.name) for job in schedules.JOBS))


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
        if name not in schedules.known_tasks():
            self.add_error("regtask", _("There is no such task."))
        self.instance.task = name
        return str(name)

    def clean(self) -> dict[str, Any]:
        # The form we inherit from insists on a name typed in by hand otherwise.
        self.cleaned_data.setdefault("regtask", self.instance.task)
        data = dict(super().clean())
        if period_job(self.instance) and not data.get("crontab"):
            self.add_error("crontab", _("This job is done once a day or month: it needs a time of day."))
        return data


class ScheduleAdmin(Cockpit, PeriodicTaskAdmin):
    form = ScheduleForm
    list_filter = ["enabled"]
    date_hierarchy = None
    # Theirs brings an inline script, which our policy refuses.
    change_form_template = "admin/change_form.html"
    # Not "run_tasks": it would publish to the broker inside the request.
    actions = ["enable_tasks", "disable_tasks", "run_now"]
    readonly_fields = ["last_run_at", "start_time"]
    fieldsets = [
        (None, {"fields": ["name", "regtask", "enabled", "description"]}),
        (
            _("When"),
            {
                "fields": ["interval", "crontab", "expire_seconds", "start_time", "last_run_at"],
                "description": _("Either an interval or a time of day, in the time zone that belongs to it."),
            },
        ),
    ]

    def save_model(self, request: HttpRequest, obj: PeriodicTask, form: Any, change: bool) -> None:
        # Nothing is owed for the time before a row was made, while it was paused or was set otherwise.
        moved = {"crontab", "regtask"} & set(form.changed_data)
        if period_job(obj) and (not change or moved or (obj.enabled and "enabled" in form.changed_data)):
            obj.start_time = timezone.now()
        super().save_model(request, obj, form, change)

    @admin.action(description=_("Go on with the selected schedules"), permissions=["change"])
    def enable_tasks(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        names = [job.task for job in JOBS.values()]
        queryset.filter(enabled=False, task__in=names).update(start_time=timezone.now())
        super().enable_tasks(request, queryset)

    @admin.action(description=_("Run now"), permissions=["change"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        """Queued as a row: the clock does it within seconds."""
        for row in queryset:
            if job := period_job(row):
                runs.ask(job.name, by=request.user, now=timezone.now())  # type: ignore[arg-type]
                messages.success(
                    request, _("%(name)s will run within seconds; see Job runs.") % {"name": row}
                )
            else:
                messages.warning(request, _("%(name)s runs by itself all the time.") % {"name": row.name})


class SuperusersOnly(ModelAdmin):
    """Addresses, sessions and second factors: who may edit those could come in as anybody else."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def _is_superuser(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    has_view_permission = has_change_permission = has_add_permission = has_delete_permission = _is_superuser


def restyle(site: admin.AdminSite) -> None:
    """Register every admin that is not Unfold's again as one that is. Called once all are registered."""
    for model, model_admin in list(site._registry.items()):
        if isinstance(model_admin, ModelAdmin):
            continue
        theirs = type(model_admin)
        ours: Any = ScheduleAdmin
        if hasattr(model, "user"):
            more = {"list_select_related": ["user"]}
            ours = type(theirs.__name__, (SuperusersOnly, theirs, ModelAdmin), more)
        elif model is not PeriodicTask:
            ours = type(theirs.__name__, (theirs, ModelAdmin), {})
        site.unregister(model)
        site.register(model, ours)
