"""What a feed of parking lots becomes: lots to make, and refusals with their reasons."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path


class FeedError(Exception):
    """The file as a whole cannot be used; nothing of it was taken."""

    def __init__(self, path: Path, where: str, sentence: str) -> None:
        self.path = path
        self.where = where
        self.sentence = sentence
        place = f"{path.name}, {where}" if where else path.name
        super().__init__(f"{place}: {sentence}")


@dataclass(frozen=True, kw_only=True)
class LotRecord:
    """One lot as published, cleaned. No database, no defaults of ours."""

    source_id: str
    """Unique over all feeds: the feed's name, a colon, the publisher's own id."""
    name: str
    capacity: int
    timezone: str
    country: str
    """ISO 3166-1, two letters."""
    currency: str
    """ISO 4217."""
    address_line1: str = ""
    address_line2: str = ""
    city: str = ""
    region: str = ""
    postcode: str = ""
    phone: str = ""
    latitude: Decimal | None = None
    longitude: Decimal | None = None
    price_per_hour: Decimal | None = None
    """In `currency`; None when the publisher names no price by the hour."""
    kind: str = "unknown"
    """garage, underground, surface, bus or unknown."""
    is_covered: bool = False
    is_closed: bool = False
    """The publisher says so: under construction."""
    max_height_m: Decimal | None = None
    url: str = ""
    source: str = ""
    """Whose data it is and under which licence, for the credits."""


@dataclass(frozen=True)
class Refusal:
    """An entry no lot can be made from."""

    source_id: str
    reason: str

    def __str__(self) -> str:
        return f"{self.source_id}: {self.reason}"


@dataclass(frozen=True)
class Feed:
    """Every entry of one file, either as a lot or as a refusal, in the file's order."""

    lots: list[LotRecord] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


class EntryRefused(Exception):
    """Raised while one entry is read; the reader turns it into a Refusal."""
