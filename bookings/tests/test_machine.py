"""A booking's life at random, beside a model so simple that it cannot be wrong."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bookings import availability, services
from bookings.errors import BadBooking, BookingRefused, HoldExpired, LotFull, LotOutOfService
from bookings.models import MOVES, OCCUPYING, Booking
from bookings.services import closing
from bookings.tests.factories import HOUR, NOW, make_lot, overlaps
from lots.models import Closure

QUARTER = timedelta(minutes=15)


class Life(RuleBasedStateMachine):
    @initialize(needs_check_in=st.booleans(), open_ended=st.booleans())
    def begin(self, needs_check_in, open_ended):
        self.now = NOW
        self.lot = make_lot(
            2,
            needs_check_in=needs_check_in,
            end_of_stay="until_released" if open_ended else "ends_itself",
        )
        self.references = []

    def bookings(self):
        return Booking.objects.filter(lot=self.lot)

    def attempt(self, command):
        before = {b.pk: b.state for b in self.bookings()}
        try:
            return command()
        except HoldExpired:
            return None  # says so because it has just written the expiry down
        except (BookingRefused, BadBooking):
            # A refusal changes nothing of anybody's (what time did by itself is rolled back with it).
            assert {b.pk: b.state for b in self.bookings()} == before
            return None

    @rule(start=st.integers(1, 24), length=st.integers(1, 16), hold=st.booleans())
    def reserve(self, start, length, hold):
        begin = self.now.replace(minute=0, second=0) + HOUR + start * QUARTER
        end = begin + length * QUARTER
        free = availability.free_counts([self.lot.pk], begin, end, now=self.now)[self.lot.pk]
        try:
            services.book(
                lot_id=self.lot.pk,
                kind="reserved",
                driver=None,
                starts_at=begin,
                ends_at=end,
                now=self.now,
                hold=hold,
            )
        except (LotFull, LotOutOfService):
            assert free == 0
        else:
            assert free > 0

    @rule(minutes=st.integers(1, 300))
    def park(self, minutes):
        self.attempt(
            lambda: services.book(
                lot_id=self.lot.pk, kind="instant", driver=None, now=self.now,
                ends_at=self.now + timedelta(minutes=minutes),
            )
        )  # fmt: skip

    @precondition(lambda self: self.bookings().exists())
    @rule(
        which=st.integers(0, 10**6),
        name=st.sampled_from(["confirm", "check_in", "release", "cancel", "extend", "move"]),
        steps=st.integers(1, 8),
    )
    def change(self, which, name, steps):
        rows = list(self.bookings().order_by("pk"))
        booking = rows[which % len(rows)]
        more = {
            "extend": {"ends_at": booking.ends_at + steps * QUARTER},
            "move": {"spot_number": str(1 + steps % 2)},
        }
        command = getattr(services, name)
        first = self.attempt(lambda: command(booking, by=None, now=self.now, **more.get(name, {})))
        if first is None or name in {"extend", "move"}:
            return
        entries = booking.timeline.count()
        again = command(booking, by=None, now=self.now)
        assert (again.state, again.total, again.ends_at) == (first.state, first.total, first.ends_at)
        assert booking.timeline.count() == entries

    @rule(
        number=st.sampled_from(["", "1", "2"]),
        start=st.integers(0, 12),
        length=st.integers(0, 12),
        choice=st.sampled_from(closing.CHOICES),
        moves_running=st.booleans(),
    )
    def close(self, number, start, length, choice, moves_running):
        """A spot or the lot; nobody who has not come yet is left on it by moving or paying back."""
        spots = tuple(self.lot.spots.filter(number=number).values_list("pk", flat=True))
        begin = self.now + start * QUARTER
        end = begin + length * QUARTER if length else None
        wish = closing.Closing(self.lot.pk, spots, begin, end, choice, moves_running=moves_running)
        foreseen = [(a.booking.pk, a.fate, a.to_spot) for a in self.preview(wish)]
        done = self.attempt(lambda: closing.close(wish, by=None, now=self.now))
        if done is not None:
            assert [(a.booking.pk, a.fate, a.to_spot) for a in done] == foreseen

    def preview(self, wish):
        before = list(self.bookings().order_by("pk").values())
        try:
            return closing.closing_preview(wish, by=None, now=self.now)
        except (BookingRefused, BadBooking):
            return []
        finally:
            assert list(self.bookings().order_by("pk").values()) == before

    @rule()
    def lift(self):
        for closure in Closure.objects.filter(lot=self.lot, lifted_at=None):
            closing.lift_closure(closure_id=closure.pk, by=None, now=self.now)

    @rule(minutes=st.integers(1, 240))
    def wait(self, minutes):
        self.now += timedelta(minutes=minutes)

    @rule(
        order=st.permutations(
            [
                *("lapse_holds", "start_stays", "end_stays", "mark_no_shows"),
                *("roll_on_overstays", "rescue_bookings"),
            ]
        )
    )
    def sweep(self, order):
        for name in order:
            getattr(services, name)(now=self.now)
        state = list(self.bookings().order_by("pk").values())
        for name in reversed(order):
            getattr(services, name)(now=self.now)
        assert list(self.bookings().order_by("pk").values()) == state

    @invariant()
    def nobody_shares_a_spot(self):
        assert overlaps() == []

    @invariant()
    def every_timeline_is_legal_and_ends_where_the_booking_is(self):
        for booking in self.bookings().prefetch_related("timeline"):
            entries = sorted(booking.timeline.all(), key=lambda entry: entry.sequence)
            assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
            was = ""
            for entry in entries:
                assert entry.from_state == was
                assert entry.to_state == was or entry.to_state in MOVES[was]
                was = entry.to_state
            assert booking.state == was

    @invariant()
    def lines_sum_to_the_total(self):
        for booking in self.bookings():
            assert sum((Decimal(line["amount"]) for line in booking.price_lines), Decimal(0)) == booking.total
            assert booking.total >= 0
            assert (booking.state in OCCUPYING) == booking.is_occupying


class TestLife(TestCase):
    settings = settings(
        max_examples=40,
        stateful_step_count=30,
        deadline=None,
        # Shrinking a life of a hundred queries takes minutes; the failing one is printed as it is.
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )

    @pytest.mark.slow
    def test_any_life_keeps_the_rules(self):
        run_state_machine_as_test(Life, settings=self.settings)
