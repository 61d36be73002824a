"""What past stays would have cost under another tariff, added up. Pure: an iterator in, figures out.

Memory does not grow with the stays: sums, counts and the few largest changes are all that is kept.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

MOST = 20_000
BIGGEST = 10
# Where the bars of the histogram end, in percent of what was paid.
EDGES = [Decimal(edge) for edge in (-50, -25, -10, 0)]
LABELS = [
    "under −50 %",
    "−50 to −25 %",
    "−25 to −10 %",
    "up to −10 %",
    "the same",
    "up to +10 %",
    "+10 to +25 %",
    "+25 to +50 %",
    "over +50 %",
]
SAME = 4


@dataclass(frozen=True, slots=True)
class Replayed:
    """One stay with what was paid and what it would cost; `new` is None where the tariff has no price."""

    reference: str
    starts_at: datetime
    ends_at: datetime
    old: Decimal
    new: Decimal | None

    @property
    def change(self) -> Decimal:
        return (self.new or Decimal(0)) - self.old


@dataclass(slots=True)
class Comparison:
    """`is_cut`: there were more stays than were looked at. Stays without a new price are not in the sums."""

    count: int = 0
    old: Decimal = Decimal(0)
    new: Decimal = Decimal(0)
    more: int = 0
    less: int = 0
    same: int = 0
    unpriced: int = 0
    is_cut: bool = False
    bars: list[int] = field(default_factory=lambda: [0] * len(LABELS))
    biggest: list[Replayed] = field(default_factory=list)

    @property
    def difference(self) -> Decimal:
        return self.new - self.old

    @property
    def percent(self) -> Decimal | None:
        return self.difference * 100 / self.old if self.old else None


def compare(stays: Iterable[Replayed], *, most: int = MOST, biggest: int = BIGGEST) -> Comparison:
    """Looks at `most` stays at the most. `biggest` holds the largest changes either way, largest first."""
    found = Comparison()
    # The number breaks ties: of two equal changes the one met first stays.
    heap: list[tuple[Decimal, int, Replayed]] = []
    for number, stay in enumerate(stays):
        if number == most:
            found.is_cut = True
            break
        if stay.new is None:
            found.unpriced += 1
            continue
        _add(found, stay, stay.new)
        if stay.change:
            entry = (abs(stay.change), -number, stay)
            heapq.heappush(heap, entry) if len(heap) < biggest else heapq.heappushpop(heap, entry)
    found.biggest = [stay for _size, _number, stay in sorted(heap, reverse=True)]
    return found


def _add(found: Comparison, stay: Replayed, new: Decimal) -> None:
    found.count += 1
    found.old += stay.old
    found.new += new
    if new > stay.old:
        found.more += 1
    elif new < stay.old:
        found.less += 1
    else:
        found.same += 1
    found.bars[bar(stay.old, new)] += 1


def bar(old: Decimal, new: Decimal) -> int:
    """Which bar a change belongs to. Who paid nothing and now pays is beyond any percentage."""
    if new == old:
        return SAME
    percent = (new - old) * 100 / old if old else Decimal(100)
    steps = sum(abs(percent) > -edge for edge in EDGES[:-1])
    return SAME + 1 + steps if percent > 0 else SAME - 1 - steps
