"""ParkAPI's GeoJSON: one file per city or operator, one feature per car park."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from lots.feeds import addresses, places, values
from lots.feeds.records import EntryRefused, LotRecord

SOURCE = "ParkAPI community, MIT licence"

# ParkAPI's `type` -> our kind. A "level" is a parking deck: floors without a roof.
KINDS = {"garage": "garage", "underground": "underground", "lot": "surface", "street": "surface",
         "level": "garage", "bus": "bus"}  # fmt: skip
COVERED = {"garage", "underground"}


def recognises(data: Any) -> bool:
    if not isinstance(data, dict):
        return False
    return data.get("type") == "FeatureCollection" and isinstance(data.get("features"), list)


def entries(data: Any, stem: str) -> Iterator[tuple[str, Any]]:
    """Each feature with the id it is reported by."""
    for number, feature in enumerate(data["features"], start=1):
        properties = feature.get("properties") if isinstance(feature, dict) else None
        own_id = values.text(properties.get("id"), 100) if isinstance(properties, dict) else ""
        yield (f"parkapi:{own_id}" if own_id else f"{stem} feature {number}"), feature


def lot(source_id: str, feature: Any, data: Any, stem: str) -> LotRecord:
    """One feature as a lot. Raises EntryRefused."""
    properties = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(properties, dict):
        raise EntryRefused("the feature has no properties")
    name = values.text(properties.get("name"), 120)
    if not source_id.startswith("parkapi:") or not name:
        raise EntryRefused("the feature has no id or no name")
    capacity = values.capacity(properties.get("capacity"))

    position = _position(feature)
    place = places.place(*position) if position else _place_of_the_others(data)
    city = places.city_of_file(stem)
    address = addresses.parse(str(properties.get("address") or ""), city.name)
    published_type = str(properties.get("type"))
    return LotRecord(
        source_id=source_id,
        name=name,
        capacity=capacity,
        timezone=place.timezone,
        country=place.country,
        currency=place.currency,
        address_line1=values.text(address.line1),
        address_line2=values.text(address.line2),
        city=values.text(address.city),
        region=city.region,
        postcode=address.postcode,
        phone=address.phone,
        latitude=position[0] if position else None,
        longitude=position[1] if position else None,
        kind=KINDS.get(published_type, "unknown"),
        is_covered=published_type in COVERED,
        max_height_m=address.max_height_m,
        url=values.text(properties.get("public_url"), 1000),
        source=SOURCE,
    )


def _position(feature: dict[str, Any]) -> tuple[Decimal, Decimal] | None:
    """Latitude and longitude; None when the feature has no geometry. Raises EntryRefused."""
    geometry = feature.get("geometry")
    if geometry is None:
        return None
    coordinates = geometry.get("coordinates") if isinstance(geometry, dict) else None
    if not isinstance(coordinates, list) or len(coordinates) < 2 or geometry.get("type") != "Point":
        raise EntryRefused("the position is not a GeoJSON point")
    return values.position(coordinates[1], coordinates[0])


def _place_of_the_others(data: Any) -> places.Place:
    """Zone and country of a lot without a position: those of all others in its file."""
    found = set()
    for feature in data["features"]:
        try:
            position = _position(feature) if isinstance(feature, dict) else None
            if position:
                found.add(places.place(*position))
        except EntryRefused:
            continue
    if len(found) != 1:
        raise EntryRefused("no position is published, so its time zone is not known")
    return found.pop()
