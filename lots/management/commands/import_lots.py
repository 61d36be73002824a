"""Make lots from published lists of car parks (ParkAPI GeoJSON, Toronto's Green P)."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from accounts import changes
from lots import feeds, services
from lots.feeds import LotRecord
from lots.models import Lot

# What an hour costs in a lot whose publisher names no price, when the caller names none either:
# plain middle-of-town prices, meant to be edited.
PRICES = {
    "AUD": "4.00", "CAD": "4.00", "CHF": "3.00", "CZK": "50.00", "DKK": "20.00", "EUR": "2.00",
    "GBP": "2.50", "HUF": "600.00", "INR": "50.00", "JPY": "400.00", "NOK": "40.00", "NZD": "4.00",
    "PLN": "6.00", "SEK": "30.00", "USD": "3.00",
}  # fmt: skip


@dataclass
class Summary:
    """What became of the entries of one file."""

    made: int = 0
    updated: int = 0
    unchanged: int = 0
    spots: int = 0
    notes: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    default_prices: Counter[str] = field(default_factory=Counter)


class DryRun(Exception):
    """Rolls a file back after all of it has been tried."""


class Command(BaseCommand):
    help = (
        "Make or update lots from published lists of car parks. Each file is imported as a whole or not "
        "at all; importing it again changes nothing unless the file or the price changed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        defaults = ", ".join(f"{price} {currency}" for currency, price in PRICES.items())
        parser.add_argument("files", nargs="+", metavar="FILE", help="ParkAPI GeoJSON or the Green P JSON")
        parser.add_argument(
            "--price-per-hour",
            metavar="AMOUNT",
            help="for new lots without a published price, in the lot's own currency; "
            f"without this option by currency: {defaults}",
        )
        parser.add_argument("--limit", type=int, metavar="N", help="only the first N lots of each file")
        parser.add_argument("--dry-run", action="store_true", help="try everything, keep nothing")

    @changes.through("manage.py import_lots")
    def handle(self, *args: Any, **options: Any) -> None:
        price = _amount(options["price_per_hour"])
        if options["limit"] is not None and options["limit"] < 1:
            raise CommandError("--limit must be 1 or more.")
        failed = []
        for file in options["files"]:
            try:
                feed = feeds.read(file)
            except feeds.FeedError as error:
                failed.append(str(error))
                self.stderr.write(f"{error}. Nothing of this file was imported.")
                continue
            summary = self._import(feed, price, options["limit"], options["dry_run"])
            self._tell(file, summary, options["dry_run"])
        if failed:
            raise CommandError(f"{len(failed)} of {len(options['files'])} files could not be imported.")

    def _import(self, feed: feeds.Feed, price: Decimal | None, limit: int | None, dry_run: bool) -> Summary:
        summary = Summary(refused=[str(refusal) for refusal in feed.refused])
        now = timezone.now()
        try:
            with transaction.atomic():
                for record in feed.lots[:limit]:
                    try:
                        take(record, price, summary, now)
                    except ValidationError as error:
                        summary.refused.append(f"{record.source_id}: {'; '.join(error.messages)}")
                if dry_run:
                    raise DryRun
        except DryRun:
            pass
        return summary

    def _tell(self, file: str, summary: Summary, dry_run: bool) -> None:
        prefix = "Dry run, nothing kept. " if dry_run else ""
        self.stdout.write(
            f"{prefix}{file}: lots made {summary.made}, updated {summary.updated}, "
            f"unchanged {summary.unchanged}, refused {len(summary.refused)}; new spots {summary.spots:,}"
        )
        for reason in summary.refused:
            self.stdout.write(f"  refused {reason}")
        for note in summary.notes:
            self.stdout.write(f"  note {note}")
        for amount, count in summary.default_prices.items():
            self.stdout.write(f"  no price per hour is published for {count} of them: they got {amount}")


def take(record: LotRecord, price: Decimal | None, summary: Summary, now: datetime) -> None:
    """Make or update the lot of one record. Raises ValidationError."""
    lot = Lot.objects.filter(source_id=record.source_id).first()
    if lot is None:
        _make(record, price, summary, now)
    elif lot.archived_at is not None:
        summary.unchanged += 1
        summary.notes.append(f"{record.source_id}: archived here, left alone")
    else:
        _update(lot, record, summary, now)


def _make(record: LotRecord, price: Decimal | None, summary: Summary, now: datetime) -> None:
    amount = record.price_per_hour
    if amount is None:
        amount = price if price is not None else Decimal(PRICES[record.currency])
        summary.default_prices[f"{amount} {record.currency}"] += 1
    services.create_lot(
        capacity=record.capacity,
        price_per_hour=amount,
        by=None,
        now=now,
        source_id=record.source_id,
        # Many car parks are called "City" or "Hauptbahnhof".
        slug=services.free_slug(f"{record.city} {record.name}"),
        is_active=not record.is_closed,
        spot_fields=_spot_fields(record),
        **_lot_fields(record),
    )
    summary.made += 1
    summary.spots += record.capacity


def _priced_here(lot: Lot, now: datetime) -> bool:
    """Somebody published the tariff in force: the feed must not put its own in its place."""
    return services.tariff_at(lot, now).made_by_id is not None


def _update(lot: Lot, record: LotRecord, summary: Summary, now: datetime) -> None:
    """Bring what is published up to date; what only the operator decides is left alone."""
    fields = _lot_fields(record)
    if record.price_per_hour not in (None, lot.price_per_hour) and not _priced_here(lot, now):
        fields["price_per_hour"] = record.price_per_hour
    changed = {name: value for name, value in fields.items() if getattr(lot, name) != value}
    if changed:
        services.update_lot(lot_id=lot.pk, by=None, now=now, **changed)
    missing = record.capacity - lot.spots.kept().count()
    if missing > 0:
        numbers = services.next_numbers(lot, missing)
        services.add_spots(lot, numbers, by=None, now=now, **_spot_fields(record))
        summary.spots += missing
    elif missing < 0:
        # Somebody may be on those spots: only the back office looks at bookings first.
        summary.notes.append(
            f"{record.source_id}: {record.capacity} spots are published, {-missing} more are kept here; "
            "lower the capacity in the back office"
        )
    if changed or missing > 0:
        summary.updated += 1
    else:
        summary.unchanged += 1


def _lot_fields(record: LotRecord) -> dict[str, Any]:
    height = record.max_height_m
    return {
        "name": record.name,
        "address_line1": record.address_line1,
        "address_line2": record.address_line2,
        "city": record.city,
        "region": record.region,
        "postcode": record.postcode,
        "country": record.country,
        "phone": record.phone,
        "latitude": record.latitude,
        "longitude": record.longitude,
        "timezone": record.timezone,
        "currency": record.currency,
        "max_height_cm": int(height * 100) if height is not None else None,
    }


def _spot_fields(record: LotRecord) -> dict[str, Any]:
    fields: dict[str, Any] = {"features": ("covered",) if record.is_covered else ()}
    if record.kind == "bus":
        fields["kind"] = "large"
    return fields


def _amount(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0 or amount != round(amount, 3):
        raise CommandError(f"--price-per-hour must be an amount such as 2.50, not {text!r}.")
    return amount
