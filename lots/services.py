"""Everything that makes or changes lots, spots and tariffs where no booking is concerned.

What must look at bookings first (lowering capacity, closing, removing) is in bookings.services.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import islice
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.text import slugify

from accounts.models import User
from accounts.prepared import prepared
from lots import history, rates
from lots.labels import new_code
from lots.models import Lot, Spot, Tariff

MOST_SPOTS = 20_000
# Letters slugify() would drop: Unicode takes no accent off them.
SPELT_OUT = str.maketrans(
    {
        "ß": "ss",
        "æ": "ae",
        "Æ": "Ae",
        "œ": "oe",
        "þ": "th",
        "ø": "o",
        "Ø": "O",
        "ł": "l",
        "Ł": "L",
        "đ": "d",
        "ð": "d",
    }
)


@transaction.atomic
def create_lot(
    *,
    name: str,
    capacity: int,
    price_per_hour: Decimal,
    by: User | None,
    now: datetime,
    spot_fields: dict[str, Any] | None = None,
    **fields: Any,
) -> Lot:
    """Make a lot with its spots 1..capacity and its first tariff version.

    `spot_fields` are given to every spot. Raises ValidationError with messages by field.
    """
    if not 0 <= capacity <= MOST_SPOTS:
        raise ValidationError({"capacity": f"Capacity must lie between 0 and {MOST_SPOTS:,}."})
    lot = Lot(name=name, price_per_hour=price_per_hour, **fields)
    lot.slug = lot.slug or free_slug(name)
    lot.full_clean()
    lot.save()
    if by is not None and by.lots_limited_to.exists():
        _add_to_limits(by, [lot], now)
    _put_spots(lot, [str(number) for number in range(1, capacity + 1)], **(spot_fields or {}))
    history.lots_made([(lot, capacity)], by=by, now=now)
    publish_tariff(lot, lot.simple_rates(), by=by, now=now)
    return lot


@transaction.atomic
def create_lots(wanted: list[tuple[Lot, int]], *, by: User | None, now: datetime) -> None:
    """Make many lots at once, each with its capacity: what create_lot() does, in a few queries for all.

    The lots are unsaved and their fields checked; slugs that are empty are made from city and name.
    """
    lots = [lot for lot, _capacity in wanted]
    _give_slugs([lot for lot in lots if not lot.slug])
    Lot.objects.bulk_create(lots, batch_size=500)
    spots = (Spot(lot=lot, number=str(n)) for lot, capacity in wanted for n in range(1, capacity + 1))
    while some := list(islice(spots, 5000)):
        Spot.objects.bulk_create(some, batch_size=500)
    tariffs = Tariff.objects.bulk_create(
        Tariff(
            lot=lot, version=1, document=lot.simple_rates().to_json(), valid_from=now, made_by=by, made_at=now
        )
        for lot in lots
    )
    history.lots_made(wanted, by=by, now=now)
    history.tariffs_made([(tariff, None) for tariff in tariffs], by=by, now=now)
    if by is not None and by.lots_limited_to.exists():
        _add_to_limits(by, lots, now)


@transaction.atomic
def set_operators(*, lot: Lot, users: Iterable[User], by: User | None, now: datetime) -> None:
    """Who is limited to this lot, and maybe others; who gave them which limits is on record."""
    wanted = set(users)
    before = {user: history.of_limits(user) for user in {*wanted, *lot.operators.all()}}
    lot.operators.set(wanted)
    for user, limits in before.items():
        history.limits_changed(user, limits, by=by, now=now)


def _add_to_limits(by: User, lots: list[Lot], now: datetime) -> None:
    """Who is limited would not see what they made."""
    before, link = history.of_limits(by), Lot.operators.through
    link.objects.bulk_create(link(lot=lot, user=by) for lot in lots)
    history.limits_changed(by, before, by=by, now=now)


def _give_slugs(lots: list[Lot]) -> None:
    if not lots:
        return
    taken = set(Lot.objects.values_list("slug", flat=True))
    for lot in lots:
        lot.slug = _first_free(plain_slug(f"{lot.city} {lot.name}"), taken)
        taken.add(lot.slug)


@transaction.atomic
def update_lot(*, lot_id: int, by: User | None, now: datetime, **fields: Any) -> Lot:
    """Change a lot's own fields. A new price per hour becomes a new tariff version."""
    lot = Lot.objects.select_for_update(no_key=True).get(pk=lot_id)
    old_price, old_currency, before = lot.price_per_hour, lot.currency, history.of_lot(lot)
    for name, value in fields.items():
        setattr(lot, name, value)
    lot.full_clean()
    lot.save()
    history.lot_changed(lot, before, by=by, now=now)
    if (lot.price_per_hour, lot.currency) != (old_price, old_currency):
        publish_tariff(lot, lot.simple_rates(), by=by, now=now)
    return lot


@transaction.atomic
def add_spots(
    lot: Lot, numbers: Iterable[str], *, by: User | None, now: datetime, **fields: Any
) -> list[Spot]:
    """Add spots by number; a retired spot of that number comes back instead."""
    numbers = list(numbers)
    was = lot.spots.kept().count()
    spots = _put_spots(lot, numbers, **fields)
    history.capacity_changed(lot, was=was, came=numbers, by=by, now=now)
    return spots


def _put_spots(lot: Lot, numbers: list[str], **fields: Any) -> list[Spot]:
    back = {spot.number: spot for spot in lot.spots.filter(number__in=numbers).exclude(retired_at=None)}
    for spot in back.values():
        spot.retired_at = None
        spot.save(update_fields=["retired_at"])
    new = [Spot(lot=lot, number=number, **fields) for number in numbers if number not in back]
    return [*back.values(), *Spot.objects.bulk_create(new, batch_size=500)]


@transaction.atomic
def renew_code(row: Lot | Spot, *, by: User | None, now: datetime) -> None:
    """A label was copied or taken away: it leads nowhere any more, and a new one must be printed."""
    row.code = new_code()
    type(row)._base_manager.filter(pk=row.pk).update(code=row.code)
    history.label_renewed(row, by=by, now=now)


def next_numbers(lot: Lot, count: int) -> list[str]:
    """The numbers new spots of a lot get: on from the highest one in use."""
    taken = [int(n) for n in lot.spots.kept().values_list("number", flat=True) if n.isdecimal()]
    first = max(taken, default=0) + 1
    return [str(number) for number in range(first, first + count)]


@transaction.atomic
def publish_tariff(
    lot: Lot, tariff: rates.Tariff, *, by: User | None, now: datetime, valid_from: datetime | None = None
) -> Tariff:
    """Add a tariff version for new bookings, from now or a later moment on. Bookings made keep theirs.

    Of two versions valid at a moment the one that began later counts, then the one made later: whoever
    changes their mind about a version to come publishes another one from the same moment.
    """
    # Locked, so that two who publish at once get two numbers.
    locked = Lot.objects.select_for_update(no_key=True).get(pk=lot.pk)
    if tariff.currency != locked.currency:
        raise ValidationError(
            f"The lot's currency is {locked.currency}, the tariff's {tariff.currency}.", code="currency"
        )
    if valid_from is not None and valid_from < now:
        raise ValidationError("A tariff begins now or later: bookings made keep theirs.", code="past")
    last = locked.tariffs.order_by("-version").first()
    made = Tariff.objects.create(
        lot=lot,
        version=last.version + 1 if last else 1,
        document=tariff.to_json(),
        valid_from=valid_from or now,
        made_by=by,
        made_at=now,
    )
    history.tariffs_made([(made, last)], by=by, now=now)
    if made.valid_from <= now:
        list_price(locked, tariff)
        lot.price_per_hour = locked.price_per_hour
    return made


def list_price(lot: Lot, tariff: rates.Tariff) -> None:
    """The lot's simple field follows the tariff: lists sort by it, and the API shows it."""
    hourly = rates.per_hour(tariff)
    amount = hourly.amount.quantize(Decimal("0.001"), ROUND_HALF_UP) if hourly else None
    if amount is not None and amount != lot.price_per_hour:
        lot.price_per_hour = amount
        lot.save(update_fields=["price_per_hour"])


def tariff_at(lot: Lot, now: datetime) -> Tariff:
    """The version new bookings get."""
    for tariff in _in_force(lot_id=lot.pk, now=now):
        tariff.lot = lot
        return tariff
    # A lot's first version holds from the beginning: replayed bookings lie before it was made.
    return lot.tariffs.earliest("version")


@prepared("lot_id", "now")
def _in_force(*, lot_id: int, now: datetime) -> QuerySet[Tariff]:
    found = Tariff.objects.filter(lot=lot_id, valid_from__lte=now)
    return found.order_by("-valid_from", "-version")[:1]


def plain_slug(name: str) -> str:
    return slugify(name.translate(SPELT_OUT))[:120] or "lot"


def free_slug(name: str) -> str:
    """A slug nobody has: the name's own, or with the next number behind it."""
    base = plain_slug(name)
    return _first_free(base, set(Lot.objects.filter(slug__startswith=base).values_list("slug", flat=True)))


def _first_free(base: str, taken: set[str]) -> str:
    number, slug = 1, base
    while slug in taken:
        number += 1
        slug = f"{base}-{number}"
    return slug
