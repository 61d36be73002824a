"""Files of others whose columns are known, and words that mean one of ours."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

from lots.feeds import greenp

# What a heading says in other words: English, German, French, Dutch, Spanish, Italian.
SYNONYMS = {
    "source_id": ["id", "identifier", "objectid", "parking_id", "identifiant", "fid", "code", "nummer"],
    "name": ["nom", "title", "bezeichnung", "parking", "parking_name", "parkhaus", "facility_name", "naam",
             "nombre", "nome", "denominazione", "lot", "lot_name", "carpark", "car_park"],
    "capacity": ["spaces", "total_spaces", "nb_places", "stellplaetze", "plaetze", "kapazitaet", "places",
                 "plazas", "posti", "capaciteit", "capacite", "total", "stalls", "number_of_spaces"],
    "address_line1": ["address", "adresse", "strasse", "street", "adres", "direccion", "indirizzo"],
    "city": ["town", "ort", "stadt", "ville", "commune", "stad", "ciudad", "comune"],
    "postcode": ["zip", "zip_code", "plz", "code_postal", "postal_code", "cap"],
    "region": ["state", "province", "bundesland"],
    "country": ["land", "pays", "country_code"],
    "phone": ["telephone", "telefon", "tel"],
    "latitude": ["lat", "y", "ylat", "breitengrad", "latitud", "geo_lat"],
    "longitude": ["lon", "lng", "long", "x", "xlong", "laengengrad", "longitud", "geo_lon"],
    "price_per_hour": ["hourly_rate", "rate", "price", "preis", "preis_pro_stunde", "tarif_1h", "prix",
                       "tarifa", "hourly_price", "price_hour"],
    "timezone": ["time_zone", "zeitzone"],
    "currency": ["waehrung", "devise"],
    "opening_hours": ["oeffnungszeiten", "horaires", "hours"],
    "max_height_cm": ["height_limit_cm", "hauteur_max"],
    "lot": ["lot_slug", "slug", "parking"],
    "number": ["spot", "spot_number", "bay", "stellplatz", "nummer"],
    "floor": ["level", "etage", "ebene"],
    "email": ["e_mail", "mail", "driver", "owner"],
    "plate": ["license_plate", "licence_plate", "number_plate", "registration", "kennzeichen",
              "immatriculation"],
    "connector": ["plug", "stecker"],
}  # fmt: skip

LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "o", "æ": "ae"})
STREET_AND_CITY = re.compile(r"(?P<street>.+?),?\s+(?P<postcode>\d{5}),?\s+(?P<city>\S.*)")


def plain(heading: str) -> str:
    """ "Capacité (total)" → "capacite_total"."""
    folded = heading.casefold().translate(LETTERS)
    letters = unicodedata.normalize("NFKD", folded)
    return "_".join(re.findall(r"[a-z0-9]+", "".join(c for c in letters if not unicodedata.combining(c))))


@dataclass(frozen=True)
class Feed:
    """A publisher's file of lots."""

    name: str
    marks: frozenset[str]
    """Headings only this file has together."""
    columns: dict[str, str]
    """Ours → theirs, or → what `read` adds."""
    read: Callable[[dict[str, str]], dict[str, str]]
    """What a row says in our terms where that is more than a column. Raises EntryRefused."""
    constants: dict[str, str] = field(default_factory=dict)


def recognise(kind: str, headings: list[str]) -> Feed | None:
    if kind != "lots":
        return None
    return next((feed for feed in FEEDS.values() if feed.marks <= set(headings)), None)


def _bnls(row: dict[str, str]) -> dict[str, str]:
    """The French register of car parks. Prices are for the first hour; heights in cm, or N/A."""
    found = STREET_AND_CITY.fullmatch(" ".join(row["adresse"].split()))
    place = found.groupdict() if found else {"street": row["adresse"], "postcode": "", "city": ""}
    height = row.get("hauteur_max", "").strip()
    is_free = row.get("gratuit", "").strip().lower() in ("true", "1", "oui")
    return {
        "(id)": f"bnls:{row['id'].strip()}",
        "(street)": place["street"].rstrip(" ,"),
        "(postcode)": place["postcode"],
        "(city)": place["city"],
        "(height)": "" if height.upper() in ("N/A", "NA", "0") else height,
        "(price)": row.get("tarif_1h", "").strip() or ("0" if is_free else ""),
    }


def _greenp(row: dict[str, str]) -> dict[str, str]:
    """Toronto's list, read as manage.py import_lots reads it. Prices are for half an hour, heights in m."""
    own_id = row["id"].strip()
    record = greenp.lot(f"greenp:{own_id}" if own_id else "", row, None, "")
    under_construction = row.get("is_under_construction", "").lower() == "true"
    return {
        "(id)": record.source_id,
        "(name)": record.name,
        "(address)": record.address_line1,
        "(remark)": record.address_line2,
        "(price)": "" if record.price_per_hour is None else str(record.price_per_hour),
        "(height)": "" if record.max_height_m is None else str(int(record.max_height_m * 100)),
        "(open)": "false" if under_construction else "",
    }


FEEDS = {
    feed.name: feed
    for feed in [
        Feed(
            "bnls",
            frozenset({"id", "nom", "insee", "adresse", "nb_places", "Xlong", "Ylat", "tarif_1h"}),
            {
                "source_id": "(id)",
                "name": "nom",
                "capacity": "nb_places",
                "address_line1": "(street)",
                "postcode": "(postcode)",
                "city": "(city)",
                "latitude": "Ylat",
                "longitude": "Xlong",
                "max_height_cm": "(height)",
                "price_per_hour": "(price)",
            },
            _bnls,
            {"country": "FR", "currency": "EUR"},
        ),
        Feed(
            "greenp",
            frozenset({"id", "address", "lat", "lng", "carpark_type", "rate_half_hour", "capacity"}),
            {
                "source_id": "(id)",
                "name": "(name)",
                "capacity": "capacity",
                "address_line1": "(address)",
                "address_line2": "(remark)",
                "latitude": "lat",
                "longitude": "lng",
                "max_height_cm": "(height)",
                "price_per_hour": "(price)",
                "is_active": "(open)",
            },
            _greenp,
            {
                "city": "Toronto",
                "region": "Ontario",
                "country": "CA",
                "currency": "CAD",
                "timezone": "America/Toronto",
            },
        ),
    ]
}
