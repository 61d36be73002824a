"""Laws every price obeys, tried on random tariffs and stays."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bookings.pricing import price
from lots.money import cent
from lots.rates import (
    WEEKDAYS,
    DayCap,
    Element,
    FreeMinutes,
    Limit,
    Package,
    PriceComponent,
    Restrictions,
    Step,
    Tariff,
    simple,
    warnings,
)

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]
# The nights on which the clocks change somewhere in 2026, and the days around them.
NIGHTS = ((3, 8), (3, 29), (4, 5), (10, 4), (10, 25), (11, 1))
CHANGES = [datetime(2026, month, day, tzinfo=UTC) for month, day in NIGHTS]

money = st.decimals(0, 30, places=2)
percents = st.sampled_from([Decimal(0), Decimal(7), Decimal(19), Decimal("5.2")])
zones = st.sampled_from(ZONES).map(ZoneInfo)
clock = st.sampled_from([time(hour, minute) for hour in range(24) for minute in (0, 30)])
lengths = st.integers(0, 5 * 86400).map(lambda seconds: timedelta(seconds=seconds))
starts = st.one_of(
    st.integers(0, 330 * 1440).map(lambda minutes: CHANGES[0] + timedelta(minutes=minutes)),
    st.builds(
        lambda night, minutes: night + timedelta(minutes=minutes),
        st.sampled_from(CHANGES),
        st.integers(-600, 900),
    ),
)
blocks = st.builds(Step, money, st.sampled_from([300, 900, 1800, 3600, 7000]))
steps = st.lists(blocks, min_size=1, max_size=3).map(
    lambda found: tuple([Step(step.price, step.seconds, 2) for step in found[:-1]] + found[-1:])
)


@st.composite
def components(draw, kind, step_sizes):
    tax = draw(st.none() | percents)
    if kind in ("TIME", "PARKING_TIME") and draw(st.booleans()):
        return PriceComponent(kind, tax=tax, steps=draw(steps), continues=draw(st.booleans()))
    return PriceComponent(kind, draw(money), draw(st.sampled_from(step_sizes)), tax)


@st.composite
def restrictions(draw, *, is_weekly=False):
    found = {}
    if draw(st.booleans()):
        found.update(start_time=draw(clock), end_time=draw(clock))
    if draw(st.booleans()):
        found["day_of_week"] = tuple(draw(st.sets(st.sampled_from(WEEKDAYS), min_size=1)))
    if draw(st.booleans()):
        found["min_duration"] = draw(st.integers(0, 20)) * 1800
    if not is_weekly and draw(st.booleans()):
        found["start_date"] = datetime(2026, draw(st.integers(1, 12)), 5, tzinfo=UTC).date()
    return Restrictions(**found)


@st.composite
def elements(draw, *, kinds=("FLAT", "TIME", "PARKING_TIME", "ENERGY"), **more):
    chosen = draw(st.sets(st.sampled_from(kinds), min_size=1))
    sizes = more.pop("step_sizes", (1, 60, 900, 3600))
    return Element(
        tuple(draw(components(kind, sizes)) for kind in sorted(chosen)),
        draw(restrictions(**more)),
        max_price=draw(st.none() | money),
    )


@st.composite
def tariffs(draw, *, max_packages=1, has_maximum=False, **more):
    free = st.builds(FreeMinutes, st.integers(0, 120).map(Decimal), st.sampled_from(["grace", "deducted"]))
    kinds, days = st.sampled_from(["rolling", "calendar"]), st.sampled_from([1, 7])
    caps = st.builds(DayCap, st.none() | money, kinds, days, clock)
    maximum = money.map(lambda amount: Limit(after_taxes=amount + 5))
    package = st.builds(Package, st.just("Package"), money, clock, clock, clock)
    return Tariff(
        draw(st.sampled_from(["EUR", "JPY", "KWD"])),
        tuple(draw(st.lists(elements(**more), min_size=1, max_size=3))),
        tuple(draw(st.lists(package, max_size=max_packages))),
        draw(st.none() | free),
        tuple(draw(st.lists(caps, max_size=2))),
        draw(st.none() | money.map(lambda amount: Limit(after_taxes=amount / 10))),
        draw(maximum if has_maximum else st.none() | maximum),
        draw(percents),
        draw(st.booleans()),
        draw(st.booleans()),
    )


@given(tariffs(), starts, lengths, zones, st.none() | money)
@settings(deadline=None)
def test_lines_sum_to_a_total_that_is_never_negative(tariff, start, length, zone, kwh):
    found = price(tariff, start, start + length, zone=zone, kwh=kwh)

    assert found.total >= 0
    assert found.net >= 0
    assert sum(line.amount for line in found.lines) == found.total == found.net + found.tax
    assert sum(line.tax for line in found.lines) == found.tax
    assert all(line.amount == line.amount.quantize(cent(tariff.currency)) for line in found.lines)


@given(tariffs(has_maximum=True), starts, lengths, zones)
@settings(deadline=None)
def test_no_stay_costs_more_than_the_maximum(tariff, start, length, zone):
    most = tariff.max_price.after_taxes.quantize(cent(tariff.currency), "ROUND_HALF_UP")

    assert price(tariff, start, start + length, zone=zone).total <= most


@given(elements(kinds=("TIME",)), money, st.integers(1, 7), starts, lengths, zones)
@settings(deadline=None)
def test_no_period_costs_more_than_its_cap(element, cap, days, start, length, zone):
    tariff = Tariff("EUR", (element,), day_caps=(DayCap(cap, days=days),))
    periods = length // timedelta(days=days) + 1

    assert price(tariff, start, start + length, zone=zone).total <= periods * cap


@given(
    st.one_of(
        # Few of the first kind come without a warning, all of the second do.
        tariffs(kinds=("FLAT", "TIME", "PARKING_TIME"), max_packages=0),
        tariffs(kinds=("FLAT", "TIME", "PARKING_TIME"), max_packages=0, step_sizes=(1,)),
    ),
    starts,
    lengths,
    lengths,
    zones,
)
@settings(deadline=None, max_examples=200)
def test_a_longer_stay_never_costs_less_unless_the_editor_was_warned(tariff, start, length, more, zone):
    assume(not warnings(tariff))

    shorter = price(tariff, start, start + length, zone=zone).total
    assert price(tariff, start, start + length + more, zone=zone).total >= shorter


@given(
    tariffs(is_weekly=True),
    st.integers(0, 25 * 1440),
    lengths,
    st.integers(1, 3),
    st.sampled_from(ZONES[:2]).map(ZoneInfo),
)
@settings(deadline=None)
def test_whole_weeks_later_costs_the_same(tariff, minutes, length, weeks, zone):
    # January and February hold no change of clocks in these zones.
    start = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(minutes=minutes)
    shift = timedelta(weeks=weeks)

    first = price(tariff, start, start + length, zone=zone)
    assert price(tariff, start + shift, start + shift + length, zone=zone) == first


@pytest.mark.parametrize("zone", ZONES)
@given(night=st.sampled_from(CHANGES), minutes=st.integers(-600, 900), length=st.integers(0, 172800))
@settings(deadline=None, max_examples=50)
def test_elapsed_time_is_billed_on_nights_when_the_clocks_change(zone, night, minutes, length):
    start = (night + timedelta(minutes=minutes)).astimezone(ZoneInfo(zone))
    end = (start.astimezone(UTC) + timedelta(seconds=length)).astimezone(ZoneInfo(zone))
    tariff = simple(Decimal(36), "EUR")
    halves = [Restrictions(start_time=time(2, 30), end_time=time(14)), Restrictions()]
    split = Tariff("EUR", tuple(Element(tariff.elements[0].components, rule) for rule in halves))

    for each in (tariff, split):
        assert price(each, start, end, zone=ZoneInfo(zone)).total == Decimal(length) / 100


@given(tariffs(), starts, lengths, zones)
@settings(deadline=None)
def test_the_stored_document_prices_the_same(tariff, start, length, zone):
    stored = Tariff.from_json(tariff.to_json())

    assert price(stored, start, start + length, zone=zone) == price(tariff, start, start + length, zone=zone)
