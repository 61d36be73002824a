"""From the words of the golden cases to tariffs of ours, one function per family of terms.

Terms are what each source publishes; the functions say how our tariff expresses them, nothing more.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from bookings.pricing import Price, price
from lots import rates
from lots.rates import (
    WEEKDAYS,
    DayCap,
    Element,
    FreeMinutes,
    Package,
    PriceComponent,
    Restrictions,
    Step,
    Tariff,
)

Case = dict[str, Any]
WORKDAYS, WEEKEND = WEEKDAYS[:5], WEEKDAYS[5:]
UTC = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


def minutes(count: Any) -> timedelta:
    return timedelta(seconds=float(Decimal(str(count)) * 60))


def one(component: PriceComponent, **fields: Any) -> Tariff:
    return Tariff(fields.pop("currency", "EUR"), (Element((component,)),), **fields)


def steps(*blocks: tuple[Any, Any, int | None]) -> PriceComponent:
    """TIME in blocks of (minutes, price, times)."""
    return PriceComponent(
        rates.TIME,
        steps=tuple(
            Step(Decimal(str(fee)), int(Decimal(str(length)) * 60), times) for length, fee, times in blocks
        ),
    )


# OCPI


def ocpi_tariff(terms: list[Case], currency: str = "EUR") -> Tariff:
    return Tariff(currency, tuple(_ocpi_element(term) for term in terms), tax_included=False)


def _ocpi_element(term: Case) -> Element:
    kind = term["type"]
    before = kind.rpartition("_")[0]
    reservation = {"RESERVATION": "RESERVATION", "EXPIRED": "RESERVATION_EXPIRES"}.get(before)
    component = PriceComponent(
        kind.rpartition("_")[2] if reservation else kind,
        Decimal(next(term[key] for key in ("price", "price_per_kwh", "price_per_hour") if key in term)),
        int(term.get("step_wh") or term.get("step_seconds") or 1),
        Decimal(str(term.get("vat_pct", 0))),
    )
    begin, _, end = term.get("window", "").partition("-")
    return Element(
        (component,),
        Restrictions(
            start_time=time.fromisoformat(begin) if begin else None,
            end_time=clock(end) if end else None,
            min_duration=int(term["from_minute"]) * 60 if "from_minute" in term else None,
            max_duration=int(term["until_minute"]) * 60 if "until_minute" in term else None,
            reservation=reservation,
        ),
    )


def clock(text: str) -> time:
    return time(0) if text == "24:00" else time.fromisoformat(text)


def ocpi_prices(case: Case) -> list[Price]:
    """The prices of the case's parts: the reservation, if there was one, and the session, if it came."""
    given = case["input"]
    # A third decimal is asked for where the source rounds to one.
    currency = "KWD" if "excl_3dp" in case["expected"] else "EUR"
    tariff = ocpi_tariff(case["terms"], currency)
    found = []
    if "reservation_minutes" in given:
        found.append(
            price(
                tariff,
                NOON,
                NOON + minutes(given["reservation_minutes"]),
                zone=UTC,
                is_reservation=True,
                has_expired=given.get("expired", False),
            )
        )
    if not given.get("expired"):
        found.append(_ocpi_session(tariff, given))
    return found


def _ocpi_session(tariff: Tariff, given: Case) -> Price:
    five_pm = NOON + timedelta(hours=5)
    if "minutes_before_17" in given:
        start = five_pm - minutes(given["minutes_before_17"])
        end = five_pm + minutes(given["minutes_after_17"])
        return price(tariff, start, end, zone=UTC, charging_ends_at=end)
    if "kwh_before_17" in given:
        before, after = Decimal(given["kwh_before_17"]), Decimal(given["kwh_after_17"])
        start, end = five_pm - 60 * MINUTE, five_pm + 30 * MINUTE
        return price(
            tariff,
            start,
            end,
            zone=UTC,
            charging_ends_at=end,
            readings=[(five_pm, before), (end, before + after)],
        )
    if "kwh_periods" in given:
        starts = [datetime.combine(NOON.date(), clock(text), UTC) for text in given["period_starts"]]
        ends, total, readings = [*starts[1:], starts[-1] + 5 * MINUTE], Decimal(0), []
        for end, kwh in zip(ends, given["kwh_periods"], strict=True):
            total += Decimal(kwh)
            readings.append((end, total))
        return price(tariff, starts[0], ends[-1], zone=UTC, charging_ends_at=ends[-1], readings=readings)
    if "periods" in given:
        return _parked_then_charged(tariff, given["periods"])
    charging = minutes(given.get("charging_minutes", 60))
    parking = minutes(given.get("parking_minutes", 0))
    kwh = Decimal(given["energy_wh"]) / 1000 if "energy_wh" in given else None
    kwh = Decimal(given["energy_kwh"]) if "energy_kwh" in given else kwh
    return price(tariff, NOON, NOON + charging + parking, zone=UTC, charging_ends_at=NOON + charging, kwh=kwh)


def _parked_then_charged(tariff: Tariff, periods: list[list[str]]) -> Price:
    # The source's energy period has no length: charging took none of the stay.
    parked = sum((minutes(value) for kind, value in periods if kind == "PARKING"), timedelta(0))
    kwh = sum((Decimal(value) for kind, value in periods if kind != "PARKING"), Decimal(0))
    return price(tariff, NOON, NOON + parked, zone=UTC, charging_ends_at=NOON, kwh=kwh)


# Everything else is parked time only


def block_list(case: Case) -> Price:
    *once, last = case["terms"]["blocks"]
    component = steps(
        *[(Decimal(block["hours"]) * 60, block["price"], 1) for block in once],
        (Decimal(last["hours"]) * 60, last["price"], None),
    )
    length = minutes(Decimal(case["input"]["parked_hours"]) * 60)
    return price(one(component, currency="THB"), NOON, NOON + length, zone=UTC)


DAY_MINUTES = 24 * 60


def day_window_tariff(terms: Case) -> Tariff:
    """Windows by the minute are half-open hours whose end moment counts; each calendar day stands alone."""
    elements = []
    if "motorcycle" in terms:
        entry = steps((DAY_MINUTES, terms["motorcycle"]["per_entry"], None))
        elements.append(Element((entry,), Restrictions(vehicle_kinds=("MOTORCYCLE",))))
    for key, days in (("car_weekday", WORKDAYS), ("car_weekend", WEEKEND)):
        elements.extend(_day_window(window, days) for window in terms.get(key, ()))
    if "every_minutes" in terms:
        elements.append(_day_window(terms, ()))
    if not elements:
        elements.append(Element((PriceComponent(rates.TIME, Decimal(1)),)))
    free = FreeMinutes(Decimal(terms["grace_minutes"])) if "grace_minutes" in terms else None
    return Tariff(
        "SGD", tuple(elements), free_minutes=free, day_caps=(DayCap(None, "calendar"),), end_inclusive=True
    )


def _day_window(window: Case, days: tuple[str, ...]) -> Element:
    if "per_entry" in window:
        component = steps((DAY_MINUTES, window["per_entry"], None))
    elif "every_minutes" in window:
        component = steps((window["every_minutes"], window["fee"], None))
    else:
        component = steps(
            (window["first_minutes"], window["first_fee"], 1),
            (window["then_minutes"], window["then_fee"], None),
        )
    begin, end = (clock(text) for text in window["window"].split("-"))
    if end.minute == 59:
        # 17:59 is the last minute inside.
        end = (datetime.combine(date(2000, 1, 1), end) + MINUTE).time()
    return Element((component,), Restrictions(start_time=begin, end_time=end, day_of_week=days))


def day_windows(case: Case) -> Price:
    zone = ZoneInfo("Asia/Singapore")
    start, end = (_local(case["input"][key], zone) for key in ("entry", "exit"))
    return price(
        day_window_tariff(case["terms"]), start, end, zone=zone, vehicle_kind=case["input"].get("vehicle", "")
    )


def _local(text: str, zone: ZoneInfo) -> datetime:
    text = text if "T" in text else f"2021-01-01T{text}"
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def early_bird_tariff(terms: Case) -> Tariff:
    """Three packages and the standard rate, by calendar day where no package holds the whole stay."""
    begin, end = (clock(text) for text in terms["early_bird"]["entry"].split("-"))
    out_from, out_to = (clock(text) for text in terms["early_bird"]["exit"].split("-"))
    night = Decimal(terms["night"]["flat"])
    packages = (
        Package("Early bird", Decimal(terms["early_bird"]["flat"]), begin, end, out_to, out_from, WORKDAYS),
        Package("Night", night, time(18), time(0), time(6), None, WORKDAYS),
        # The source's own tests price the hours after midnight of a weekday as the night before.
        Package("Night", night, time(0), time(6), time(6), None, WORKDAYS),
        Package("Weekend", Decimal(terms["weekend"]["flat"]), time(0), time(0), time(0), None, WEEKEND),
    )
    hour = steps((60, terms["standard"]["hourly"], None))
    cap = DayCap(Decimal(terms["standard"]["daily_flat"]), "calendar")
    return Tariff("AUD", (Element((hour,)),), packages, day_caps=(cap,))


def early_bird(case: Case) -> Price:
    given = case["input"]
    day = date(2026, 3, 2) + timedelta(days=WEEKDAYS.index(given["day"].upper()))
    midnight = datetime.combine(day, time(0), UTC)
    start, end = (midnight + minutes(Decimal(given[key]) * 60) for key in ("from_hour", "to_hour"))
    return price(early_bird_tariff(case["terms"]), start, end, zone=UTC)


def hourly_daymax(case: Case) -> Price:
    terms = case["terms"]["standard"]
    cap = DayCap(Decimal(terms["max_per_day"]))
    tariff = one(steps((60, terms["hourly"], None)), currency="AUD", day_caps=(cap,))
    return price(tariff, _local(case["input"]["entry"], UTC), _local(case["input"]["exit"], UTC), zone=UTC)


DAY_NAMES = {name: day for day in WEEKDAYS for name in (day[:3].lower(), day[:4].lower(), day[:5].lower())}


def contained_window_tariff(terms: Case) -> Tariff:
    found = []
    for row in terms.get("rates") or [{"times": terms["window"].replace(":", ""), "price": terms["price"]}]:
        begin, end = (time(int(text[:2]), int(text[2:])) for text in row["times"].split("-"))
        days = tuple(DAY_NAMES[name] for name in row["days"].split(",")) if "days" in row else ()
        found.append(Package("Day", Decimal(row["price"]), begin, end, end, None, days))
    return Tariff("USD", packages=tuple(found))


def contained_window(case: Case) -> Price:
    start, end = (datetime.fromisoformat(case["input"][key]) for key in ("start", "end"))
    zone = ZoneInfo(case["terms"].get("timezone", "UTC"))
    return price(contained_window_tariff(case["terms"]), start, end, zone=zone)


UNITS = {"PER_15_MINS": 15, "PER_30_MINS": 30, "PER_HOUR": 60}


def unit_price(case: Case) -> Price:
    terms = case["terms"]
    amount = Decimal(terms["price"])
    if terms["unit"] in UNITS:
        component = PriceComponent(rates.TIME, amount * 60 / UNITS[terms["unit"]])
    else:
        component = PriceComponent(rates.FLAT, amount)
    return price(one(component), NOON, NOON + minutes(case["input"]["minutes"]), zone=UTC)


def half_hour_day_night_max(case: Case) -> Price:
    terms = case["terms"]
    elements = []
    for key in ("day_max", "night_max"):
        begin, end = (clock(text) for text in terms[key]["window"].split("-"))
        elements.append(
            Element(
                (steps((30, terms["half_hour"], None)),),
                Restrictions(start_time=begin, end_time=end),
                name=key.removesuffix("_max").title(),
                max_price=Decimal(terms[key]["max"]),
            )
        )
    zone = ZoneInfo("America/Toronto")
    start, end = (_local(case["input"][key], zone) for key in ("entry", "exit"))
    return price(Tariff("CAD", tuple(elements)), start, end, zone=zone)


def cumulative_steps(case: Case) -> Price:
    terms = case["terms"]
    more = terms["additional"]
    table = rates.stepped(
        [(until, Decimal(paid)) for until, paid in terms["steps"]],
        "EUR",
        then=(more["every_minutes"], Decimal(more["fee"])),
    )
    tariff = replace(table, day_caps=(DayCap(Decimal(terms["day_max"])),))
    start = datetime(2026, 3, 3, 8, tzinfo=BERLIN)
    return price(tariff, start, start + minutes(case["input"]["minutes"]), zone=BERLIN)


def free_then_rate(case: Case) -> Price:
    terms = case["terms"]
    # "Per minute" of 2.70 an hour is 0.045 a minute; whole minutes cost the same pro rata.
    free = None
    if "free_minutes" in terms:
        component = PriceComponent(rates.TIME, Decimal(terms["then_per_hour"]), step_size=60)
        free = FreeMinutes(Decimal(terms["free_minutes"]), "deducted")
    else:
        then = (terms.get("then_minutes"), terms.get("then_fee"), None)
        if "then_per_hour" in terms:
            then = (1, Decimal(terms["then_per_hour"]) / 60, None)
        component = steps((terms["first_minutes"], terms["first_fee"], 1), then)
    return price(one(component, free_minutes=free), NOON, NOON + minutes(case["input"]["minutes"]), zone=UTC)


FAMILIES = {
    "block_list": block_list,
    "day_windows": day_windows,
    "early_bird": early_bird,
    "hourly_daymax": hourly_daymax,
    "contained_window": contained_window,
    "unit_price": unit_price,
    "halfhour_day_night_max": half_hour_day_night_max,
    "cumulative_steps_daymax": cumulative_steps,
    "free_then_rate": free_then_rate,
}
