"""Figures as charts, where the site and the back office draw the same."""

from __future__ import annotations

from collections.abc import Sequence

from reports import charts, figures, lines
from reports.charts import Chart, Point


def revenue_charts(
    steps: Sequence[list[figures.Money]], names: Sequence[str], *, title: str, heading: str
) -> list[Chart]:
    """A chart a currency: two are never put on one scale. `title` has a place for %(currency)s."""
    series = [{money.currency: money.revenue for money in step} for step in steps]
    found = []
    for currency in sorted({currency for step in series for currency in step}):
        amounts = [step.get(currency, figures.NOTHING) for step in series]
        # Where more went back than was paid nothing is drawn; the table says what it was.
        points = [
            Point(name, max(float(amount), 0), lines.amounts({currency: amount}))
            for name, amount in zip(names, amounts, strict=True)
        ]
        found.append(charts.bars(title % {"currency": currency}, points, headings=(heading, currency)))
    return found
