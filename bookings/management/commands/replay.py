"""Drive the booking services with recorded sessions, at the sessions' own times."""

from __future__ import annotations

import hashlib
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils.text import slugify

from accounts import changes
from bookings import services
from bookings.errors import BadBooking, BookingRefused
from bookings.models import Booking
from bookings.sessions import Session, SessionError, read_sessions
from lots.feeds import places
from lots.models import Lot
from lots.services import add_spots, create_lot

# So many arrivals and departures share one transaction: a commit for each would mostly wait for the disk.
BATCH = 200
TOLD_EVERY = 1000
LONGEST_SPOT_NUMBER = 20
LONGEST_SOURCE_ID = 160
DEFAULT_PRICE = "1.00"

DEPARTURE, ARRIVAL = 0, 1  # in this order at the same moment: periods are half-open


class Event(NamedTuple):
    at: datetime
    kind: int
    row: int


@dataclass
class Replay:
    """One run over the sessions of a file on one lot."""

    lot: Lot
    sessions: list[Session]
    is_pool: bool
    known: dict[str, Booking] = field(default_factory=dict)
    """By source id: what an earlier run and this one have made."""
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def source_id(self, session: Session) -> str:
        """Stays the same on every run; unique among all bookings."""
        source_id = f"replay:{self.lot.pk}:{session.source_id}"
        if len(source_id) > LONGEST_SOURCE_ID:
            source_id = f"replay:{self.lot.pk}:{hashlib.sha256(session.source_id.encode()).hexdigest()}"
        return source_id

    def events(self) -> list[Event]:
        arrivals = (Event(session.arrival, ARRIVAL, i) for i, session in enumerate(self.sessions))
        departures = (Event(session.departure, DEPARTURE, i) for i, session in enumerate(self.sessions))
        return sorted([*arrivals, *departures])

    def run(self, tell: Callable[[int, int, datetime], None]) -> None:
        """Arrivals book, departures release, in the order of time."""
        events = self.events()
        done_until = self._done_until()
        for first in range(0, len(events), BATCH):
            batch = events[first : first + BATCH]
            with transaction.atomic():
                for event in batch:
                    self._step(event, done_until)
            done = first + len(batch)
            if done % TOLD_EVERY == 0 or done == len(events):
                tell(done, len(events), batch[-1].at)

    def _done_until(self) -> Event | None:
        """The last event an earlier run is known to have come to; None on a first run.

        Whoever arrived before it and has no booking was refused then (or was not in the file). Asking
        again would be wrong: those who stood in the way have left since.
        """
        bookings = {booking.source_id: booking for booking in self.bookings()}
        reached = []
        for index, session in enumerate(self.sessions):
            booking = bookings.get(self.source_id(session))
            if booking is None:
                continue
            self.known[self.source_id(session)] = booking
            reached.append(Event(session.arrival, ARRIVAL, index))
            if booking.is_over:
                reached.append(Event(session.departure, DEPARTURE, index))
        return max(reached, default=None)

    def bookings(self) -> list[Booking]:
        """All that was made of the sessions, by whichever run."""
        ids = {self.source_id(session) for session in self.sessions}
        rows = Booking.objects.filter(lot=self.lot, source_id__startswith=f"replay:{self.lot.pk}:")
        fields = ["source_id", "lot", "state", "starts_at", "ends_at", "total"]
        return [booking for booking in rows.only(*fields) if booking.source_id in ids]

    def _step(self, event: Event, done_until: Event | None) -> None:
        session = self.sessions[event.row]
        source_id = self.source_id(session)
        if event.kind == DEPARTURE:
            if source_id in self.known and (done_until is None or event > done_until):
                services.release(self.known[source_id], by=None, now=session.departure)
        elif source_id not in self.known:
            if done_until and event <= done_until:
                self.refused["passed_in_an_earlier_run"] += 1
            else:
                self._arrive(session, source_id)

    def _arrive(self, session: Session, source_id: str) -> None:
        try:
            booking = services.book(
                lot_id=self.lot.pk,
                kind=Booking.Kind.INSTANT,
                driver=None,
                spot_number="" if self.is_pool else session.station,
                ends_at=session.departure,
                source_id=source_id,
                now=session.arrival,
            )
        except (BookingRefused, BadBooking) as refusal:
            self.refused[refusal.code] += 1
        else:
            self.accepted += 1
            self.known[source_id] = booking


class Command(BaseCommand):
    help = (
        "Replay recorded parking or charging sessions (CSV or XLSX) through the booking services, at their "
        "own times. A second run recognises what it has made and does nothing twice."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", metavar="FILE", help="columns: arrival, departure, station, session, energy"
        )
        parser.add_argument(
            "--pool", type=int, metavar="N", help="N interchangeable spots, first come first served"
        )
        parser.add_argument("--lot", metavar="SLUG", help="the lot to use, made where missing")
        parser.add_argument(
            "--timezone", metavar="ZONE", help="local clock of times without an offset, and of the lot"
        )
        parser.add_argument(
            "--price-per-hour",
            metavar="AMOUNT",
            default=DEFAULT_PRICE,
            help="for a lot made now (default %(default)s)",
        )

    @changes.through("manage.py replay")
    def handle(self, *args: Any, **options: Any) -> None:
        path = Path(options["file"])
        if options["pool"] is not None and options["pool"] < 1:
            raise CommandError("--pool must be 1 or more.")
        try:
            sessions = read_sessions(path, _zone(options["timezone"]))
        except SessionError as error:
            raise CommandError(str(error)) from None
        numbers = _pool_numbers(options["pool"]) if options["pool"] else _station_numbers(path, sessions)
        lot = _lot_for(path, sessions, numbers, options)
        replay = Replay(lot, sessions, is_pool=bool(options["pool"]))
        replay.run(self._tell)
        self._sum_up(replay)

    def _tell(self, done: int, of: int, at: datetime) -> None:
        self.stdout.write(f"  {done:,} of {of:,} arrivals and departures, at {at:%Y-%m-%d %H:%M} UTC")

    def _sum_up(self, replay: Replay) -> None:
        """What the database holds of this file now, whichever run made it."""
        bookings = replay.bookings()
        periods = [(booking.starts_at, booking.ends_at) for booking in bookings]
        seconds = sum((booking.duration for booking in bookings), timedelta()).total_seconds()
        revenue = sum((booking.total for booking in bookings), Decimal(0))
        before = len(bookings) - replay.accepted
        spots = replay.lot.spots.kept().count()
        self.stdout.write(f"{replay.lot.name}: {len(replay.sessions):,} sessions, {spots} spots")
        self.stdout.write(f"  accepted {len(bookings):,} ({replay.accepted:,} now, {before:,} before)")
        self.stdout.write(f"  refused {replay.refused.total():,}{_by_reason(replay.refused)}")
        self.stdout.write(f"  minutes {seconds / 60:,.3f}")
        self.stdout.write(f"  at once {_peak(periods)} at most")
        self.stdout.write(f"  revenue {revenue:,.2f} {replay.lot.currency}")


def _by_reason(refused: Counter[str]) -> str:
    return f" ({', '.join(f'{code} {count:,}' for code, count in refused.most_common())})" if refused else ""


def _peak(periods: list[tuple[datetime, datetime]]) -> int:
    """How many periods there were at one moment at most; half-open, so ends come first."""
    steps = sorted([(start, 1) for start, _end in periods] + [(end, -1) for _start, end in periods])
    now = most = 0
    for _at, step in steps:
        now += step
        most = max(most, now)
    return most


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise CommandError(f"--timezone must be a zone such as Europe/Zurich, not {name!r}.") from None


def _pool_numbers(count: int) -> list[str]:
    return [str(number) for number in range(1, count + 1)]


def _station_numbers(path: Path, sessions: list[Session]) -> list[str]:
    numbers = sorted({session.station for session in sessions})
    if "" in numbers:
        raise CommandError(f"{path.name}: not every session names a station; replay it with --pool N.")
    if too_long := [number for number in numbers if len(number) > LONGEST_SPOT_NUMBER]:
        limit = LONGEST_SPOT_NUMBER
        raise CommandError(f"{path.name}: station {too_long[0]!r} is longer than {limit} characters.")
    if len({number.casefold() for number in numbers}) < len(numbers):
        raise CommandError(f"{path.name}: two stations differ in capitals only, so spots would mix.")
    return numbers


def _lot_for(path: Path, sessions: list[Session], numbers: list[str], options: dict[str, Any]) -> Lot:
    """The lot of this file with a spot for every number, made where missing."""
    pool = options["pool"]
    name = path.stem + (f", pool of {pool}" if pool else "")
    slug = options["lot"] or slugify(name)
    lot = Lot.objects.filter(slug=slug).first()
    if lot is None:
        lot = _make_lot(name, slug, sessions[0], options["price_per_hour"])
    elif options["lot"] is None and lot.source_id != f"replay:{slug}":
        raise CommandError(f"There is another lot {slug!r}; say --lot {slug} if the sessions belong there.")
    missing = sorted(set(numbers) - set(lot.spots.kept().values_list("number", flat=True)))
    add_spots(lot, missing, by=None, now=sessions[0].arrival)
    in_service = lot.spots.in_service().count()
    if pool and in_service != pool:
        raise CommandError(f"The lot {slug!r} has {in_service} spots in service, not {pool}.")
    return lot


def _country_and_currency(timezone: str) -> dict[str, Any]:
    country = places.country_of_zone(timezone)
    return {"country": country, "currency": places.CURRENCIES.get(country, "EUR")}


def _make_lot(name: str, slug: str, session: Session, price: str) -> Lot:
    try:
        return create_lot(
            name=name[:120],
            slug=slug,
            capacity=0,
            price_per_hour=Decimal(price),
            timezone=session.timezone or "UTC",
            source_id=f"replay:{slug}"[:120],
            # A stay goes on until its recorded departure releases it. One that ended by itself would be
            # ended by the clock's sweep, for which all of this is long over, and its spot given away.
            end_of_stay=Lot.EndOfStay.UNTIL_RELEASED,
            by=None,
            now=session.arrival,
            **_country_and_currency(session.timezone),
        )
    except InvalidOperation:
        raise CommandError(f"--price-per-hour must be an amount such as 1.00, not {price!r}.") from None
    except ValidationError as error:
        raise CommandError(f"The lot {slug!r} cannot be made: {'; '.join(error.messages)}") from None
