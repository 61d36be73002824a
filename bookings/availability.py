"""Is a spot free? One answer for pages, API, admin and imports. Reads only; promises nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict, Unpack

from django.db.models import (
    BooleanField,
    Case,
    CharField,
    Count,
    DateTimeField,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from accounts.prepared import prepared
from bookings.models import SOON, Booking, State
from lots import clock
from lots.distance import distance_km
from lots.models import Closure, Lot, Spot, SpotQuerySet, shut

NEVER = datetime.max.replace(tzinfo=UTC)
HORIZON = timedelta(days=14)  # how far ahead "when is it free" looks
MOST_LONGER = timedelta(hours=12)  # for more there is a date to fill in
NEARBY_KM = 3.0
MOST_NEARBY = 20  # lots looked at; those with something free are proposed, three at most
CERTAIN, LIKELY, UNCERTAIN = "certain", "likely", "uncertain"


class Wanted(TypedDict, total=False):
    """What the spot must offer."""

    features: tuple[str, ...]
    vehicle_kind: str


@dataclass(frozen=True, slots=True)
class Opening:
    """A spot and when it is free: from `starts_at`, and until `ends_at` where somebody comes after.

    `confidence` says how far to trust the start, by whoever is on the spot before. CERTAIN: nobody, or a
    booking that ends by itself. LIKELY: a stay that goes on until its driver leaves, and has not reached
    its planned end; or a hold, which may run out and free the spot sooner. UNCERTAIN: a stay past its
    planned end. A driver may still extend where nobody comes after.
    """

    spot: Spot
    starts_at: datetime
    ends_at: datetime | None
    confidence: str


@dataclass(frozen=True, slots=True)
class Alternative:
    """What could be done instead of what was refused.

    `kind`: shorter, later, other_spot or nearby can be booked; waitlist can be waited for.
    """

    kind: str
    lot: Lot
    spot: Spot | None
    starts_at: datetime
    ends_at: datetime
    free: int = 1


def free_spots(
    starts_at: datetime,
    ends_at: datetime,
    *,
    now: datetime,
    lots: Iterable[int],
    features: tuple[str, ...] = (),
    vehicle_kind: str = "",
) -> SpotQuerySet:
    """The spots of `lots` that are in service and nobody occupies at any moment of [starts_at, ends_at).

    Asks each spot for the last occupying booking that starts before the window ends and whether that is
    over by then: right because occupying bookings of one spot never overlap, and one index probe a spot.
    """
    asked = Spot.objects.filter(lot__in=lots).offering(features=features, vehicle_kind=vehicle_kind)
    return _free(asked, starts_at, ends_at, now, starts_at <= now + SOON)


def first_free(
    lot_id: int,
    starts_at: datetime,
    ends_at: datetime,
    *,
    now: datetime,
    features: tuple[str, ...] = (),
    vehicle_kind: str = "",
    spot_kind: str = "",
    spot_id: int | None = None,
) -> Spot | None:
    """The first of free_spots() in the order they are given away in; with `spot_id` that one or none."""
    found = _first_free(
        lot_id=lot_id,
        starts_at=starts_at,
        ends_at=ends_at,
        now=now,
        is_soon=starts_at <= now + SOON,
        features=features,
        vehicle_kind=vehicle_kind,
        spot_kind=spot_kind,
        spot_id=spot_id,
    )
    return found[0] if found else None


@prepared("lot_id", "starts_at", "ends_at", "now", "spot_id")
def _first_free(
    *,
    lot_id: int,
    starts_at: datetime,
    ends_at: datetime,
    now: datetime,
    is_soon: bool,
    features: tuple[str, ...],
    vehicle_kind: str,
    spot_kind: str,
    spot_id: int | None,
) -> SpotQuerySet:
    asked = Spot.objects.filter(lot=lot_id).offering(features=features, vehicle_kind=vehicle_kind)
    spots = _free(asked, starts_at, ends_at, now, is_soon)
    if spot_kind:
        spots = spots.filter(kind=spot_kind)
    if spot_id is not None:
        spots = spots.filter(pk=spot_id)
    return spots.cheapest_first()[:1]


def _free(
    spots: SpotQuerySet, starts_at: datetime, ends_at: datetime, now: datetime, is_soon: bool
) -> SpotQuerySet:
    spots, nobody = _unoccupied(spots.in_service(), starts_at, ends_at, now, is_soon)
    return spots.filter(nobody).open_throughout(starts_at, ends_at)


def _unoccupied(
    spots: SpotQuerySet, starts_at: datetime, ends_at: datetime, now: datetime, is_soon: bool
) -> tuple[SpotQuerySet, Q]:
    """The spots, and what is true of those that nobody occupies at any moment of [starts_at, ends_at)."""
    others = Booking.objects.blocking(now).filter(spot=OuterRef("pk"))
    last_end = others.filter(starts_at__lt=ends_at).order_by("-starts_at").values("ends_at")[:1]
    free_by = Coalesce(Subquery(last_end), Value(starts_at), output_field=DateTimeField())
    nobody = Q(free_by__lte=starts_at)
    if is_soon:
        # Whoever stays past the end until released stands there, whatever the row's end says.
        nobody &= Q(~Exists(others.staying_on(now)))
    return spots.alias(free_by=free_by), nobody


def free_counts(
    lots: Iterable[int], starts_at: datetime, ends_at: datetime, *, now: datetime, **wanted: Unpack[Wanted]
) -> dict[int, int]:
    """How many spots of each lot are free for the window; one query, however many lots."""
    ids = list(lots)
    counts = dict.fromkeys(ids, 0)
    if ids:
        # Prepared for 1, 2, 4, 8 … lots: the last one named again fills it up.
        for begin in range(0, len(ids), MOST_COUNTED):
            some = ids[begin : begin + MOST_COUNTED]
            places = 1 << (len(some) - 1).bit_length()
            named = {f"lot{n}": some[min(n, len(some) - 1)] for n in range(places)}
            is_soon = starts_at <= now + SOON
            counts.update(
                _counts(starts_at=starts_at, ends_at=ends_at, now=now, is_soon=is_soon, **wanted, **named)
            )
    return counts


MOST_COUNTED = 256  # lots at once


@prepared("starts_at", "ends_at", "now", *(f"lot{n}" for n in range(MOST_COUNTED)))
def _counts(
    *,
    starts_at: datetime,
    ends_at: datetime,
    now: datetime,
    is_soon: bool,
    features: tuple[str, ...] = (),
    vehicle_kind: str = "",
    **lots: int,
) -> QuerySet[Any]:
    asked = Spot.objects.filter(lot__in=lots.values()).offering(features=features, vehicle_kind=vehicle_kind)
    free = _free(asked, starts_at, ends_at, now, is_soon)
    return free.values_list("lot").annotate(free=Count("pk")).order_by()


def spot_statuses(
    lot: Lot, starts_at: datetime, ends_at: datetime, *, now: datetime
) -> list[tuple[Spot, str]]:
    """Each spot of the lot, by number, with "free", "taken" or "closed" for the window. Never who."""
    return as_spots(status_rows(lot, starts_at, ends_at, now=now))


def status_rows(lot: Lot, starts_at: datetime, ends_at: datetime, *, now: datetime) -> list[tuple[Any, ...]]:
    """SHOWN of each spot of the lot, by number, and last its status; one statement, and no rows of models.

    Every open page of a lot asks this every few seconds.
    """
    is_soon = starts_at <= now + SOON
    return _statuses(lot_id=lot.pk, starts_at=starts_at, ends_at=ends_at, now=now, is_soon=is_soon)


def as_spots(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Spot, str]]:
    """The rows of status_rows() as spots with their statuses."""
    return [(Spot.from_db(None, SHOWN, row[:-1]), row[-1]) for row in rows]


# What a plan shows of a spot; in the order of the model's fields, as Model.from_db() wants them.
SHOWN = [
    *("id", "lot_id", "number", "number_key", "building", "floor", "kind", "vehicle_kinds", "features"),
    *("scarcity", "is_in_service"),
]


@prepared("lot_id", "starts_at", "ends_at", "now")
def _statuses(
    *, lot_id: int, starts_at: datetime, ends_at: datetime, now: datetime, is_soon: bool
) -> QuerySet[Any]:
    spots, nobody = _unoccupied(Spot.objects.kept().filter(lot=lot_id), starts_at, ends_at, now, is_soon)
    status = Case(
        When(Q(is_in_service=False) | shut(starts_at, ends_at), then=Value("closed")),
        When(nobody, then=Value("free")),
        default=Value("taken"),
    )
    return spots.by_number().values_list(*SHOWN, status)


def shut_lots(windows: dict[int, tuple[datetime, datetime]]) -> dict[int, datetime]:
    """Which of these lots an operator has closed as a whole at some moment of their window, and until when.

    NEVER where nobody knows. One query, however many lots; opening hours are another matter.
    """
    shut: dict[int, datetime] = {}
    if windows:
        first, last = min(begin for begin, _end in windows.values()), max(end for _, end in windows.values())
        closures = Closure.objects.in_force().of_lots().filter(lot__in=list(windows))
        rows = closures.overlapping(first, last).values_list("lot", "starts_at", "ends_at")
        for lot, starts_at, ends_at in rows:
            begin, end = windows[lot]
            if starts_at < end and (ends_at is None or ends_at > begin):
                shut[lot] = max(shut.get(lot, begin), ends_at or NEVER)
    return shut


def window(lot: Lot, now: datetime) -> tuple[datetime, datetime]:
    """The period meant when nobody named one: from now for the lot's default stay."""
    return now, now + timedelta(minutes=lot.default_stay_minutes)


@dataclass(slots=True)
class Diary:
    """Who stands or comes where on one lot, from `begin` on: read once, asked for many things.

    `away` is by spot, and under None what closes the whole lot: (from, until, how sure the end is).
    """

    lot: Lot
    begin: datetime
    now: datetime
    spots: Sequence[Spot]
    away: dict[int | None, list[tuple[datetime, datetime, str]]] = field(default_factory=dict)
    staying: set[int | None] = field(default_factory=set)

    @classmethod
    def read(cls, lot: Lot, begin: datetime, *, now: datetime, spots: Sequence[Spot] | None = None) -> Diary:
        """One query; two where the lot's `spots` in service are not at hand."""
        if spots is None:
            spots = list(lot.spots.in_service())
        diary = cls(lot, begin, now, spots)
        stays_on = Exists(Booking.objects.staying_on(now).filter(pk=OuterRef("pk")))
        bookings: Any = (
            Booking.objects.blocking(now)
            .filter(lot=lot, starts_at__lt=begin + HORIZON)
            .annotate(is_staying=stays_on)
            .filter(Q(ends_at__gt=begin) | stays_on)
            .order_by()
            .values_list("spot_id", "starts_at", "ends_at", "state", "is_open_ended", "is_staying")
        )
        no, nothing = Value(False, output_field=BooleanField()), Value("", output_field=CharField())
        closures = (
            Closure.objects.in_force()
            .filter(lot=lot)
            .overlapping(begin, begin + HORIZON)
            .order_by()
            .values_list("spot_id", "starts_at", "ends_at", nothing, no, no)
        )
        for row in bookings.union(closures, all=True):
            diary._note(*row)
        return diary

    def _note(
        self,
        spot_id: int | None,
        starts_at: datetime,
        ends_at: datetime | None,
        state: str,
        is_open_ended: bool,
        stays_on: bool,
    ) -> None:
        if stays_on:
            self.staying.add(spot_id)
        sure = LIKELY if is_open_ended or state == State.HELD else CERTAIN
        if ends_at is None or ends_at > self.begin:
            self.away.setdefault(spot_id, []).append((starts_at, ends_at or NEVER, sure))

    def shut_until(self, ends_at: datetime) -> datetime | None:
        """See shut_lots(): the same of this lot, from the diary's beginning until `ends_at`."""
        return max((last for first, last, _sure in self.away.get(None, []) if first < ends_at), default=None)

    def openings(self, at_least: timedelta, **wanted: Unpack[Wanted]) -> Iterator[Opening]:
        """For each adequate spot its first gap of at least that length, within the horizon."""
        features, vehicle_kind = wanted.get("features", ()), wanted.get("vehicle_kind", "")
        # Whoever stays on is expected to leave within a step of the grid; better than "any moment".
        grace = self.now + max(timedelta(minutes=self.lot.grid_minutes), SOON + timedelta(minutes=1))
        for spot in self.spots:
            if not spot.offers(features, vehicle_kind):
                continue
            stays_on = spot.pk in self.staying
            free_from = max(self.begin, grace) if stays_on else self.begin
            until, confidence = None, CERTAIN
            for starts_at, ends_at, sure in sorted([*self.away.get(spot.pk, []), *self.away.get(None, [])]):
                if starts_at - free_from >= at_least:
                    until = starts_at
                    break
                free_from, confidence = max(free_from, ends_at), sure
            if free_from < NEVER:
                yield Opening(spot, free_from, until, UNCERTAIN if stays_on else confidence)

    def soonest(self, count: int) -> list[Opening]:
        """The spots that become free soonest, for at least one step of the lot's grid."""
        openings = self.openings(timedelta(minutes=self.lot.grid_minutes))
        return sorted(openings, key=_soonest_first)[:count]


def soonest_free(lot: Lot, *, now: datetime, count: int = 3) -> list[Opening]:
    return Diary.read(lot, now, now=now).soonest(count)


def _soonest_first(opening: Opening) -> tuple[datetime, int, str]:
    return opening.starts_at, opening.spot.scarcity, opening.spot.number_key


def latest_end(booking: Booking, *, now: datetime) -> datetime | None:
    """Up to when the booking's spot is free behind it; None when nobody comes after and nothing closes."""
    closing = next_closing(booking)
    return min(filter(None, [_next_start(booking, now), closing]), default=None)


def longest_end(booking: Booking, *, now: datetime) -> datetime:
    """The latest end worth proposing: nobody comes after, the lot is open, and neither its longest stay nor
    MOST_LONGER is passed. Not later than the present end: it cannot go on."""
    lot = booking.lot
    limits = [
        booking.ends_at + MOST_LONGER,
        latest_end(booking, now=now),
        lot.hours.open_until(booking.ends_at, lot.zone),
        booking.booked_from + timedelta(minutes=lot.max_stay_minutes) if lot.max_stay_minutes else None,
    ]
    return min(filter(None, limits))


def next_closing(booking: Booking) -> datetime | None:
    """From when its spot or lot is out of service, at the earliest when the booking ends."""
    closures = Closure.objects.in_force().of_spot(booking.spot_id, booking.lot_id)
    ahead = closures.filter(Q(ends_at=None) | Q(ends_at__gt=booking.ends_at)).order_by("starts_at")
    first = ahead.values_list("starts_at", flat=True).first()
    return max(first, booking.ends_at) if first else None


def closure_of(spot: Spot, starts_at: datetime, ends_at: datetime) -> Closure | None:
    """What keeps the spot out of service in the window; the one that lasts longest."""
    closures = Closure.objects.in_force().of_spot(spot.pk, spot.lot_id).overlapping(starts_at, ends_at)
    return closures.order_by(F("ends_at").desc(nulls_first=True)).first()


def closure_of_lot(lot: Lot, starts_at: datetime, ends_at: datetime) -> Closure | None:
    closures = Closure.objects.in_force().of_lots().filter(lot=lot).overlapping(starts_at, ends_at)
    return closures.order_by(F("ends_at").desc(nulls_first=True)).first()


def _next_start(booking: Booking, now: datetime) -> datetime | None:
    after = (
        Booking.objects.blocking(now)
        .filter(spot=booking.spot_id, starts_at__gte=booking.ends_at)
        .exclude(pk=booking.pk)
        .order_by("starts_at")
    )
    return after.values_list("starts_at", flat=True).first()


def alternatives(
    lot: Lot,
    starts_at: datetime,
    ends_at: datetime,
    *,
    now: datetime,
    features: tuple[str, ...] = (),
    vehicle_kind: str = "",
) -> list[Alternative]:
    """What could be done instead: another spot, a shorter stay, the same lot later, lots nearby, waiting."""
    wanted: Wanted = {"features": features, "vehicle_kind": vehicle_kind}
    other = free_spots(starts_at, ends_at, now=now, lots=[lot.pk], **wanted).cheapest_first().first()
    if other:
        return [Alternative("other_spot", lot, other, starts_at, ends_at)]
    return elsewhere(Diary.read(lot, starts_at, now=now), ends_at, **wanted)


def elsewhere(diary: Diary, ends_at: datetime, **wanted: Unpack[Wanted]) -> list[Alternative]:
    """The same where no adequate spot is free from the diary's beginning until `ends_at`."""
    lot, starts_at, now = diary.lot, diary.begin, diary.now
    return [
        *_shorter(diary, ends_at, wanted),
        *_later(diary, ends_at, wanted),
        *_nearby(lot, starts_at, ends_at, now, wanted),
        *_waiting(lot, starts_at, ends_at, now),
    ]


def _shorter(diary: Diary, ends_at: datetime, wanted: Wanted) -> list[Alternative]:
    openings = [
        o
        for o in diary.openings(timedelta(minutes=diary.lot.grid_minutes), **wanted)
        if o.starts_at == diary.begin and o.ends_at and o.ends_at < ends_at
    ]
    longest = max(openings, key=lambda o: o.ends_at or ends_at, default=None)
    if longest is None or longest.ends_at is None:
        return []
    return [Alternative("shorter", diary.lot, longest.spot, diary.begin, longest.ends_at)]


def _later(diary: Diary, ends_at: datetime, wanted: Wanted) -> list[Alternative]:
    lot, length = diary.lot, ends_at - diary.begin
    # Ask for one step more than needed: the start moves up to the next time on the grid.
    step = timedelta(minutes=lot.grid_minutes)
    for opening in sorted(diary.openings(length + step, **wanted), key=_soonest_first):
        begin = clock.next_on_grid(opening.starts_at, lot.grid_minutes, lot.zone)
        if lot.hours.is_open_throughout(begin, begin + length, lot.zone):
            return [Alternative("later", lot, opening.spot, begin, begin + length)]
    return []


def _nearby(
    lot: Lot, starts_at: datetime, ends_at: datetime, now: datetime, wanted: Wanted
) -> list[Alternative]:
    if lot.latitude is None or lot.longitude is None:
        return []
    degrees = NEARBY_KM / 111
    there = Spot.objects.filter(lot=OuterRef("pk")).offering(**wanted)
    free = _free(there, starts_at, ends_at, now, starts_at <= now + SOON)
    count = Subquery(free.order_by().values("lot").annotate(count=Count("pk")).values("count"))
    near = (
        Lot.objects.listed()
        .exclude(pk=lot.pk)
        .filter(
            latitude__range=(float(lot.latitude) - degrees, float(lot.latitude) + degrees),
            longitude__range=(float(lot.longitude) - 3 * degrees, float(lot.longitude) + 3 * degrees),
        )
        .annotate(km=distance_km(float(lot.latitude), float(lot.longitude)), free=count)
        .filter(km__lte=NEARBY_KM)
        .order_by("km", "pk")[:MOST_NEARBY]
    )
    found = [
        Alternative("nearby", other, None, starts_at, ends_at, other.free)
        for other in near
        if other.free and other.hours.is_open_throughout(starts_at, ends_at, other.zone)
    ]
    return found[:3]


def _waiting(lot: Lot, starts_at: datetime, ends_at: datetime, now: datetime) -> list[Alternative]:
    """The window to stand in line for: the one asked for; instead of "from now" the next on the grid."""
    soon = now + timedelta(minutes=max(lot.grid_minutes, lot.min_notice_minutes))
    begin, end = starts_at, ends_at
    if starts_at <= now:
        begin = clock.next_on_grid(soon, lot.grid_minutes, lot.zone)
        end = clock.next_on_grid(begin + (ends_at - starts_at), lot.grid_minutes, lot.zone)
    in_time = soon <= begin <= now + timedelta(days=lot.max_notice_days)
    on_grid = all(clock.is_on_grid(at, lot.grid_minutes, lot.zone) for at in (begin, end))
    too_long = lot.max_stay_minutes and end - begin > timedelta(minutes=lot.max_stay_minutes)
    if not in_time or not on_grid or too_long or not lot.is_listed:
        return []
    if not lot.hours.is_open_throughout(begin, end, lot.zone):
        return []
    return [Alternative("waitlist", lot, None, begin, end, 0)]
