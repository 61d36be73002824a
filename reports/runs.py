"""Runs of the periodic jobs: each period once, whoever's clock fires, and none forgotten.

A schedule row only says when a period falls due. What was done is written in the ledger of runs, unique
on (job, period): the row is inserted first and taken by compare-and-set, so two clocks, a clock that died
at any moment and a clock that was away for a day come to the same result.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import F
from django_celery_beat.models import PeriodicTask

from accounts.models import User
from reports import periods
from reports.jobs import JOBS, PeriodJob
from reports.models import JobRun
from reports.periods import Period

logger = logging.getLogger(__name__)
State = JobRun.State

LEASE = timedelta(minutes=15)  # longer than any job takes; a worker silent for so long is dead
FIRST_WAIT = timedelta(minutes=5)  # after a failure, then twice as long each time
ATTEMPTS = 5
LOOK_BACK = timedelta(days=40)  # an outage longer than that leaves no trace in the ledger
# A row that does not say since when it counts was made by hand; it has no past.
NO_PAST = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Clock:
    """`now` of a sweep, which goes on while the jobs take their time."""

    now: datetime
    started: float

    @classmethod
    def at(cls, now: datetime) -> Clock:
        return cls(now, time.monotonic())

    def moment(self) -> datetime:
        return self.now + timedelta(seconds=time.monotonic() - self.started)


def run_due(*, now: datetime, job: PeriodJob | None = None) -> int:
    """Do whatever periods (of one job, or of all) are due and not done; returns how many were done.

    Safe to run at any time, in any number at once.
    """
    clock = Clock.at(now)
    jobs = [job] if job else list(JOBS.values())
    _write_down_due(jobs, now)
    names = [job.name for job in jobs]
    waiting = JobRun.objects.to_take(now).filter(job__in=names).order_by("due_at", "id")
    return sum(_carry_out(pk, clock) for pk in list(waiting.values_list("pk", flat=True)))


def ask(name: str, *, by: User, now: datetime) -> JobRun:
    """Queue a run by hand of the period it is now; a sweep does it. Gives the one still open, if there is.

    Raises KeyError for a name that is no job's.
    """
    job = JOBS[name]
    row = PeriodicTask.objects.filter(task=job.task, crontab__isnull=False).order_by("pk").first()
    zone = ZoneInfo(str(row.crontab.timezone)) if row else ZoneInfo("UTC")
    period = periods.at(job.cadence, now, zone)
    by_hand = JobRun.objects.filter(job=name, period__startswith=f"{period.key} ", asked_by=by)
    if still_open := by_hand.filter(state__in=[State.QUEUED, State.RUNNING]).first():
        return still_open
    run = JobRun(job=name, due_at=now, timezone=zone.key, asked_by=by)
    run.period = f"{period.key} {run.pk.hex[:8]}"
    run.save(force_insert=True)
    return run


def _write_down_due(jobs: Iterable[PeriodJob], now: datetime) -> None:
    """A row for each period that fell due and has none. A paused schedule owes nothing."""
    by_task = {job.task: job for job in jobs}
    due: dict[tuple[str, str], JobRun] = {}
    for row in PeriodicTask.objects.filter(
        enabled=True, task__in=by_task, crontab__isnull=False
    ).select_related("crontab"):
        job = by_task[row.task]
        since = max(row.start_time or now - NO_PAST, now - LOOK_BACK)
        zone = ZoneInfo(str(row.crontab.timezone))
        for period in periods.due_between(job.cadence, row.crontab.schedule, zone, since, now):
            run = JobRun(job=job.name, period=period.key, due_at=period.due_at, timezone=zone.key)
            due.setdefault((job.name, period.key), run)
    known = JobRun.objects.filter(job__in={job for job, _period in due}, asked_by=None)
    known = known.filter(period__in={period for _job, period in due})
    for pair in known.values_list("job", "period") if due else []:
        due.pop(pair, None)
    # Of two clocks that write the same row, one does.
    JobRun.objects.bulk_create(due.values(), ignore_conflicts=True)


def _take(pk: UUID, now: datetime) -> JobRun | None:
    """Compare and set: of two workers after one run, one gets it."""
    taken = JobRun.objects.to_take(now).filter(pk=pk)
    is_ours = taken.update(
        state=State.RUNNING, started_at=now, locked_until=now + LEASE, attempts=F("attempts") + 1
    )
    return JobRun.objects.get(pk=pk) if is_ours else None


def _carry_out(pk: UUID, clock: Clock) -> bool:
    run = _take(pk, clock.moment())
    if run is None:
        return False
    job = JOBS[run.job]
    if clock.moment() - run.due_at > job.still_good_for:
        _close(run, State.MISSED, clock.moment(), error="Its time had passed; not done.")
        logger.error("job %s missed its period %s", run.job, run.period)
        return False
    if run.attempts > ATTEMPTS:
        _close(run, State.FAILED, clock.moment(), error="Given up: the worker did not survive it.")
        return False
    try:
        counts = job.work(_period(job, run), clock.moment())
    except Exception as error:  # one bad job must not stop the jobs behind it
        logger.exception("job %s failed for %s", run.job, run.period)
        _try_later(run, error, clock.moment())
        return False
    return _close(run, State.DONE, clock.moment(), counts=counts, error="")


def _period(job: PeriodJob, run: JobRun) -> Period:
    period = periods.at(job.cadence, run.due_at, ZoneInfo(run.timezone), run.asked_by_id)
    return replace(period, key=run.period.split(" ")[0])


def _try_later(run: JobRun, error: Exception, now: datetime) -> None:
    # The kind of error is enough here: its text can hold names and addresses, and is in the log.
    wait = FIRST_WAIT * 2 ** (run.attempts - 1)
    locked_until = now + wait if run.attempts < ATTEMPTS else None
    _close(run, State.FAILED, now, error=type(error).__name__, locked_until=locked_until)


def _close(run: JobRun, state: str, now: datetime, **fields: object) -> bool:
    """Not over somebody who took the run up again because we were silent for too long."""
    still_ours = JobRun.objects.filter(pk=run.pk, state=State.RUNNING, attempts=run.attempts)
    closing = {"locked_until": None, "finished_at": now, **fields}
    return bool(still_ours.update(state=state, **closing))
