"""What the clock starts here."""

from celery import shared_task
from django.utils import timezone

from accounts import outbox


@shared_task
def deliver_notices() -> int:
    return outbox.deliver_due(now=timezone.now())
