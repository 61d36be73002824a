"""Two clocks, and clocks that are killed: each period of a job is run once, and none is forgotten."""

from __future__ import annotations

import signal
import time
from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from accounts.models import Notice
from bookings.tests.factories import make_lot, make_user
from parking import schedules
from reports.models import JobRun
from tests.reliability.house import LONG, House, Redis, house, needs_redis, once, until

__all__ = ["house"]
pytestmark = [pytest.mark.slow, once, needs_redis]
JOB = "daily-admin-report"
TASK = f"reports.jobs.{JOB}"
KILLS = 20 if LONG else 2


def due_at(moment: datetime) -> None:
    """As staff would set the report's time of day; its schedule was made just before."""
    schedules.ensure()
    # What runs anyway would only keep the machine busy.
    PeriodicTask.objects.exclude(task__in=[TASK, "reports.tasks.run_due_jobs"]).update(enabled=False)
    hour, minute = str(moment.hour), str(moment.minute)
    crontab, _made = CrontabSchedule.objects.get_or_create(
        minute=minute, hour=hour, day_of_week="*", day_of_month="*", month_of_year="*", timezone="UTC"
    )
    row = PeriodicTask.objects.get(task=TASK)
    row.crontab, row.start_time = crontab, moment - timedelta(seconds=1)
    row.save()
    second, _made = IntervalSchedule.objects.get_or_create(every=1, period="seconds")
    PeriodicTask.objects.filter(task="reports.tasks.run_due_jobs").update(interval=second)


def runs() -> list[tuple[str, str]]:
    return list(JobRun.objects.filter(job=JOB).values_list("period", "state"))


def is_done() -> bool:
    return [state for _period, state in runs()] == ["done"]


def mails() -> int:
    return Notice.objects.filter(event__startswith="daily-report:").count()


def test_two_clocks_and_their_deaths_make_one_run_and_one_mail(house: House):
    """In the long version each clock dies around the minute at which the report falls due."""
    make_user("olga@example.com", is_staff=True, is_superuser=True)
    make_lot()
    redis = Redis(house)
    redis.start()
    house.environment["REDIS_URL"] = redis.url
    now = timezone.now().replace(second=0, microsecond=0)
    moment = now + timedelta(minutes=1) if LONG else now
    due_at(moment)
    for _worker in range(2):
        house.start("worker")
    beats = [house.start("beat") for _beat in range(2)]

    for number in range(KILLS):
        if LONG:
            edge = moment + timedelta(seconds=(number - KILLS / 2) / 4)
            time.sleep(max((edge - timezone.now()).total_seconds(), 0))
        else:
            time.sleep(1.5)
        beats[number % 2].send_signal(signal.SIGKILL)
        beats[number % 2] = house.start("beat")

    until(is_done)
    time.sleep(5)  # whoever would do it again has had the time
    assert is_done()
    assert JobRun.objects.get(job=JOB).attempts == 1
    assert mails() == 1
