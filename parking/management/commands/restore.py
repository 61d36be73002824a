"""A copy of the database becomes the database, and is proven to be whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from parking import backups


class Command(BaseCommand):
    help = "Put a backup into the configured database, which must be empty."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("copy", type=Path)
        parser.add_argument(
            "--identity", type=Path, metavar="FILE", help="the age identity; BACKUP_IDENTITY holds it as text"
        )
        parser.add_argument(
            "--verify",
            action="store_true",
            help="then compare every table with the manifest and run check_integrity",
        )

    def handle(self, *args: Any, copy: Path, identity: Path | None, verify: bool, **options: Any) -> None:
        try:
            key = (
                identity.read_text().strip().splitlines()[-1]
                if identity
                else os.environ.get("BACKUP_IDENTITY", "")
            )
            manifest = backups.restore(copy, identity=key)
        except (backups.BackupError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"Restored {copy.name}, made at {manifest.made_at}: {sum(manifest.rows.values())} rows."
        )
        if verify:
            wrong = backups.differences(manifest)
            if wrong:
                raise CommandError("The database is not the copy:\n" + "\n".join(wrong))
            self.stdout.write(f"All {len(manifest.rows)} tables have the rows they had.")
            call_command("check_integrity", stdout=self.stdout)
        self.stdout.write("Now run manage.py setup: it brings an older copy up to date.")
