"""The demo's bookings: planned as plain values, then lived through in the order of time.

Everything goes through bookings.services, at the moments it would have happened, so that prices,
timelines and refusals are the system's own.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import F

from accounts.models import Notice, User
from bookings import services
from bookings.errors import BadBooking, BookingRefused
from bookings.models import Booking
from lots import clock
from lots.models import Lot
from parking.demo.people import People

SEED = 2026
HISTORY = timedelta(days=21)
BOOKED_AHEAD = timedelta(days=14)
SOURCE = "demo:"

# Lots with something to show. The others are between a tenth and a third full.
FULL = "parkapi:zuerichparkhaushelvetiaplatz"
NEARLY_FULL = "parkapi:dresdenbuehlau"
BUSY = "parkapi:koeln-ph02"
WALK_INS_A_LOT = 7
MOST_PRESENT = 20
METHODS = ("card", "cash")  # what the two drivers leave at the desk, in turn

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one driver will do. Without `driver` it is a walk-in nobody knows."""

    lot: Lot
    kind: str = Booking.Kind.INSTANT
    booked_at: datetime
    starts_at: datetime | None = None
    ends_at: datetime
    leaves_at: datetime | None = None
    extended_at: datetime | None = None
    cancelled_at: datetime | None = None
    driver: User | None = None
    features: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One command of a plan, at its moment."""

    at: datetime
    number: int
    action: str
    plan: Plan


def make_bookings(people: People, *, now: datetime) -> Counter[str]:
    """Live through all plans up to `now`; counts what was done, and what was refused by its code."""
    lots = {lot.source_id: lot for lot in Lot.objects.listed().exclude(source_id=None).order_by("pk")}
    plans = [*_walk_ins(list(lots.values()), now), *_of_driver(lots, people.driver, now)]
    plans += _of_second(lots, people.second, now)
    steps = sorted(_steps(plans, now), key=lambda step: (step.at, step.number))
    made: dict[int, Booking] = {}
    done: Counter[str] = Counter()
    for step in steps:
        try:
            _take(step, made, people.operator)
            done[step.action] += 1
        except (BookingRefused, BadBooking) as refusal:
            # No spot for somebody: that happens to real drivers too, and they drive on.
            done[refusal.code] += 1
    _count_old_mail_as_sent(people, now)
    return done


def _steps(plans: list[Plan], now: datetime) -> Iterator[Step]:
    for number, plan in enumerate(plans):
        yield Step(plan.booked_at, number, "booked", plan)
        for at, action in [
            (plan.extended_at, "extended"),
            (plan.cancelled_at, "cancelled"),
            (plan.leaves_at, "released"),
            (plan.leaves_at if plan.driver else None, "paid"),
        ]:
            if at is not None and at <= now:
                yield Step(at, number, action, plan)


def _take(step: Step, made: dict[int, Booking], desk: User) -> None:
    plan = step.plan
    if step.action == "booked":
        made[step.number] = services.book(
            lot_id=plan.lot.pk,
            kind=plan.kind,
            driver=plan.driver,
            starts_at=plan.starts_at,
            ends_at=plan.ends_at,
            features=plan.features,
            plate=_plate(plan.driver),
            source_id=f"{SOURCE}{step.number}",
            now=step.at,
        )
    elif step.number in made:
        booking = made[step.number]
        if step.action == "extended":
            services.extend(booking, ends_at=booking.ends_at + HOUR, by=plan.driver, now=step.at)
        elif step.action == "cancelled":
            services.cancel(booking, by=plan.driver, now=step.at)
        elif step.action == "paid":
            method = METHODS[step.number % len(METHODS)]
            services.record_desk_payment(booking, method=method, by=desk, now=step.at)
        else:
            services.release(booking, by=plan.driver, now=step.at)


def _plate(driver: User | None) -> str:
    vehicle = driver.vehicles.order_by("pk").first() if driver else None
    return vehicle.plate if vehicle else ""


def _count_old_mail_as_sent(people: People, now: datetime) -> None:
    """Nobody wants the mails of eight weeks at once: what was owed before the last hour counts as sent."""
    theirs = Notice.objects.open().filter(user__in=[people.driver, people.second])
    theirs.filter(created_at__lt=now - HOUR).update(sent_at=F("created_at"))


# --- Walk-ins ---


def _walk_ins(lots: list[Lot], now: datetime) -> Iterator[Plan]:
    for lot in lots:
        # Each lot its own dice: one more lot does not change what happens on the others.
        dice = random.Random(f"{SEED}{lot.source_id}")  # noqa: S311  a demo, not a secret
        for plan in [*_past_walk_ins(lot, dice, now), *_present_walk_ins(lot, dice, now)]:
            if lot.hours.is_open_throughout(plan.booked_at, plan.ends_at, lot.zone):
                yield plan


def _past_walk_ins(lot: Lot, dice: random.Random, now: datetime) -> Iterator[Plan]:
    """Stays over the last weeks, all gone six hours ago; most begin by day."""
    for _i in range(WALK_INS_A_LOT):
        day = (now - dice.randint(1, HISTORY.days) * DAY).astimezone(lot.zone)
        hour = dice.choice([7, 8, 8, 9, 10, 11, 13, 14, 16, 18])
        arrival = day.replace(hour=hour, minute=dice.randrange(60)).astimezone(UTC)
        planned = dice.randrange(30, 400) * MINUTE
        leaves_at = arrival + planned * dice.uniform(0.5, 1)
        if leaves_at < now - 6 * HOUR:
            yield Plan(lot=lot, booked_at=arrival, ends_at=arrival + planned, leaves_at=leaves_at)


def _present_walk_ins(lot: Lot, dice: random.Random, now: datetime) -> Iterator[Plan]:
    """Stays that run now, ending one by one over the next hours."""
    spots = lot.spots.in_service().count()
    present = min(MOST_PRESENT, round(spots * dice.uniform(0.1, 0.33)))
    if lot.source_id == FULL:
        present = spots
    elif lot.source_id == NEARLY_FULL:
        present = spots - 1
    elif lot.source_id == BUSY:
        present = round(spots * 0.6)
    for i in range(present):
        # The first leaves soon, so that "free soonest" has a time to name.
        ahead = dice.randrange(15, 40) if i == 0 else dice.randrange(40, 600)
        yield Plan(
            lot=lot,
            booked_at=now - dice.randrange(5, 240) * MINUTE,
            ends_at=now + ahead * MINUTE,
        )


# --- The two drivers ---


def _of_driver(lots: dict[str | None, Lot], driver: User, now: datetime) -> Iterator[Plan]:
    """A commuter between Dresden and Zürich: eight weeks of history, a stay that runs, three to come."""
    altmarkt, urania = lots["parkapi:dresdenaltmarkt"], lots["parkapi:zuerichparkhausurania"]
    for week in range(1, 9):
        yield _instant(altmarkt, driver, now - week * 7 * DAY - 3 * HOUR, minutes=90 + 17 * week)
        yield _reserved(urania, driver, now - week * 7 * DAY + 2 * DAY, hours=3 + week % 4)
    yield _reserved(
        lots["parkapi:baselparkhausaeschen"],
        driver,
        now - 9 * DAY,
        hours=4,
        features=("ev",),
        is_extended=True,
    )
    yield _reserved(lots["parkapi:koeln-ph03"], driver, now - 12 * DAY, hours=2, is_cancelled=True)
    yield Plan(
        lot=lots["parkapi:dresdenfrauenkircheneumarkt"],
        booked_at=now - 50 * MINUTE,
        ends_at=now + 100 * MINUTE,
        driver=driver,
    )
    yield _reserved(urania, driver, now + 1 * DAY, hours=3)
    yield _reserved(lots["parkapi:aarhusdokk1"], driver, now + 4 * DAY, hours=6, features=("ev",))
    yield _reserved(lots["greenp:1"], driver, now + 10 * DAY, hours=8)


def _of_second(lots: dict[str | None, Lot], second: User, now: datetime) -> Iterator[Plan]:
    """Comes now and then; is in Toronto at the moment and has one trip ahead."""
    for week in range(1, 5):
        yield _instant(lots["greenp:111"], second, now - week * 7 * DAY - 5 * HOUR, minutes=45 + 30 * week)
    yield _reserved(lots["nuernberg:hans-sachs-platz"], second, now - 16 * DAY, hours=5)
    yield Plan(
        lot=lots["greenp:267"],
        booked_at=now - 25 * MINUTE,
        ends_at=now + 45 * MINUTE,
        driver=second,
    )
    yield _reserved(lots["parkapi:koeln-ph01"], second, now + 2 * DAY, hours=26)


def _instant(lot: Lot, driver: User, at: datetime, *, minutes: int) -> Plan:
    """A stay that was planned for three hours longer than it took."""
    leaves_at = at + minutes * MINUTE
    return Plan(lot=lot, driver=driver, booked_at=at, ends_at=leaves_at + 3 * HOUR, leaves_at=leaves_at)


def _reserved(
    lot: Lot,
    driver: User,
    around: datetime,
    *,
    hours: int,
    features: tuple[str, ...] = (),
    is_extended: bool = False,
    is_cancelled: bool = False,
) -> Plan:
    """A window from nine in the morning of that day."""
    morning = around.astimezone(lot.zone).replace(hour=9, minute=0, second=0, microsecond=0)
    starts_at = clock.next_on_grid(morning, lot.grid_minutes, lot.zone)
    ends_at = starts_at + hours * HOUR
    return Plan(
        lot=lot,
        driver=driver,
        kind=Booking.Kind.RESERVED,
        booked_at=starts_at - BOOKED_AHEAD,
        starts_at=starts_at,
        ends_at=ends_at,
        leaves_at=None if is_cancelled else ends_at + (HOUR if is_extended else -10 * MINUTE),
        extended_at=starts_at + HOUR if is_extended else None,
        cancelled_at=starts_at - 1 * DAY if is_cancelled else None,
        features=features,
    )
