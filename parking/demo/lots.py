"""The demo's lots: real car parks (see SOURCES.md), dressed with floors and special spots."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from accounts.models import User
from lots import hours, rates, services
from lots.models import Lot

FILE = Path(__file__).with_name("lots.json")

AS_THEY_ARE = (
    "name", "address_line1", "address_line2", "postcode", "city", "region", "country", "phone",
    "timezone", "currency", "max_height_cm",
)  # fmt: skip


def make_lots(*, by: User, now: datetime) -> int:
    """Make those that are missing, as of `now`; returns how many."""
    rows = json.loads(FILE.read_text(encoding="utf-8"))
    known = set(Lot.objects.values_list("source_id", flat=True))
    missing = [row for row in rows if row["source_id"] not in known]
    for row in missing:
        _make(row, by, now)
    return len(missing)


def _make(row: dict[str, Any], by: User, now: datetime) -> None:
    lot = services.create_lot(
        capacity=0,
        price_per_hour=Decimal(row["price_per_hour"]),
        source_id=row["source_id"],
        slug=services.free_slug(f"{row['city']} {row['name']}"),
        latitude=Decimal(row["latitude"]),
        longitude=Decimal(row["longitude"]),
        opening_hours=hours.from_text(row["opening_hours"]).to_json(),
        by=by,
        now=now,
        **{name: row[name] for name in AS_THEY_ARE},
    )
    for group in row["spots"]:
        fields = {name: value for name, value in group.items() if name != "spots"}
        if "power_kw" in fields:
            fields["power_kw"] = Decimal(fields["power_kw"])
        numbers = services.next_numbers(lot, group["spots"])
        services.add_spots(lot, numbers, by=by, now=now, **fields)
    if row["tariff"]:
        services.publish_tariff(lot, rates.Tariff.from_json(row["tariff"]), by=by, now=now)
