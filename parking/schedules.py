"""What the clock does and how often, as django-celery-beat rows that staff can edit and pause."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask


@dataclass(frozen=True, slots=True)
class Every:
    seconds: int

    def row(self) -> dict[str, IntervalSchedule]:
        found, _made = IntervalSchedule.objects.get_or_create(
            every=self.seconds, period=IntervalSchedule.SECONDS
        )
        return {"interval": found}


@dataclass(frozen=True, slots=True)
class Daily:
    hour: int
    minute: int
    timezone: str = "UTC"
    seconds = 24 * 3600

    def row(self) -> dict[str, CrontabSchedule]:
        found, _made = CrontabSchedule.objects.get_or_create(
            minute=str(self.minute),
            hour=str(self.hour),
            day_of_week="*",
            day_of_month="*",
            month_of_year="*",
            timezone=self.timezone,
        )
        return {"crontab": found}


@dataclass(frozen=True, slots=True)
class Job:
    name: str
    task: str
    when: Every | Daily
    about: str


JOBS = [
    Job("Deliver notices", "accounts.tasks.deliver_notices", Every(5), "Sends the mails we owe."),
    Job("Lapse holds", "bookings.tasks.lapse_holds", Every(15), "Lets go what nobody confirmed in time."),
    Job("Start stays", "bookings.tasks.start_stays", Every(15), "Starts reserved stays whose time has come."),
    Job("End stays", "bookings.tasks.end_stays", Every(15), "Ends the stays that end by themselves."),
    Job(
        "Mark no-shows", "bookings.tasks.mark_no_shows", Every(60), "Frees the spots of those who stay away."
    ),
    Job(
        "Roll on overstays",
        "bookings.tasks.roll_on_overstays",
        Every(60),
        "Lets open-ended stays go on while nobody else is due.",
    ),
    Job(
        "Reconcile payments",
        "bookings.tasks.reconcile_payments",
        Every(60),
        "Asks the payment services what became of payments nobody heard of, and sends refunds off.",
    ),
    Job("Tidy up mail", "accounts.tasks.tidy_up", Daily(3, 20), "Forgets delivered mails after a month."),
    Job("Clear sessions", "parking.tasks.clear_sessions", Daily(3, 10), "Deletes sessions that are over."),
]


def ensure() -> int:
    """Make the rows that are missing; returns how many. What staff changed or paused stays as it is."""
    return sum(_ensure(job) for job in JOBS)


@transaction.atomic
def _ensure(job: Job) -> bool:
    if PeriodicTask.objects.filter(name=job.name).exists():
        return False
    PeriodicTask.objects.create(
        name=job.name,
        task=job.task,
        description=job.about,
        # A run nobody got to by the time the next one is due would only do the same work twice.
        expire_seconds=job.when.seconds,
        **job.when.row(),
    )
    return True
