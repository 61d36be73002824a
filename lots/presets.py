"""Tariffs to start from. Each takes the price of an hour; what else it needs follows from that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import time
from decimal import Decimal

from lots import rates
from lots.money import quantise
from lots.rates import ENERGY, PARKING_TIME, TIME, DayCap, Element, FreeMinutes, PriceComponent, Tariff
from lots.restrictions import Restrictions


@dataclass(frozen=True, slots=True)
class Preset:
    name: str
    label: str
    sentence: str
    make: Callable[[Decimal, str], Tariff]


def day_cap(hour: Decimal, currency: str) -> Tariff:
    return replace(rates.simple(hour, currency), day_caps=(DayCap(quantise(hour * 8, currency)),))


def free_minutes(hour: Decimal, currency: str) -> Tariff:
    return replace(rates.simple(hour, currency), free_minutes=FreeMinutes(Decimal(15)))


def table(hour: Decimal, currency: str) -> Tariff:
    half = quantise(hour / 2, currency)
    return rates.stepped([(30, half), (60, hour), (120, hour * 2)], currency, then=(60, hour))


def day_night(hour: Decimal, currency: str) -> Tariff:
    night = quantise(hour / 2, currency)
    return Tariff(
        currency,
        (
            Element((PriceComponent(TIME, hour),), Restrictions(time(8), time(20)), "Day"),
            Element((PriceComponent(TIME, night),), name="Night"),
        ),
    )


def charging(hour: Decimal, currency: str) -> Tariff:
    return Tariff(
        currency,
        (
            Element((PriceComponent(ENERGY, quantise(hour / 5, currency)),)),
            Element((PriceComponent(PARKING_TIME, hour),)),
        ),
    )


PRESETS = {
    preset.name: preset
    for preset in [
        Preset("pro_rata", "Price per hour", "To the second: half an hour costs half.", rates.simple),
        Preset(
            "minimum_one_hour",
            "At least one hour",
            "To the second, but never less than one hour.",
            rates.minimum_one_hour,
        ),
        Preset(
            "started_hours",
            "Started hours",
            "Every hour that has begun is paid in full.",
            rates.started_hours,
        ),
        Preset(
            "day_cap", "With a day cap", "A price per hour, and the most that 24 hours may cost.", day_cap
        ),
        Preset(
            "free_minutes",
            "First minutes free",
            "Who leaves within a quarter of an hour pays nothing.",
            free_minutes,
        ),
        Preset(
            "stepped", "Price table", "Up to 30 minutes, up to one hour, up to two, then by the hour.", table
        ),
        Preset(
            "day_night", "Day and night", "One price from 8 to 20 o'clock, another one at night.", day_night
        ),
        Preset(
            "charging",
            "EV: energy, then parking",
            "Per kWh while charging; per hour once the car is full.",
            charging,
        ),
    ]
}
