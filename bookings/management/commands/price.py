"""Price one stay by a tariff file and print the itemised bill."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError

from bookings.line_texts import plain
from bookings.pricing import Price, price
from lots import clock, documents, rates, tariff_files


class Command(BaseCommand):
    help = (
        "Price a stay by a tariff in our JSON shape or OCPI's, for example: price --tariff night.json "
        "--from 2026-01-03T18:00+01:00 --to 2026-01-04T09:30+01:00 --zone Europe/Berlin"
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tariff", required=True, metavar="FILE")
        parser.add_argument("--from", required=True, dest="starts_at", metavar="MOMENT", help="ISO 8601")
        parser.add_argument("--to", required=True, dest="ends_at", metavar="MOMENT")
        parser.add_argument("--charging-until", metavar="MOMENT", help="then it only parks")
        parser.add_argument("--kwh", help="energy charged")
        parser.add_argument("--zone", default="UTC", help="the lot's IANA zone (default: UTC)")
        parser.add_argument("--vehicle-kind", default="")
        parser.add_argument("--spot-kind", default="")
        parser.add_argument("--reservation", action="store_true", help="price the waiting, not the stay")
        parser.add_argument("--expired", action="store_true", help="--reservation, and nobody came")
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, **options: Any) -> None:
        tariff = read_tariff(options["tariff"])
        if not clock.fits_zone(options["zone"]):
            raise CommandError(f"--zone: {options['zone']!r} is not an IANA zone such as Europe/Berlin.")
        kwh = options["kwh"]
        try:
            found = price(
                tariff,
                moment("--from", options["starts_at"]),
                moment("--to", options["ends_at"]),
                zone=ZoneInfo(options["zone"]),
                kwh=None if kwh is None else documents.amount(kwh, "--kwh"),
                charging_ends_at=moment("--charging-until", options["charging_until"]),
                vehicle_kind=options["vehicle_kind"],
                spot_kind=options["spot_kind"],
                is_reservation=options["reservation"],
                has_expired=options["expired"],
            )
        except ValueError as error:
            raise CommandError(str(error)) from None
        is_json = options["format"] == "json"
        self.stdout.write(json.dumps(found.to_json(), indent=2) if is_json else as_text(found))


def read_tariff(name: str) -> rates.Tariff:
    try:
        return tariff_files.read(Path(name).read_bytes())
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.") from None
    except rates.RatesError as error:
        raise CommandError(f"{name}: {error}") from None


def moment(option: str, value: str | None) -> Any:
    if value is None:
        return None
    try:
        return clock.parse_instant(value)
    except clock.ClockError as error:
        raise CommandError(f"{option}: {error.sentence}") from None


def as_text(found: Price) -> str:
    rows = [(line.label, f"{line.amount:f}", line.explanation) for line in found.lines]
    rows.append(("Total", f"{found.total:f}", f"{found.currency}, of which {plain(found.tax)} tax"))
    label, amount = (max(len(row[column]) for row in rows) for column in (0, 1))
    return "\n".join(f"{row[0]:<{label}}  {row[1]:>{amount}}  {row[2]}" for row in rows)
