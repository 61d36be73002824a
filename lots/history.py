"""What the record of changes (accounts.changes) says of lots, spots, tariffs and closures."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from accounts import changes
from accounts.changes import Values
from accounts.models import Change, User
from lots.closures import Closure
from lots.hours import OpeningHours, to_text
from lots.models import Lot, Spot, Tariff
from lots.tariff_words import sentences

# Label codes open a spot to whoever has them; the others follow from columns that are told.
UNTOLD = ("code", "number_key", "scarcity")
NUMBERS_NAMED = 12


def of_lot(lot: Lot) -> Values:
    """Its own columns, policies and opening hours among them, in words."""
    return changes.values(lot, apart_from=UNTOLD) | {
        "opening_hours": _hours(lot),
        "cancellation_tiers": ", ".join(
            f"{tier['refund_percent']} % from {tier['notice_minutes']} min before"
            for tier in lot.cancellation_tiers
        ),
    }


def of_spot(spot: Spot) -> Values:
    return changes.values(spot, apart_from=UNTOLD)


def of_tariff(tariff: Tariff) -> Values:
    words = changes.values(tariff, apart_from=("version", "made_at"))
    return words | {"document": " · ".join(sentences(tariff.rates))}


def of_closure(closure: Closure) -> Values:
    spot = closure.spot.number if closure.spot else ""
    return {"spot": spot, **changes.values(closure, apart_from=("created_at",))}


def lots_made(lots: Iterable[tuple[Lot, int]], *, by: User | None, now: datetime) -> None:
    """Each with its capacity; of its columns those that say more than a new lot's would."""
    usual = of_lot(Lot(price_per_hour=0))
    changes.note_all(
        changes.change(
            lot, None, _telling(of_lot(lot), usual) | {"capacity": str(capacity)}, **_lot(lot, by, now)
        )
        for lot, capacity in lots
    )


def lot_changed(lot: Lot, before: Values, *, by: User | None, now: datetime) -> None:
    changes.note(lot, before, of_lot(lot), **_lot(lot, by, now))


def capacity_changed(
    lot: Lot, *, was: int, came: Iterable[str] = (), went: Iterable[str] = (), by: User | None, now: datetime
) -> None:
    """One line, however many spots there are."""
    new, old = list(came), list(went)
    before = {"capacity": str(was), "spots": _numbers(old)}
    after = {"capacity": str(was + len(new) - len(old)), "spots": _numbers(new)}
    changes.note(lot, before, after, **_lot(lot, by, now))


def label_renewed(row: Lot | Spot, *, by: User | None, now: datetime) -> None:
    where = _lot(row, by, now) if isinstance(row, Lot) else _spot(row, by, now)
    changes.note(row, {"code": ""}, {"code": "a new one"}, **where)


def lot_removed(lot: Lot, *, by: User | None, now: datetime) -> None:
    changes.note(lot, {}, None, **_lot(lot, by, now))


def spots_made(spots: Iterable[Spot], *, by: User | None, now: datetime) -> None:
    usual = of_spot(Spot())
    changes.note_all(
        changes.change(spot, None, _telling(of_spot(spot), usual), **_spot(spot, by, now)) for spot in spots
    )


def spots_changed(pairs: Iterable[tuple[Spot, Values]], *, by: User | None, now: datetime) -> None:
    """Each with what it was before."""
    changes.note_all(
        changes.change(spot, before, of_spot(spot), **_spot(spot, by, now)) for spot, before in pairs
    )


def spots_removed(spots: Iterable[Spot], *, by: User | None, now: datetime) -> None:
    changes.note_all(changes.change(spot, {}, None, **_spot(spot, by, now)) for spot in spots)


def tariffs_made(tariffs: Iterable[tuple[Tariff, Tariff | None]], *, by: User | None, now: datetime) -> None:
    """Each beside the version before it, if there was one."""
    changes.note_all(_tariff(new, last, by, now) for new, last in tariffs)


def tariff_removed(tariff: Tariff, *, by: User | None, now: datetime) -> None:
    changes.note(tariff, of_tariff(tariff), None, name=_version(tariff), lot_id=tariff.lot_id, by=by, now=now)


def closures_made(closures: Iterable[Closure], *, by: User | None, now: datetime) -> None:
    changes.note_all(
        changes.change(closure, None, of_closure(closure), **_closure(closure, by, now))
        for closure in closures
    )


def closure_changed(closure: Closure, before: Values, *, by: User | None, now: datetime) -> None:
    changes.note(closure, before, of_closure(closure), **_closure(closure, by, now))


def of_limits(user: User) -> Values:
    names = user.lots_limited_to.order_by("name", "pk").values_list("name", flat=True)
    return {"lots": ", ".join(names)[: changes.LONGEST]}


def limits_changed(user: User, before: Values, *, by: User | None, now: datetime) -> None:
    """Of the person, whom the record does not name."""
    changes.note(user, before, of_limits(user), by=by, now=now)


def _tariff(new: Tariff, last: Tariff | None, by: User | None, now: datetime) -> Change | None:
    found = changes.change(
        new, of_tariff(last) if last else None, of_tariff(new),
        name=_version(new), lot_id=new.lot_id, by=by, now=now,
    )  # fmt: skip
    # What differs from the version before is told, but a version is always a new one.
    found = found or changes.change(new, None, {}, name=_version(new), lot_id=new.lot_id, by=by, now=now)
    if found:
        found.action = Change.Action.MADE
    return found


def _version(tariff: Tariff) -> str:
    return f"{tariff.lot.name} v{tariff.version}"


def _lot(lot: Lot, by: User | None, now: datetime) -> dict[str, Any]:
    return {"name": lot.name, "lot_id": lot.pk, "by": by, "now": now}


def _spot(spot: Spot, by: User | None, now: datetime) -> dict[str, Any]:
    return {"name": f"{spot.lot.name}, {spot.number}", "lot_id": spot.lot_id, "by": by, "now": now}


def _closure(closure: Closure, by: User | None, now: datetime) -> dict[str, Any]:
    return {"name": closure.lot.name, "lot_id": closure.lot_id, "by": by, "now": now}


def _telling(values: Values, usual: Values) -> Values:
    return {name: text for name, text in values.items() if text and text != usual[name]}


def _hours(lot: Lot) -> str:
    if not lot.opening_hours:
        return ""
    hours = OpeningHours.from_json(lot.opening_hours)  # lot.hours may be those of before
    exceptions = [
        f"{word} {begins:%Y-%m-%d %H:%M} – {ends:%Y-%m-%d %H:%M}"
        for word, periods in (("open", hours.openings), ("closed", hours.closings))
        for begins, ends in periods
    ]
    return "; ".join([to_text(hours), *exceptions])


def _numbers(numbers: list[str]) -> str:
    more = len(numbers) - NUMBERS_NAMED
    return ", ".join(numbers[:NUMBERS_NAMED]) + (f" and {more} more" if more > 0 else "")
