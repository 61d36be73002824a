"""Many spots of one lot changed together: one lock, one look at the bookings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.models import User
from bookings.services import core
from bookings.services.premises import refuse_if_used
from lots import history
from lots.models import Spot


@transaction.atomic
def change_spots(
    *, lot_id: int, new: list[Spot], changed: dict[int, dict[str, Any]], by: User | None, now: datetime
) -> None:
    """
    Add spots (unsaved, checked, of numbers the lot does not have) and change others by id: all or none.

    What bookings rely on is refused while there are any, as in update_spot(). Raises SpotsInUse.
    """
    lot = core.lock_lot(lot_id)
    core.catch_up_lot(lot, now)
    spots = {spot.pk: spot for spot in lot.spots.select_related("lot").filter(pk__in=changed)}
    before = {pk: history.of_spot(spot) for pk, spot in spots.items()}
    losing = [spot for pk, spot in spots.items() if _apply(spot, changed[pk])]
    refuse_if_used(losing, now)
    for spot in spots.values():
        spot.save()
    Spot.objects.bulk_create(new, batch_size=500)
    history.spots_changed([(spot, before[pk]) for pk, spot in spots.items()], by=by, now=now)
    history.spots_made(new, by=by, now=now)


def _apply(spot: Spot, fields: dict[str, Any]) -> bool:
    """Whether it offers less than before."""
    features, was_in_service = set(spot.features), spot.is_in_service and spot.retired_at is None
    for name, value in fields.items():
        setattr(spot, name, value)
    is_in_service = spot.is_in_service and spot.retired_at is None
    return (was_in_service and not is_in_service) or not features <= set(spot.features_set())
