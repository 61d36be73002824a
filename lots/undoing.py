"""Taking away what was only just made. Whatever somebody uses or has built on stays, and its history too."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import CASCADE, Model, ProtectedError, QuerySet
from django.utils.translation import gettext as _

from accounts.models import Change, User
from lots import history
from lots.models import Lot, Spot, Tariff
from lots.services import list_price, tariff_at


@transaction.atomic
def unmake_lot(lot_id: int, *, by: User | None, now: datetime) -> None:
    """Delete a lot with its spots and its only tariff version. Raises ValidationError where it is in use."""
    lot = Lot.objects.select_for_update(no_key=True).get(pk=lot_id)
    spots_changed = Change.objects.filter(kind=Change.Kind.SPOT, lot_id=lot_id)
    if spots_changed.exists() or lot.tariffs.count() != 1:
        raise ValidationError(_("its spots or its tariff were changed since"))
    _refuse_if_built_on(Lot.objects.filter(pk=lot_id), apart_from={Spot, Tariff})
    try:
        lot.tariffs.all().delete()
        lot.spots.all().delete()
        history.lot_removed(lot, by=by, now=now)
        lot.delete()
    except ProtectedError:
        raise ValidationError(_("it has bookings")) from None


@transaction.atomic
def unmake_spots(lot_id: int, spot_ids: list[int], *, by: User | None, now: datetime) -> None:
    """Raises ValidationError where one of them was ever booked."""
    Lot.objects.select_for_update(no_key=True).get(pk=lot_id)
    spots = Spot.objects.filter(lot=lot_id, pk__in=spot_ids).select_related("lot")
    _refuse_if_built_on(spots, apart_from=set())
    try:
        history.spots_removed(spots, by=by, now=now)
        spots.delete()
    except ProtectedError as error:
        booked = {row.spot_id for row in error.protected_objects if hasattr(row, "spot_id")}
        numbers = Spot.objects.filter(pk__in=booked).by_number().values_list("number", flat=True)[:20]
        raise ValidationError(_("booked: %(numbers)s") % {"numbers": ", ".join(numbers)}) from None


@transaction.atomic
def unmake_tariff(tariff_id: int, *, by: User | None, now: datetime) -> None:
    """Delete a lot's newest tariff version while no booking has it. Raises ValidationError."""
    tariff = Tariff.objects.select_related("lot").get(pk=tariff_id)
    lot = Lot.objects.select_for_update(no_key=True).get(pk=tariff.lot_id)
    if lot.tariffs.filter(version__gt=tariff.version).exists() or tariff.version == 1:
        raise ValidationError(_("it is not the newest version, or the only one"))
    try:
        history.tariff_removed(tariff, by=by, now=now)
        tariff.delete()
    except ProtectedError:
        raise ValidationError(_("it has bookings")) from None
    list_price(lot, tariff_at(lot, now).rates)


def _refuse_if_built_on(rows: QuerySet[Any], *, apart_from: set[type[Model]]) -> None:
    """What a deletion would quietly take along: nobody meant that to go. Bookings protect themselves."""
    for relation in rows.model._meta.related_objects:
        if relation.on_delete is not CASCADE or relation.related_model in apart_from:
            continue
        others = relation.related_model._base_manager
        if others.filter(**{f"{relation.field.name}__in": rows.values("pk")}).exists():
            name = relation.related_model._meta.verbose_name
            raise ValidationError(_("it has what was added since: %(name)s") % {"name": name})
