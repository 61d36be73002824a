"""What the database says of the system's health, as numbers: for /metrics, the doctor and the back office."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Min

from accounts.models import Notice
from bookings.models import Booking, State
from reports import clock
from reports.models import JobRun

RECENT = timedelta(days=7)


class Reading(NamedTuple):
    name: str
    about: str
    value: float


def read(*, now: datetime) -> Iterator[Reading]:
    """A handful of cheap, indexed questions."""
    due = Notice.objects.due(now)
    oldest = due.aggregate(Min("not_before"))["not_before__min"]
    yield Reading("outbox_due", "Notices that should have been sent by now.", due.count())
    yield Reading("outbox_oldest_seconds", "Age of the oldest of them.", _age(oldest, now))
    yield Reading("outbox_failed", "Notices given up on.", Notice.objects.exclude(failed_at=None).count())
    beat_at = clock.last_beat()
    age = _age(beat_at, now) if beat_at else math.inf
    yield Reading("clock_heartbeat_seconds", "Time since the clock last beat; it does every minute.", age)
    wrong = JobRun.objects.went_wrong().filter(due_at__gt=now - RECENT).count()
    yield Reading("job_runs_wrong", "Daily and monthly jobs that failed or were missed this week.", wrong)
    lapsed = Booking.objects.holds_over(now).aggregate(Min("held_until"))["held_until__min"]
    yield Reading("holds_overdue_seconds", "Age of the oldest hold nobody has let go.", _age(lapsed, now))
    ended = Booking.objects.to_end(now).aggregate(Min("ends_at"))["ends_at__min"]
    yield Reading("stays_overdue_seconds", "Age of the oldest stay nobody has ended.", _age(ended, now))
    proofs = JobRun.objects.filter(job="check-integrity", state=JobRun.State.DONE)
    proof = proofs.order_by("-finished_at").first()
    if proof:
        findings = proof.counts.get("findings", 0)
        yield Reading("integrity_findings", "What the last proof found wrong.", findings)
        yield Reading("integrity_age_seconds", "Age of that proof.", _age(proof.finished_at, now))
    for state in (State.HELD, State.CONFIRMED, State.ACTIVE):
        count = Booking.objects.in_state(state).count()
        yield Reading(f"bookings_{state.value}", f"Bookings that are {state.value} now.", count)


def _age(since: datetime | None, now: datetime) -> float:
    return max((now - since).total_seconds(), 0.0) if since else 0.0
