"""A copy of the database, while it is in use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from parking import backups


class Command(BaseCommand):
    help = "Copy the database to a file (encrypted with BACKUP_RECIPIENT) and delete copies that are too old."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", type=Path, default=Path(settings.BACKUP_DIR), metavar="FOLDER")
        parser.add_argument(
            "--recipient", default=settings.BACKUP_RECIPIENT, help="age public key; BACKUP_RECIPIENT"
        )
        parser.add_argument(
            "--keep-days", type=int, default=settings.BACKUP_KEEP_DAYS, help="BACKUP_KEEP_DAYS; 0 keeps all"
        )

    def handle(self, *args: Any, to: Path, recipient: str, keep_days: int, **options: Any) -> None:
        now = timezone.now()
        try:
            copy = backups.make(to, now=now, recipient=recipient)
        except (backups.BackupError, OSError) as error:
            raise CommandError(str(error)) from error
        size = copy.stat().st_size / 1e6
        self.stdout.write(f"{copy} ({size:.1f} MB{', encrypted' if recipient else ''})")
        if keep_days:
            for path in backups.forget_old(to, now=now, days=keep_days):
                self.stdout.write(f"deleted {path.name}: older than {keep_days} days")
