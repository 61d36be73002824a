"""What is wrong with this installation, in plain words."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection
from django.utils import timezone

from parking import doctor


class Command(BaseCommand):
    help = "Look at database, migrations, cache, broker, mail, clock, proxy, time zones, disk and keys."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        # The pool hides why there is no answer.
        connection.settings_dict["OPTIONS"].pop("pool", None)
        styles = {
            doctor.OK: self.style.SUCCESS,
            doctor.WARN: self.style.WARNING,
            doctor.BAD: self.style.ERROR,
        }
        bad = 0
        for level, about, what in doctor.examine(now=timezone.now()):
            self.stdout.write(f"{styles[level](f'{level:4}')} {about}: {what}")
            bad += level == doctor.BAD
        if bad:
            raise SystemExit(1)
