"""Schedules in the back office: last and next run, preview, dry run, run now."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from accounts.models import Notice, User
from accounts.tests.staff import verify
from bookings.tests.factories import make_lot
from parking import schedules
from parking.cockpit import next_run
from reports.jobs import JOBS
from reports.models import JobRun

NAME = "admin:django_celery_beat_periodictask"
LIST = reverse(f"{NAME}_changelist")


@pytest.fixture
def office(olga: User) -> Client:
    schedules.ensure()
    make_lot(1, now=timezone.now())
    return verify(Client(), olga)


def row_of(job: str) -> PeriodicTask:
    return PeriodicTask.objects.get(task=JOBS[job].task)


def page(job: str, name: str) -> str:
    return reverse(f"{NAME}_{name}", args=[row_of(job).pk])


def test_each_schedule_says_when_it_ran_what_it_did_and_what_failed(office: Client):
    now = timezone.now()
    run: dict[str, Any] = {"job": "daily-reminder", "timezone": "UTC", "finished_at": now}
    JobRun.objects.create(**run, period="a", due_at=now - timedelta(days=2), state="failed", error="X")
    JobRun.objects.create(**run, period="b", due_at=now, state="done", counts={"mails": 12})

    rows = {row.task: row for row in office.get(LIST, {"all": ""}).context["cl"].result_list}

    row = rows[JOBS["daily-reminder"].task]
    assert (row.last.period, row.failures) == ("b", 1)
    assert "mails 12" in office.get(LIST).content.decode()
    assert rows[JOBS["tidy-up"].task].last is None


def test_the_next_run_is_the_schedules_own(office: Client):
    now = timezone.now()
    row = row_of("daily-reminder")

    due = next_run(row, now)

    assert due is not None
    assert now < due <= now + timedelta(days=1, hours=1)
    assert due.astimezone(row.crontab.timezone).hour == 18
    row.enabled = False
    assert next_run(row, now) is None


@pytest.mark.promise("S4-33")
@pytest.mark.parametrize(
    "job", ["daily-reminder", "daily-admin-report", "monthly-report", "monthly-admin-report"]
)
def test_each_mail_can_be_looked_at_and_rehearsed_and_nothing_is_sent(
    job: str, office: Client, olga: User, alice: User
):
    before = Notice.objects.count()
    shown = office.get(page(job, "preview"), follow=True)
    rehearsed = office.get(page(job, "rehearse"))

    mailing = JOBS[job].mailing
    assert mailing is not None
    assert shown.redirect_chain[0][0].endswith(quote(mailing.template, safe=""))
    assert shown.context["mail"].subject
    assert "<table" in office.get(shown.context["frame"]).content.decode()
    assert alice.email not in shown.content.decode()
    wanted = {"daily-reminder": {alice}, "monthly-report": set()}.get(job, {olga})
    assert {user for user, _at in rehearsed.context["mails"]} == wanted
    assert rehearsed.context["count"] == len(wanted)
    assert (Notice.objects.count(), JobRun.objects.count()) == (before, 0)


@pytest.mark.promise("S4-35")
def test_running_now_asks_first_and_leaves_a_row_for_the_clock(office: Client):
    asked = office.get(page("daily-reminder", "run"))
    assert (asked.status_code, JobRun.objects.count()) == (200, 0)

    office.post(page("daily-reminder", "run"))

    assert JobRun.objects.get().state == "queued"


def test_a_job_without_a_mail_has_nothing_to_preview(office: Client):
    assert office.get(page("tidy-up", "preview")).status_code == 404
    assert office.get(page("tidy-up", "run")).status_code == 200
    assert "preview" not in office.get(page("tidy-up", "change")).content.decode()


def test_the_list_costs_the_same_whatever_has_run(office: Client, django_assert_max_num_queries: Any):
    for number in range(20):
        JobRun.objects.create(job="tidy-up", period=str(number), timezone="UTC", due_at=timezone.now())

    with django_assert_max_num_queries(9):
        office.get(LIST)
