"""Reading and writing tariff documents, ours and OCPI's."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, time
from decimal import Decimal
from decimal import Decimal as D
from pathlib import Path

import pytest

from lots import presets, rates, tariff_files
from lots.ocpi import parse_ocpi, to_ocpi
from lots.rates import (
    DayCap,
    Element,
    FreeMinutes,
    Limit,
    Package,
    PriceComponent,
    RatesError,
    Restrictions,
    Step,
    Tariff,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOURLY = {"type": "TIME", "price": 1}


def everything() -> Tariff:
    steps = (Step(Decimal("1.95"), 3600, 1), Step(Decimal("0.55"), 900))
    weekend = Restrictions(
        start_time=time(18),
        end_time=time(6, 30),
        day_of_week=("SATURDAY", "SUNDAY"),
        start_date=NOW.date(),
        min_duration=0,
        max_kwh=Decimal("7.5"),
        vehicle_kinds=("car",),
        spot_kinds=("ev",),
        reservation="RESERVATION",
    )
    in_steps = PriceComponent("TIME", steps=steps, tax=Decimal(9), continues=True)
    early = Package("Early", Decimal(13), time(6), time(9), time(0), time(15, 30), rates.WEEKDAYS[:5], 1)
    return Tariff(
        currency="SGD",
        elements=(
            Element((in_steps,), weekend, "Night", Decimal(5)),
            Element((PriceComponent("ENERGY", Decimal("0.25"), 100), PriceComponent("FLAT", Decimal(1)))),
        ),
        packages=(early,),
        free_minutes=FreeMinutes(Decimal("7.5"), "deducted"),
        day_caps=(DayCap(Decimal(20), "calendar", 7, time(4)), DayCap(None)),
        min_price=Limit(Decimal(1), Decimal("1.09")),
        max_price=Limit(after_taxes=Decimal(99)),
        tax=Decimal("5.2"),
        tax_included=False,
        end_inclusive=True,
    )


def document(**changes) -> dict:
    part = {"type": "TIME", "price": "2.00"} | changes.pop("part", {})
    element = {"price_components": [part]} | changes.pop("element", {})
    return {"currency": "EUR", "elements": [element]} | changes


@pytest.mark.parametrize(
    "tariff",
    [
        everything(),
        rates.simple(Decimal("2.00"), "EUR"),
        rates.minimum_one_hour(Decimal("2.50"), "EUR"),
        rates.started_hours(Decimal(3), "JPY"),
        rates.stepped([(30, Decimal("0.50")), (60, Decimal("1.10"))], "EUR", then=(60, Decimal(1))),
    ],
)
def test_a_document_reads_back_as_it_was(tariff):
    text = json.dumps(tariff.to_json())

    assert Tariff.from_json(json.loads(text)) == tariff


def test_the_simple_document_is_short():
    assert rates.simple(Decimal("2.00"), "EUR").to_json() == {
        "currency": "EUR",
        "elements": [{"price_components": [{"type": "TIME", "price": "2.00", "step_size": 1}]}],
        "tax_included": True,
    }


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"currency": "EURO"}, "currency"),
        ({"currency": None}, "currency"),
        ({"part": {"price": "NaN"}}, "elements[0].price_components[0].price"),
        ({"part": {"price": float("inf")}}, "elements[0].price_components[0].price"),
        ({"part": {"price": "-1"}}, "elements[0].price_components[0].price"),
        ({"part": {"price": "1e999999"}}, "elements[0].price_components[0].price"),
        ({"part": {"price": "0." + "1" * 40}}, "elements[0].price_components[0].price"),
        ({"part": {"price": True}}, "elements[0].price_components[0].price"),
        ({"part": {"price": "two"}}, "elements[0].price_components[0].price"),
        ({"part": {"price": None}}, "elements[0].price_components[0].price"),
        ({"part": {"type": "MINUTES"}}, "elements[0].price_components[0].type"),
        ({"part": {"type": ["TIME"]}}, "elements[0].price_components[0].type"),
        ({"part": {"step_size": 0}}, "elements[0].price_components[0].step_size"),
        ({"part": {"step_size": 1.5}}, "elements[0].price_components[0].step_size"),
        ({"part": {"tax": 101}}, "elements[0].price_components[0].tax"),
        ({"part": {"prise": "2"}}, "elements[0].price_components[0].prise"),
        (
            {"part": {"type": "ENERGY", "price": None, "steps": [{"price": 1, "seconds": 60}]}},
            "elements[0].price_components[0].steps",
        ),
        ({"part": {"steps": [{"price": 1, "seconds": 60}]}}, "elements[0].price_components[0].price"),
        (
            {"part": {"price": 0, "steps": [{"price": 1, "seconds": 60}, {"price": 1, "seconds": 60}]}},
            "elements[0].price_components[0].steps",
        ),
        ({"element": {"price_components": []}}, "elements[0].price_components"),
        ({"element": {"price_components": [HOURLY, HOURLY]}}, "elements[0].price_components"),
        ({"element": {"restrictions": {"start_time": "25:00"}}}, "elements[0].restrictions.start_time"),
        ({"element": {"restrictions": {"start_time": "8"}}}, "elements[0].restrictions.start_time"),
        (
            {"element": {"restrictions": {"day_of_week": ["FUNDAY"]}}},
            "elements[0].restrictions.day_of_week[0]",
        ),
        ({"element": {"restrictions": {"start_date": "2026-02-30"}}}, "elements[0].restrictions.start_date"),
        ({"element": {"restrictions": {"min_kwh": 5, "max_kwh": 5}}}, "elements[0].restrictions.max_kwh"),
        ({"element": {"restrictions": {"end_time ": "10:00"}}}, "elements[0].restrictions.end_time "),
        ({"element": []}, ""),
        ({"elements": {}}, "elements"),
        ({"elements": [7]}, "elements[0]"),
        ({"elements": []}, "elements"),
        ({"max_price": {}}, "max_price"),
        ({"min_price": {"after_taxes": 5}, "max_price": {"after_taxes": 4}}, "max_price.after_taxes"),
        ({"day_caps": [{"amount": 5, "kind": "lunar"}]}, "day_caps[0].kind"),
        ({"free_minutes": {"minutes": -1}}, "free_minutes.minutes"),
        ({"tax_included": "yes"}, "tax_included"),
    ],
)
def test_a_bad_document_is_refused_at_the_field(changes, path):
    if changes.get("element") == []:
        bad: object = []
    else:
        bad = document(**changes)

    with pytest.raises(RatesError) as refused:
        Tariff.from_json(bad)

    assert refused.value.field_path == path
    assert refused.value.sentence.endswith(".")


def test_a_price_table_must_rise():
    with pytest.raises(RatesError):
        rates.stepped([(60, Decimal(2)), (30, Decimal(3))], "EUR")


# OCPI


def ocpi(**changes) -> dict:
    component = {"type": "TIME", "price": 2.0, "vat": 10.0, "step_size": 300}
    return {
        "country_code": "DE",
        "party_id": "ALL",
        "id": "12",
        "currency": "EUR",
        "elements": [{"price_components": [component]}],
        "last_updated": "2015-06-29T20:39:09Z",
    } | changes


def test_ocpi_prices_are_without_tax_unless_it_says_otherwise():
    assert parse_ocpi(ocpi()) == Tariff(
        "EUR", (Element((PriceComponent("TIME", Decimal("2.0"), 300, Decimal("10.0")),)),), tax_included=False
    )
    assert parse_ocpi(ocpi(tax_included="YES")).tax_included


@pytest.mark.parametrize(
    "limit",
    [
        {"excl_vat": 10, "incl_vat": 11},
        {"before_taxes": 10, "after_taxes": 11},
        {"before_taxes": 10, "taxes": [{"name": "VAT", "amount": 1}]},
    ],
)
def test_ocpi_limits_read_alike_in_each_version(limit):
    assert parse_ocpi(ocpi(max_price=limit)).max_price == Limit(Decimal(10), Decimal(11))


def test_a_step_of_zero_is_a_step_of_one():
    free = {"price_components": [{"type": "FLAT", "price": 0.0, "step_size": 0}]}

    assert parse_ocpi(ocpi(elements=[free])).elements[0].components[0].step_size == 1


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"last_updated": "2018-12-31T23:59:99Z"}, "last_updated"),
        ({"currency ": "EUR"}, "currency "),
        ({"elements": []}, "elements"),
        (
            {"elements": [{"price_components": [{"type": "TIME", "price": float("nan")}]}]},
            "elements[0].price_components[0].price",
        ),
        (
            {"elements": [{"price_components": [{"type": "SESSION", "price": 1}]}]},
            "elements[0].price_components[0].type",
        ),
        (
            {"elements": [{"price_components": [HOURLY], "restrictions": {"max_moons": 1}}]},
            "elements[0].restrictions.max_moons",
        ),
        ({"tax_included": "MAYBE"}, "tax_included"),
    ],
)
def test_bad_ocpi_is_refused_at_the_field(changes, path):
    with pytest.raises(RatesError) as refused:
        parse_ocpi(ocpi(**changes))

    assert refused.value.field_path == path


@pytest.mark.parametrize("version", ["2.2.1", "2.3.0"])
def test_ocpi_reads_back_what_it_wrote(version):
    window = Restrictions(
        start_time=time(22), end_time=time(6), min_kwh=Decimal(5), reservation="RESERVATION"
    )
    tariff = Tariff(
        "EUR",
        (Element((PriceComponent("TIME", Decimal("2.00"), 300, Decimal(10)),), window),),
        max_price=Limit(Decimal(10), Decimal(11)),
        tax_included=False,
    )
    written = to_ocpi(
        tariff, country_code="DE", party_id="PKW", tariff_id="7", last_updated=NOW, version=version
    )

    assert parse_ocpi(written) == tariff
    assert written["last_updated"] == "2026-01-02T03:04:05Z"
    assert (
        set(written["max_price"])
        == {
            "2.2.1": {"excl_vat", "incl_vat"},
            "2.3.0": {"before_taxes", "after_taxes"},
        }[version]
    )


def test_what_ocpi_cannot_say_is_named():
    for tariff, path in (
        (everything(), "packages"),
        (rates.started_hours(Decimal(2), "EUR"), "elements[0].price_components[0].steps"),
    ):
        with pytest.raises(RatesError) as refused:
            to_ocpi(tariff, country_code="DE", party_id="PKW", tariff_id="7", last_updated=NOW)

        assert refused.value.field_path == path


def test_tariffs_are_read_and_priced_without_a_web_framework():
    code = "import sys, lots.ocpi, bookings.price_falls; sys.exit('django' in sys.modules)"
    root = Path(rates.__file__).parent.parent

    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


@pytest.mark.parametrize(
    ("tariff", "amount", "is_from"),
    [
        (rates.simple(D("2.50"), "EUR"), "2.50", False),
        (rates.started_hours(D(3), "EUR"), "3", False),
        (presets.day_cap(D(2), "EUR"), "2", False),
        (presets.free_minutes(D(2), "EUR"), "2", False),
        (rates.minimum_one_hour(D(2), "EUR"), "2", True),
        (presets.day_night(D(3), "EUR"), "1.50", True),
        (presets.table(D(3), "EUR"), "3", False),
        (presets.charging(D(2), "EUR"), "2", True),
        (replace(rates.simple(D(2), "EUR"), tax=D(19), tax_included=False), "2.38", False),
        (rates.simple(D(0), "EUR"), "0", False),
        (Tariff("EUR", (Element((PriceComponent("FLAT", D(5)),)),)), None, None),
    ],
)
def test_per_hour_is_what_a_list_of_lots_may_say(tariff, amount, is_from):
    assert rates.per_hour(tariff) == (amount and rates.HourlyPrice(D(amount), is_from))


def test_every_preset_is_a_tariff_that_can_be_written_and_read():
    for preset in presets.PRESETS.values():
        tariff = preset.make(D("2.50"), "EUR")

        assert Tariff.from_json(json.loads(json.dumps(tariff.to_json()))) == tariff
        assert rates.warnings(tariff) == []


def test_a_file_is_read_in_our_shape_and_in_ocpis():
    ours = rates.simple(D(2), "EUR")
    tariff = {
        "currency": "EUR",
        "country_code": "DE",
        "party_id": "ALL",
        "id": "1",
        "elements": [{"price_components": [{"type": "TIME", "price": 2.0, "step_size": 1}]}],
    }
    answer = {"status_code": 1000, "data": [tariff]}

    assert tariff_files.read(json.dumps(ours.to_json())) == ours
    assert tariff_files.read(json.dumps(tariff).encode()) == replace(ours, tax_included=False)
    assert tariff_files.read(json.dumps(answer)) == replace(ours, tax_included=False)


@pytest.mark.parametrize(
    ("raw", "path", "sentence"),
    [
        (b"\xff\xfe", "", "This is not a JSON file."),
        ("[" * 100_000, "", "This is not a JSON file."),
        ('{"currency":\n "EUR"', "", "This is not a JSON file: Expecting ',' delimiter in line 2."),
        ("x" * 1_000_001, "", "This is too large for a tariff."),
        ('{"status_code": 1000, "data": [1, 2]}', "data", "One tariff is expected here, not 2."),
    ],
)
def test_a_file_that_is_no_tariff_is_refused_with_a_sentence(raw, path, sentence):
    with pytest.raises(RatesError) as refused:
        tariff_files.read(raw)

    assert (refused.value.field_path, refused.value.sentence) == (path, sentence)
