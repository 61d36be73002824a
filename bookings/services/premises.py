"""Changes of lots and spots that must look at the bookings first."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from accounts.models import User
from bookings.errors import LotInUse, SpotsInUse
from bookings.models import Booking
from bookings.services import core
from lots import history
from lots.models import Lot, Spot
from lots.services import MOST_SPOTS, add_spots, next_numbers

NAMED = 20  # so many spots a refusal names


@transaction.atomic
def set_capacity(*, lot_id: int, capacity: int, by: User | None, now: datetime) -> Lot:
    """Raise: add the next numbers. Lower: remove the last, refused where any is in use or booked later."""
    if not 0 <= capacity <= MOST_SPOTS:
        raise ValidationError({"capacity": f"Capacity must lie between 0 and {MOST_SPOTS:,}."})
    lot = core.lock_lot(lot_id)
    core.catch_up_lot(lot, now)
    spots = list(lot.spots.kept().by_number())
    if capacity > len(spots):
        add_spots(lot, next_numbers(lot, capacity - len(spots)), by=by, now=now)
        core.pass_on(lot, now)
    elif capacity < len(spots):
        last = spots[capacity:]
        refuse_if_used(last, now)
        for spot in last:
            spot.retired_at = now
            spot.save(update_fields=["retired_at"])
        went = [spot.number for spot in last]
        history.capacity_changed(lot, was=len(spots), went=went, by=by, now=now)
    return lot


@transaction.atomic
def remove_lot(*, lot_id: int, by: User | None, now: datetime) -> Lot:
    """Archive a lot nobody uses or has booked: it is gone for drivers, and its history stays."""
    lot = core.lock_lot(lot_id)
    core.catch_up_lot(lot, now)
    used = used_spots(list(lot.spots.kept()), now)
    if used:
        raise LotInUse(f"{LotInUse.message} ({_named(used)} in use now or booked later).", spots=used)
    if lot.archived_at is None:
        before = history.of_lot(lot)
        lot.archived_at, lot.is_active = now, False
        lot.save()
        history.lot_changed(lot, before, by=by, now=now)
    return lot


@transaction.atomic
def set_spot_in_service(*, spot_id: int, is_in_service: bool, by: User | None, now: datetime) -> Spot:
    """Take a spot out of service, refused where it is in use or booked later, or put it back."""
    return update_spot(spot_id=spot_id, by=by, now=now, is_in_service=is_in_service)


@transaction.atomic
def update_spot(*, spot_id: int, by: User | None, now: datetime, **fields: Any) -> Spot:
    """Change a spot's own fields. What bookings rely on is refused while there are any.

    Those are its number (drivers look for it), what it offers, and that it is in service.
    """
    lot = core.lock_lot(Spot.objects.values_list("lot_id", flat=True).get(pk=spot_id))
    core.catch_up_lot(lot, now)
    spot = lot.spots.get(pk=spot_id)
    was, before = {name: getattr(spot, name) for name in fields}, history.of_spot(spot)
    for name, value in fields.items():
        setattr(spot, name, value)
    spot.full_clean()
    taken_away = (
        (was.get("is_in_service") and not spot.is_in_service)
        or ("number" in was and was["number"] != spot.number)
        or ("features" in was and not set(was["features"]) <= set(spot.features_set()))
    )
    if taken_away:
        refuse_if_used([spot], now)
    spot.save()
    history.spots_changed([(spot, before)], by=by, now=now)
    # Whatever it offers now, somebody may have waited for just that.
    core.pass_on(lot, now)
    return spot


def refuse_if_used(spots: list[Spot], now: datetime) -> None:
    used = used_spots(spots, now)
    if used:
        word = "Spot" if len(used) == 1 else "Spots"
        verb = "is" if len(used) == 1 else "are"
        raise SpotsInUse(f"{word} {_named(used)} {verb} in use now or booked later.", spots=used)


def used_spots(spots: list[Spot], now: datetime) -> list[str]:
    """The numbers of those with an occupying booking, now or later; looks and changes nothing."""
    busy = set(
        Booking.objects.blocking(now)
        .filter(spot__in=[spot.pk for spot in spots])
        .filter(Q(ends_at__gt=now) | Q(is_open_ended=True))
        .values_list("spot_id", flat=True)
        .distinct()
    )
    return [spot.number for spot in spots if spot.pk in busy]


def _named(numbers: list[str]) -> str:
    more = len(numbers) - NAMED
    return ", ".join(numbers[:NAMED]) + (f" and {more} more" if more > 0 else "")
