"""Many drivers after one spot, on real connections: one gets it, and the others are told the truth.

Each test has its canary: the same race without the lock must double-book, or a zero proves nothing.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from functools import partial
from types import SimpleNamespace

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from bookings import guards, services
from bookings.errors import BadBooking, BookingRefused, LotFull, SpotTaken
from bookings.models import Booking
from bookings.services import core, making
from bookings.tests.factories import make_lot, make_user, overlaps
from lots.models import Lot

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
CLIENTS = 50
ROUNDS = 25  # test_race_api asks so often
HOUR = timedelta(hours=1)


def at_once(jobs):
    """Run the jobs in threads that start together; gives what each returned or raised."""
    barrier = threading.Barrier(len(jobs))
    outcomes = [None] * len(jobs)

    def run(index, job):
        try:
            barrier.wait()
            outcomes[index] = job()
        except Exception as error:
            outcomes[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(index, job)) for index, job in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    return outcomes


def tally(outcomes):
    return Counter(type(outcome).__name__ for outcome in outcomes)


def deadlocks():
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return cursor.fetchone()[0]


def next_quarter(now):
    return now.replace(minute=0, second=0, microsecond=0) + 2 * HOUR


def rush(lot, drivers, now):
    """Everybody reserves the same hour of the same lot."""
    starts_at = next_quarter(now)

    def job(driver):
        return lambda: services.book(
            lot_id=lot.pk,
            kind="reserved",
            driver=driver,
            starts_at=starts_at,
            ends_at=starts_at + HOUR,
            now=now,
        )

    return at_once([job(driver) for driver in drivers])


@contextmanager
def no_guard():
    """The table without the database's own last word."""
    with connection.schema_editor() as editor:
        guards.remove(None, editor)
    try:
        yield
    finally:
        Booking.objects.all().delete()
        with connection.schema_editor() as editor:
            guards.install(None, editor)


@pytest.fixture
def no_lock(monkeypatch):
    """Booking as the careless do it: look, and then write, with nothing in between to hold others off."""

    def choose_slowly(*args, **kwargs):
        spot = choose(*args, **kwargs)
        time.sleep(0.05)
        return spot

    choose = making._choose
    monkeypatch.setattr(making, "_choose", choose_slowly)
    monkeypatch.setattr(core, "lock_lot", lambda lot_id: Lot.objects.get(pk=lot_id))
    monkeypatch.setattr(making, "transaction", SimpleNamespace(atomic=nullcontext))


def test_of_fifty_after_the_last_spot_one_wins_in_every_round():
    drivers = [make_user() for _i in range(CLIENTS)]
    before = deadlocks()

    for _round in range(5):
        lot = make_lot(1)
        assert tally(rush(lot, drivers, timezone.now())) == {"Booking": 1, "LotFull": CLIENTS - 1}

    assert Booking.objects.count() == 5
    assert deadlocks() == before
    assert overlaps() == []


def test_the_canary_without_lock_and_guard_the_race_is_lost(no_lock):
    lot = make_lot(1)
    drivers = [make_user() for _i in range(12)]

    with no_guard():
        outcomes = rush(lot, drivers, timezone.now())

        assert tally(outcomes)["Booking"] > 1
        assert overlaps() != []


def test_without_the_lock_the_database_itself_refuses(no_lock):
    lot = make_lot(1)
    drivers = [make_user() for _i in range(12)]

    outcomes = rush(lot, drivers, timezone.now())

    kinds = tally(outcomes)
    assert kinds["Booking"] == 1
    assert kinds["SpotTaken"] > 0
    assert set(kinds) <= {"Booking", "SpotTaken", "LotFull", "OperationalError"}
    assert overlaps() == []


def test_as_many_win_as_there_are_spots():
    lot = make_lot(7)

    outcomes = rush(lot, [make_user() for _i in range(30)], timezone.now())

    assert tally(outcomes) == {"Booking": 7, "LotFull": 23}
    assert len({outcome.spot_id for outcome in outcomes if isinstance(outcome, Booking)}) == 7


def test_one_driver_in_two_places_at_once_parks_once():
    driver, lots = make_user(), [make_lot(2) for _i in range(6)]
    now = timezone.now()

    def job(lot):
        return lambda: services.book(lot_id=lot.pk, kind="instant", driver=driver, now=now)

    assert tally(at_once([job(lot) for lot in lots])) == {"Booking": 1, "AlreadyParked": 5}


@pytest.mark.parametrize("name", ["release", "cancel", "extend"])
def test_fifty_clicks_on_one_button_have_one_effect(name):
    driver, now = make_user(), timezone.now()
    lot = make_lot(1)
    starts_at = next_quarter(now)
    if name == "release":
        booking = services.book(lot_id=lot.pk, kind="instant", driver=driver, now=now)
        command = lambda: services.release(booking, by=driver, now=now + HOUR)  # noqa: E731
    else:
        booking = services.book(
            lot_id=lot.pk,
            kind="reserved",
            driver=driver,
            starts_at=starts_at,
            ends_at=starts_at + HOUR,
            now=now,
        )
        command = {
            "cancel": lambda: services.cancel(booking, by=driver, now=now),
            "extend": lambda: services.extend(booking, ends_at=starts_at + 2 * HOUR, by=driver, now=now),
        }[name]

    outcomes = at_once([command] * CLIENTS)

    assert {(o.state, o.total, o.ends_at) for o in outcomes} == {
        (outcomes[0].state, outcomes[0].total, outcomes[0].ends_at)
    }
    assert booking.timeline.count() == 2


def test_confirm_and_expiry_race_and_never_both_win():
    driver, now = make_user(), timezone.now()
    starts_at = next_quarter(now)

    for _round in range(10):
        lot = make_lot(1)
        held = services.book(
            lot_id=lot.pk, kind="reserved", driver=driver, starts_at=starts_at, ends_at=starts_at + HOUR,
            now=now, hold=True,
        )  # fmt: skip
        early, late = held.held_until - timedelta(seconds=1), held.held_until
        at_once(
            [
                lambda e=early, h=held: services.confirm(h, by=driver, now=e),
                lambda n=late: services.lapse_holds(now=n),
            ]
        )
        held.refresh_from_db()
        assert held.state in {"confirmed", "expired"}
        assert held.timeline.count() == 2


class Crowd:
    """Clients who book, extend, move, cancel and release at random, while operators change the lot."""

    def __init__(self, seed, lot, drivers, now):
        self.random = random.Random(seed)
        self.lot, self.drivers, self.now = lot, drivers, now
        self.counts = Counter()

    def step(self):
        name = self.random.choices(
            ["book", "park", "extend", "move", "cancel", "release", "spot", "capacity", "sweep"],
            [40, 10, 15, 8, 8, 8, 4, 3, 4],
        )[0]
        try:
            getattr(self, name)()
            self.counts[name] += 1
        except (BookingRefused, BadBooking) as refusal:
            self.counts[f"{name}: {type(refusal).__name__}"] += 1

    def moment(self):
        return self.now + timedelta(minutes=self.random.randrange(0, 240))

    def any_booking(self):
        booking = Booking.objects.filter(lot=self.lot).occupying().order_by("?").first()
        if booking is None:
            raise BadBooking("booking", "none yet")
        return booking

    def book(self):
        starts_at = next_quarter(self.now) + self.random.randrange(0, 48) * timedelta(minutes=30)
        services.book(
            lot_id=self.lot.pk, kind="reserved", driver=self.random.choice(self.drivers), starts_at=starts_at,
            ends_at=starts_at + self.random.randrange(1, 9) * timedelta(minutes=30), now=self.now,
        )  # fmt: skip

    def park(self):
        services.book(
            lot_id=self.lot.pk, kind="instant", driver=None, now=self.moment(),
            spot_number=self.random.choice(["", "", "1", "2", "3"]),
        )  # fmt: skip

    def extend(self):
        booking = self.any_booking()
        ends_at = booking.ends_at + self.random.randrange(1, 6) * timedelta(minutes=15)
        services.extend(booking, ends_at=ends_at, by=None, now=self.moment())

    def move(self):
        services.move(
            self.any_booking(), spot_number=str(self.random.randrange(1, 9)), by=None, now=self.moment()
        )

    def cancel(self):
        services.cancel(self.any_booking(), by=None, now=self.moment())

    def release(self):
        services.release(self.any_booking(), by=None, now=self.moment())

    def spot(self):
        spot = self.random.choice(list(self.lot.spots.kept()))
        services.set_spot_in_service(
            spot_id=spot.pk, is_in_service=self.random.random() < 0.7, by=None, now=self.moment()
        )

    def capacity(self):
        services.set_capacity(
            lot_id=self.lot.pk, capacity=self.random.randrange(4, 10), by=None, now=self.moment()
        )

    def sweep(self):
        now = self.moment()
        for sweep in (services.lapse_holds, services.start_stays, services.end_stays, services.mark_no_shows):
            sweep(now=now)


def hundred_steps(crowd):
    for _i in range(100):
        crowd.step()
        connections.close_all()  # as a request does at its end: back to the pool


@pytest.mark.slow
def test_a_random_crowd_leaves_no_overlap_after_every_thousand_steps():
    lot, now = make_lot(8), timezone.now()
    drivers = [make_user() for _i in range(10)]
    before, counts = deadlocks(), Counter()

    for part in range(2):
        crowds = [Crowd(part * 100 + n, lot, drivers, now) for n in range(10)]

        outcomes = at_once([partial(hundred_steps, crowd) for crowd in crowds])

        assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
        assert overlaps() == []
        counts.update(sum((crowd.counts for crowd in crowds), Counter()))

    assert deadlocks() == before
    # A crowd that is always refused would prove nothing.
    assert {"book", "park", "extend", "move", "cancel", "spot", "capacity", "sweep"} <= set(counts), counts


def test_no_refusal_lies():
    """Each "full" is justified: under the lock no adequate spot was free for the whole window."""
    lot, now = make_lot(4), timezone.now()
    drivers = [make_user() for _i in range(20)]
    starts_at = next_quarter(now)
    generator = random.Random(3)
    jobs = []
    for driver in drivers:
        begin = starts_at + generator.randrange(0, 6) * HOUR
        wish = {"starts_at": begin, "ends_at": begin + generator.randrange(1, 4) * HOUR}
        jobs.append(
            (
                wish,
                lambda d=driver, w=wish: services.book(
                    lot_id=lot.pk, kind="reserved", driver=d, now=now, **w
                ),
            )
        )

    outcomes = at_once([job for _wish, job in jobs])

    for (wish, _job), outcome in zip(jobs, outcomes, strict=True):
        if isinstance(outcome, LotFull):
            blocked = Booking.objects.occupying().overlapping(**wish).values("spot").distinct().count()
            assert blocked == 4
        else:
            assert isinstance(outcome, Booking)


def test_a_lock_waited_for_too_long_is_busy_and_not_an_error_page():
    if connection.vendor != "postgresql":
        pytest.skip("SQLite waits up to 20 s for its one writer; PostgreSQL's lock_timeout is 3 s.")
    lot, driver, now = make_lot(1), make_user(), timezone.now()
    held = threading.Event()
    done = threading.Event()

    def hold_the_lot():
        with transaction.atomic():
            core.lock_lot(lot.pk)
            held.set()
            done.wait(10)

    def book():
        held.wait(10)
        try:
            return services.book(lot_id=lot.pk, kind="instant", driver=driver, now=now)
        finally:
            done.set()

    outcomes = at_once([hold_the_lot, book])

    assert type(outcomes[1]).__name__ == "OperationalError"
    assert "lock timeout" in str(outcomes[1])


@pytest.mark.promise("S3-18")
def test_the_guard_is_there_after_all_migrations(transactional_db):
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "SELECT name FROM sqlite_master"
                " WHERE type = 'trigger' AND tbl_name = 'bookings_booking' AND name LIKE %s ORDER BY name",
                [f"{guards.NAME}%"],
            )
        else:
            cursor.execute("SELECT conname FROM pg_constraint WHERE conname = %s", [guards.NAME])
        names = [row[0] for row in cursor.fetchall()]
    suffixes = ["_insert", "_update"] if connection.vendor == "sqlite" else [""]
    assert names == [f"{guards.NAME}{suffix}" for suffix in suffixes]


def test_spot_taken_is_what_the_guard_says_in_our_words():
    lot, driver, now = make_lot(1), make_user(), timezone.now()
    first = services.book(lot_id=lot.pk, kind="instant", driver=driver, now=now)
    twin = Booking(
        kind="instant", state="active", lot=lot, spot=first.spot, tariff=first.tariff, currency="EUR",
        starts_at=now, ends_at=now + HOUR, booked_from=now, booked_until=now + HOUR, created_at=now,
    )  # fmt: skip

    with pytest.raises(SpotTaken), core.refusals():
        twin.save()
