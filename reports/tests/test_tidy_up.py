"""What the nightly jobs throw away, and what they leave. Each kind of row has more tests where it lives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.models import Notice
from reports import jobs
from reports.models import JobRun
from reports.periods import Period

pytestmark = pytest.mark.django_db
NOW = datetime(2027, 3, 1, 10, tzinfo=UTC)
DAY = timedelta(days=1)


def work(name: str, now: datetime) -> jobs.Counts:
    return jobs.JOBS[name].work(Period("today", now.date(), now, ZoneInfo("UTC")), now)


def test_old_mails_and_runs_go_and_young_and_unfinished_ones_stay() -> None:
    for age in (31, 29):
        Notice.objects.create(recipient=f"{age}@example.com", created_at=NOW, sent_at=NOW - age * DAY)
    Notice.objects.create(recipient="unsent@example.com", created_at=NOW - 99 * DAY)
    done, queued = JobRun.State.DONE, JobRun.State.QUEUED
    for period, age, state in [("old", 401, done), ("young", 399, done), ("never", 500, queued)]:
        JobRun.objects.create(job="x", period=period, due_at=NOW - age * DAY, state=state)

    counts = work("tidy-up", NOW)

    assert (counts["mails"], counts["runs"]) == (1, 1)
    left = set(Notice.objects.values_list("recipient", flat=True))
    assert left == {"29@example.com", "unsent@example.com"}
    assert set(JobRun.objects.values_list("period", flat=True)) == {"young", "never"}


def test_sessions_that_are_over_are_cleared() -> None:
    for key, days in [("over", -1), ("live", 1)]:
        Session.objects.create(session_key=key, session_data="", expire_date=timezone.now() + days * DAY)

    work("clear-sessions", timezone.now())

    assert [session.session_key for session in Session.objects.all()] == ["live"]
