"""Sends a kind of mail by hand, as its schedule would: whoever has theirs already gets no second one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts import outbox
from reports import exports, mails
from reports.export_models import Export
from reports.mails import Owed

Kind = Callable[[date, datetime], Iterator[Owed]]
KINDS: dict[str, list[Kind]] = {
    "reminders": [lambda day, now: mails.reminders(day, now=now)],
    "reports": [
        lambda day, now: mails.daily_reports(day, now=now),
        lambda day, now: mails.monthly_reports(day, now=now),
        lambda day, now: mails.monthly_lot_reports(day, now=now),
    ],
}


class Command(BaseCommand):
    help = "Send reminders, reports or finished exports now. With --dry-run: only say who would get what."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reminders", action="store_true", help="to drivers inactive for a week")
        parser.add_argument("--reports", action="store_true", help="of yesterday and of last month")
        parser.add_argument("--exports", action="store_true", help="make the exports people asked for")
        parser.add_argument("--all", action="store_true", help="all of them")
        parser.add_argument("--dry-run", action="store_true", help="say what would be sent, and send nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        names = [name for name in (*KINDS, "exports") if options[name] or options["all"]]
        if not names:
            raise CommandError("Say what to send: --reminders, --reports, --exports or --all.")
        now = timezone.now()
        day = now.astimezone(ZoneInfo(settings.SCHEDULE_TIMEZONE)).date()
        for name in names:
            if name == "exports":
                self._exports(now, options["dry_run"])
            else:
                self._mails(name, day, now, options["dry_run"])
        if not options["dry_run"]:
            self.stdout.write(f"{_deliver(now)} mails handed over.")

    def _mails(self, name: str, day: date, now: datetime, is_rehearsal: bool) -> None:
        for kind in KINDS[name]:
            new = list(mails.new(kind(day, now)))
            for mail in new:
                verb = "Would send" if is_rehearsal else "Owed"
                self.stdout.write(f"{verb}: {mail.event.rpartition(':')[0]} to {mail.user.email}")
            if not is_rehearsal:
                mails.owe(new, now=now)

    def _exports(self, now: datetime, is_rehearsal: bool) -> None:
        """Files are made by the worker's own sweep; here it is run once, now."""
        waiting = Export.objects.due(now).count()
        if is_rehearsal:
            self.stdout.write(f"Would make: {waiting} exports and send their mails")
            return
        self.stdout.write(f"{exports.make_due(now=now)} exports made.")


def _deliver(now: datetime) -> int:
    sent = 0
    while some := outbox.deliver_due(now=now):
        sent += some
    return sent
