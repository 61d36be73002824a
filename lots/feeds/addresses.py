"""Addresses as German, Swiss and Danish car park registers write them, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

from lots.feeds import values

POSTCODE_AND_CITY = re.compile(r"^(\d{4,5})\s+(\S.*)$")
POSTCODE = re.compile(r"^\d{4,5}$")
MAIL_OR_WEB = re.compile(r"\S+@\S+|^(www\.|https?:)", re.IGNORECASE)
PHONE = re.compile(r"^(?:Kontakt|Telefon|Tel\.?|Mobil)\s*:\s*([+(]?\d[\d\s/()+-]{4,})$", re.IGNORECASE)
MAX_HEIGHT = re.compile(r"^Einfahrtshöhe max\.?\s*(\d+[.,]\d+|\d+)\s*m$", re.IGNORECASE)
# "P4" is a number on a sign; "0" is a house number nobody has.
SIGN = re.compile(r"^P\s?\d{1,3}$")
NO_HOUSE_NUMBER = re.compile(r"\s*\b0$")


@dataclass
class Address:
    line1: str = ""
    line2: str = ""
    postcode: str = ""
    city: str = ""
    phone: str = ""
    max_height_m: Decimal | None = None
    rest: list[str] = field(default_factory=list)


def parse(text: str, city: str = "") -> Address:
    """
    Take a published address apart. `city` is what the file is about, when it is about one.

    Known shapes: street / postcode city / remarks, phone, mail; "street, postcode city";
    city / postcode / street; and a bare street. Mail and web addresses are left out.
    """
    address = Address(city=city)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    lines = [line for line in lines if line and not MAIL_OR_WEB.search(line)]
    if len(lines) > 1 and POSTCODE.match(lines[1]):
        address.city, address.postcode = lines[0], lines[1]
        lines = lines[2:]
    elif len(lines) == 1:
        lines = _split_at_city(lines[0], city)

    for line in lines:
        _sort_in(line, address, city)
    if address.rest:
        address.line1, *others = address.rest
        if SIGN.match(address.line1):
            address.line1, others = "", [address.line1, *others]
        address.line2 = others[0] if others else ""
    return address


def _split_at_city(line: str, city: str) -> list[str]:
    """Cut "street, 52062 Aachen" in two; leave "D3, 5" (a Mannheim block) alone."""
    street, comma, tail = line.rpartition(",")
    tail = tail.strip()
    if comma and (POSTCODE_AND_CITY.match(tail) or (city and tail == city)):
        return [street.strip(), tail]
    return [line]


def _sort_in(line: str, address: Address, city: str) -> None:
    if match := POSTCODE_AND_CITY.match(line):
        address.postcode, address.city = match[1], match[2]
    elif match := PHONE.match(line):
        # The first number is the car park's desk; a mobile number after it is not needed.
        address.phone = address.phone or " ".join(match[1].split())
    elif match := MAX_HEIGHT.match(line):
        address.max_height_m = values.max_height(match[1].replace(",", "."))
    elif city and line == city:
        address.city = city
    elif line := NO_HOUSE_NUMBER.sub("", line):
        address.rest.append(line)
