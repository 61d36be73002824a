"""What the clock starts here: a task for each periodic job, a sweep that catches up, exports, imports."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from reports import clock, exports, runs
from reports.jobs import JOBS, PeriodJob
from reports.sheets import batches


@shared_task
def beat() -> None:
    clock.beat(now=timezone.now())


@shared_task
def run_due_jobs() -> int:
    return runs.run_due(now=timezone.now())


# A large file takes longer than the other tasks may, where the worker's pool minds time limits.
@shared_task(soft_time_limit=3540, time_limit=3600)
def make_exports() -> int:
    return exports.make_due(now=timezone.now())


@shared_task
def tidy_up_exports() -> int:
    return exports.tidy_up(now=timezone.now())


@shared_task
def run_imports() -> int:
    return batches.run_due(now=timezone.now())


def _task_of(job: PeriodJob) -> None:
    def task() -> int:
        return runs.run_due(now=timezone.now(), job=job)

    shared_task(task, name=job.task)


for _job in JOBS.values():
    _task_of(_job)
