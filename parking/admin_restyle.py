"""Other people's admin pages in our skin: schedules, e-mail addresses, second factors, sessions."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django_celery_beat.admin import PeriodicTaskForm, TaskSelectWidget
from django_celery_beat.models import PeriodicTask
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget


class UnfoldTaskSelectWidget(UnfoldAdminSelectWidget, TaskSelectWidget):
    """The tasks there are, in a select that looks like the others."""


class RestyledTaskForm(PeriodicTaskForm):
    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = UnfoldTaskSelectWidget()


def restyle(site: admin.AdminSite) -> None:
    """Register every admin that is not Unfold's again as one that is. Called once all are registered."""
    for model, model_admin in list(site._registry.items()):
        if isinstance(model_admin, ModelAdmin):
            continue
        theirs = type(model_admin)
        extra: dict[str, Any] = {"form": RestyledTaskForm} if model is PeriodicTask else {}
        site.unregister(model)
        site.register(model, type(theirs.__name__, (theirs, ModelAdmin), extra))
