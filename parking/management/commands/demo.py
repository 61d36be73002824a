"""Fill an empty Parkwell with real lots, three sign-ins and their bookings, to have something to look at."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from accounts import changes
from bookings.models import Booking
from lots.models import Lot
from parking.demo.activity import SOURCE, make_bookings
from parking.demo.lots import make_lots
from parking.demo.people import PASSWORD, make_people

# Lots and people are there before the first booking of the demo's history.
OPENED_BEFORE = timedelta(days=90)


class Command(BaseCommand):
    help = (
        "Make the demo: real lots, the sign-ins driver@, second@ and operator@example.com, and bookings "
        "around the present moment. Running it again adds only what is missing. Never in production."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--if-empty", action="store_true", help="do nothing when there are lots already")

    @changes.through("manage.py demo")
    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            # Its password is written in the documentation.
            raise CommandError("The demo is for trying out: it is refused when DEBUG is false.")
        if options["if_empty"] and Lot.objects.exists():
            self.stdout.write("There are lots already; no demo was made.")
            return
        now = timezone.now().replace(second=0, microsecond=0)
        with transaction.atomic():
            people = make_people(now=now - OPENED_BEFORE)
            made = make_lots(by=people.operator, now=now - OPENED_BEFORE)
        self.stdout.write(f"Demo lots made: {made}.")
        with transaction.atomic():
            self._bookings(people, now)
        self.stdout.write(
            f"Sign in as driver@example.com, second@example.com or operator@example.com; password {PASSWORD}"
        )

    def _bookings(self, people: Any, now: Any) -> None:
        if Booking.objects.filter(source_id__startswith=SOURCE).exists():
            self.stdout.write("The demo's bookings are there already.")
            return
        done = make_bookings(people, now=now)
        told = ", ".join(f"{count} {action}" for action, count in done.items())
        self.stdout.write(f"Demo bookings: {told}.")
