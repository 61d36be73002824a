"""What the clock starts. Each task reads the time once and calls one service that does whatever is due."""

from celery import shared_task
from django.utils import timezone

from bookings import guests, services
from bookings.webhooks import delivering


@shared_task
def lapse_holds() -> int:
    return services.lapse_holds(now=timezone.now())


@shared_task
def start_stays() -> int:
    return services.start_stays(now=timezone.now())


@shared_task
def end_stays() -> int:
    return services.end_stays(now=timezone.now())


@shared_task
def mark_no_shows() -> int:
    return services.mark_no_shows(now=timezone.now())


@shared_task
def rescue_bookings() -> int:
    return services.rescue_bookings(now=timezone.now())


@shared_task
def roll_on_overstays() -> int:
    return services.roll_on_overstays(now=timezone.now())


@shared_task
def reconcile_payments() -> int:
    return services.reconcile_payments(now=timezone.now())


@shared_task
def serve_waitlist() -> int:
    return services.serve_waitlist(now=timezone.now())


@shared_task
def deliver_webhooks() -> int:
    return delivering.sweep(now=timezone.now())


@shared_task
def erase_guests() -> int:
    return guests.erase_due(now=timezone.now())
