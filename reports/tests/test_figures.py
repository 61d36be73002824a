"""What every figure means, counted again by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from bookings import services
from bookings.models import Booking
from bookings.tests.factories import HOUR, NOW, make_lot, make_user, park, reserve
from lots.models import Lot
from reports import figures, people
from reports.days import BadPeriod, Days, months_until, zone_of
from reports.occupancy import occupancy_series, parked_series
from reports.scope import Scope
from reports.tests.histories import live, moved, stood

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")
UTC_ZONE = ZoneInfo("UTC")
TODAY = Days.day(date(2027, 3, 1), BERLIN)
MARCH = Days.month(date(2027, 3, 9), BERLIN)


def everything():
    return Lot.objects.all()


# --- Periods ---


def test_a_month_begins_and_ends_at_the_midnights_of_its_zone():
    assert MARCH.starts_at == datetime(2027, 2, 28, 23, tzinfo=UTC)
    assert MARCH.ends_at == datetime(2027, 3, 31, 22, tzinfo=UTC)  # the clocks went forward meanwhile
    assert MARCH.count == 31


def test_a_month_is_compared_with_the_month_before_and_days_with_as_many_days():
    assert MARCH.before == Days(date(2027, 2, 1), date(2027, 2, 28), BERLIN)
    week = Days(date(2027, 3, 8), date(2027, 3, 14), BERLIN)
    assert week.before == Days(date(2027, 3, 1), date(2027, 3, 7), BERLIN)


def test_twelve_months_end_with_the_present_one():
    months = months_until(date(2027, 3, 9), BERLIN, 12).by_month()

    assert [month.first for month in months][:2] == [date(2026, 4, 1), date(2026, 5, 1)]
    assert months[-1] == MARCH
    assert len(months) == 12


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2027, 3, 2), date(2027, 3, 1)),
        (date(2010, 1, 1), date(2027, 1, 1)),
        (date(1, 1, 1), date(1, 1, 2)),
    ],
)
def test_days_that_make_no_period_are_refused(first, last):
    with pytest.raises(BadPeriod):
        Days.chosen(first, last, BERLIN)


def test_an_unknown_zone_is_utc(alice):
    alice.timezone = "Mars/Olympus"
    assert zone_of(alice) == UTC_ZONE


# --- Against the rows themselves ---


@pytest.mark.promise("S4-27")
@pytest.mark.parametrize("seed", [1, 2])
def test_figures_of_random_histories_are_what_the_rows_say(seed):
    now = live(seed)
    whole = Days(date(2027, 2, 20), date(2027, 4, 30), BERLIN)
    for period in [whole, MARCH, *MARCH.by_day()[3:6]]:
        _agrees(period, now)
    assert figures.money(Scope(everything()), whole), "a history without money proves nothing"


def _agrees(period, now):
    summary = figures.summary(everything(), period, now=now)
    by_hand = moved(period.starts_at, period.ends_at)
    told = {(m.currency, "charge"): m.captured for m in summary.money}
    told |= {(m.currency, "refund"): m.refunded for m in summary.money}
    assert {key: amount for key, amount in told.items() if amount} == by_hand
    assert summary.occupancy.occupied == stood(period.starts_at, min(period.ends_at, now))

    rows = figures.by_lot(everything(), period, now=now)
    assert figures.total(rows, period) == summary
    for lot, found in rows:
        assert found.occupancy.occupied == stood(period.starts_at, min(period.ends_at, now), lot=lot)
    for money in summary.money:
        assert sum(found.in_currency(money.currency).revenue for _lot, found in rows) == money.revenue
    assert sum(found.activity.made for _lot, found in rows) == summary.activity.made

    drivers = [people.driver_figures(driver, period, now=now) for driver in people.drivers()]
    assert sum((found.parked for found in drivers), timedelta()) == summary.occupancy.occupied
    assert sum(found.activity.began for found in drivers) == summary.activity.began

    days = period.by_day()
    series = figures.money_series(Scope(everything()), days)
    for money in summary.money:
        daily = [found.revenue for step in series for found in step if found.currency == money.currency]
        assert sum(daily) == money.revenue
    assert sum(parked_series(Scope(everything()), days, now=now), timedelta()) == summary.occupancy.occupied
    shares = occupancy_series(everything(), days, now=now)
    assert sum((share.available for share in shares), timedelta()) == summary.occupancy.available


# --- One by one ---


def test_occupancy_is_the_time_stood_of_the_time_there_was(lot, alice):
    stay = park(lot, alice, now=NOW)
    services.release(stay, by=alice, now=NOW + 2 * HOUR)

    found = figures.occupancy(everything(), TODAY, now=NOW + 24 * HOUR)

    assert found.occupied == 2 * HOUR
    assert found.available == 3 * 24 * HOUR
    assert found.share == pytest.approx(2 / 72)


def test_a_running_stay_counts_up_to_now_and_so_does_the_day(lot, alice):
    park(lot, alice, now=NOW)

    found = figures.occupancy(everything(), TODAY, now=NOW + HOUR)

    assert found.occupied == HOUR
    assert found.available == 3 * 12 * HOUR  # since midnight in Berlin


def test_a_promise_is_no_stay(lot, alice):
    reserve(lot, alice, starts_in=HOUR)

    assert figures.occupancy(everything(), TODAY, now=NOW + 30 * HOUR).occupied == timedelta()
    assert figures.activity(Scope(everything()), TODAY).began == 0


def test_spots_out_of_service_and_spots_gone_offer_nothing(lot):
    lot.spots.filter(number="1").update(is_in_service=False)
    lot.spots.filter(number="2").update(retired_at=TODAY.starts_at + 6 * HOUR)

    found = figures.occupancy(everything(), TODAY, now=NOW + 24 * HOUR)

    assert found.available == (24 + 6) * HOUR


def test_bookings_are_counted_by_kind_when_they_are_made(lot, alice, bob):
    park(lot, alice, now=NOW)
    reserve(lot, bob, starts_in=26 * HOUR)

    found = figures.activity(Scope(everything()), TODAY)

    assert (found.made_instant, found.made_reserved, found.made, found.began) == (1, 1, 2, 1)


def test_no_show_rate_is_of_the_reserved_bookings_whose_time_came(alice, bob):
    lot = make_lot(3, needs_check_in=True)
    reserve(lot, alice, starts_in=HOUR)
    services.check_in(reserve(lot, bob, starts_in=HOUR), by=bob, now=NOW + HOUR)
    services.mark_no_shows(now=NOW + 2 * HOUR)

    found = figures.activity(Scope(everything()), TODAY)

    assert (found.no_shows, found.due, found.no_show_rate) == (1, 2, 0.5)


def test_an_overstay_is_a_stay_that_ended_after_its_agreed_end(alice, bob):
    lot = make_lot(2, end_of_stay="until_released", default_stay_minutes=60)
    stay = park(lot, alice, now=NOW)
    services.release(park(lot, bob, now=NOW), by=bob, now=NOW + HOUR)
    services.roll_on_overstays(now=NOW + 3 * HOUR)
    services.release(stay, by=alice, now=NOW + 3 * HOUR)

    found = figures.activity(Scope(everything()), TODAY)

    assert (found.overstays, found.ended, found.dwell) == (1, 2, 2 * HOUR)


def test_what_was_charged_is_not_what_was_paid(lot, alice, olga):
    stay = services.release(park(lot, alice, now=NOW), by=alice, now=NOW + 2 * HOUR)
    services.record_desk_payment(stay, method="cash", amount=Decimal("2.00"), by=olga, now=NOW + 2 * HOUR)

    assert figures.charged(Scope(everything()), TODAY) == {"EUR": Decimal("5.00")}
    assert [found.revenue for found in figures.money(Scope(everything()), TODAY)] == [Decimal("2.00")]


def test_what_staff_let_somebody_off_is_not_charged(lot, alice, olga):
    stay = services.release(park(lot, alice, now=NOW), by=alice, now=NOW + 2 * HOUR)
    services.record_desk_payment(stay, method="cash", by=olga, now=NOW + 2 * HOUR)
    services.refund(stay, amount=Decimal("1.50"), reason="Rain", by=olga, now=NOW + 3 * HOUR)

    assert figures.charged(Scope(everything()), TODAY) == {"EUR": Decimal("3.50")}
    found = figures.money(Scope(everything()), TODAY)[0]
    assert (found.captured, found.refunded, found.revenue) == (Decimal(5), Decimal("1.50"), Decimal("3.50"))


def test_money_of_two_currencies_is_never_added_up(lot, alice, olga):
    for place in (lot, make_lot(1, currency="JPY", price="300")):
        stay = services.release(park(place, alice, now=NOW), by=alice, now=NOW + HOUR)
        services.record_desk_payment(stay, method="cash", by=olga, now=NOW + HOUR)

    found = figures.money(Scope(driver=alice), TODAY)

    assert [(money.currency, str(money.revenue)) for money in found] == [("JPY", "300"), ("EUR", "2.50")]


def test_the_busiest_lot_is_the_fullest_one(lot, alice, bob):
    small = make_lot(1, name="Small")
    for place, driver in ((small, alice), (lot, bob)):
        services.release(park(place, driver, now=NOW), by=driver, now=NOW + HOUR)

    assert figures.busiest(figures.by_lot(everything(), TODAY, now=NOW + 24 * HOUR)) == small


def test_nobody_stood_anywhere(lot):
    rows = figures.by_lot(everything(), TODAY, now=NOW)

    assert figures.busiest(rows) is None
    summary = figures.summary(everything().none(), TODAY, now=NOW)
    assert (summary.occupancy.share, summary.turnover, summary.activity.dwell) == (None, None, None)


# --- People ---


@pytest.mark.promise("S2-18")
def test_inactive_is_who_had_no_booking_for_a_week(lot, alice, bob, olga):
    endless = make_lot(1, end_of_stay="until_released")
    never, before = make_user("never"), NOW - timedelta(days=8)
    services.release(park(lot, alice, now=before), by=alice, now=before + HOUR)
    services.release(park(endless, bob, now=before), by=bob, now=NOW - timedelta(days=6))

    assert set(people.inactive_drivers(now=NOW)) == {alice, never}


def test_who_has_something_booked_is_not_inactive_however_long_ago_it_was_made(lot, alice):
    reserve(lot, alice, now=NOW - timedelta(days=9), starts_in=timedelta(days=12))

    assert list(people.inactive_drivers(now=NOW)) == []


def test_an_address_that_was_never_proven_gets_no_reminder(alice):
    alice.emailaddress_set.create(email=alice.email, verified=False)

    assert list(people.inactive_drivers(now=NOW)) == []


def test_new_users_are_drivers_who_joined_in_the_period(olga):
    make_user("new", date_joined=NOW)
    make_user("old", date_joined=NOW - timedelta(days=2))

    assert people.new_users(TODAY) == 1


def test_the_favourite_lot_is_where_most_stays_were(lot, alice):
    other = make_lot(1, name="Other")
    for place, hours in ((other, 0), (lot, 2), (other, 4)):
        begin = NOW + hours * HOUR
        services.release(park(place, alice, now=begin), by=alice, now=begin + HOUR)

    assert [str(found) for found in people.favourite_lots(alice, [TODAY])] == ["Other"]
    assert people.top_drivers(Scope(everything()), TODAY) == [(alice, 3, 3 * HOUR)]
    assert Booking.objects.count() == 3
