"""The Toronto Parking Authority's list of "Green P" car parks (City of Toronto Open Data)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lots.feeds import values
from lots.feeds.records import EntryRefused, LotRecord

SOURCE = "City of Toronto, Open Government Licence – Toronto"
HALF_HOURS = 2
KINDS = {"garage": "garage", "surface": "surface"}

DASH = re.compile(r"\s+-\s*")
STREET = re.compile(r"^(near\s+)?\d", re.IGNORECASE)


def recognises(data: Any) -> bool:
    return isinstance(data, dict) and isinstance(data.get("carparks"), list)


def entries(data: Any, stem: str) -> Iterator[tuple[str, Any]]:
    """Each car park with the id it is reported by."""
    for number, carpark in enumerate(data["carparks"], start=1):
        own_id = values.text(carpark.get("id"), 100) if isinstance(carpark, dict) else ""
        yield (f"greenp:{own_id}" if own_id else f"{stem} car park {number}"), carpark


def lot(source_id: str, carpark: Any, data: Any, stem: str) -> LotRecord:
    """One car park as a lot. Raises EntryRefused."""
    published = values.text(carpark.get("address"), 100) if isinstance(carpark, dict) else ""
    if not source_id.startswith("greenp:") or not published:
        raise EntryRefused("the car park has no id or no address")
    capacity = values.capacity(carpark.get("capacity"))
    latitude, longitude = values.position(carpark.get("lat"), carpark.get("lng"))
    half_hour = values.price(carpark.get("rate_half_hour"))
    name, address, remark = _parts(published)
    return LotRecord(
        source_id=source_id,
        # Most have a number and an address but no name, and some share their address.
        name=f"{name} (Green P {source_id.removeprefix('greenp:')})",
        capacity=capacity,
        timezone="America/Toronto",
        country="CA",
        currency="CAD",
        address_line1=address,
        address_line2=remark,
        city="Toronto",
        region="Ontario",
        latitude=latitude,
        longitude=longitude,
        price_per_hour=half_hour * HALF_HOURS if half_hour else None,
        kind=KINDS.get(str(carpark.get("carpark_type")), "unknown"),
        is_covered=carpark.get("carpark_type") == "garage",
        is_closed=carpark.get("is_under_construction") is True,
        max_height_m=values.max_height(carpark.get("max_height")),
        url=values.text(carpark.get("slug"), 1000),
        source=SOURCE,
    )


def _parts(published: str) -> tuple[str, str, str]:
    """Name, street and remark, out of "Finch East - 814 Willowdale Ave - partial closure"."""
    head, *tail = DASH.split(published)
    if tail and not STREET.match(head) and STREET.match(tail[0]):
        return head, tail[0], " - ".join(tail[1:])
    return head, head, " - ".join(tail)
