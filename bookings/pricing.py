"""What a stay costs. Plain values in, plain values out: no database, no clock.

The order of steps: free minutes, packages, cut at restriction boundaries (local clock), time per
element, round up once to the last step, amount per line, caps, minimum and maximum, tax per line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from bookings import charges, line_texts, pieces
from bookings.charges import Charge, rounded
from bookings.line_texts import plain
from bookings.pieces import Piece, Stay
from lots.money import cent
from lots.rates import FLAT, PARKING_TIME, TIME, Element, Limit, Package, PriceComponent, Tariff


class NoPrice(ValueError):
    """The tariff sells whole stays within certain hours only, and this is none of them."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a price. `amount` is what the driver pays for it, with tax; `tax` is the part that is tax.

    Amounts of all lines sum to the total, taxes to the tax; caps and maxima are negative lines. `rate`
    is as the tariff states it (per hour, per kWh or once; with or without tax as its prices are).
    """

    label: str
    kind: str  # flat, package, time, parking_time, energy, cap, minimum, maximum, free
    quantity: Decimal
    unit: str  # min, kWh or x
    rate: Decimal
    amount: Decimal
    tax: Decimal
    explanation: str

    def to_json(self) -> dict[str, str]:
        return {
            "label": self.label,
            "kind": self.kind,
            "quantity": plain(self.quantity),
            "unit": self.unit,
            "rate": plain(self.rate),
            "amount": str(self.amount),
            "tax": str(self.tax),
            "explanation": self.explanation,
        }

    @classmethod
    def from_json(cls, row: dict[str, str]) -> Line:
        amounts = {name: Decimal(row[name]) for name in ("quantity", "rate", "amount", "tax")}
        return cls(**{**row, **amounts})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Price:
    """An itemised price. `total` = `net` + `tax`; every amount has the currency's decimals."""

    currency: str
    lines: tuple[Line, ...]
    net: Decimal
    tax: Decimal
    total: Decimal

    def to_json(self) -> dict[str, Any]:
        return {
            "currency": self.currency,
            "total": str(self.total),
            "net": str(self.net),
            "tax": str(self.tax),
            "lines": [line.to_json() for line in self.lines],
        }


def price(
    tariff: Tariff,
    starts_at: datetime,
    ends_at: datetime,
    *,
    zone: ZoneInfo,
    kwh: Decimal | None = None,
    charging_ends_at: datetime | None = None,
    vehicle_kind: str = "",
    spot_kind: str = "",
    is_reservation: bool = False,
    has_expired: bool = False,
    readings: Sequence[tuple[datetime, Decimal]] = (),
    current: Decimal | None = None,
    power: Decimal | None = None,
) -> Price:
    """Price a stay from `starts_at` to `ends_at` (aware); durations are elapsed time.

    Before `charging_ends_at` time is TIME, after it PARKING_TIME. Without it the whole stay is TIME, or
    PARKING_TIME if nothing was charged and the tariff has no TIME. `kwh` flows evenly until charging
    ends; `readings` (moment, kWh so far) say it more exactly. `is_reservation` prices the waiting before a
    stay by the elements for reservations (`has_expired`: the driver never came); a tariff without
    such elements prices it like a stay. `current` (A) and `power` (kW) serve OCPI's restrictions.

    ValueError when a moment is naive, out of order, or the stay is longer than ten years;
    NoPrice when only packages are sold and none fits.
    """
    stay = _stay(starts_at, ends_at, zone, kwh, charging_ends_at, readings)
    stay = (
        replace(stay, vehicle_kind=vehicle_kind, spot_kind=spot_kind, current=current, power=power)
        if (vehicle_kind or spot_kind or current is not None or power is not None)
        else stay
    )
    elements = _elements(tariff, stay, is_reservation, has_expired)
    texts = line_texts.Texts(
        tariff,
        is_charging=bool(stay.readings) or stay.charging_ends_at is not None,
        is_reservation=is_reservation,
    )
    return _Bill(tariff, stay, elements, texts).price()


def _stay(
    starts_at: datetime,
    ends_at: datetime,
    zone: ZoneInfo,
    kwh: Decimal | None,
    charging_ends_at: datetime | None,
    readings: Sequence[tuple[datetime, Decimal]],
) -> Stay:
    start, end = pieces.to_utc(starts_at, "starts_at"), pieces.to_utc(ends_at, "ends_at")
    if end < start:
        raise ValueError("A stay cannot end before it starts.")
    if end - start > pieces.LONGEST_STAY:
        raise ValueError("A stay of more than ten years cannot be priced.")
    charging_end = None
    if charging_ends_at is not None:
        # Whoever unplugs before or after the booked window has charged until its edge.
        charging_end = min(max(pieces.to_utc(charging_ends_at, "charging_ends_at"), start), end)
    if kwh is not None and not (kwh.is_finite() and kwh >= 0):
        raise ValueError("kwh cannot be negative.")
    if readings:
        known = tuple((pieces.to_utc(moment, "readings"), total) for moment, total in readings)
        order = [(start, Decimal(0)), *known, (end, known[-1][1])]
        if any(a[0] > b[0] or a[1] > b[1] for a, b in pairwise(order)):
            raise ValueError("Readings must lie within the stay and rise.")
    else:
        known = () if kwh is None else ((end if charging_end is None else charging_end, kwh),)
    return Stay(start, end, zone, charging_end, known)


def _elements(tariff: Tariff, stay: Stay, is_reservation: bool, has_expired: bool) -> list[Element]:
    """The elements that can apply at all. An expired reservation's come before those of any reservation."""
    wanted: tuple[str | None, ...] = (None,)
    if is_reservation and any(element.restrictions.reservation for element in tariff.elements):
        wanted = ("RESERVATION_EXPIRES", "RESERVATION") if has_expired else ("RESERVATION",)
    return [
        element
        for kind in wanted
        for element in tariff.elements
        if element.restrictions.reservation == kind and pieces.fits(element, stay)
    ]


class _Bill:
    """One price in the making."""

    def __init__(self, tariff: Tariff, stay: Stay, elements: list[Element], texts: line_texts.Texts) -> None:
        self.tariff, self.stay, self.elements, self.texts = tariff, stay, elements, texts
        self.cent = cent(tariff.currency)
        self.lines: list[Line] = []

    def price(self) -> Price:
        free_until = self._free_until()
        everything_free = free_until is not None and self.stay.ends_at <= free_until
        cuts = pieces.cuts(self.tariff, self.elements, self.stay)
        if free_until is not None:
            cuts.add(free_until)
        parts = self.stay.pieces(cuts, pieces.kwh_cuts(self.elements) if self.stay.readings else ())

        if not everything_free:
            self._add_occupation(parts, free_until)
        if self.stay.readings:
            self._add(charges.energy_charges(self.elements, self.stay, parts, self.cent))
        if not everything_free:
            self._add_limits()
        if not self.lines:
            nothing = Decimal(0)
            text = self.texts.free(self.tariff.free_minutes if everything_free else None)
            self.lines.append(self._line(text, "free", nothing, "x", nothing, nothing, nothing))
        total, tax = self._totals()
        return Price(self.tariff.currency, tuple(self.lines), total - tax, tax, total)

    def _free_until(self) -> datetime | None:
        """The moment before which time is free, if any. A grace passed is no grace at all."""
        free = self.tariff.free_minutes
        if free is None:
            return None
        until = self.stay.starts_at + timedelta(microseconds=int(free.minutes * 60 * charges.SECOND))
        return until if free.kind == "deducted" or self.stay.ends_at <= until else None

    # Flat fees, packages and time

    def _add_occupation(self, parts: list[Piece], free_until: datetime | None) -> None:
        if self.tariff.packages:
            sold = self._packages(parts)
            self._add([self._package_charge(package) for _, _, package in sold])
            parts = [p for p in parts if not any(s <= p.starts_at and p.ends_at <= e for s, e, _ in sold)]
            if parts and not self.tariff.elements:
                raise NoPrice("This tariff has no price for a stay at these hours.")
        self._add(charges.flat_charges(self.elements, self.stay, parts, self.cent))
        runs = charges.runs(
            self.tariff, self.elements, self.stay, parts, dimension=self._dimension(), free_until=free_until
        )
        timed = charges.time_charges(runs, self.cent, end_inclusive=self.tariff.end_inclusive)
        if not timed:
            return
        for charge in timed:
            charge.tax = self._tax(charge.amount, self._percent(charge.component.tax))
        caps = self._caps(timed)
        self._add(charges.merged(timed) if len(timed) > 1 else timed)
        self.lines.extend(caps)

    def _dimension(self) -> str:
        if self.stay.charging_ends_at is not None or self.stay.readings:
            return TIME
        parts = (part for element in self.tariff.elements for part in element.components)
        return TIME if any(part.type == TIME for part in parts) else PARKING_TIME

    def _packages(self, parts: list[Piece]) -> list[tuple[datetime, datetime, Package]]:
        """The cheapest package around the whole stay, else around each cap period of it."""
        stay = self.stay
        spans = [(stay.starts_at, stay.ends_at)]
        if (best := self._cheapest(*spans[0])) is not None:
            return [(*spans[0], best)]
        begins: dict[tuple[int, ...], datetime] = {}
        for piece in parts:
            begins.setdefault(pieces.cap_periods(self.tariff, piece.starts_at, stay), piece.starts_at)
        marks = [*begins.values(), stay.ends_at]
        spans = list(pairwise(marks))
        return [(*span, best) for span in spans if (best := self._cheapest(*span)) is not None]

    def _cheapest(self, starts_at: datetime, ends_at: datetime) -> Package | None:
        fitting = [p for p in self.tariff.packages if pieces.covers(p, starts_at, ends_at, self.stay.zone)]
        return min(fitting, key=lambda package: package.price, default=None)

    def _package_charge(self, package: Package) -> Charge:
        return Charge(
            None,
            PriceComponent(FLAT, package.price, tax=package.tax),
            package.name,
            "package",
            Decimal(1),
            package.price,
            package.price,
            rounded(package.price, self.cent),
        )

    # Caps, minimum and maximum

    def _caps(self, timed: list[Charge]) -> list[Line]:
        """Each element's own cap first, then the day caps in the order of the tariff."""
        found: list[Line] = []
        own: dict[Any, list[Charge]] = {}
        for charge in timed:
            if charge.element is not None and charge.element.max_price is not None:
                own.setdefault((id(charge.element), charge.run), []).append(charge)
        for group in own.values():
            limit = rounded(group[0].element.max_price, self.cent)  # type: ignore[union-attr, arg-type]
            found.extend(self._cap_lines([group], limit, self.texts.window_cap(group[0].element, limit)))
        for index, day_cap in enumerate(self.tariff.day_caps):
            if day_cap.amount is None:
                continue
            periods: dict[int, list[Charge]] = {}
            for charge in timed:
                periods.setdefault(charge.periods[index], []).append(charge)
            limit = rounded(day_cap.amount, self.cent)
            found.extend(self._cap_lines(periods.values(), limit, self.texts.day_cap(day_cap, limit)))
        return found

    def _cap_lines(self, groups: Iterable[list[Charge]], limit: Decimal, text: tuple[str, str]) -> list[Line]:
        """One line per tax rate: how much the cap takes off, in how many periods."""
        taken: dict[Decimal, list[Decimal]] = {}
        reached: dict[Decimal, int] = {}
        for group in groups:
            seen = set()
            for charge, cut in charges.cap(group, limit):
                percent = self._percent(charge.component.tax)
                tax = self._tax(charge.accepted + cut, percent) - self._tax(charge.accepted, percent)
                sums = taken.setdefault(percent, [Decimal(0), Decimal(0)])
                sums[0], sums[1] = sums[0] + cut, sums[1] + tax
                if percent not in seen:
                    seen.add(percent)
                    reached[percent] = reached.get(percent, 0) + 1
        return [
            self._line(text, "cap", Decimal(reached[percent]), "x", limit, -cut, -tax)
            for percent, (cut, tax) in taken.items()
        ]

    def _add_limits(self) -> None:
        """OCPI: where a limit is given before and after taxes, both hold."""
        total, tax = self._totals()
        net = total - tax
        if (low := self.tariff.min_price) is not None:
            percent = self._percent(self._main_tax())
            target = self._at_least(low, net, total, percent)
            if target != (net, total):
                self._limit_line("minimum", low, net, total, target)
                net, total = target
        if (high := self.tariff.max_price) is not None:
            target = self._at_most(high, net, total)
            if target != (net, total):
                self._limit_line("maximum", high, net, total, target)

    def _at_least(
        self, limit: Limit, net: Decimal, total: Decimal, percent: Decimal
    ) -> tuple[Decimal, Decimal]:
        tax = total - net
        if limit.before_taxes is not None and net < limit.before_taxes:
            missing = rounded(limit.before_taxes, self.cent) - net
            net, tax = net + missing, tax + rounded(missing * percent / 100, self.cent)
        if limit.after_taxes is not None and net + tax < limit.after_taxes:
            missing = rounded(limit.after_taxes, self.cent) - net - tax
            # What the limit before taxes has already settled is not raised again: the rest is tax.
            share = (
                missing
                if limit.before_taxes is not None
                else rounded(missing * percent / (100 + percent), self.cent)
            )
            net, tax = net + missing - share, tax + share
        return net, net + tax

    def _at_most(self, limit: Limit, net: Decimal, total: Decimal) -> tuple[Decimal, Decimal]:
        tax = total - net
        if limit.before_taxes is not None and net > limit.before_taxes:
            allowed = rounded(limit.before_taxes, self.cent)
            net, tax = allowed, rounded(tax * allowed / net, self.cent)
        if limit.after_taxes is not None and net + tax > limit.after_taxes:
            allowed = rounded(limit.after_taxes, self.cent)
            if limit.before_taxes is None:
                tax = rounded(tax * allowed / (net + tax), self.cent)
                net = allowed - tax
            else:
                net = min(net, allowed)
                tax = allowed - net
        return net, net + tax

    def _limit_line(
        self, kind: str, limit: Limit, net: Decimal, total: Decimal, target: tuple[Decimal, Decimal]
    ) -> None:
        is_before = limit.after_taxes is None
        rate = rounded((limit.before_taxes if is_before else limit.after_taxes) or Decimal(0), self.cent)
        label, words = self.texts.limit(kind, rate, is_before=is_before)
        amount = target[1] - total
        tax = amount - (target[0] - net)
        self.lines.append(Line(label, kind, Decimal(1), "x", rate, amount, tax, words))

    def _main_tax(self) -> Decimal | None:
        parts = (part for element in self.elements for part in element.components)
        return next((part.tax for part in parts), None)

    # Lines

    def _add(self, found: Iterable[Charge]) -> None:
        for charge in found:
            percent = self._percent(charge.component.tax)
            tax = charge.tax or self._tax(charge.amount, percent)
            quantity, unit, text = self.texts.charge(charge, percent)
            self.lines.append(self._line(text, charge.kind, quantity, unit, charge.rate, charge.amount, tax))

    def _line(
        self,
        text: tuple[str, str],
        kind: str,
        quantity: Decimal,
        unit: str,
        rate: Decimal,
        amount: Decimal,
        tax: Decimal,
    ) -> Line:
        """`amount` is in the tariff's terms, with or without tax."""
        gross = amount if self.tariff.tax_included else amount + tax
        gross, tax = rounded(gross, self.cent), rounded(tax, self.cent)
        return Line(text[0], kind, quantity, unit, rate, gross, tax, text[1])

    def _totals(self) -> tuple[Decimal, Decimal]:
        zero = Decimal(0).quantize(self.cent)
        return sum([line.amount for line in self.lines], zero), sum([line.tax for line in self.lines], zero)

    def _percent(self, own: Decimal | None) -> Decimal:
        return self.tariff.tax if own is None else own

    def _tax(self, amount: Decimal, percent: Decimal) -> Decimal:
        if not percent:
            return Decimal(0)
        share = 100 + percent if self.tariff.tax_included else 100
        return rounded(amount * percent / share, self.cent)
