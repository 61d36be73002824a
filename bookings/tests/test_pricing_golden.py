"""Prices published by standards, cities and other projects, recomputed by our engine to the cent."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from bookings.pricing import NoPrice, Price
from bookings.tests.golden import convert

CASES = json.loads((Path(__file__).parent / "golden" / "tariff_cases.json").read_text())["cases"]


def by_family(*families: str) -> list:
    return [pytest.param(case, id=case["id"]) for case in CASES if case["family"] in families]


def billed(prices: list[Price], kind: str) -> Decimal:
    return sum((line.quantity for price in prices for line in price.lines if line.kind == kind), Decimal(0))


@pytest.mark.parametrize("case", by_family("ocpi"))
def test_ocpi_case_comes_out_to_the_cent(case):
    prices = convert.ocpi_prices(case)
    session, kinds = prices[-1:], {line.kind for line in prices[-1].lines}
    net = sum(price.net for price in prices)
    found = {
        "excl": net,
        "excl_3dp": net,
        "incl": sum(price.total for price in prices),
        "billed_kwh": billed(prices, "energy"),
        "billed_kwh_total": billed(prices, "energy"),
        "billed_wh": billed(prices, "energy") * 1000,
        "billed_reservation_minutes": billed(prices[:1], "time"),
        "billed_charging_minutes": billed(session, "time"),
        "billed_parking_minutes": billed(session, "parking_time"),
        "billed_total_minutes": billed(session, "time") + billed(session, "parking_time"),
        "billed_minutes_after_17": session[0].lines[-1].quantity,
        "parking_excl": sum(x.amount - x.tax for x in session[0].lines if x.kind == "parking_time"),
        "energy_excl": sum(x.amount - x.tax for x in session[0].lines if x.kind == "energy"),
        "energy_incl": sum(x.amount for x in session[0].lines if x.kind == "energy"),
    }
    expected = {name: Decimal(value) for name, value in case["expected"].items()}

    assert kinds <= {"flat", "time", "parking_time", "energy"}
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("case", by_family(*convert.FAMILIES))
def test_parking_case_comes_out_to_the_cent(case):
    expected = case["expected"]
    found = convert.FAMILIES[case["family"]]

    if "error" in expected or expected.get("price") == "unavailable":
        with pytest.raises(NoPrice):
            found(case)
        return
    price = found(case)
    if "within_grace" in expected:
        assert [line.kind for line in price.lines] == (["free"] if expected["within_grace"] else ["time"])
    else:
        assert price.total == Decimal(str(expected.get("total", expected.get("price"))))


def test_every_case_of_the_collection_is_tried():
    tried = by_family("ocpi", *convert.FAMILIES)

    assert len(tried) == len(CASES) == 67
