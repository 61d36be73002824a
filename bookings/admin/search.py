"""Finding bookings among millions: words become ids in the small tables first, an index does the rest."""

from __future__ import annotations

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
FEW = 2000  # ids that are written out: the planner knows then how few rows there will be
MOST_FOUND = 1000  # bookings a search finds, the first in the list's order
LATELY = timedelta(days=90)  # how far back (by its beginning) a booking is found by the middle of its plate
MOST_COUNTED = 10_000


def find(bookings: QuerySet[Booking], text: str, *, now: datetime) -> QuerySet[Booking]:
    """The first thousand bookings that fit every word (reference, person, spot, lot or town), or this plate.

    A plate is found by its beginning, of bookings of the last months also by any part.
    """
    words = text.split()[:MOST_WORDS]
    if not words:
        return bookings
    found = Q()
    for word in words:
        found &= _word(word)
    # An address is no plate.
    plate = "" if "@" in text else normalise_plate(text)
    if 0 < len(plate) <= Booking._meta.get_field("plate_normalised").max_length:
        found |= Q(plate_normalised__startswith=plate)
        if len(plate) >= SHORTEST_PART:
            found |= Q(pk__in=_few_or_all(_by_part_of_plate(plate, now)))
    # Once, and no further than anybody turns pages: the list asks for their number and for each page.
    first = bookings.filter(found).values_list("pk", flat=True)[:MOST_FOUND]
    return bookings.filter(pk__in=list(first))


def _word(word: str) -> Q:
    people = User.objects.filter(email__iexact=word) if "@" in word else User.objects.none()
    if not people.exists():
        people = User.objects.filter(Q(email__icontains=word) | Q(name__icontains=word))
    lots = Lot.objects.filter(Q(name__icontains=word) | Q(city__icontains=word))
    spots = Spot.objects.filter(number__iexact=word)
    found = Q(driver__in=_few_or_all(people)) | Q(lot__in=_few_or_all(lots)) | Q(spot__in=_few_or_all(spots))
    # The "2" of "alexander 2" is a spot, not the beginning of every thirty-second reference.
    if len(word) >= SHORTEST_REFERENCE:
        found |= Q(reference__startswith=word.upper())
    return found


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
