"""Charts as SVG made here: they need no script, print, and can be read without colour.

Widths are percentages and heights pixels, so that the letters stay as large on a phone as on a desk. Every
chart has a title and a sentence for who does not see it, and a table behind it. Values must not be
negative. Rendered by templates/reports/_chart.html, which needs static/charts.css.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from django.utils.translation import gettext as _

HEIGHT, TOP, BOTTOM = 220, 14, 26  # pixels: the whole, above the highest bar, below the axis for the labels
PLOT = HEIGHT - TOP - BOTTOM
LEFT = 13.0  # percent, for the figures at the lines
CELL, LEVELS = 24, 5  # pixels a row of a heat map, and how many steps of darkness there are
FEW_LABELS, MOST_LABELS = 8, 12


@dataclass(frozen=True, slots=True)
class Point:
    """One bar, dot or cell: what it is, how much, and how that is written."""

    label: str
    value: float
    shown: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Where something is drawn; all are SVG attributes as they stand."""

    x: str
    y: str
    width: str = ""
    height: str = ""
    x2: str = ""
    y2: str = ""
    text: str = ""
    level: int = 0


@dataclass(frozen=True)
class Chart:
    kind: str  # bars, line, heat
    title: str
    about: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    height: int = HEIGHT
    marks: Sequence[Mark] = ()
    grid: Sequence[Mark] = ()
    labels: Sequence[Mark] = ()
    lines: Sequence[Mark] = field(default_factory=tuple)

    @property
    def baseline(self) -> int:
        return self.height - BOTTOM


def bars(title: str, points: Sequence[Point], *, headings: tuple[str, str], unit: str = "") -> Chart:
    """A bar a point, from nothing upwards."""
    top, step = _scale(points), _step(points)
    marks = [
        Mark(
            x=_percent(LEFT + (number + 0.15) * step),
            y=_pixels(_height(point.value, top)),
            width=_percent(step * 0.7),
            height=_pixels(PLOT + TOP - _height(point.value, top)),
            text=f"{point.label}: {point.shown}",
        )
        for number, point in enumerate(points)
    ]
    return _chart("bars", title, points, headings, top, unit, marks)


def line(title: str, points: Sequence[Point], *, headings: tuple[str, str], unit: str = "") -> Chart:
    """A dot a point, joined in their order."""
    top, step = _scale(points), _step(points)
    marks = [
        Mark(
            x=_percent(LEFT + (number + 0.5) * step),
            y=_pixels(_height(point.value, top)),
            text=f"{point.label}: {point.shown}",
        )
        for number, point in enumerate(points)
    ]
    lines = [Mark(x=one.x, y=one.y, x2=other.x, y2=other.y) for one, other in pairwise(marks)]
    return _chart("line", title, points, headings, top, unit, marks, lines)


def heat(title: str, names: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[Point]]) -> Chart:
    """A row a name, a cell a column: the more, the darker and the higher."""
    top = max((cell.value for row in cells for cell in row), default=0) or 1
    step = (100 - LEFT) / max(len(columns), 1)
    marks = [
        _cell(LEFT + column * step, row * CELL, step, cell, cell.value / top)
        for row, found in enumerate(cells)
        for column, cell in enumerate(found)
    ]
    grid = [Mark(x="0", y=_pixels(row * CELL + CELL * 0.65), text=name) for row, name in enumerate(names)]
    height = len(names) * CELL + BOTTOM
    labels = _labels(columns, step, height)
    table = [[name, *(cell.shown for cell in row)] for name, row in zip(names, cells, strict=True)]
    return Chart(
        "heat", title, _about_heat(names, columns, cells), ["", *columns], table, height, marks, grid, labels
    )


def _cell(left: float, above: float, step: float, cell: Point, share: float) -> Mark:
    high = (CELL - 4) * share
    return Mark(
        x=_percent(left + step * 0.06),
        y=_pixels(above + CELL - 2 - high),
        width=_percent(step * 0.88),
        height=_pixels(high),
        text=f"{cell.label}: {cell.shown}",
        level=math.ceil(share * LEVELS),
    )


def _chart(
    kind: str,
    title: str,
    points: Sequence[Point],
    headings: tuple[str, str],
    top: float,
    unit: str,
    marks: Sequence[Mark],
    lines: Sequence[Mark] = (),
) -> Chart:
    grid = [
        Mark(x=_percent(LEFT), y=_pixels(_height(top * part, top)), text=f"{top * part:g}{unit}")
        for part in (0, 0.5, 1)
    ]
    return Chart(
        kind,
        title,
        _about(points),
        headings,
        [(point.label, point.shown) for point in points],
        marks=marks,
        grid=grid,
        labels=_labels([point.label for point in points], _step(points), HEIGHT),
        lines=lines,
    )


def _labels(names: Sequence[str], step: float, height: int) -> list[Mark]:
    """Below the axis, as many as there is room for, each under its point."""
    every = math.ceil(len(names) / MOST_LABELS) or 1
    return [
        Mark(
            x=_percent(LEFT + (number + 0.5) * step),
            y=str(height - 8),
            text=name,
            # Every other one is left out where the screen is narrow.
            level=(number // every) % 2 if len(names) > FEW_LABELS else 0,
        )
        for number, name in enumerate(names)
        if number % every == 0
    ]


def _about(points: Sequence[Point]) -> str:
    """The sentence for who does not see it."""
    if not any(point.value for point in points):
        return _("Nothing yet.")
    most = max(points, key=lambda point: point.value)
    words = {"count": len(points), "first": points[0].label, "last": points[-1].label}
    words |= {"label": most.label, "shown": most.shown, "latest": points[-1].shown}
    sentence = _(
        "%(count)d values, %(first)s to %(last)s. The most: %(label)s, %(shown)s. The last: %(latest)s."
    )
    return sentence % words


def _about_heat(names: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[Point]]) -> str:
    points = [cell for row in cells for cell in row]
    if not any(point.value for point in points):
        return _("Nothing yet.")
    most = max(points, key=lambda point: point.value)
    words = {"rows": len(names), "columns": len(columns), "label": most.label, "shown": most.shown}
    return _("%(rows)d rows of %(columns)d values. The most: %(label)s, %(shown)s.") % words


def _scale(points: Sequence[Point]) -> float:
    """The value at the upper line: the next 1, 2, 4, 5 or 10 times a power of ten."""
    most = max((point.value for point in points), default=0)
    if most <= 0:
        return 1
    power = 10.0 ** math.floor(math.log10(most))
    return next(power * factor for factor in (1, 2, 4, 5, 10) if power * factor >= most * 0.999_999)


def _step(points: Sequence[Point]) -> float:
    return (100 - LEFT) / max(len(points), 1)


def _height(value: float, top: float) -> float:
    return TOP + PLOT * (1 - value / top)


def _percent(value: float) -> str:
    return f"{value:.2f}%"


def _pixels(value: float) -> str:
    return f"{value:.1f}"
