"""Make or bring up to date everything the system needs in its database. Safe to repeat."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection
from django.utils import timezone

from accounts import changes, roles
from parking import schedules


class Command(BaseCommand):
    help = "Migrate, make the cache table, the schedule rows and the operators' roles. Safe to repeat."

    @changes.through("manage.py setup")
    def handle(self, *args: Any, **options: Any) -> None:
        quiet = max(options["verbosity"] - 1, 0)
        known = _permissions()
        call_command("migrate", interactive=False, verbosity=quiet, stdout=self.stdout)
        call_command("createcachetable", verbosity=quiet, stdout=self.stdout)
        made = schedules.ensure()
        roles.make_roles(known=known, now=timezone.now())
        self.stdout.write(f"The database is up to date; {made or 'no'} new schedules.")


def _permissions() -> set[int]:
    if Permission._meta.db_table not in connection.introspection.table_names():
        return set()
    return set(Permission.objects.values_list("pk", flat=True))
