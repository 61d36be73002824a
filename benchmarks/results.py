"""What was measured, as lines on the screen, a table, a file and a picture."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- results -->", "<!-- end of results -->"
PLOTS = {
    "goals.svg": "Ratios as bars, and their goals as strokes",
    "reported.svg": "Ratios that are reported and have no goal",
    "memory.svg": "Growth of memory, and how much it may be",
}


@dataclass(slots=True)
class Measure:
    """`value` beside `beside`, both in `unit`, from the same run; `goal` is the ratio to reach.

    `errors` are answers that must not be (5xx, none at all), `queries` the statements one request takes.
    """

    name: str
    what: str
    value: float
    unit: str
    beside: float | None = None
    beside_what: str = ""
    goal: float | None = None
    is_at_least: bool = True
    errors: int = 0
    queries: int | None = None
    most_queries: int | None = None
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        return self.value / self.beside if self.beside else None

    @property
    def is_reached(self) -> bool | None:
        if self.goal is None or self.ratio is None:
            return None
        return self.ratio >= self.goal if self.is_at_least else self.ratio <= self.goal

    @property
    def faults(self) -> list[str]:
        """What is wrong on any machine, however slow."""
        found = [f"{self.errors} errors"] if self.errors else []
        if self.queries is not None and self.most_queries is not None and self.queries > self.most_queries:
            found.append(f"{self.queries} statements, {self.most_queries} at most")
        return found

    def line(self) -> str:
        beside = f" beside {_number(self.beside)} ({self.beside_what})" if self.beside else ""
        ratio = f": {self.ratio:.3f}" if self.ratio is not None else ""
        queries = f", {self.queries} statements" if self.queries is not None else ""
        faults = f" — {', '.join(self.faults)}" if self.faults else ""
        return f"{self.what}: {_number(self.value)} {self.unit}{beside}{ratio}{queries}{faults}"


def write(measures: Sequence[Measure], folder: Path, options: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    about = {
        "date": date.today().isoformat(),  # noqa: DTZ011  of the machine it ran on
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": [round(load, 1) for load in os.getloadavg()],
        **options,
    }
    rows = [asdict(measure) | {"ratio": measure.ratio, "reached": measure.is_reached} for measure in measures]
    (folder / "results.json").write_text(json.dumps({"about": about, "measures": rows}, indent=1) + "\n")
    (folder / "results.md").write_text(_table(measures, about))
    for name, shown in _plots(measures):
        (folder / name).write_text(_bars(shown))


def _plots(measures: Sequence[Measure]) -> Iterator[tuple[str, list[Measure]]]:
    """What has a goal; what is reported beside something; and what takes so much memory."""
    rest = [one for one in measures if one.ratio is not None]
    memory = [one for one in rest if one.unit.startswith("MB")]
    goals = [one for one in rest if one.goal is not None and one not in memory]
    reported = [one for one in rest if one.goal is None]
    for name, shown in (("goals.svg", goals), ("reported.svg", reported), ("memory.svg", memory)):
        if shown:
            yield name, shown


def put_into(page: Path, folder: Path) -> None:
    """Show the table and the plots of `folder` on a page of the docs, between its two marks."""
    head, found, rest = page.read_text().partition(BEGIN)
    _old, ended, tail = rest.partition(END)
    if not (found and ended):
        raise ValueError(f"{page} does not say where the results go: {BEGIN} … {END}")
    table = (folder / "results.md").read_text()
    plots = [f"![{alt}](benchmarks/{name})" for name, alt in PLOTS.items() if (folder / name).exists()]
    page.write_text("\n\n".join([f"{head}{BEGIN}", table.rstrip(), *plots, f"{END}{tail}"]))


def _table(measures: Sequence[Measure], about: dict[str, Any]) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in about.items())
    lines = [
        f"Measured with {facts}.",
        "",
        "| what | measured | beside it | ratio | goal | statements | p50, p99 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in measures:
        beside = f"{_number(one.beside)} {one.unit}: {one.beside_what}" if one.beside else ""
        ratio = f"{one.ratio:.3f}" if one.ratio is not None else ""
        sign = "≥" if one.is_at_least else "≤"
        goal = f"{sign} {one.goal:g}{'' if one.is_reached else ', not reached'}" if one.goal else "reported"
        queries = "" if one.queries is None else str(one.queries)
        times = [one.more.get(name) for name in ("p50_ms", "p99_ms")]
        spread = f"{times[0]:.0f}, {times[1]:.0f} ms" if times[0] is not None and times[1] is not None else ""
        cells = [one.what, f"{_number(one.value)} {one.unit}", beside, ratio, goal, queries, spread]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _bars(measures: Sequence[Measure]) -> str:
    """Each ratio as a bar, and its goal as a stroke."""
    left, width, row = 330, 330, 30
    largest = max([max(one.ratio or 0, one.goal or 0) for one in measures], default=1) or 1
    height = row * len(measures) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 70} {height}" '
        'font-family="sans-serif" font-size="12" role="img" aria-label="Ratios, and the goals beside them">',
        f'<rect width="100%" height="{height}" fill="#fff"/>',
    ]
    for number, one in enumerate(measures):
        ratio, top = one.ratio or 0, number * row + 8
        colour = "#b45309" if one.is_reached is False else "#0f766e"
        long = max(ratio / largest * width, 1)
        parts.append(f'<text x="{left - 8}" y="{top + 14}" text-anchor="end">{escape(one.what[:52])}</text>')
        parts.append(f'<rect x="{left}" y="{top}" width="{long:.1f}" height="18" fill="{colour}"/>')
        if one.goal:
            at = left + one.goal / largest * width
            parts.append(f'<path d="M{at:.1f} {top - 3}v24" stroke="#111" stroke-width="2"/>')
        parts.append(f'<text x="{left + long + 6:.1f}" y="{top + 14}">{ratio:.2f}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
