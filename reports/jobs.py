"""The periodic jobs: what is done once a day or once a month.

To add one, write a function and a line in JOBS:

    def daily_reminder(period: Period, now: datetime) -> Counts: ...

It is called for each period, by the clock or because staff asked (runs.ask), and gives counts for the
ledger of runs. A worker can die in the middle and another does the period again, and staff may ask for a
period that was done: so each effect is idempotent by itself, as a notice is whose event names the period
(outbox.owe(event=f"daily-reminder:{period.key}:{user.pk}", …)). `still_good_for` says for how long after
its due time a period that an outage kept from running is worth doing; after that it is flagged as missed.
`manage.py setup` makes the schedule row; from then on the row says when, in which zone, and whether.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.management import call_command

from accounts import changes, limits, outbox, viewings
from bookings import archive, idempotency, integrity, keeping
from bookings.webhooks import services as webhooks
from reports import mails
from reports.mails import Mailing
from reports.models import JobRun
from reports.periods import Cadence, Period
from reports.sheets import batches
from reports.timing import Daily, Monthly

logger = logging.getLogger(__name__)
Counts = dict[str, int]
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PeriodJob:
    name: str  # as in the API's jobs/{name}/ and in JobRun.job
    title: str  # of the schedule row
    when: Daily | Monthly | None  # None: only when somebody asks
    work: Callable[[Period, datetime], Counts]
    still_good_for: timedelta
    about: str
    mailing: Mailing | None = None  # where its work is to owe mails, and nothing else

    @property
    def task(self) -> str:
        """The Celery task that the schedule row names."""
        return f"reports.jobs.{self.name}"

    @property
    def cadence(self) -> Cadence:
        return "month" if isinstance(self.when, Monthly) else "day"


def tidy_up(_period: Period, now: datetime) -> Counts:
    return {
        "limits": limits.forget_used_up(),
        "mails": outbox.forget_old(now=now),
        "answers": idempotency.forget_old_keys(now=now),
        "webhooks": webhooks.forget_old(now=now),
        "runs": JobRun.objects.forget_old(now),
        "imports": batches.forget_old(now=now),
        "changes": changes.forget_old(now=now),
        "viewings": viewings.forget_old(now=now),
        "plates": keeping.pseudonymise_plates(now=now),
    }


def archive_bookings(_period: Period, now: datetime) -> Counts:
    return {"bookings": archive.archive_old(now=now)}


def check_integrity(_period: Period, now: datetime) -> Counts:
    findings = integrity.find(now=now)
    for finding in findings:
        logger.error("integrity.finding %s: %s: %s", finding.check, finding.where, finding.what)
    return {"findings": len(findings)}


def owe(mailing: Mailing) -> Callable[[Period, datetime], Counts]:
    return lambda period, now: {"mails": mails.owe(mailing.mails(period.date, now=now), now=now)}


DAILY_REMINDER = Mailing(mails.REMINDER, mails.reminders)
DAILY_ADMIN_REPORT = Mailing(mails.DAILY, mails.daily_reports)
MONTHLY_REPORT = Mailing(mails.MONTHLY, mails.monthly_reports)
MONTHLY_ADMIN_REPORT = Mailing(mails.MONTHLY_LOTS, mails.monthly_lot_reports)


def clear_sessions(_period: Period, _now: datetime) -> Counts:
    call_command("clearsessions")
    return {}


JOBS: dict[str, PeriodJob] = {
    job.name: job
    for job in [
        PeriodJob(
            "clear-sessions",
            "Clear sessions",
            Daily(3, 10),
            clear_sessions,
            still_good_for=DAY,
            about="Deletes sessions that are over.",
        ),
        PeriodJob(
            "tidy-up",
            "Tidy up mail",
            Daily(3, 20),
            tidy_up,
            still_good_for=DAY,
            about="Forgets delivered mails and webhooks after a month, answers to repeated requests after "
            "two days, used-up limits, imported files after 90 days, job runs after a year, the plates "
            "of stays long over, and old rows of the records of changes and of viewings.",
        ),
        PeriodJob(
            "archive-bookings",
            "Archive bookings",
            Daily(3, 30),
            archive_bookings,
            still_good_for=DAY,
            about="Proves settled bookings of long ago once more and freezes them; reports still count them.",
        ),
        PeriodJob(
            "check-integrity",
            "Check integrity",
            Daily(4, 0),
            check_integrity,
            still_good_for=DAY,
            about="Proves on the live data that no spot is booked twice and all money adds up.",
        ),
        PeriodJob(
            "daily-reminder",
            "Remind inactive drivers",
            Daily(18, 0),
            owe(DAILY_REMINDER),
            still_good_for=DAY / 4,
            about="Writes to drivers who have had no booking for a week, once a week at most.",
            mailing=DAILY_REMINDER,
        ),
        PeriodJob(
            "daily-admin-report",
            "Daily report to operators",
            Daily(8, 0),
            owe(DAILY_ADMIN_REPORT),
            still_good_for=DAY,
            about="Tells operators about the day before.",
            mailing=DAILY_ADMIN_REPORT,
        ),
        PeriodJob(
            "monthly-report",
            "Monthly report to drivers",
            Monthly(1, 0, 0),
            owe(MONTHLY_REPORT),
            still_good_for=10 * DAY,
            about="Tells drivers about the month before, when it is over where they live.",
            mailing=MONTHLY_REPORT,
        ),
        PeriodJob(
            "monthly-admin-report",
            "Monthly report to operators",
            Monthly(1, 0, 0),
            owe(MONTHLY_ADMIN_REPORT),
            still_good_for=10 * DAY,
            about="Tells operators about the month before, lot by lot.",
            mailing=MONTHLY_ADMIN_REPORT,
        ),
    ]
}
