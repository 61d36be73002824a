"""The words on a price line: its label and the English sentence that explains it. Arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from bookings.charges import HOUR, SECOND, Charge
from lots.rates import DayCap, Element, FreeMinutes, Tariff

MINUTE = 60 * SECOND
LABELS = {"time": "Parking", "parking_time": "Parking", "energy": "Energy", "flat": "Start fee"}


def plain(number: Decimal) -> str:
    """Digits without an exponent and without zeros nobody wrote on purpose: 90, 2.00, 20.45."""
    return f"{number:f}"


def trimmed(number: Decimal) -> Decimal:
    """Four decimals at most, none of them a trailing zero."""
    number = number.quantize(Decimal("0.0001"))
    return number.quantize(Decimal(1)) if number == number.to_integral_value() else number.normalize()


def duration(microseconds: int) -> str:
    """A length of time in words: 1 h 30 min, 45 s."""
    hours, left = divmod(microseconds, HOUR)
    minutes, left = divmod(left, MINUTE)
    seconds = Decimal(left) / SECOND
    words = [f"{hours} h"] if hours else []
    if minutes:
        words.append(f"{minutes} min")
    if seconds or not words:
        words.append(f"{plain(trimmed(seconds))} s" if words or seconds else "0 min")
    return " ".join(words)


@dataclass(frozen=True, slots=True)
class Texts:
    """Labels and explanations for one price."""

    tariff: Tariff
    is_charging: bool
    is_reservation: bool

    def charge(self, charge: Charge, percent: Decimal) -> tuple[Decimal, str, tuple[str, str]]:
        """The quantity to print, its unit, and (label, explanation)."""
        currency = self.tariff.currency
        rate = f"{plain(charge.rate)} {currency}"
        if charge.step is not None:
            block = duration(charge.step.seconds * SECOND)
            quantity, unit = charge.quantity, "x"
            words = f"{plain(quantity)} × {block} at {rate} each"
        elif charge.kind == "energy":
            quantity, unit = trimmed(charge.quantity), "kWh"
            words = f"{plain(quantity)} kWh at {rate} per kWh"
            if charge.measured is not None and charge.measured != charge.quantity:
                words += f" ({plain(trimmed(charge.measured))} kWh, rounded up)"
        elif charge.kind in ("flat", "package"):
            quantity, unit = charge.quantity, "x"
            words = f"{rate} once" if charge.kind == "flat" else f"{rate} for the whole stay at these hours"
        else:
            quantity, unit = trimmed(charge.quantity / MINUTE), "min"
            words = f"{duration(int(charge.quantity))} at {rate} per hour"
            if charge.measured is not None and charge.quantity - charge.measured >= SECOND:
                words += f" ({duration(int(charge.measured))}, rounded up)"
        if percent:
            plus = "including" if self.tariff.tax_included else "plus"
            words += f", {plus} {plain(trimmed(percent))} % tax"
        return quantity, unit, (charge.label or self._label(charge.kind), words)

    def _label(self, kind: str) -> str:
        if self.is_reservation and kind != "energy":
            return "Reservation fee" if kind == "flat" else "Reservation"
        return "Charging time" if kind == "time" and self.is_charging else LABELS[kind]

    def free(self, free: FreeMinutes | None) -> tuple[str, str]:
        if free is None:
            return "Free", "No charge applies to this stay."
        return "Free", f"The first {plain(trimmed(free.minutes))} min are free."

    def window_cap(self, element: Element | None, limit: Decimal) -> tuple[str, str]:
        name = element.name if element is not None else ""
        label = f"{name}: maximum" if name else "Maximum"
        return label, f"At most {plain(limit)} {self.tariff.currency}{self._plus_tax()} each time."

    def day_cap(self, cap: DayCap, limit: Decimal) -> tuple[str, str]:
        if cap.kind == "rolling":
            label, span = ("Day cap", "24 hours") if cap.days == 1 else ("Cap", f"{cap.days} days")
        else:
            label, span = ("Day cap", "day") if cap.days == 1 else ("Cap", f"{cap.days} calendar days")
        if cap.days == 7:
            label = "Week cap"
        money = f"{plain(limit)} {self.tariff.currency}{self._plus_tax()}"
        return label, f"Parking costs at most {money} per {span}."

    def limit(self, kind: str, limit: Decimal, *, is_before: bool) -> tuple[str, str]:
        label, word = ("Minimum charge", "least") if kind == "minimum" else ("Maximum charge", "most")
        before = " before taxes" if is_before else ""
        return label, f"A stay costs at {word} {plain(limit)} {self.tariff.currency}{before}."

    def _plus_tax(self) -> str:
        return "" if self.tariff.tax_included else " before taxes"
