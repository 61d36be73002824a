"""A tariff in sentences, for lists and for people who do not read JSON. Pure text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time
from decimal import Decimal

from lots.money import quantise
from lots.rates import ENERGY, FLAT, PARKING_TIME, DayCap, PriceComponent, Tariff
from lots.restrictions import WEEKDAYS, Restrictions

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
QUANTITIES = {"kwh": "kWh", "current": "A", "power": "kW"}
HOUR = 3600


def sentences(tariff: Tariff) -> list[str]:
    """What is charged, then what limits it, then tax."""
    return [*_charges(tariff), *_limits(tariff)]


def _charges(tariff: Tariff) -> Iterator[str]:
    for element in tariff.elements:
        where = ", ".join(filter(None, [element.name, *_when(element.restrictions)]))
        what = "; ".join(_component(part, tariff) for part in element.components)
        cap = f"; at most {_money(element.max_price, tariff)} each time" if element.max_price else ""
        yield f"{where}: {what}{cap}" if where else f"{what}{cap}"
    for package in tariff.packages:
        days = f"{', '.join(day_ranges(package.day_of_week))}, " if package.day_of_week else ""
        arriving = f"{days}arriving {package.arrive_from:%H:%M}–{package.arrive_to:%H:%M}"
        leaving = f"leaving by {package.leave_to:%H:%M}"
        yield f"{package.name}: {_money(package.price, tariff)} in all, {arriving}, {leaving}"


def _limits(tariff: Tariff) -> Iterator[str]:
    free = tariff.free_minutes
    if free is not None:
        minutes = f"{free.minutes.normalize():f} min"
        yield (f"Free up to {minutes}" if free.kind == "grace" else f"The first {minutes} are free")
    for cap in tariff.day_caps:
        if cap.amount is not None:
            yield f"At most {_money(cap.amount, tariff)} per {_span(cap)}"
    for word, limit in (("least", tariff.min_price), ("most", tariff.max_price)):
        for amount, tax in ((limit.after_taxes, ""), (limit.before_taxes, " before taxes")) if limit else ():
            if amount is not None:
                yield f"At {word} {_money(amount, tariff)}{tax} a stay"
    if tariff.tax:
        yield f"{'Including' if tariff.tax_included else 'Plus'} {tariff.tax.normalize():f} % tax"
    elif not tariff.tax_included:
        yield "Before taxes"


def _component(part: PriceComponent, tariff: Tariff) -> str:
    if part.steps:
        return ", ".join(_step(step.price, step.seconds, step.times, tariff) for step in part.steps)
    price = _money(part.price, tariff)
    if part.type == FLAT:
        return f"{price} once"
    if part.type == ENERGY:
        return f"{price} per kWh"
    after = " after charging" if part.type == PARKING_TIME else ""
    rounding = f", rounded up to {_minutes(part.step_size)}" if part.step_size > 1 else ""
    return f"{price} per hour{after}{rounding}" if part.price else f"free{after}"


def _step(price: Decimal, seconds: int, times: int | None, tariff: Tariff) -> str:
    each, long = _money(price, tariff), _minutes(seconds)
    if times is None:
        return f"each started {long} {each}"
    return f"{long} {each}" if times == 1 else f"{times} × {long} {each} each"


def _when(rule: Restrictions) -> Iterator[str]:
    if rule.day_of_week:
        yield ", ".join(day_ranges(rule.day_of_week))
    if rule.start_time is not None or rule.end_time is not None:
        yield f"{rule.start_time or time(0):%H:%M}–{rule.end_time or time(0):%H:%M}"
    if rule.start_date or rule.end_date:
        yield " ".join(
            [
                f"from {rule.start_date}" if rule.start_date else "",
                f"before {rule.end_date}" if rule.end_date else "",
            ]
        ).strip()
    if rule.min_duration:
        yield f"after {_minutes(rule.min_duration)}"
    if rule.max_duration:
        yield f"up to {_minutes(rule.max_duration)}"
    for name, unit in QUANTITIES.items():
        low, high = getattr(rule, f"min_{name}"), getattr(rule, f"max_{name}")
        if low is not None:
            yield f"from {low.normalize():f} {unit}"
        if high is not None:
            yield f"below {high.normalize():f} {unit}"
    yield from (", ".join(kinds) for kinds in (rule.vehicle_kinds, rule.spot_kinds) if kinds)
    if rule.reservation:
        yield "reservation" if rule.reservation == "RESERVATION" else "reservation not used"


def day_ranges(days: tuple[str, ...]) -> list[str]:
    """("MONDAY", "TUESDAY", "WEDNESDAY", "SUNDAY") as ["Mo-We", "Su"]."""
    numbers = sorted({WEEKDAYS.index(day) for day in days})
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [DAYS[run[0]] if len(run) == 1 else f"{DAYS[run[0]]}-{DAYS[run[-1]]}" for run in runs]


def _span(cap: DayCap) -> str:
    if cap.kind == "rolling":
        return f"{24 * cap.days} hours"
    days = "day" if cap.days == 1 else f"{cap.days} days"
    return days if cap.reset == time(0) else f"{days} from {cap.reset:%H:%M}"


def _minutes(seconds: int) -> str:
    if seconds % HOUR == 0:
        return f"{seconds // HOUR} h"
    return f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"


def _money(amount: Decimal, tariff: Tariff) -> str:
    rounded = quantise(amount, tariff.currency)
    return f"{rounded if rounded == amount else amount.normalize():f} {tariff.currency}"
