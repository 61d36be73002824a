"""Says how well the forecast does on weeks it has not seen, beside "as at the same time last week"."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.csv_files import CsvRefused
from lots.clock import fits_zone
from reports import forecast, reading_files
from reports.forecast import Score
from reports.reading_files import Line

AHEAD = {"week": forecast.A_WEEK, "day": forecast.A_DAY, "hour": 4}  # quarter hours


class Command(BaseCommand):
    help = (
        "Forecast the last weeks of a file of readings and compare with what came. Each week is forecast as "
        "a whole from what was known when it began; with --ahead, each day or hour. Needs no lots and "
        "stores nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="readings, as import_occupancy takes them")
        parser.add_argument("--held-out-weeks", type=int, default=2, metavar="N")
        parser.add_argument("--ahead", choices=AHEAD, default="week", help="how far ahead (default: week)")
        parser.add_argument("--timezone", default="UTC", help="the lots' clock, where times have no offset")
        parser.add_argument("--by-lot", action="store_true", help="a line a lot as well")

    def handle(self, *args: Any, **options: Any) -> None:
        weeks, ahead = options["held_out_weeks"], AHEAD[options["ahead"]]
        if weeks < 1:
            raise CommandError("--held-out-weeks must be 1 or more.")
        if not fits_zone(options["timezone"]):
            raise CommandError(f"{options['timezone']} is no time zone.")
        histories, capacities = self._read(options["file"], ZoneInfo(options["timezone"]))
        last = max(max(history) for history in histories.values())
        # Whole days, the last of them the last of the file.
        end = (last // forecast.A_DAY + 1) * forecast.A_DAY
        first = end - weeks * forecast.A_WEEK
        total = Score()
        for name, history in sorted(histories.items()):
            found = forecast.score(history, capacities[name], first=first, last=end, ahead=ahead)
            total += found
            if options["by_lot"]:
                self.stdout.write(f"{name}: {_told(found)}")
        self.stdout.write(f"{weeks} weeks, {len(histories)} lots: {_told(total)}")

    def _read(self, name: str, zone: ZoneInfo) -> tuple[dict[str, dict[int, float]], dict[str, int]]:
        try:
            rows = reading_files.lines(Path(name).read_bytes())
        except OSError as error:
            raise CommandError(f"{name}: {error.strerror}") from None
        except CsvRefused as refused:
            raise CommandError(str(refused)) from None
        zones = {row.lot: zone for row in rows if isinstance(row, Line)}
        found = reading_files.read(rows, zones, now=timezone.now())
        self.stdout.write(f"{found.rows} rows, {len(found.refused)} refused.")
        readings: dict[str, list[tuple[float, float]]] = defaultdict(list)
        capacities: dict[str, int] = {}
        for count in found.taken:
            place = forecast.position(count.at, zone)
            readings[count.lot].append((place, count.occupied / count.capacity))
            capacities[count.lot] = count.capacity
        if not readings:
            raise CommandError("There is no reading in this file.")
        return {lot: forecast.on_grid(of_lot) for lot, of_lot in readings.items()}, capacities


def _told(found: Score) -> str:
    if found.mae is None or found.baseline_mae is None or found.hit_rate is None:
        return "nothing to compare"
    beside = f"({found.mae / found.baseline_mae:.2f} of it)" if found.baseline_mae else ""
    return (
        f"{found.count} quarter hours, off by {found.mae:.2f} spots on average, "
        f"as last week by {found.baseline_mae:.2f} {beside}; "
        f"within tolerance {found.hit_rate:.1%}, as last week {found.baseline_hits / found.count:.1%}"
    )
