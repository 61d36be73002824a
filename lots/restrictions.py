"""When an element of a tariff applies: OCPI's restrictions, and ours for vehicles and spots. Plain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date, time
from decimal import Decimal
from typing import Any

from lots import documents
from lots.documents import Fields, RatesError, without_none

WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
RESERVATIONS = ("RESERVATION", "RESERVATION_EXPIRES")
QUANTITIES = ("min_kwh", "max_kwh", "min_current", "max_current", "min_power", "max_power")
READERS: dict[str, Callable[[Any, str], Any]] = {
    "start_time": documents.clock,
    "end_time": documents.clock,
    "start_date": documents.day,
    "end_date": documents.day,
    "min_duration": documents.whole,
    "max_duration": documents.whole,
    **dict.fromkeys(QUANTITIES, documents.amount),
}


@dataclass(frozen=True, slots=True)
class Restrictions:
    """When an element applies. Clock times, days and dates are lot-local; `min_…` is inclusive, `max_…` not.

    `end_time` not after `start_time` runs past midnight; the day of the week is that of the moment itself.
    Durations are seconds since the stay began, energy is kWh since then. `end_date` is the first day out.
    """

    start_time: time | None = None
    end_time: time | None = None
    day_of_week: tuple[str, ...] = ()
    start_date: date | None = None
    end_date: date | None = None
    min_duration: int | None = None
    max_duration: int | None = None
    min_kwh: Decimal | None = None
    max_kwh: Decimal | None = None
    min_current: Decimal | None = None  # ampere
    max_current: Decimal | None = None
    min_power: Decimal | None = None  # kW
    max_power: Decimal | None = None
    vehicle_kinds: tuple[str, ...] = ()
    spot_kinds: tuple[str, ...] = ()
    reservation: str | None = None

    @classmethod
    def from_json(cls, value: Any, path: str) -> Restrictions:
        taken = Fields(value, path)
        weekday = documents.one_of(WEEKDAYS)
        values: dict[str, Any] = {
            "day_of_week": taken.list("day_of_week", weekday, ()),
            "reservation": taken.read("reservation", documents.one_of(RESERVATIONS), None),
        }
        for name, reader in READERS.items():
            values[name] = taken.read(name, reader, None)
        for name in ("vehicle_kinds", "spot_kinds"):
            values[name] = taken.list(name, documents.text, ())
        found = cls(**values)
        taken.finish()
        for name in ("duration", "kwh", "current", "power"):
            low, high = getattr(found, f"min_{name}"), getattr(found, f"max_{name}")
            if low is not None and high is not None and low >= high:
                raise RatesError(f"{path}.max_{name}", f"max_{name} must be above min_{name}.")
        if found.start_date and found.end_date and found.start_date >= found.end_date:
            raise RatesError(f"{path}.end_date", "end_date must lie after start_date.")
        return found

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {}
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if isinstance(value, time):
                value = value.isoformat("seconds" if value.second else "minutes")
            elif isinstance(value, tuple):
                value = list(value) or None
            elif value is not None and not isinstance(value, int):
                value = str(value)
            document[name] = value
        return without_none(document)


ALWAYS = Restrictions()
