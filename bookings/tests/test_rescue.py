"""Overstaying never lets two bookings collide: who comes next is moved to an equal spot, or paid back."""

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import Notice
from accounts.outbox import to_message
from bookings import integrity, services
from bookings.errors import CalledOff, LotFull, SpotTaken
from bookings.models import Booking, State
from bookings.payments import ledger
from bookings.tests.factories import HOUR, NOW, make_lot, make_user, overlaps, park, reserve
from lots.models import Spot
from lots.services import publish_tariff

pytestmark = [pytest.mark.django_db, pytest.mark.promise("S4-23")]
MINUTE = timedelta(minutes=1)
NEXT = NOW + 2 * HOUR  # when the next booking of spot 1 starts
SWEEPS = ["lapse_holds", "start_stays", "end_stays", "mark_no_shows", "roll_on_overstays", "rescue_bookings"]


def make_open(capacity=2, **fields):
    return make_lot(capacity, end_of_stay="until_released", **fields)


def collide(lot, driver, **wish):
    """Somebody on spot 1 agreed to leave after an hour and does not; the driver booked it an hour later."""
    stay = park(lot, make_user(), ends_at=NOW + HOUR, spot_number="1")
    return stay, reserve(lot, driver, starts_in=2 * HOUR, spot_number="1", **wish)


def fresh(booking):
    return Booking.objects.select_related("spot").get(pk=booking.pk)


def mails(kind):
    return Notice.objects.filter(template=f"bookings/email/{kind}")


def sweep(now, names=SWEEPS):
    return sum(getattr(services, name)(now=now) for name in names)


def pay(booking):
    services.record_desk_payment(booking, method="cash", by=make_user(is_staff=True), now=NOW)


def test_whoever_comes_next_is_moved_ten_minutes_before_and_told(alice):
    stay, booking = collide(make_open(), alice)
    sweep(NEXT - 11 * MINUTE)
    assert fresh(booking).spot.number == "1"

    assert services.rescue_bookings(now=NEXT - 10 * MINUTE) == 1

    moved = fresh(booking)
    assert (moved.state, moved.spot.number, moved.starts_at, moved.total) == (
        State.CONFIRMED, "2", NEXT, Decimal(5),
    )  # fmt: skip
    entry = moved.timeline.last()
    assert (entry.action, entry.actor, entry.details["cause"]) == ("moved", "clock", "overstay")
    mail = to_message(mails("moved").get())
    assert "Somebody still stands on spot 1" in mail.body
    assert "use spot 2" in mail.body
    # Nobody is due on spot 1 any more: the stay goes on.
    sweep(NEXT)
    assert fresh(stay).ends_at > NEXT
    assert overlaps() == []


def test_a_stay_that_is_released_in_time_needs_no_rescue(alice):
    stay, booking = collide(make_open(), alice)
    sweep(NEXT - 11 * MINUTE)
    services.release(stay, by=None, now=NEXT - 11 * MINUTE)

    sweep(NEXT)

    assert (fresh(booking).spot.number, fresh(booking).state) == ("1", State.ACTIVE)


def test_a_stay_within_its_agreed_time_is_nobodys_emergency(alice):
    """It ends when the next begins: whether it stays on is known then, and not before."""
    lot = make_open()
    stay = park(lot, make_user(), ends_at=NEXT, spot_number="1")
    booking = reserve(lot, alice, starts_in=2 * HOUR, spot_number="1")

    sweep(NEXT - MINUTE)
    assert fresh(booking).spot.number == "1"
    sweep(NEXT)
    assert (fresh(booking).spot.number, fresh(booking).state) == ("2", State.ACTIVE)
    assert fresh(stay).state == State.ACTIVE


@pytest.mark.parametrize("payment_timing", ["on_release", "prepaid"])
def test_where_none_is_free_everything_comes_back_with_the_choice(alice, payment_timing, client):
    nearby = {"latitude": "52.52", "longitude": "13.41"}
    lot = make_open(1, payment_timing=payment_timing, **nearby)
    other = make_lot(1, name="Round the corner", **nearby)
    stay, booking = collide(lot, alice, hold=False) if payment_timing == "on_release" else (None, None)
    if booking is None:
        stay = park(lot, make_user(), ends_at=NOW + HOUR, hold=False)
        booking = reserve(lot, alice, starts_in=2 * HOUR, hold=False)
    pay(booking)

    sweep(NEXT - 10 * MINUTE)

    gone = fresh(booking)
    assert (gone.state, gone.total) == (State.CANCELLED, Decimal(0))
    account = ledger.account(gone)
    assert (account.due, account.excess) == (0, 0)
    assert gone.refunds.get().amount == Decimal(5)
    mail = to_message(mails("called_off").get())
    assert "everything you paid comes back" in mail.body
    assert f"/lots/{other.slug}/" in mail.body
    assert f"/bookings/{gone.reference}/" in mail.body
    assert to_message(mails("refunded").get()).subject
    assert integrity.find(now=NEXT - 10 * MINUTE) == []
    sweep(NEXT)
    assert fresh(stay).ends_at > NEXT


def test_whoever_checks_in_first_is_rescued_as_well(alice):
    lot = make_open(needs_check_in=True)
    _stay, booking = collide(lot, alice)

    here = services.check_in(booking, by=alice, now=NEXT)

    assert (here.state, here.spot.number) == (State.ACTIVE, "2")
    assert overlaps() == []


def test_whoever_checks_in_where_none_is_free_is_told_and_stays_cancelled(alice):
    lot = make_open(1, needs_check_in=True)
    _stay, booking = collide(lot, alice)

    with pytest.raises(CalledOff) as refused:
        services.check_in(booking, by=alice, now=NEXT)

    assert fresh(booking).state == State.CANCELLED
    assert "later" in [other.kind for other in refused.value.alternatives]


def test_nobody_pays_a_no_show_fee_for_a_spot_they_could_not_have(alice):
    """The sweeps were away until the grace was over."""
    lot = make_open(1, needs_check_in=True, no_show_grace_minutes=30)
    _stay, booking = collide(lot, alice)

    sweep(NEXT + HOUR)

    assert (fresh(booking).state, fresh(booking).total) == (State.CANCELLED, Decimal(0))


def test_an_equal_spot_offers_what_the_own_one_did_in_the_same_size(alice):
    lot = make_open(5)
    ev = {"features": ("ev",), "connector": "IEC_62196_T2", "power_kw": Decimal(22)}
    for number, fields in {
        "1": ev,
        "2": {},
        "3": {**ev, "power_kw": Decimal(11)},
        "4": {**ev, "kind": Spot.Kind.COMPACT},
        "5": {**ev, "features": ("ev", "covered")},
    }.items():
        spot = lot.spots.get(number=number)
        services.update_spot(spot_id=spot.pk, by=None, now=NOW, **fields)
    _stay, booking = collide(lot, alice, features=("ev",))

    sweep(NEXT - 10 * MINUTE)

    assert fresh(booking).spot.number == "5"


def test_a_larger_spot_will_do_where_it_costs_no_more(alice, bob):
    lot = make_open(2)
    services.update_spot(spot_id=lot.spots.get(number="2").pk, by=None, now=NOW, kind=Spot.Kind.LARGE)
    _stay, booking = collide(lot, alice)
    sweep(NEXT - 10 * MINUTE)
    assert fresh(booking).spot.number == "2"

    dear = make_open(2)
    services.update_spot(spot_id=dear.spots.get(number="2").pk, by=None, now=NOW, kind=Spot.Kind.LARGE)
    document = dear.tariffs.get().rates
    large = [
        {**element, "restrictions": {"spot_kinds": ["large"]},
         "price_components": [{**c, "price": "9.00"} for c in element["price_components"]]}
        for element in document.to_json()["elements"]
    ]  # fmt: skip
    richer = type(document).from_json(
        {**document.to_json(), "elements": [*large, *document.to_json()["elements"]]}
    )
    publish_tariff(dear, richer, by=None, now=NOW)
    _stay, booking = collide(dear, bob)
    sweep(NEXT - 10 * MINUTE)
    assert fresh(booking).state == State.CANCELLED


def test_the_first_to_begin_gets_the_only_free_spot(alice, bob):
    lot = make_open(3)
    first_stay = park(lot, make_user(), ends_at=NOW + HOUR, spot_number="1")
    park(lot, make_user(), ends_at=NOW + HOUR, spot_number="2")
    second = reserve(lot, bob, starts_in=2 * HOUR + timedelta(minutes=0), spot_number="2")
    first = reserve(lot, alice, starts_in=2 * HOUR - timedelta(minutes=15), spot_number="1")

    sweep(NEXT)

    assert (fresh(first).spot.number, fresh(second).state) == ("3", State.CANCELLED)
    assert fresh(first_stay).state == State.ACTIVE


@pytest.mark.parametrize("shift", range(len(SWEEPS)))
def test_sweeps_in_any_order_and_number_leave_the_same_state(alice, bob, shift):
    """One late moment, when all is due at once."""
    lot = make_open(3, needs_check_in=True)
    collide(lot, alice)
    park(lot, make_user(), ends_at=NOW + HOUR, spot_number="2")
    reserve(lot, bob, starts_in=2 * HOUR, spot_number="2", hours=3)
    reserve(lot, make_user(), starts_in=HOUR, hours=2, spot_number="3")  # a no-show: its spot is what is left
    reserve(lot, make_user(), starts_in=4 * HOUR, hold=True)
    order = SWEEPS[shift:] + SWEEPS[:shift]
    moment = NEXT - 10 * MINUTE

    for name in reversed(order) if shift % 2 else order:
        getattr(services, name)(now=moment)

    rows = [(b.spot.number, b.state, b.starts_at, b.total) for b in Booking.objects.order_by("pk")]
    assert rows == [
        ("1", "active", NOW, Decimal("2.5")),
        ("3", "confirmed", NEXT, Decimal(5)),
        ("2", "active", NOW, Decimal("2.5")),
        ("2", "cancelled", NEXT, Decimal(0)),
        ("3", "no_show", NOW + HOUR, Decimal(5)),
        ("1", "expired", NOW + 4 * HOUR, Decimal(5)),
    ]
    notices = Notice.objects.count()
    assert sweep(moment) == 0
    assert Notice.objects.count() == notices
    assert overlaps() == []


def test_nobody_is_given_a_spot_somebody_stays_on(bob):
    """Its row ends with the current step of the grid; that says nothing of the car."""
    lot = make_open(1)
    park(lot, make_user(), ends_at=NOW + HOUR)
    late = NOW + HOUR + 10 * MINUTE
    sweep(late)

    with pytest.raises(LotFull):
        reserve(lot, bob, now=late, starts_in=5 * MINUTE)


# --- Late arrival ---


def test_late_the_price_takes_the_place_of_the_fee(alice):
    """40 % of 10.00 was kept as the fee; back again the whole price is due, and what was kept counts."""
    lot = make_lot(2, needs_check_in=True, no_show_fee_percent=40, payment_timing="prepaid")
    booking = reserve(lot, alice, hours=4, hold=False)
    pay(booking)
    late = NOW + 2 * HOUR
    services.mark_no_shows(now=late)
    assert fresh(booking).total == Decimal(4)
    services.pay_out(booking.refunds.get(), by=make_user(is_staff=True), now=late)

    here = services.check_in(booking, by=alice, now=late)

    account = ledger.account(fresh(here))
    assert (here.total, account.due) == (Decimal(10), Decimal(6))
    done = services.release(here, by=alice, now=NOW + 5 * HOUR)
    services.record_desk_payment(done, method="cash", by=make_user(is_staff=True), now=NOW + 5 * HOUR)
    account = ledger.account(fresh(done))
    assert (account.due, account.excess) == (0, 0)
    assert integrity.find(now=NOW + 5 * HOUR) == []


def test_late_only_an_equal_spot_will_do(alice, bob):
    lot = make_lot(2, needs_check_in=True)
    services.update_spot(spot_id=lot.spots.get(number="1").pk, by=None, now=NOW, features=("ev",))
    booking = reserve(lot, alice, hours=4, features=("ev",))
    late = NOW + 2 * HOUR
    services.mark_no_shows(now=late)
    park(lot, bob, now=late, features=("ev",))

    with pytest.raises(SpotTaken):
        services.check_in(booking, by=alice, now=late)
