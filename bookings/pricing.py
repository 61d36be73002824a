"""What a stay costs. Plain values in, plain values out: no database, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from lots.rates import Tariff

CURRENCY_DIGITS = {"JPY": 0, "KRW": 0, "KWD": 3, "BHD": 3}


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the itemised price; the amounts of all rows sum to the total before exclusive tax."""

    label: str
    kind: str
    quantity: Decimal
    unit: str
    rate: Decimal
    amount: Decimal
    tax: Decimal
    explanation: str

    def to_json(self) -> dict[str, str]:
        return {"label": self.label, "kind": self.kind, "quantity": str(self.quantity), "unit": self.unit,
                "rate": str(self.rate), "amount": str(self.amount), "tax": str(self.tax),
                "explanation": self.explanation}


@dataclass(frozen=True, slots=True)
class Price:
    currency: str
    lines: tuple[Line, ...]
    net: Decimal
    tax: Decimal
    total: Decimal

    def to_json(self) -> dict[str, Any]:
        return {"currency": self.currency, "total": str(self.total), "net": str(self.net),
                "tax": str(self.tax), "lines": [line.to_json() for line in self.lines]}


def price(
    tariff: Tariff, starts_at: datetime, ends_at: datetime, *, zone: ZoneInfo,
    kwh: Decimal | None = None, charging_ends_at: datetime | None = None,
    vehicle_kind: str = "", spot_kind: str = "", is_reservation: bool = False,
) -> Price:
    """Price a stay. ValueError when a time is naive or the end lies before the start."""
    if starts_at.tzinfo is None or ends_at.tzinfo is None:
        raise ValueError("starts_at and ends_at need a time zone.")
    if ends_at < starts_at:
        raise ValueError("A stay cannot end before it starts.")

    cent = Decimal(1).scaleb(-CURRENCY_DIGITS.get(tariff.currency, 2))
    component = tariff.elements[0].components[0]
    seconds = Decimal(int((ends_at - starts_at).total_seconds()))
    amount = (component.price * seconds / 3600).quantize(cent, ROUND_HALF_UP)
    hours, minutes = divmod(int(seconds) // 60, 60)
    line = Line("Parking", "time", (seconds / 60).quantize(Decimal("0.01")), "min", component.price, amount,
                Decimal(0).quantize(cent), f"{hours} h {minutes} min at {component.price} {tariff.currency} per hour")
    return Price(tariff.currency, (line,), amount, line.tax, amount)
