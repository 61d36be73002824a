"""Where on earth a lot is: zone and country from its position, currency from the country."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from importlib import resources
from typing import NamedTuple

import tzfpy

from lots.feeds.records import EntryRefused

EURO_COUNTRIES = [
    "AT", "BE", "BG", "CY", "DE", "EE", "ES", "FI", "FR", "GR", "HR",
    "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PT", "SI", "SK",
]  # fmt: skip

CURRENCIES = dict.fromkeys(EURO_COUNTRIES, "EUR") | {
    "AU": "AUD", "CA": "CAD", "CH": "CHF", "CZ": "CZK", "DK": "DKK", "GB": "GBP", "HU": "HUF",
    "IN": "INR", "JP": "JPY", "LI": "CHF", "NO": "NOK", "NZ": "NZD", "PL": "PLN", "SE": "SEK",
    "US": "USD",
}  # fmt: skip


class Place(NamedTuple):
    """What follows from a position."""

    timezone: str
    country: str
    currency: str


class City(NamedTuple):
    name: str
    region: str


# The ParkAPI files are named after a city in ASCII letters, or after an operator. Most lots in
# them leave the city out of their address, so it is looked up here.
CITY_OF_FILE = {
    "aachen": City("Aachen", "Nordrhein-Westfalen"),
    "aarhus": City("Aarhus", "Midtjylland"),
    "basel": City("Basel", "Basel-Stadt"),
    "bielefeld": City("Bielefeld", "Nordrhein-Westfalen"),
    "bochum": City("Bochum", "Nordrhein-Westfalen"),
    "bonn": City("Bonn", "Nordrhein-Westfalen"),
    "dortmund": City("Dortmund", "Nordrhein-Westfalen"),
    "dresden": City("Dresden", "Sachsen"),
    "freiburg": City("Freiburg im Breisgau", "Baden-Württemberg"),
    "hanau": City("Hanau", "Hessen"),
    "heidelberg": City("Heidelberg", "Baden-Württemberg"),
    "heilbronn": City("Heilbronn", "Baden-Württemberg"),
    "ingolstadt": City("Ingolstadt", "Bayern"),
    "jena": City("Jena", "Thüringen"),
    "kaiserslautern": City("Kaiserslautern", "Rheinland-Pfalz"),
    "karlsruhe": City("Karlsruhe", "Baden-Württemberg"),
    "koeln": City("Köln", "Nordrhein-Westfalen"),
    "konstanz": City("Konstanz", "Baden-Württemberg"),
    "limburg": City("Limburg an der Lahn", "Hessen"),
    "luebeck": City("Lübeck", "Schleswig-Holstein"),
    "magdeburg": City("Magdeburg", "Sachsen-Anhalt"),
    "mannheim": City("Mannheim", "Baden-Württemberg"),
    "muenster": City("Münster", "Nordrhein-Westfalen"),
    "nuernberg": City("Nürnberg", "Bayern"),
    "oldenburg": City("Oldenburg", "Niedersachsen"),
    "regensburg": City("Regensburg", "Bayern"),
    "rosenheim": City("Rosenheim", "Bayern"),
    "ulm": City("Ulm", "Baden-Württemberg"),
    "wiesbaden": City("Wiesbaden", "Hessen"),
    "zuerich": City("Zürich", "Zürich"),
}

# Feeds of an operator: each lot names its own city.
OPERATORS = {"apag", "bahn"}


def city_of_file(stem: str) -> City:
    """The city a file is about; no name for an operator's file."""
    if stem in OPERATORS:
        return City("", "")
    return CITY_OF_FILE.get(stem) or City(stem.replace("_", " ").replace("-", " ").title(), "")


def place(latitude: Decimal, longitude: Decimal) -> Place:
    """Zone, country and currency of a position (WGS 84 degrees). Raises EntryRefused at sea."""
    zone = tzfpy.get_tz(float(longitude), float(latitude))
    country = country_of_zone(zone)
    if not country:
        # Swapped coordinates of a European lot land in the Indian Ocean or the Gulf of Aden.
        raise EntryRefused(f"the position {latitude}, {longitude} (latitude, longitude) is not on land")
    currency = CURRENCIES.get(country)
    if currency is None:
        raise EntryRefused(f"no currency is known here for the country {country}")
    return Place(zone, country, currency)


def country_of_zone(zone: str) -> str:
    """ISO 3166 code; empty for zones of no country, such as Etc/UTC."""
    return _countries().get(zone, "")


@cache
def _countries() -> dict[str, str]:
    """IANA zone -> country, as the tz database's zone.tab says (one row per country and zone)."""
    table = resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines() if line and not line.startswith("#"))
    return {row[2]: row[0] for row in rows}
