"""Proves that nothing is booked twice and every amount adds up; exit code 1 where something does not."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from bookings import integrity


class Command(BaseCommand):
    help = "Check overlaps, prices, timelines, ledger, holds, payments and the database's own guards."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="for programs")
        parser.add_argument("--all", action="store_true", help="archived bookings as well, however many")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        findings = integrity.find(now=now, archived=options["all"])
        if options["json"]:
            document = {
                "checked_at": now.isoformat(),
                "ok": not findings,
                "findings": [asdict(finding) for finding in findings],
            }
            self.stdout.write(json.dumps(document, indent=2, ensure_ascii=False))
        else:
            for finding in findings:
                self.stdout.write(f"{finding.check}: {finding.where}: {finding.what}")
            self.stdout.write(f"{len(findings)} found." if findings else "Everything adds up.")
        if findings:
            raise SystemExit(1)
