"""Make or bring up to date everything the system needs in its database. Safe to repeat."""

from __future__ import annotations

import importlib
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from parking import schedules


class Command(BaseCommand):
    help = "Migrate, make the cache table, the schedule rows and the operators' roles. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        quiet = max(options["verbosity"] - 1, 0)
        call_command("migrate", interactive=False, verbosity=quiet, stdout=self.stdout)
        call_command("createcachetable", verbosity=quiet, stdout=self.stdout)
        made = schedules.ensure()
        _make_roles()
        self.stdout.write(f"The database is up to date; {made or 'no'} new schedules.")


def _make_roles() -> None:
    try:
        roles = importlib.import_module("accounts.roles")
    except ModuleNotFoundError:
        return
    roles.make_roles()
