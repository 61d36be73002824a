"""One published value at a time: text, whole numbers and positions, cleaned or refused."""

from __future__ import annotations

import html
import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Any

from lots.feeds.records import EntryRefused

TAG = re.compile(r"<[^<>]*>")
# Control characters, and halves of a surrogate pair, which no database takes.
UNPRINTABLE = {"Cc", "Cs"}
BLANK_BEFORE_COMMA = re.compile(r" +(?=,)")

QUOTED = 40  # so much of a wrong value a message repeats

# No car park on earth has more (the largest hold about 20,000); a number above is a typing error.
LARGEST_CAPACITY = 30_000
# 11 cm on the ground; published positions carry up to 17 places.
MICRODEGREE = Decimal("0.000001")
HIGHEST_PRICE = Decimal(100_000)
LOWEST_GATE_M, HIGHEST_GATE_M = Decimal("1.2"), Decimal(6)


def text(value: Any, longest: int = 200) -> str:
    """One line of plain text: no markup, no line ends, composed letters."""
    if value is None:
        return ""
    plain = TAG.sub(" ", html.unescape(str(value)))
    plain = "".join(" " if unicodedata.category(c) in UNPRINTABLE else c for c in plain)
    plain = BLANK_BEFORE_COMMA.sub("", " ".join(plain.split()))
    return unicodedata.normalize("NFC", plain)[:longest].rstrip()


def _quoted(value: Any) -> str:
    return repr(value)[:QUOTED]


def capacity(value: Any) -> int:
    """The number of spots: 1 or more. Raises EntryRefused."""
    if value is None or (isinstance(value, str) and not value.strip()):
        raise EntryRefused("no capacity is published")
    number = decimal(value)
    if number is None or number != number.to_integral_value():
        raise EntryRefused(f"the capacity {_quoted(value)} is not a whole number")
    if number < 1:
        raise EntryRefused(f"the published capacity is {str(number)[:QUOTED]}")
    if number > LARGEST_CAPACITY:
        raise EntryRefused(f"a capacity of {str(number)[:QUOTED]} cannot be right")
    return int(number)


def decimal(value: Any) -> Decimal | None:
    """A number, also as text with blanks around it; None when it is none."""
    if not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    # 1e999999 is a number, but arithmetic with it is not worth having.
    return number if number.is_finite() and abs(number.adjusted()) < 30 else None


def max_height(value: Any) -> Decimal | None:
    """Metres, or None where the publisher writes 0.00, a blank or something no gate has."""
    number = decimal(value)
    if number is None or not LOWEST_GATE_M <= number <= HIGHEST_GATE_M:
        return None
    return number.quantize(Decimal("0.01"))


def position(latitude: Any, longitude: Any) -> tuple[Decimal, Decimal]:
    """Degrees north and east. Raises EntryRefused."""
    north, east = decimal(latitude), decimal(longitude)
    if north is None or east is None:
        raise EntryRefused(f"the position {_quoted(latitude)}, {_quoted(longitude)} is not a pair of numbers")
    if abs(north) > 90 or abs(east) > 180:
        raise EntryRefused(f"the position {str(north)[:QUOTED]}, {str(east)[:QUOTED]} is not on earth")
    if north == 0 and east == 0:
        raise EntryRefused("the position is 0, 0, which stands for unknown")
    return north.quantize(MICRODEGREE), east.quantize(MICRODEGREE)


def price(value: Any) -> Decimal | None:
    """An amount above zero, or None: a published 0.00 means flat rates or none stated, not free."""
    number = decimal(value)
    if number is None or not 0 < number <= HIGHEST_PRICE:
        return None
    return number.quantize(Decimal("0.01"))
