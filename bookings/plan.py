"""The drawing of a lot: where each spot stands on the page. Plain geometry, no database, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from lots.models import Spot

WIDTH, HEIGHT, GAP, LANE, MARGIN = 40, 58, 4, 26, 8
SECTION = 200  # spots on one drawing at most
DRAWN_AT_ONCE = 400  # a larger lot shows one section at a time: nobody picks from thousands on a phone


@dataclass(frozen=True, slots=True)
class PlannedSpot:
    """A spot with its status and its corner on the drawing."""

    spot: Spot
    status: str
    x: int
    y: int
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class Floor:
    """One drawing: the spots of a floor in rows along lanes, as cars stand."""

    building: str
    floor: str
    spots: tuple[PlannedSpot, ...]
    lanes: tuple[int, ...]
    width: int
    height: int
    number: int = 0
    is_part: bool = False
    is_drawn: bool = True

    @property
    def free(self) -> int:
        return sum(planned.status == "free" for planned in self.spots)

    @property
    def has_chosen(self) -> bool:
        return any(planned.is_chosen for planned in self.spots)

    @property
    def first(self) -> str:
        return self.spots[0].spot.number

    @property
    def last(self) -> str:
        return self.spots[-1].spot.number


def floors(
    statuses: Iterable[tuple[Spot, str]], *, chosen: str = "", shown: int = 0, at_once: int = DRAWN_AT_ONCE
) -> list[Floor]:
    """The drawings of a lot, by building and floor in the order people count them.

    A crowded floor becomes several sections. Of a lot with more spots than `at_once` only section `shown`
    is drawn, and the one with the chosen spot.
    """

    def level(pair: tuple[Spot, str]) -> tuple[str, str]:
        return pair[0].building, pair[0].floor

    pairs = sorted(statuses, key=level)
    found: list[Floor] = []
    for (building, floor), group in groupby(pairs, key=level):
        parts = list(_batched(list(group), SECTION))
        found += [_floor(building, floor, part, chosen) for part in parts]
        if len(parts) > 1:
            found[-len(parts) :] = [replace(part, is_part=True) for part in found[-len(parts) :]]
    all_drawn = len(pairs) <= at_once
    return [
        replace(part, number=number, is_drawn=all_drawn or number == shown or part.has_chosen)
        for number, part in enumerate(found)
    ]


def _batched(items: list[tuple[Spot, str]], size: int) -> Iterator[list[tuple[Spot, str]]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _floor(building: str, floor: str, pairs: list[tuple[Spot, str]], chosen: str) -> Floor:
    columns = _columns(len(pairs))
    spots, rows = [], -(-len(pairs) // columns)
    for index, (spot, status) in enumerate(pairs):
        row, column = divmod(index, columns)
        x = MARGIN + column * (WIDTH + GAP)
        spots.append(PlannedSpot(spot, status, x, _top(row), spot.number == chosen))
    lanes = tuple(_top(row) + HEIGHT + LANE // 2 for row in range(0, rows, 2))
    bottom = _top(rows - 1) + HEIGHT + (LANE if rows % 2 else 0)
    return Floor(
        building=building,
        floor=floor,
        spots=tuple(spots),
        lanes=lanes,
        width=2 * MARGIN + columns * (WIDTH + GAP) - GAP,
        height=bottom + MARGIN,
    )


def _columns(count: int) -> int:
    """Rows short enough for a phone, where a spot must stay wide enough for a thumb."""
    return min(max(count, 6), 10)


def _top(row: int) -> int:
    """Two rows face each other over a lane; the next pair stands back to back with them."""
    pairs, second = divmod(row, 2)
    return MARGIN + pairs * (2 * HEIGHT + LANE + GAP) + second * (HEIGHT + LANE)
