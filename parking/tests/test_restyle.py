"""Every page of the back office opens, in one skin; staff schedule our own tasks and no others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from unfold.admin import ModelAdmin

from accounts.models import User
from accounts.tests.staff import verify
from bookings.tests.factories import make_user
from parking import schedules
from reports.models import JobRun

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
    # Some are added elsewhere, and say so by leading there.
    assert office.get(reverse(f"{name}_add"), follow=True).status_code in (200, 403)


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


@pytest.mark.parametrize("task", ["celery.backend_cleanup", "accounts.tasks.nothing"])
def test_only_our_own_tasks_are_offered(task: str, row: PeriodicTask, office: Client):
    page = office.get(reverse(f"{TASKS}_change", args=[row.pk])).content.decode()

    assert "bookings.tasks.lapse_holds" in page
    assert task not in page


def test_a_daily_job_needs_a_time_of_day(row: PeriodicTask, office: Client):
    daily = PeriodicTask.objects.get(name="Tidy up mail")

    answer = office.post(
        reverse(f"{TASKS}_change", args=[daily.pk]), sent(daily, interval=row.interval_id, crontab="")
    )

    assert "crontab" in answer.context["adminform"].form.errors


@pytest.mark.parametrize("by", ["form", "action"])
def test_a_paused_job_that_goes_on_owes_nothing_for_the_pause(by: str, row: PeriodicTask, office: Client):
    tidy = PeriodicTask.objects.filter(name="Tidy up mail")
    before = timezone.now() - timedelta(days=9)
    tidy.update(enabled=False, start_time=before)
    daily = tidy.get()

    if by == "form":
        office.post(reverse(f"{TASKS}_change", args=[daily.pk]), sent(daily, crontab=daily.crontab_id))
    else:
        office.post(reverse(f"{TASKS}_changelist"), {"action": "enable_tasks", "_selected_action": daily.pk})

    daily.refresh_from_db()
    assert daily.enabled
    assert daily.start_time > before + timedelta(days=8)


@pytest.mark.promise("S4-36")
def test_staff_run_a_job_now(row: PeriodicTask, office: Client):
    tidy = PeriodicTask.objects.get(name="Tidy up mail")

    office.post(reverse(f"{TASKS}_changelist"), {"action": "run_now", "_selected_action": [tidy.pk, row.pk]})

    run = JobRun.objects.get()
    assert (run.job, run.state) == ("tidy-up", "queued")
    page = office.get(reverse("admin:reports_jobrun_changelist")).content.decode()
    assert "tidy-up" in page


def test_an_operator_without_the_right_sees_no_schedules(row: PeriodicTask):
    clerk = verify(Client(), make_user("clerk", is_staff=True))

    assert clerk.get(reverse(f"{TASKS}_changelist")).status_code == 403
    assert clerk.post(reverse(f"{TASKS}_change", args=[row.pk]), sent(row)).status_code == 403
