"""What each rule of a tariff charges for a stay, before and after caps. Arithmetic only.

A charge is rounded once, when it is made; caps then cut whole cents, so nothing is rounded twice and
no capped sum can miss its cap by a cent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Any

from bookings import pieces
from bookings.pieces import MICROSECOND, Piece, Stay
from lots.rates import ENERGY, FLAT, PARKING_TIME, Element, PriceComponent, Step, Tariff

SECOND = 1_000_000  # durations are whole microseconds, so they add up exactly
HOUR = 3600 * SECOND


@dataclass(slots=True)
class Charge:
    """One rounded amount and what it is for; `accepted` is what caps leave of it."""

    element: Element | None
    component: PriceComponent
    label: str
    kind: str
    quantity: Decimal  # microseconds, steps, kWh or 1, as `kind` says
    rate: Decimal
    exact: Decimal
    amount: Decimal
    step: Step | None = None
    measured: Decimal | None = None  # the quantity before it was rounded up
    periods: tuple[int, ...] = ()
    run: int = 0
    tax: Decimal = Decimal(0)
    accepted: Decimal = field(init=False)

    def __post_init__(self) -> None:
        self.accepted = self.amount


@dataclass(slots=True)
class Run:
    """A stretch of the stay during which one component applied without a break."""

    element: Element
    component: PriceComponent
    periods: tuple[int, ...]
    ends_at: datetime
    length: int  # microseconds
    surplus: int = 0  # added by step_size


def rounded(amount: Decimal, cent: Decimal) -> Decimal:
    return amount.quantize(cent, ROUND_HALF_UP)


def round_up(value: int, step: int) -> int:
    return -(-value // step) * step


# Time


def runs(
    tariff: Tariff,
    elements: Sequence[Element],
    stay: Stay,
    parts: Iterable[Piece],
    *,
    dimension: str,
    free_until: datetime | None,
) -> list[Run]:
    """Which component priced which stretch of time; `dimension` is that of the time before charging ends."""
    found: list[Run] = []
    for piece in _timed_pieces(tariff, stay, parts):
        if free_until is not None and piece.ends_at <= free_until:
            continue
        chosen = _first(elements, dimension if piece.is_charging else PARKING_TIME, piece, stay)
        if chosen is None:
            continue
        element, component = chosen
        length = (piece.ends_at - piece.starts_at) // MICROSECOND
        if not length and not component.steps:
            continue
        periods = pieces.cap_periods(tariff, piece.starts_at, stay)
        last = found[-1] if found else None
        if (
            last
            and last.element is element
            and last.component is component
            and (last.ends_at == piece.starts_at and last.periods == periods)
        ):
            last.ends_at, last.length = piece.ends_at, last.length + length
        else:
            found.append(Run(element, component, periods, piece.ends_at, length))
    _round_up_once(found)
    return found


def _timed_pieces(tariff: Tariff, stay: Stay, parts: Iterable[Piece]) -> Iterable[Piece]:
    last = None
    for piece in parts:
        last = piece
        if piece.ends_at > piece.starts_at:
            yield piece
    if tariff.end_inclusive and last is not None and last.ends_at == stay.ends_at:
        yield last._replace(starts_at=stay.ends_at, ends_at=stay.ends_at)


def _first(
    elements: Sequence[Element], dimension: str, piece: Piece, stay: Stay, clock: datetime | None = None
) -> tuple[Element, PriceComponent] | None:
    for element in elements:
        for component in element.components:
            if component.type == dimension and pieces.applies(element, piece, stay, clock=clock):
                return element, component
    return None


def _round_up_once(found: list[Run]) -> None:
    """OCPI: the total of the dimension that ended the stay is rounded up to its last component's step."""
    if not found or found[-1].component.steps:
        return
    last = found[-1].component
    total = sum(run.length for run in found if run.component.type == last.type and not run.component.steps)
    found[-1].surplus = round_up(total, last.step_size * SECOND) - total


def time_charges(found: list[Run], cent: Decimal, *, end_inclusive: bool) -> list[Charge]:
    """One charge per component (per step, where it has steps) and cap period, in order of time."""
    kept: dict[Any, list[Any]] = {}
    used: dict[Any, int] = {}  # how far continuing steps have got
    for number, run in enumerate(found):
        component = run.component
        own_run = number if run.element.max_price is not None else 0
        key = (id(component), run.periods, own_run)
        if component.steps:
            before = used.get((component, run.periods), 0) if component.continues else 0
            after = before + (max(run.length, 1) if end_inclusive else run.length)
            if component.continues:
                used[component, run.periods] = after
            for step, count in _steps(component, before, after):
                kept.setdefault((*key, id(step)), [run, step, own_run, 0, 0])[3] += count
        else:
            sums = kept.setdefault((*key, None), [run, None, own_run, 0, 0])
            sums[3] += run.length + run.surplus
            sums[4] += run.length
    return [_time_charge(*sums, cent=cent) for sums in kept.values() if sums[3]]


def _steps(component: PriceComponent, before: int, after: int) -> Iterable[tuple[Step, int]]:
    """The steps entered between two lengths of time (microseconds), and how many of each."""
    for step in component.steps:
        size = step.seconds * SECOND
        entered, until = -(-max(before, 0) // size), -(-max(after, 0) // size)
        if step.times is not None:
            entered, until = min(entered, step.times), min(until, step.times)
            before, after = before - step.times * size, after - step.times * size
        if step.price and until > entered:
            yield step, until - entered
        if step.times is None or after <= 0:
            return


def _time_charge(
    run: Run, step: Step | None, own_run: int, quantity: int, measured: int, *, cent: Decimal
) -> Charge:
    rate = run.component.price if step is None else step.price
    exact = rate * quantity / HOUR if step is None else rate * quantity
    return Charge(
        element=run.element,
        component=run.component,
        label=run.element.name,
        kind=run.component.type.lower(),
        quantity=Decimal(quantity),
        rate=rate,
        exact=exact,
        amount=rounded(exact, cent),
        step=step,
        measured=Decimal(measured),
        periods=run.periods,
        run=own_run,
    )


# Energy and flat fees


def energy_charges(
    elements: Sequence[Element], stay: Stay, parts: Iterable[Piece], cent: Decimal
) -> list[Charge]:
    """One charge per component; the total is rounded up once, to the step of the last one."""
    found: dict[int, list[Any]] = {}
    last: PriceComponent | None = None
    for piece in parts:
        if piece.kwh_to == piece.kwh_from:
            continue
        chosen = _first(elements, ENERGY, piece, stay)
        if chosen is not None:
            last = chosen[1]
            found.setdefault(id(last), [*chosen, Decimal(0)])[2] += piece.kwh_to - piece.kwh_from
    if last is None:
        return []
    total = sum((kwh for _, _, kwh in found.values()), Decimal(0))
    step = Decimal(last.step_size) / 1000
    surplus = (total / step).to_integral_value(ROUND_CEILING) * step - total
    charges = []
    for element, component, kwh in found.values():
        billed = kwh + surplus if component is last else kwh
        exact = component.price * billed
        charges.append(
            Charge(
                element,
                component,
                element.name,
                "energy",
                billed,
                component.price,
                exact,
                rounded(exact, cent),
                measured=kwh,
            )
        )
    return charges


def flat_charges(
    elements: Sequence[Element], stay: Stay, parts: Iterable[Piece], cent: Decimal
) -> list[Charge]:
    """Each fee once, when it first applies. A start fee looks at the clock once, when the stay starts."""
    found: dict[int, Charge] = {}
    for piece in parts:
        chosen = _first(elements, FLAT, piece, stay, clock=stay.starts_at)
        if chosen is not None and id(chosen[1]) not in found:
            element, component = chosen
            found[id(component)] = Charge(
                element,
                component,
                element.name,
                "flat",
                Decimal(1),
                component.price,
                component.price,
                rounded(component.price, cent),
            )
    return list(found.values())


# Caps


def cap(charges: Iterable[Charge], limit: Decimal) -> list[tuple[Charge, Decimal]]:
    """Accept charges in order until the limit is reached; what is cut off each of them."""
    left, cuts = limit, []
    for charge in charges:
        cut = charge.accepted - min(charge.accepted, left)
        if cut:
            cuts.append((charge, cut))
            charge.accepted -= cut
        left -= charge.accepted
    return cuts


def merged(charges: list[Charge]) -> list[Charge]:
    """Days priced alike become one charge, unless rounding has made its amount its own."""
    found: dict[Any, Charge] = {}
    kept = []
    for charge in charges:
        key = (id(charge.component), id(charge.step), charge.kind)
        twin = found.get(key)
        if twin is None or twin.exact != twin.amount or charge.exact != charge.amount:
            kept.append(charge)
            found[key] = charge
        else:
            twin.quantity += charge.quantity
            twin.exact += charge.exact
            twin.amount += charge.amount
            twin.tax += charge.tax
            if twin.measured is not None and charge.measured is not None:
                twin.measured += charge.measured
    return kept
