"""One rule of pricing per test; published prices are in test_pricing_golden, laws in …_properties."""

import timeit
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from bookings.price_falls import find_falls
from bookings.pricing import NoPrice, price
from lots import rates
from lots.rates import (
    DayCap,
    Element,
    FreeMinutes,
    Limit,
    Package,
    PriceComponent,
    Restrictions,
    Step,
    Tariff,
)

BERLIN = ZoneInfo("Europe/Berlin")
UTC = ZoneInfo("UTC")
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
TUESDAY = datetime(2026, 3, 3, 12, tzinfo=BERLIN)
TWO = Decimal("2.00")


def per_hour(amount, **restrictions) -> Element:
    return Element((PriceComponent("TIME", Decimal(amount)),), Restrictions(**restrictions))


def total(tariff, length, start=TUESDAY, **more) -> Decimal:
    return price(tariff, start, start + length, zone=BERLIN, **more).total


# The simple tariff


def test_simple_is_pro_rata_to_the_second():
    found = price(rates.simple(TWO, "EUR"), TUESDAY, TUESDAY + 90 * MINUTE, zone=BERLIN)

    assert found.to_json() == {
        "currency": "EUR",
        "total": "3.00",
        "net": "3.00",
        "tax": "0.00",
        "lines": [
            {
                "label": "Parking",
                "kind": "time",
                "quantity": "90",
                "unit": "min",
                "rate": "2.00",
                "amount": "3.00",
                "tax": "0.00",
                "explanation": "1 h 30 min at 2.00 EUR per hour",
            }
        ],
    }


@pytest.mark.parametrize(
    ("currency", "amount"), [("JPY", "33"), ("EUR", "33.33"), ("KWD", "33.333"), ("CLF", "33.3333")]
)
def test_amounts_have_the_decimals_of_the_currency(currency, amount):
    assert str(total(rates.simple(Decimal(100), currency), 20 * MINUTE)) == amount


def test_halves_are_rounded_up():
    assert total(rates.simple(Decimal("0.50"), "EUR"), 36 * timedelta(seconds=1)) == Decimal("0.01")


def test_a_stay_of_no_length_is_free():
    found = price(rates.simple(TWO, "EUR"), TUESDAY, TUESDAY, zone=BERLIN)

    assert (found.total, [line.kind for line in found.lines]) == (0, ["free"])


def test_naive_times_are_refused():
    with pytest.raises(ValueError, match="starts_at needs a time zone"):
        price(rates.simple(TWO, "EUR"), TUESDAY.replace(tzinfo=None), TUESDAY, zone=BERLIN)


def test_an_end_before_the_start_is_refused():
    with pytest.raises(ValueError, match="cannot end before it starts"):
        total(rates.simple(TWO, "EUR"), -MINUTE)


def test_a_stay_of_a_thousand_years_is_refused_at_once():
    with pytest.raises(ValueError, match="ten years"):
        total(Tariff("EUR", (per_hour(1, start_time=time(8)),)), timedelta(days=365_000))


def test_the_simple_tariff_costs_little_time():
    tariff = rates.simple(TWO, "EUR")

    seconds = min(timeit.repeat(lambda: total(tariff, 90 * MINUTE), number=200, repeat=5)) / 200

    # Measured: 30 µs. Ten times as much would be felt on a page of lots.
    assert seconds < 300e-6


# Restrictions


def test_the_first_element_that_matches_counts():
    tariff = Tariff("EUR", (per_hour(5, start_time=time(12), end_time=time(13)), per_hour(1)))

    assert total(tariff, 3 * HOUR) == 7


def test_a_window_may_run_past_midnight():
    night = Tariff("EUR", (per_hour(1, start_time=time(22), end_time=time(6)), per_hour(3)))

    assert total(night, 10 * HOUR, TUESDAY.replace(hour=21)) == 3 + 8 + 3


def test_a_window_without_an_end_closes_at_midnight():
    assert total(Tariff("EUR", (per_hour(1, start_time=time(20)),)), 24 * HOUR) == 4


def test_the_day_of_the_week_is_that_of_the_moment():
    tariff = Tariff("EUR", (per_hour(1, day_of_week=("WEDNESDAY",)),))

    assert total(tariff, 48 * HOUR) == 24


def test_dates_include_the_first_and_exclude_the_last():
    tariff = Tariff("EUR", (per_hour(1, start_date=date(2026, 3, 4), end_date=date(2026, 3, 6)),))

    assert total(tariff, 120 * HOUR) == 48


def test_durations_count_from_the_start_of_the_stay():
    tariff = Tariff("EUR", (per_hour(1, max_duration=3600), per_hour(10, min_duration=7200)))

    assert total(tariff, 3 * HOUR) == 1 + 10


def test_vehicle_and_spot_kinds_choose_the_element():
    motorcycle, charger = per_hour(1, vehicle_kinds=("motorcycle",)), per_hour(4, spot_kinds=("ev",))
    tariff = Tariff("EUR", (motorcycle, charger, per_hour(2)))

    assert total(tariff, HOUR) == total(tariff, HOUR, vehicle_kind="car", spot_kind="plain") == 2
    assert total(tariff, HOUR, vehicle_kind="motorcycle") == 1
    assert total(tariff, HOUR, spot_kind="ev") == 4


def test_a_start_fee_looks_at_the_clock_once():
    fee = PriceComponent("FLAT", Decimal(3))
    day = Element((fee,), Restrictions(start_time=time(6), end_time=time(18)))
    after_dark = Restrictions(start_time=time(18), end_time=time(6))
    night = Element((PriceComponent("FLAT", Decimal(1)),), after_dark)

    assert total(Tariff("EUR", (day, night)), 24 * HOUR) == 3


def test_a_fee_for_overstaying_comes_on_top_of_the_start_fee():
    late = Element((PriceComponent("FLAT", Decimal(10)),), Restrictions(min_duration=14400))
    tariff = Tariff("EUR", (late, Element((PriceComponent("FLAT", Decimal(1)),))))

    assert [total(tariff, n * HOUR) for n in (4, 5)] == [1, 11]


def test_a_reservation_is_priced_by_its_own_elements_and_else_like_a_stay():
    reserved = Tariff("EUR", (per_hour(1, reservation="RESERVATION"), per_hour(5)))

    assert total(reserved, HOUR, is_reservation=True) == 1
    assert total(reserved, HOUR) == 5
    assert total(rates.simple(TWO, "EUR"), HOUR, is_reservation=True) == 2


# Clocks that change

SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", SPRING, "23"),
        ("Europe/Berlin", AUTUMN, "25"),
        ("America/New_York", date(2026, 3, 8), "23"),
        ("America/New_York", date(2026, 11, 1), "25"),
        ("Australia/Lord_Howe", date(2026, 10, 4), "23.5"),
        ("Australia/Lord_Howe", date(2026, 4, 5), "24.5"),
        ("UTC", SPRING, "24"),
    ],
)
def test_a_local_day_is_billed_by_elapsed_time(zone, day, hours):
    zone = ZoneInfo(zone)
    start, end = (datetime.combine(day + timedelta(days=n), time(0), zone) for n in (0, 1))
    by_window = Tariff("EUR", (per_hour(1, start_time=time(0), end_time=time(2, 30)), per_hour(1)))

    for tariff in (rates.simple(Decimal(1), "EUR"), by_window):
        assert price(tariff, start, end, zone=zone).total == Decimal(hours)


@pytest.mark.parametrize(("day", "night", "morning"), [(SPRING, 1, 4), (AUTUMN, 3, 4)])
def test_windows_follow_the_wall_clock_on_the_night_it_changes(day, night, morning):
    tariff = Tariff(
        "EUR",
        (
            per_hour(1, start_time=time(1), end_time=time(3)),
            per_hour(100, start_time=time(3), end_time=time(7)),
        ),
    )
    start = datetime.combine(day, time(0), BERLIN)

    assert price(tariff, start, start.replace(hour=8), zone=BERLIN).total == night + 100 * morning


def test_a_window_that_ends_in_the_gap_ends_with_the_jump():
    tariff = Tariff("EUR", (per_hour(1, start_time=time(0), end_time=time(2, 30)),))
    start = datetime.combine(SPRING, time(0), BERLIN)

    assert price(tariff, start, start.replace(hour=8), zone=BERLIN).total == 2


# Steps


def test_every_started_hour_is_paid():
    tariff = rates.started_hours(TWO, "EUR")

    assert [total(tariff, length) for length in (MINUTE, HOUR, 61 * MINUTE)] == [2, 2, 4]


def test_at_least_one_hour_is_paid():
    tariff = rates.minimum_one_hour(TWO, "EUR")

    assert [total(tariff, length) for length in (MINUTE, 90 * MINUTE)] == [2, 3]


def test_a_price_table_goes_on_after_its_last_row():
    tariff = rates.stepped([(30, Decimal(1)), (60, Decimal("1.80"))], "EUR", then=(60, Decimal("1.80")))

    totals = [str(total(tariff, n * MINUTE)) for n in (30, 31, 60, 61, 121)]
    assert totals == ["1.00", "1.80", "1.80", "3.60", "5.40"]


def test_steps_start_anew_with_each_window_unless_they_continue():
    steps = (Step(Decimal(5), 3600, 1), Step(Decimal(1), 3600))
    start = TUESDAY.replace(hour=17)
    for continues, amount in ((False, 5 + 5 + 1), (True, 5 + 1 + 1)):
        part = PriceComponent("TIME", steps=steps, continues=continues)
        tariff = Tariff("EUR", (Element((part,), Restrictions(start_time=time(8), end_time=time(18))),))

        assert total(tariff, 17 * HOUR, start) == amount


def test_the_moment_of_leaving_counts_where_the_tariff_says_so():
    part = PriceComponent("TIME", steps=(Step(TWO, 3600),))
    evening = Element((part,), Restrictions(start_time=time(18), end_time=time(22)))
    start = TUESDAY.replace(hour=17)

    assert total(Tariff("EUR", (evening,)), HOUR, start) == 0
    assert total(Tariff("EUR", (evening,), end_inclusive=True), HOUR, start) == 2


# Free minutes


def test_grace_is_lost_when_it_is_overstayed():
    tariff = Tariff("EUR", (per_hour(6),), free_minutes=FreeMinutes(Decimal(15)))

    assert [total(tariff, n * MINUTE) for n in (15, 16)] == [0, Decimal("1.60")]


def test_deducted_minutes_stay_free():
    tariff = Tariff("EUR", (per_hour(6),), free_minutes=FreeMinutes(Decimal(15), "deducted"))

    assert [total(tariff, n * MINUTE) for n in (15, 25)] == [0, 1]


def test_free_minutes_leave_energy_to_be_paid_and_no_minimum():
    energy = Element((PriceComponent("FLAT", Decimal(9)), PriceComponent("ENERGY", Decimal("0.50"))))
    tariff = Tariff(
        "EUR", (energy,), free_minutes=FreeMinutes(Decimal(15)), min_price=Limit(after_taxes=Decimal(20))
    )

    assert total(tariff, 10 * MINUTE, kwh=Decimal(4)) == 2


# Caps and limits


def test_a_rolling_cap_counts_from_the_start():
    tariff = Tariff("EUR", (per_hour(2),), day_caps=(DayCap(Decimal(20)),))

    assert [total(tariff, n * HOUR) for n in (9, 24, 25, 48)] == [18, 20, 22, 40]


def test_a_calendar_cap_counts_from_its_local_reset():
    tariff = Tariff("EUR", (per_hour(2),), day_caps=(DayCap(Decimal(20), "calendar", reset=time(4)),))

    assert [total(tariff, n * HOUR) for n in (16, 17, 40)] == [20, 22, 40]


def test_a_cap_for_the_week_sits_above_the_day_cap():
    caps = (DayCap(Decimal(20)), DayCap(Decimal(70), days=7))

    assert total(Tariff("EUR", (per_hour(2),), day_caps=caps), timedelta(days=8)) == 70 + 20


def test_a_calendar_week_begins_on_monday():
    tariff = Tariff("EUR", (per_hour(1),), day_caps=(DayCap(Decimal(30), "calendar", 7),))
    sunday_noon = TUESDAY.replace(day=8)

    assert total(tariff, 48 * HOUR, sunday_noon) == 12 + 30


def test_a_capped_day_is_taxed_on_what_is_paid():
    tariff = Tariff("EUR", (per_hour(2),), day_caps=(DayCap(Decimal(20)),), tax=Decimal(19))
    found = price(tariff, TUESDAY, TUESDAY + 18 * HOUR, zone=BERLIN)

    # The tax in 36.00 is 5.75, in 20.00 it is 3.19; in the 16.00 between them it would be 2.55.
    assert [str(line.tax) for line in found.lines] == ["5.75", "-2.56"]
    assert str(found.tax) == "3.19"


def test_a_capped_stay_reads_in_three_lines():
    tariff = Tariff("EUR", (per_hour(2),), day_caps=(DayCap(Decimal(20)),))
    found = price(tariff, TUESDAY, TUESDAY + 60 * HOUR, zone=BERLIN)

    assert [(line.label, str(line.quantity), str(line.amount)) for line in found.lines] == [
        ("Parking", "3600", "120.00"),
        ("Day cap", "3", "-60.00"),
    ]
    assert found.lines[1].explanation == "Parking costs at most 20.00 EUR per 24 hours."


def test_days_whose_amounts_were_rounded_stay_lines_of_their_own():
    tariff = Tariff("EUR", (per_hour("0.333"),), day_caps=(DayCap(Decimal(20)),))
    found = price(tariff, TUESDAY, TUESDAY + 48 * HOUR, zone=BERLIN)

    assert [str(line.amount) for line in found.lines] == ["7.99", "7.99"]


def test_an_element_has_its_own_cap_each_time_it_applies():
    night = replace(per_hour(2, start_time=time(20), end_time=time(6)), name="Night", max_price=Decimal(5))
    found = price(Tariff("EUR", (night, per_hour(1))), TUESDAY, TUESDAY + 48 * HOUR, zone=BERLIN)

    assert found.total == 2 * (14 + 5)
    assert [line.explanation for line in found.lines if line.kind == "cap"] == [
        "At most 5.00 EUR each time.",
        "At most 5.00 EUR each time.",
    ]


def test_caps_leave_energy_and_start_fees_alone():
    parts = tuple(PriceComponent(kind, Decimal(2)) for kind in ("FLAT", "TIME", "ENERGY"))
    tariff = Tariff("EUR", (Element(parts),), day_caps=(DayCap(Decimal(3)),))

    assert total(tariff, 10 * HOUR, kwh=Decimal(10)) == 2 + 3 + 20


def test_the_minimum_is_a_line_of_its_own():
    tariff = Tariff("EUR", (per_hour(1),), min_price=Limit(after_taxes=Decimal(5)), tax=Decimal(19))
    found = price(tariff, TUESDAY, TUESDAY + HOUR, zone=BERLIN)

    assert [(line.kind, str(line.amount), str(line.tax)) for line in found.lines] == [
        ("time", "1.00", "0.16"),
        ("minimum", "4.00", "0.64"),
    ]


@pytest.mark.parametrize(("kwh", "net", "gross"), [(50, "10.00", "11.00"), (30, "8.00", "8.85")])
def test_a_maximum_before_and_after_taxes_holds_for_both(kwh, net, gross):
    parts = (
        PriceComponent("FLAT", Decimal("0.5"), tax=Decimal(20)),
        PriceComponent("ENERGY", Decimal("0.25"), tax=Decimal(10)),
    )
    tariff = Tariff("EUR", (Element(parts),), max_price=Limit(Decimal(10), Decimal(11)), tax_included=False)
    found = price(tariff, TUESDAY, TUESDAY + HOUR, zone=BERLIN, kwh=Decimal(kwh))

    assert (str(found.net), str(found.total)) == (net, gross)
    assert sum(line.amount for line in found.lines) == found.total


# Taxes


def test_tax_is_contained_or_added_as_the_tariff_says():
    for included, sums in ((True, ("8.40", "1.60", "10.00")), (False, ("10.00", "1.90", "11.90"))):
        tariff = Tariff("EUR", (per_hour(10),), tax=Decimal(19), tax_included=included)
        found = price(tariff, TUESDAY, TUESDAY + HOUR, zone=BERLIN)

        assert (str(found.net), str(found.tax), str(found.total)) == sums


# Charging


def test_time_after_charging_is_parking_time():
    parts = (PriceComponent("TIME", Decimal(3)), PriceComponent("PARKING_TIME", Decimal(5)))
    tariff = Tariff("EUR", (Element(parts),))

    assert total(tariff, 2 * HOUR, charging_ends_at=TUESDAY + HOUR) == 8
    assert total(tariff, 2 * HOUR) == 6


def test_who_does_not_charge_pays_the_parking_time_of_a_charging_tariff():
    parts = (PriceComponent("ENERGY", Decimal(1)), PriceComponent("PARKING_TIME", Decimal(5)))
    tariff = Tariff("EUR", (Element(parts),))

    assert total(tariff, 2 * HOUR) == 10
    assert total(tariff, 2 * HOUR, kwh=Decimal(7)) == 7


def test_energy_beyond_a_threshold_has_its_own_price():
    cheap = Element((PriceComponent("ENERGY", Decimal(1)),), Restrictions(max_kwh=Decimal(10)))
    tariff = Tariff("EUR", (cheap, Element((PriceComponent("ENERGY", Decimal(2)),))))

    assert total(tariff, HOUR, kwh=Decimal(25)) == 10 + 30


def test_readings_must_rise_within_the_stay():
    tariff = Tariff("EUR", (Element((PriceComponent("ENERGY", Decimal(1)),)),))

    for late in ([(TUESDAY + 2 * HOUR, Decimal(1))], [(TUESDAY, Decimal(5)), (TUESDAY + MINUTE, Decimal(4))]):
        with pytest.raises(ValueError, match="Readings must lie within the stay and rise"):
            total(tariff, HOUR, readings=late)


# Packages

EARLY = Package("Early bird", Decimal(13), time(6), time(9), time(23, 30), time(15, 30), rates.WEEKDAYS[:5])


@pytest.mark.parametrize(
    ("begin", "end", "amount"),
    [("06:00", "15:30", 13), ("09:00", "23:30", 13), ("05:59", "16:00", 20), ("08:00", "15:29", 20)],
)
def test_a_package_needs_arrival_and_leaving_within_its_hours(begin, end, amount):
    tariff = Tariff("EUR", (per_hour(5),), (EARLY,), day_caps=(DayCap(Decimal(20)),))
    start, end = (datetime.combine(TUESDAY, time.fromisoformat(at), BERLIN) for at in (begin, end))

    assert price(tariff, start, end, zone=BERLIN).total == amount


def test_packages_alone_sell_nothing_else():
    with pytest.raises(NoPrice):
        total(Tariff("EUR", packages=(EARLY,)), HOUR)


def test_the_cheapest_of_several_packages_counts():
    dear = Package("Day", Decimal(30), time(0), time(0), time(0))

    assert total(Tariff("EUR", packages=(dear, EARLY)), 9 * HOUR, TUESDAY.replace(hour=7)) == 13


# Falls


def test_falls_finds_where_staying_longer_is_cheaper():
    early = Tariff("EUR", (per_hour(5),), (EARLY,), day_caps=(DayCap(Decimal(20)),))
    by_the_hour = (PriceComponent("TIME", Decimal(10), step_size=3600),)
    day = replace(per_hour(10, start_time=time(8), end_time=time(17)), components=by_the_hour)
    rounding = Tariff("EUR", (day, per_hour(1)))

    for tariff in (early, rounding):
        falls = find_falls(tariff, BERLIN)

        assert rates.warnings(tariff)
        assert falls
        assert all(fall.after < fall.before and fall.later > fall.earlier for fall in falls)


def test_falls_finds_nothing_in_a_tariff_that_only_rises():
    tariff = Tariff(
        "EUR",
        (per_hour(3, start_time=time(8), end_time=time(18)), per_hour(1)),
        day_caps=(DayCap(Decimal(20)),),
    )

    assert (rates.warnings(tariff), find_falls(tariff, BERLIN)) == ([], [])
