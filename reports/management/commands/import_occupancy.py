"""Loads readings of how full lots were in the years before."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from django.utils import timezone

from accounts import changes
from accounts.csv_files import CsvRefused
from lots.models import Lot
from lots.services import create_lots
from reports import reading_files
from reports.reading_files import Line


class Command(BaseCommand):
    help = (
        "Load readings (lot, at, occupied, capacity; or the columns of Birmingham's open data). Rows that "
        "cannot be are named and left out, the rest is loaded; a second time changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE")
        parser.add_argument("--refused", metavar="FILE", help="where to write the rows that were left out")
        parser.add_argument(
            "--make-lots",
            action="store_true",
            help="make the lots the file names and nobody knows, not open for booking and without a price",
        )
        parser.add_argument("--timezone", default="UTC", help="of the lots that are made")
        parser.add_argument("--currency", default="EUR", help="of the lots that are made")

    @changes.through("manage.py import_occupancy")
    def handle(self, *args: Any, **options: Any) -> None:
        path, now = Path(options["file"]), timezone.now()
        try:
            content = path.read_bytes()
            if options["make_lots"]:
                made = self._make_lots(content, options)
                self.stdout.write(f"{made} lots made.")
            batch = reading_files.load(content, Lot.objects.kept(), file_name=path.name, by=None, now=now)
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from None
        except CsvRefused as refused:
            raise CommandError(str(refused)) from None
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        if options["refused"]:
            Path(options["refused"]).write_bytes(b"".join(reading_files.refusals_csv(batch)))
        else:
            for line, column, sentence in batch.refused:
                self.stderr.write(f"line {line}{f', {column}' if column else ''}: {sentence}")
        self.stdout.write(
            f"{batch.row_count} rows: {batch.new_count} loaded, {batch.known_count} known before, "
            f"{batch.refused_count} refused."
        )

    def _make_lots(self, content: bytes, options: dict[str, Any]) -> int:
        """As large as the largest capacity the file says; whoever opens them sets price and address."""
        capacities: dict[str, int] = defaultdict(int)
        for row in reading_files.lines(content):
            if isinstance(row, Line) and row.lot and row.capacity.isascii() and row.capacity.isdigit():
                capacities[row.lot] = max(capacities[row.lot], int(row.capacity[:6]))
        known = Lot.objects.filter(Q(slug__in=capacities) | Q(source_id__in=capacities))
        for lot in known:
            capacities.pop(lot.slug, None)
            capacities.pop(lot.source_id or "", None)
        new = [
            (
                Lot(
                    name=name,
                    source_id=name,
                    timezone=options["timezone"],
                    currency=options["currency"],
                    price_per_hour=Decimal(0),
                    is_active=False,
                ),
                capacity,
            )
            for name, capacity in sorted(capacities.items())
            if capacity
        ]
        for lot, _capacity in new:
            lot.full_clean(exclude=["slug"])
        create_lots(new, by=None, now=timezone.now())
        return len(new)
