"""Every page of the back office opens, in one skin; staff schedule our own tasks and no others."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from unfold.admin import ModelAdmin

from accounts.models import User
from accounts.tests.staff import verify
from parking import schedules

TASKS = "admin:django_celery_beat_periodictask"
MODELS = [model._meta.label_lower for model in admin.site._registry]


@pytest.fixture
def office(olga: User) -> Client:
    return verify(Client(), olga)


@pytest.fixture
def row(db: None) -> PeriodicTask:
    schedules.ensure()
    return PeriodicTask.objects.get(name="Lapse holds")


@pytest.mark.parametrize("label", MODELS)
def test_every_list_and_form_opens_in_our_skin(label: str, office: Client):
    name = "admin:" + label.replace(".", "_")
    model_admin = next(a for m, a in admin.site._registry.items() if m._meta.label_lower == label)

    assert isinstance(model_admin, ModelAdmin)
    assert office.get(reverse(f"{name}_changelist")).status_code == 200
    assert office.get(reverse(f"{name}_add")).status_code in (200, 403)


def sent(row: PeriodicTask, **changes: Any) -> dict[str, Any]:
    data = {
        "name": row.name,
        "regtask": row.task,
        "description": row.description,
        "interval": row.interval_id,
        "enabled": "on",
        "expire_seconds": row.expire_seconds,
    }
    return {key: value for key, value in (data | changes).items() if value is not None}


@pytest.mark.promise("S1-17")
def test_staff_change_the_pace_and_pause(row: PeriodicTask, office: Client):
    hourly, _ = IntervalSchedule.objects.get_or_create(every=1, period="hours")

    answer = office.post(
        reverse(f"{TASKS}_change", args=[row.pk]), sent(row, interval=hourly.pk, enabled=None)
    )

    assert answer.status_code == 302
    row.refresh_from_db()
    assert (row.interval, row.enabled, row.task) == (hourly, False, "bookings.tasks.lapse_holds")


@pytest.mark.parametrize("task", ["os.system", "celery.chord", ""])
def test_a_task_that_is_not_ours_is_refused(task: str, row: PeriodicTask, office: Client):
    answer = office.post(
        reverse(f"{TASKS}_change", args=[row.pk]), sent(row, regtask=task, args='["rm"]', task=task)
    )

    assert "regtask" in answer.context["adminform"].form.errors
    row.refresh_from_db()
    assert (row.task, row.args) == ("bookings.tasks.lapse_holds", "[]")


def test_a_new_schedule_is_one_of_our_tasks(row: PeriodicTask, office: Client):
    data = sent(row, name="Lapse holds, slowly")

    office.post(reverse(f"{TASKS}_add"), data)

    assert PeriodicTask.objects.get(name="Lapse holds, slowly").task == "bookings.tasks.lapse_holds"
