"""The ledger of runs: each period once, whatever becomes of the clock."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from accounts.models import User
from bookings.tests.test_race import at_once
from reports import jobs, periods, runs
from reports.jobs import PeriodJob
from reports.models import JobRun
from reports.periods import Period
from reports.timing import Daily, Monthly

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
BERLIN = ZoneInfo("Europe/Berlin")
pytestmark = pytest.mark.django_db


class Diary:
    """A job's work that writes down its periods."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.before: Callable[[Period], None] = lambda _period: None

    def __call__(self, period: Period, now: datetime) -> dict[str, int]:
        self.before(period)
        self.seen.append(period.key)
        return {"pages": 1}


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def job(diary: Diary, monkeypatch: pytest.MonkeyPatch) -> PeriodJob:
    made = PeriodJob("diary", "Write the diary", Daily(18, 0), diary, 5 * HOUR, "A test's.")
    monkeypatch.setitem(jobs.JOBS, "diary", made)
    return made


def schedule(job: PeriodJob, since: datetime, zone: str = "UTC", **when: str) -> PeriodicTask:
    times = {"minute": "0", "hour": "18", "day_of_week": "*", "day_of_month": "*", "month_of_year": "*"}
    crontab = CrontabSchedule.objects.create(timezone=zone, **(times | when))
    return PeriodicTask.objects.create(name=job.title, task=job.task, crontab=crontab, start_time=since)


def states() -> dict[str, str]:
    return dict(JobRun.objects.filter(job="diary").values_list("period", "state"))


def test_a_period_runs_when_it_is_due_and_once(job: PeriodJob, diary: Diary, now: datetime):
    schedule(job, now)

    assert runs.run_due(now=now + 7 * HOUR, job=job) == 0
    assert runs.run_due(now=now + 8 * HOUR, job=job) == 1
    assert runs.run_due(now=now + 9 * HOUR, job=job) == 0

    assert diary.seen == ["2027-03-01"]
    run = JobRun.objects.get()
    assert (run.state, run.counts, run.due_at, run.locked_until) == (
        "done",
        {"pages": 1},
        now + 8 * HOUR,
        None,
    )


def test_what_was_due_before_the_row_was_made_is_not_owed(job: PeriodJob, diary: Diary, now: datetime):
    schedule(job, now + 9 * HOUR)

    runs.run_due(now=now + 10 * HOUR, job=job)

    assert diary.seen == []
    assert states() == {}


def test_a_paused_row_is_not_caught_up(job: PeriodJob, diary: Diary, now: datetime):
    row = schedule(job, now)
    PeriodicTask.objects.filter(pk=row.pk).update(enabled=False)

    runs.run_due(now=now + 9 * HOUR, job=job)

    assert states() == {}


def test_an_outage_is_caught_up_while_that_is_of_use_and_flagged_after(
    job: PeriodJob, diary: Diary, now: datetime
):
    schedule(job, now)

    runs.run_due(now=now + timedelta(days=2, hours=12), job=job)

    assert diary.seen == ["2027-03-03"]
    assert states() == {"2027-03-01": "missed", "2027-03-02": "missed", "2027-03-03": "done"}


def test_a_report_of_every_day_of_an_outage_is_caught_up(
    job: PeriodJob, diary: Diary, now: datetime, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(jobs.JOBS, "diary", replace(job, still_good_for=timedelta(days=7)))
    schedule(job, now)

    runs.run_due(now=now + timedelta(days=2, hours=12), job=jobs.JOBS["diary"])

    assert diary.seen == ["2027-03-01", "2027-03-02", "2027-03-03"]


def test_a_run_whose_worker_died_is_taken_up_when_its_lease_is_over(
    job: PeriodJob, diary: Diary, now: datetime
):
    schedule(job, now)
    due = now + 8 * HOUR

    def die(_period: Period) -> None:
        raise KeyboardInterrupt  # nothing is written, as when the process is killed

    diary.before = die
    with pytest.raises(KeyboardInterrupt):
        runs.run_due(now=due, job=job)
    diary.before = lambda _period: None

    runs.run_due(now=due + runs.LEASE - MINUTE, job=job)
    assert diary.seen == []
    runs.run_due(now=due + runs.LEASE + MINUTE, job=job)
    assert (diary.seen, states()) == (["2027-03-01"], {"2027-03-01": "done"})


def test_a_job_that_fails_is_tried_again_and_given_up_in_the_end(job: PeriodJob, diary: Diary, now: datetime):
    schedule(job, now)

    def fail(_period: Period) -> None:
        raise ValueError("alice@example.com")

    diary.before = fail
    tries = []
    for minutes in range(0, 240, 5):
        runs.run_due(now=now + 8 * HOUR + minutes * MINUTE, job=job)
        tries.append(JobRun.objects.get().attempts)

    run = JobRun.objects.get()
    assert (run.state, run.attempts, run.error) == ("failed", runs.ATTEMPTS, "ValueError")
    assert tries[:5] == [1, 1, 2, 2, 2]  # after five minutes, then ten


def test_a_worker_that_was_silent_too_long_does_not_write_over_its_successor(
    job: PeriodJob, diary: Diary, now: datetime
):
    schedule(job, now)

    def be_overtaken(period: Period) -> None:
        diary.before = lambda _period: None
        runs.run_due(now=now + 8 * HOUR + runs.LEASE + MINUTE, job=job)
        raise ValueError

    diary.before = be_overtaken
    runs.run_due(now=now + 8 * HOUR, job=job)

    assert (diary.seen, states()) == (["2027-03-01"], {"2027-03-01": "done"})


def test_a_month_runs_once_though_its_day_was_moved(now: datetime, monkeypatch: pytest.MonkeyPatch):
    diary = Diary()
    job = PeriodJob("diary", "Diary", Monthly(1, 0, 0), diary, timedelta(days=20), "A test's.")
    monkeypatch.setitem(jobs.JOBS, "diary", job)
    row = schedule(job, now, hour="0", day_of_month="2")

    runs.run_due(now=now + timedelta(days=2), job=job)
    CrontabSchedule.objects.filter(pk=row.crontab_id).update(day_of_month="5")
    runs.run_due(now=now + timedelta(days=6), job=job)

    assert diary.seen == ["2027-03"]


def test_a_row_moved_to_another_zone_runs_by_that_zone(job: PeriodJob, diary: Diary, now: datetime):
    schedule(job, now, zone="America/New_York")

    runs.run_due(now=now + 12 * HOUR, job=job)  # 22:00Z is 17:00 there
    assert diary.seen == []
    runs.run_due(now=now + 13 * HOUR, job=job)
    assert diary.seen == ["2027-03-01"]


# --- Nights on which the clocks change ---

CHANGES = [
    ("Europe/Berlin", date(2027, 3, 28)),
    ("Europe/Berlin", date(2027, 10, 31)),
    ("America/New_York", date(2027, 3, 14)),
    ("America/New_York", date(2027, 11, 7)),
    ("Australia/Lord_Howe", date(2027, 4, 4)),
    ("Australia/Lord_Howe", date(2027, 10, 3)),
]


@pytest.mark.parametrize(("zone", "night"), CHANGES)
@pytest.mark.parametrize("hour", ["0", "1", "2", "3"])
def test_every_local_day_around_a_change_of_clocks_runs_once(
    zone: str, night: date, hour: str, job: PeriodJob, diary: Diary
):
    """Two clocks, each looking at random moments and away for hours at a time."""
    chance = random.Random(f"{zone}{night}{hour}")
    begin = periods.midnight(night - timedelta(days=2), ZoneInfo(zone))
    schedule(job, begin, zone=zone, hour=hour, minute="30")

    end = periods.midnight(night + timedelta(days=3), ZoneInfo(zone)) - 5 * MINUTE
    looks = {end}
    for _clock in range(2):
        at = begin
        while at < end:
            looks.add(at)
            at += chance.choice([7 * MINUTE, HOUR, 4 * HOUR])
    for at in sorted(looks):
        runs.run_due(now=at, job=job)

    assert Counter(diary.seen) == {(night + timedelta(days=n)).isoformat(): 1 for n in range(-2, 3)}


def test_a_time_the_clocks_jump_over_comes_as_much_later_as_they_jump():
    half_past_two = CrontabSchedule(minute="30", hour="2", timezone="Europe/Berlin").schedule

    spring = periods.moment(half_past_two, date(2027, 3, 28), BERLIN)
    autumn = periods.moment(half_past_two, date(2027, 10, 31), BERLIN)

    assert spring == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)  # 03:30 there
    assert autumn == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)  # the first of the two


def test_the_windows_of_a_period_are_local():
    period = periods.at("month", datetime(2027, 4, 1, 22, 0, tzinfo=UTC), BERLIN)

    assert (period.key, period.date) == ("2027-04", date(2027, 4, 2))
    assert period.day(ago=5) == (
        datetime(2027, 3, 27, 23, 0, tzinfo=UTC),
        datetime(2027, 3, 28, 22, 0, tzinfo=UTC),
    )
    assert period.month(ago=1) == (
        datetime(2027, 2, 28, 23, 0, tzinfo=UTC),
        datetime(2027, 3, 31, 22, 0, tzinfo=UTC),
    )
    assert period.month(ago=4)[0] == datetime(2026, 11, 30, 23, 0, tzinfo=UTC)


# --- By hand ---


@pytest.mark.promise("S4-35")
def test_staff_ask_for_a_run_and_the_sweep_does_it(job: PeriodJob, diary: Diary, olga: User, now: datetime):
    schedule(job, now)
    asked = runs.ask("diary", by=olga, now=now)
    assert diary.seen == []
    assert runs.ask("diary", by=olga, now=now).pk == asked.pk

    runs.run_due(now=now + MINUTE)

    asked.refresh_from_db()
    assert (asked.state, asked.counts, asked.asked_by) == ("done", {"pages": 1}, olga)
    # The clock's own run of the day is another; what both would send is one notice by its event.
    runs.run_due(now=now + 9 * HOUR, job=job)
    assert diary.seen == ["2027-03-01", "2027-03-01"]


# --- Two clocks at the same moment ---


def rush(job: PeriodJob, now: datetime, rounds: int = 5) -> None:
    for day in range(rounds):
        due = now + timedelta(days=day, hours=8)
        outcomes = at_once([lambda due=due: runs.run_due(now=due, job=job)] * 6)
        assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_six_clocks_at_the_same_moment_run_a_period_once(job: PeriodJob, diary: Diary, now: datetime):
    schedule(job, now)

    rush(job, now)

    assert Counter(diary.seen) == {f"2027-03-0{day}": 1 for day in range(1, 6)}


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_without_the_claim_they_run_it_more_than_once(
    job: PeriodJob, diary: Diary, now: datetime, monkeypatch: pytest.MonkeyPatch
):
    schedule(job, now)
    monkeypatch.setattr(runs, "_take", lambda pk, _now: JobRun.objects.get(pk=pk))

    rush(job, now, rounds=2)

    assert len(diary.seen) > 2


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_the_database_refuses_a_second_row_for_a_period(job: PeriodJob, now: datetime):
    def insert() -> Any:
        return JobRun.objects.create(job="diary", period="2027-03-01", due_at=now, timezone="UTC")

    outcomes = Counter(type(outcome).__name__ for outcome in at_once([insert] * 4))

    assert outcomes == {"JobRun": 1, "IntegrityError": 3}, connection.vendor
