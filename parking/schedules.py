"""What the clock does and how often, as django-celery-beat rows that staff can edit and pause."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from reports import jobs
from reports.timing import Daily, Every, Monthly


@dataclass(frozen=True, slots=True)
class Job:
    name: str
    task: str
    when: Every | Daily | Monthly
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
        "Serve the waitlist",
        "bookings.tasks.serve_waitlist",
        Every(15),
        "Offers free spots to those who wait for them.",
    ),
    Job(
        "Rescue bookings",
        "bookings.tasks.rescue_bookings",
        Every(15),
        "Moves, or gives everything back to, those who begin soon on a spot that cannot be had.",
    ),
    Job(
        "Reconcile payments",
        "bookings.tasks.reconcile_payments",
        Every(60),
        "Asks the payment services what became of payments nobody heard of, and sends refunds off.",
    ),
    Job("Heartbeat", "reports.tasks.beat", Every(60), "Shows that beat, queue and worker work."),
    Job("Make exports", "reports.tasks.make_exports", Every(5), "Makes the files people asked for."),
    Job(
        "Tidy up exports",
        "reports.tasks.tidy_up_exports",
        Every(600),
        "Throws away exported files whose time is over.",
    ),
    Job(
        "Deliver webhooks",
        "bookings.tasks.deliver_webhooks",
        Every(5),
        "Tells the programs operators have registered what happened.",
    ),
    Job(
        "Erase guests",
        "bookings.tasks.erase_guests",
        Every(15),
        "Forgets plate, e-mail and key of guests whose stay is over and paid.",
    ),
    Job(
        "Run what is due",
        "reports.tasks.run_due_jobs",
        Every(15),
        "Catches up with the daily and monthly jobs.",
    ),
    Job("Run imports", "reports.tasks.run_imports", Every(5), "Checks, imports and undoes large files."),
    *(Job(job.title, job.task, job.when, job.about) for job in jobs.JOBS.values() if job.when),
]


def ensure() -> int:
    """Make the rows that are missing; returns how many. What staff changed or paused stays as it is."""
    now = timezone.now()
    return sum(_ensure(job, now) for job in JOBS)


@transaction.atomic
def _ensure(job: Job, now: datetime) -> bool:
    existing = PeriodicTask.objects.filter(name=job.name).first()
    if existing:
        if existing.task not in known_tasks():  # an older release called it otherwise
            existing.task = job.task
            existing.save()
        return False
    PeriodicTask.objects.create(
        name=job.name,
        task=job.task,
        description=job.about,
        # A run nobody got to by the time the next one is due would only do the same work twice.
        expire_seconds=job.when.seconds,
        # Days before the row was made are not owed.
        start_time=None if isinstance(job.when, Every) else now,
        **job.when.row(),
    )
    return True


def known_tasks() -> set[str]:
    """The tasks that may be scheduled: ours, none of Celery's own."""
    return {job.task for job in JOBS}
