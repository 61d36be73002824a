"""What each spot is at this moment, and whose: what the back office's board and its list of spots show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Min, Q, TextChoices
from django.utils.translation import gettext_lazy as _

from bookings.models import Booking, BookingQuerySet, State
from bookings.situations import ARRIVING, spots_closed
from lots.models import Spot


class Look(TextChoices):
    """What a spot is now; of several, the one the desk must know first."""

    OVERSTAYING = "over", _("overstaying")
    OCCUPIED = "taken", _("occupied")
    DUE = "due", _("due, not here yet")
    HELD = "held", _("being booked")
    CLOSED = "closed", _("out of service")
    SOON = "soon", _("booked soon")
    FREE = "free", _("free")


@dataclass(frozen=True, slots=True)
class SpotNow:
    """A spot, and the booking it is about: who is there, or within two hours comes next."""

    spot: Spot
    look: Look
    booking: Booking | None = None
    next_start: datetime | None = None

    @property
    def is_there(self) -> bool:
        """Somebody stands there, or it is kept for them now."""
        return self.look in (Look.OVERSTAYING, Look.OCCUPIED, Look.DUE, Look.HELD)


def spots_now(spots: Sequence[Spot], *, now: datetime) -> list[SpotNow]:
    """In the order given; five queries and one for the tariffs, however many spots there are."""
    ids = [spot.pk for spot in spots]
    there, starts = _occupants(ids, now), _next_starts(ids, now)
    coming = _with_people(_later(ids, now).filter(starts_at__lte=now + ARRIVING))
    first = {booking.spot_id: booking for booking in coming.order_by("-starts_at")}
    closed = set(spots_closed(Spot.objects.filter(pk__in=ids), now).values_list("pk", flat=True))
    found = []
    for spot in spots:
        booking = there.get(spot.pk) or (None if spot.pk in closed else first.get(spot.pk))
        look = _look(there.get(spot.pk), spot.pk in closed, spot.pk in first, now)
        found.append(SpotNow(spot, look, booking, starts.get(spot.pk)))
    return found


def _look(booking: Booking | None, is_closed: bool, is_soon: bool, now: datetime) -> Look:
    if booking is None:
        return Look.CLOSED if is_closed else Look.SOON if is_soon else Look.FREE
    if booking.stays_on(now):
        return Look.OVERSTAYING
    return {State.HELD: Look.HELD, State.CONFIRMED: Look.DUE}.get(State(booking.state), Look.OCCUPIED)


def _occupants(spots: Sequence[int], now: datetime) -> dict[int, Booking]:
    there = Booking.objects.blocking(now).filter(spot__in=spots, starts_at__lte=now)
    overstaying = Q(pk__in=Booking.objects.overstaying(now).filter(spot__in=spots))
    rows = _with_people(there.filter(Q(ends_at__gt=now) | overstaying))
    return {booking.spot_id: booking for booking in rows.order_by("starts_at")}


def _later(spots: Sequence[int], now: datetime) -> BookingQuerySet:
    return Booking.objects.blocking(now).filter(spot__in=spots, starts_at__gt=now)


def _next_starts(spots: Sequence[int], now: datetime) -> dict[int, datetime]:
    return dict(_later(spots, now).values_list("spot").annotate(Min("starts_at")).order_by())


def _with_people(bookings: BookingQuerySet) -> BookingQuerySet:
    # Tariffs apart: the bookings of a lot share a few, and reading one takes longer than finding it.
    return bookings.select_related("driver", "lot", "spot").prefetch_related("tariff")
