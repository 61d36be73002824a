"""The shape of a tariff: plain values and their JSON document. No database, no web."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any


class RatesError(ValueError):
    """A tariff document that cannot be used: where it is wrong, and a sentence that says why."""

    def __init__(self, field_path: str, sentence: str) -> None:
        super().__init__(f"{field_path}: {sentence}" if field_path else sentence)
        self.field_path = field_path
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class PriceComponent:
    """What one dimension costs: per hour (TIME, PARKING_TIME), per kWh (ENERGY) or once (FLAT)."""

    type: str
    price: Decimal
    step_size: int = 1  # seconds, or Wh for ENERGY

    def to_json(self) -> dict[str, Any]:
        return {"type": self.type, "price": str(self.price), "step_size": self.step_size}


@dataclass(frozen=True, slots=True)
class Element:
    components: tuple[PriceComponent, ...]


@dataclass(frozen=True, slots=True)
class Tariff:
    currency: str
    elements: tuple[Element, ...]

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Tariff:
        try:
            return cls(document["currency"], tuple(
                Element(tuple(
                    PriceComponent(part["type"], Decimal(part["price"]), int(part.get("step_size", 1)))
                    for part in element["price_components"]))
                for element in document["elements"]))
        except (KeyError, TypeError, InvalidOperation) as error:
            raise RatesError("", "This is not a tariff document.") from error

    def to_json(self) -> dict[str, Any]:
        return {
            "currency": self.currency,
            "elements": [{"price_components": [part.to_json() for part in element.components]}
                         for element in self.elements],
        }


def simple(price_per_hour: Decimal, currency: str) -> Tariff:
    """One price per hour, pro rata to the second."""
    return Tariff(currency, (Element((PriceComponent("TIME", Decimal(price_per_hour)),)),))
