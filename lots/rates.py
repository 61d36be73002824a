"""The shape of a tariff: plain values and their JSON document. No database, no web.

A tariff is a list of elements as in OCPI: at every moment of a stay, each dimension (FLAT, TIME,
PARKING_TIME, ENERGY) is priced by the first element that has it and whose restrictions match. Four
things parking needs and OCPI lacks are added: steps, packages, day caps and free minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from typing import Any

from lots import documents
from lots.documents import Fields, RatesError, without_none
from lots.restrictions import ALWAYS, WEEKDAYS, Restrictions

__all__ = [
    "ALWAYS",
    "ENERGY",
    "FLAT",
    "PARKING_TIME",
    "TIME",
    "TIMED",
    "TYPES",
    "WEEKDAYS",
    "DayCap",
    "Element",
    "FreeMinutes",
    "HourlyPrice",
    "Limit",
    "Package",
    "PriceComponent",
    "RatesError",
    "Restrictions",
    "Step",
    "Tariff",
    "minimum_one_hour",
    "per_hour",
    "simple",
    "started_hours",
    "stepped",
    "warnings",
]

FLAT, TIME, PARKING_TIME, ENERGY = "FLAT", "TIME", "PARKING_TIME", "ENERGY"
TYPES = (FLAT, TIME, PARKING_TIME, ENERGY)
TIMED = (TIME, PARKING_TIME)


@dataclass(frozen=True, slots=True)
class Step:
    """A block of time with one price: paid in full as soon as it is entered. Without `times` it repeats."""

    price: Decimal
    seconds: int
    times: int | None = None

    @classmethod
    def from_json(cls, value: Any, path: str) -> Step:
        taken = Fields(value, path)
        step = cls(
            price=taken.read("price", documents.amount),
            seconds=taken.read("seconds", documents.whole_from_one),
            times=taken.read("times", documents.whole_from_one, None),
        )
        taken.finish()
        return step

    def to_json(self) -> dict[str, Any]:
        return without_none({"price": str(self.price), "seconds": self.seconds, "times": self.times})


@dataclass(frozen=True, slots=True)
class PriceComponent:
    """One dimension: `price` is per hour (TIME, PARKING_TIME), per kWh (ENERGY) or once (FLAT).

    `step_size` (seconds, or Wh) rounds the stay's total up once, as OCPI does. `steps` replace `price`
    and `step_size` for what is sold in blocks; they count from the moment the element begins to apply,
    or, if it `continues`, go on where an equal component stopped earlier in the stay.
    """

    type: str
    price: Decimal = Decimal(0)
    step_size: int = 1
    tax: Decimal | None = None  # percent; None takes the tariff's
    steps: tuple[Step, ...] = ()
    continues: bool = False

    @classmethod
    def from_json(cls, value: Any, path: str) -> PriceComponent:
        taken = Fields(value, path)
        steps = taken.list("steps", Step.from_json, ())
        part = cls(
            type=taken.read("type", documents.one_of(TYPES)),
            price=taken.read("price", documents.amount, Decimal(0) if steps else documents.REQUIRED),
            step_size=taken.read("step_size", documents.whole_from_one, 1),
            tax=taken.read("tax", documents.percent, None),
            steps=steps,
            continues=taken.read("continues", documents.flag, False),
        )
        taken.finish()
        if steps and part.type not in TIMED:
            raise RatesError(f"{path}.steps", "Only TIME and PARKING_TIME are sold in steps.")
        if steps and part.price:
            raise RatesError(f"{path}.price", "A component has either a price or steps.")
        if any(step.times is None for step in steps[:-1]):
            raise RatesError(f"{path}.steps", "Only the last step may repeat without end.")
        return part

    def to_json(self) -> dict[str, Any]:
        priced: dict[str, Any]
        if self.steps:
            priced = {"steps": [step.to_json() for step in self.steps], "continues": self.continues or None}
        else:
            priced = {"price": str(self.price), "step_size": self.step_size}
        return without_none({"type": self.type, **priced, "tax": _text(self.tax)})


@dataclass(frozen=True, slots=True)
class Element:
    """Components under the same restrictions; `max_price` caps its time each time it begins to apply."""

    components: tuple[PriceComponent, ...]
    restrictions: Restrictions = ALWAYS
    name: str = ""
    max_price: Decimal | None = None

    @classmethod
    def from_json(cls, value: Any, path: str) -> Element:
        taken = Fields(value, path)
        element = cls(
            components=taken.list("price_components", PriceComponent.from_json),
            restrictions=taken.read("restrictions", Restrictions.from_json, ALWAYS),
            name=taken.read("name", documents.text, ""),
            max_price=taken.read("max_price", documents.amount, None),
        )
        taken.finish()
        types = [part.type for part in element.components]
        if not types or len(set(types)) < len(types):
            where = f"{path}.price_components"
            raise RatesError(where, "An element has at least one component, and each type at most once.")
        return element

    def to_json(self) -> dict[str, Any]:
        return without_none(
            {
                "name": self.name or None,
                "price_components": [part.to_json() for part in self.components],
                "restrictions": self.restrictions.to_json() or None,
                "max_price": _text(self.max_price),
            }
        )


@dataclass(frozen=True, slots=True)
class Package:
    """One price for a whole stay that arrives and leaves inside the given hours, instead of the elements.

    The hours include both ends, but an arrival at 24:00 belongs to the next day. Ends not after their
    beginning lie on the next day; `extra_days` moves `leave_to` further.
    """

    name: str
    price: Decimal
    arrive_from: time
    arrive_to: time
    leave_to: time
    leave_from: time | None = None
    day_of_week: tuple[str, ...] = ()  # of the arrival window's first day
    extra_days: int = 0
    tax: Decimal | None = None

    @classmethod
    def from_json(cls, value: Any, path: str) -> Package:
        taken = Fields(value, path)
        package = cls(
            name=taken.read("name", documents.text),
            price=taken.read("price", documents.amount),
            arrive_from=taken.read("arrive_from", documents.clock),
            arrive_to=taken.read("arrive_to", documents.clock),
            leave_to=taken.read("leave_to", documents.clock),
            leave_from=taken.read("leave_from", documents.clock, None),
            day_of_week=taken.list("day_of_week", documents.one_of(WEEKDAYS), ()),
            extra_days=taken.read("extra_days", documents.whole, 0),
            tax=taken.read("tax", documents.percent, None),
        )
        taken.finish()
        if package.extra_days > 366:
            raise RatesError(f"{path}.extra_days", "A package lasts a year at most.")
        return package

    def to_json(self) -> dict[str, Any]:
        return without_none(
            {
                "name": self.name,
                "price": str(self.price),
                "arrive_from": _clock(self.arrive_from),
                "arrive_to": _clock(self.arrive_to),
                "leave_from": _clock(self.leave_from),
                "leave_to": _clock(self.leave_to),
                "day_of_week": list(self.day_of_week) or None,
                "extra_days": self.extra_days or None,
                "tax": _text(self.tax),
            }
        )


@dataclass(frozen=True, slots=True)
class DayCap:
    """The most that time may cost in each period, and where steps start anew. No amount: only the latter.

    `rolling` periods last `days` times 24 hours from the start of the stay; `calendar` periods begin at
    the local time `reset`, and those of several days are counted so that seven days begin on a Monday.
    """

    amount: Decimal | None
    kind: str = "rolling"
    days: int = 1
    reset: time = time(0)

    @classmethod
    def from_json(cls, value: Any, path: str) -> DayCap:
        taken = Fields(value, path)
        cap = cls(
            amount=taken.read("amount", documents.amount, None),
            kind=taken.read("kind", documents.one_of(("rolling", "calendar")), "rolling"),
            days=taken.read("days", documents.whole_from_one, 1),
            reset=taken.read("reset", documents.clock, time(0)),
        )
        taken.finish()
        if cap.days > 366:
            raise RatesError(f"{path}.days", "A cap covers a year at most.")
        return cap

    def to_json(self) -> dict[str, Any]:
        return without_none(
            {
                "amount": _text(self.amount),
                "kind": self.kind,
                "days": self.days,
                "reset": _clock(self.reset),
            }
        )


@dataclass(frozen=True, slots=True)
class FreeMinutes:
    """`grace`: up to these minutes all but energy is free, longer stays pay from the first minute.
    `deducted`: the first minutes are free for everybody."""

    minutes: Decimal
    kind: str = "grace"

    @classmethod
    def from_json(cls, value: Any, path: str) -> FreeMinutes:
        taken = Fields(value, path)
        free = cls(
            minutes=taken.read("minutes", documents.amount),
            kind=taken.read("kind", documents.one_of(("grace", "deducted")), "grace"),
        )
        taken.finish()
        return free

    def to_json(self) -> dict[str, Any]:
        return {"minutes": str(self.minutes), "kind": self.kind}


@dataclass(frozen=True, slots=True)
class Limit:
    """The least or the most a stay costs, before and after taxes; where both are given both hold."""

    before_taxes: Decimal | None = None
    after_taxes: Decimal | None = None

    @classmethod
    def from_json(cls, value: Any, path: str) -> Limit:
        taken = Fields(value, path)
        limit = cls(
            before_taxes=taken.read("before_taxes", documents.amount, None),
            after_taxes=taken.read("after_taxes", documents.amount, None),
        )
        taken.finish()
        if limit.before_taxes is None and limit.after_taxes is None:
            raise RatesError(path, "A limit needs before_taxes or after_taxes.")
        return limit

    def to_json(self) -> dict[str, Any]:
        document = {"before_taxes": _text(self.before_taxes), "after_taxes": _text(self.after_taxes)}
        return without_none(document)


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a stay costs. `tax` is percent, `tax_included` says whether prices already contain it.

    `end_inclusive`: the moment of leaving counts as parked, so a window reached by it costs its first step.
    """

    currency: str
    elements: tuple[Element, ...] = ()
    packages: tuple[Package, ...] = ()
    free_minutes: FreeMinutes | None = None
    day_caps: tuple[DayCap, ...] = ()
    min_price: Limit | None = None
    max_price: Limit | None = None
    tax: Decimal = Decimal(0)
    tax_included: bool = True
    end_inclusive: bool = False

    @classmethod
    def from_json(cls, document: Any) -> Tariff:
        """Read our stored document; RatesError names the first field that is wrong."""
        taken = Fields(document)
        tariff = cls(
            currency=taken.read("currency", documents.currency),
            elements=taken.list("elements", Element.from_json, ()),
            packages=taken.list("packages", Package.from_json, ()),
            free_minutes=taken.read("free_minutes", FreeMinutes.from_json, None),
            day_caps=taken.list("day_caps", DayCap.from_json, ()),
            min_price=taken.read("min_price", Limit.from_json, None),
            max_price=taken.read("max_price", Limit.from_json, None),
            tax=taken.read("tax", documents.percent, Decimal(0)),
            tax_included=taken.read("tax_included", documents.flag, True),
            end_inclusive=taken.read("end_inclusive", documents.flag, False),
        )
        taken.finish()
        if not tariff.elements and not tariff.packages:
            raise RatesError("elements", "A tariff needs at least one element or package.")
        tariff.check_limits()
        return tariff

    def check_limits(self) -> None:
        for name in ("before_taxes", "after_taxes"):
            low, high = getattr(self.min_price, name, None), getattr(self.max_price, name, None)
            if low is not None and high is not None and low > high:
                raise RatesError(f"max_price.{name}", "The maximum price is below the minimum price.")

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {"currency": self.currency}
        for name in ("elements", "packages", "day_caps"):
            document[name] = [part.to_json() for part in getattr(self, name)] or None
        for name in ("free_minutes", "min_price", "max_price"):
            part = getattr(self, name)
            document[name] = part.to_json() if part else None
        document["tax"] = str(self.tax) if self.tax else None
        document["tax_included"] = self.tax_included
        document["end_inclusive"] = self.end_inclusive or None
        return without_none(document)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _clock(value: time | None) -> str | None:
    return None if value is None else value.isoformat("seconds" if value.second else "minutes")


# Presets, for the simple lot and the tariff editor.


def simple(price_per_hour: Decimal, currency: str) -> Tariff:
    """One price per hour, pro rata to the second."""
    return Tariff(currency, (Element((PriceComponent(TIME, Decimal(price_per_hour)),)),))


def minimum_one_hour(price_per_hour: Decimal, currency: str) -> Tariff:
    """At least one hour, after that pro rata to the second."""
    hour = Decimal(price_per_hour)
    return Tariff(currency, simple(hour, currency).elements, min_price=Limit(after_taxes=hour))


def started_hours(price_per_hour: Decimal, currency: str) -> Tariff:
    """Every started hour is paid in full."""
    return stepped([], currency, then=(60, price_per_hour))


def stepped(
    table: list[tuple[int, Decimal]], currency: str, *, then: tuple[int, Decimal] | None = None
) -> Tariff:
    """A price table "up to N minutes: X in all", then each started `then[0]` minutes another `then[1]`."""
    steps, minutes, paid = [], 0, Decimal(0)
    for until, price in table:
        if until <= minutes or Decimal(price) < paid:
            raise RatesError("table", "Minutes must rise from row to row, and prices must not fall.")
        steps.append(Step(Decimal(price) - paid, (until - minutes) * 60, 1))
        minutes, paid = until, Decimal(price)
    if then is not None:
        steps.append(Step(Decimal(then[1]), then[0] * 60))
    return Tariff(currency, (Element((PriceComponent(TIME, steps=tuple(steps)),)),))


@dataclass(frozen=True, slots=True)
class HourlyPrice:
    """What lists of lots show, tax included. `is_from`: at other hours, or in other ways, it is more."""

    amount: Decimal
    is_from: bool = False


def per_hour(tariff: Tariff) -> HourlyPrice | None:
    """The lowest hourly price above zero; None where time is only sold in packages or costs nothing beside
    a fee. Caps, free minutes and maxima make it cheaper, never dearer, so they are no "from"."""
    parts = [part for element in tariff.elements for part in element.components]
    found = set()
    for part in parts:
        tax = Decimal(0) if tariff.tax_included else (tariff.tax if part.tax is None else part.tax)
        each = [step.price * 3600 / step.seconds for step in part.steps] or [part.price]
        found |= {price * (100 + tax) / 100 for price in each if part.type in TIMED and price}
    others = bool(tariff.packages) or any(part.type not in TIMED and part.price for part in parts)
    if not found:
        return None if others else HourlyPrice(Decimal(0))
    return HourlyPrice(min(found), len(found) > 1 or others or tariff.min_price is not None)


def warnings(tariff: Tariff) -> list[str]:
    """Sentences for the tariff editor about what may surprise a driver: a longer stay that costs less."""
    found = []
    timed = [(part, e.max_price) for e in tariff.elements for part in e.components if part.type in TIMED]
    rounded = [(part, cap) for part, cap in timed if not part.steps]
    if any(part.step_size > 1 for part, _ in rounded):
        if len({(part.price, part.step_size, part.tax, cap) for part, cap in rounded}) > 1:
            found.append(
                "Prices, step sizes, taxes or caps differ between elements: time rounded up at one price "
                "may be billed at a lower one when the stay goes on."
            )
        if len(rounded) < len(timed):
            found.append("step_size beside steps: time rounded up may be taken back when the steps begin.")
    if tariff.packages and tariff.elements:
        found.append("A package may make a longer stay cheaper than a shorter one that misses its hours.")
    return found
