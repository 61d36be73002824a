"""What the clock starts here."""

from celery import shared_task
from django.utils import timezone

from accounts import limits, outbox


@shared_task
def deliver_notices() -> int:
    return outbox.deliver_due(now=timezone.now())


@shared_task
def tidy_up() -> int:
    """What says nothing any more: limits used up long ago, and mails delivered a month ago."""
    return limits.forget_used_up() + outbox.forget_old(now=timezone.now())
