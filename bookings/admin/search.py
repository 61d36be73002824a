"""Finding bookings among millions: words become ids in the small tables first, an index does the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.utils.functional import cached_property

from accounts.models import User
from bookings.models import Booking, normalise_plate
from lots.models import Lot, Spot

SHORTEST_REFERENCE = 4  # characters of a reference worth searching by
SHORTEST_PART = 3  # characters of the middle of a plate worth searching by: an index needs as many
MOST_WORDS = 8
MOST_READINGS = 16
FEW = 2000  # ids that are written out: the planner knows then how few rows there will be
MOST_FOUND = 500  # bookings a search finds, the first in the list's order
LATELY = timedelta(days=90)  # how far back (by its beginning) a booking is found by the middle of its plate
MOST_COUNTED = 10_000
LONGEST_PLATE = 20


def find(
    bookings: QuerySet[Booking], text: str, *, now: datetime, lots: QuerySet[Lot] | None = None
) -> QuerySet[Booking]:
    """The first bookings that fit every word (reference, person, spot, lot or town), or whose plate this is.

    A plate is found by its beginning, of bookings of the last months also by any part. `lots`: those the
    bookings are of, where they are few.
    """
    words = text.split()[:MOST_WORDS]
    if not words:
        return bookings
    found = Q(pk__in=[])
    for reading in _readings(words):
        found |= reading.rows()
    # An address is no plate.
    plate = "" if "@" in text else normalise_plate(text)
    if 0 < len(plate) <= LONGEST_PLATE:
        found |= Q(plate_normalised__startswith=plate)
        if len(plate) >= SHORTEST_PART:
            found |= Q(pk__in=_few_or_all(_by_part_of_plate(plate, now)))
    if lots is not None:
        found &= Q(lot__in=_few_or_all(lots))
    # Once, and no further than anybody turns pages: the list asks for their number and for each page.
    first = bookings.filter(found).values_list("pk", flat=True)[:MOST_FOUND]
    return bookings.filter(pk__in=list(first))


@dataclass(frozen=True, slots=True)
class _Reading:
    """One way to understand the words: which are about a person, which about a place, which a reference.

    What the words say together is settled in the small tables, before any booking is looked at.
    """

    people: QuerySet[User] | None = None
    lots: QuerySet[Lot] | None = None
    number: str = ""
    reference: str = ""

    def longer(self, word: str) -> Iterator[_Reading]:
        """With one more word, in each way there is something for."""
        people = _people(word, User.objects.all() if self.people is None else self.people)
        if people.exists():
            yield replace(self, people=people)
        lots = Lot.objects.all() if self.lots is None else self.lots
        lots = lots.filter(Q(name__icontains=word) | Q(city__icontains=word))
        if lots.exists():
            yield replace(self, lots=lots)
        if not self.number and Spot.objects.filter(number__iexact=word).exists():
            yield replace(self, number=word)
        # The "2" of "alexander 2" is a spot, not the beginning of every thirty-second reference.
        begins = word.upper() if len(word) >= SHORTEST_REFERENCE and not self.reference else ""
        if begins and Booking.objects.filter(reference__startswith=begins).exists():
            yield replace(self, reference=begins)

    def rows(self) -> Q:
        found = Q()
        if self.people is not None:
            found &= Q(driver__in=_few_or_all(self.people))
        if self.number:
            spots = Spot.objects.filter(number__iexact=self.number)
            spots = spots if self.lots is None else spots.filter(lot__in=self.lots)
            found &= Q(spot__in=_few_or_all(spots))
        elif self.lots is not None:
            found &= Q(lot__in=_few_or_all(self.lots))
        if self.reference:
            found &= Q(reference__startswith=self.reference)
        return found


def _readings(words: list[str]) -> list[_Reading]:
    readings = [_Reading()]
    for word in words:
        readings = [longer for reading in readings for longer in reading.longer(word)][:MOST_READINGS]
    return readings


def _people(word: str, among: QuerySet[User]) -> QuerySet[User]:
    """Whoever has this address, else whose address or name it is a part of."""
    if "@" in word and (exactly := among.filter(email=word.lower())).exists():
        return exactly
    return among.filter(Q(email__icontains=word) | Q(name__icontains=word))


def _by_part_of_plate(plate: str, now: datetime) -> QuerySet[Booking]:
    return Booking.objects.filter(plate_normalised__contains=plate, starts_at__gte=now - LATELY)


def _few_or_all(rows: QuerySet[Any]) -> Any:
    """The ids themselves where there are few, else a subquery."""
    ids = rows.order_by().values_list("pk", flat=True)
    few = list(ids[: FEW + 1])
    return few if len(few) <= FEW else ids


class CountsToALimit(Paginator):
    """Counts no further than anybody turns pages: counting a million rows takes longer than showing fifty."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[:MOST_COUNTED].count())
