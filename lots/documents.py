"""Reading a JSON document strictly: every complaint names the field and says one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

T = TypeVar("T")

REQUIRED: Any = object()
# Beyond these a number is a slip of the keyboard, and Decimal arithmetic would stop being exact.
LARGEST_AMOUNT = Decimal(10) ** 9
MOST_DECIMALS = 12


class RatesError(ValueError):
    """A tariff document that cannot be used: where it is wrong, and a sentence that says why."""

    def __init__(self, field_path: str, sentence: str) -> None:
        super().__init__(f"{field_path}: {sentence}" if field_path else sentence)
        self.field_path = field_path
        self.sentence = sentence


class Fields:
    """One JSON object being read: each field is taken by name, leftovers are mistakes."""

    def __init__(self, value: Any, path: str = "") -> None:
        if not isinstance(value, dict):
            raise RatesError(path, "An object is expected here.")
        for key in value:
            if not isinstance(key, str) or key != key.strip() or not key:
                where = join(path, str(key))
                raise RatesError(where, f"The name {key!r} is empty or has a blank at its edge.")
        self.path = path
        self.left = dict(value)

    def at(self, name: str) -> str:
        return join(self.path, name)

    def take(self, name: str, default: Any = REQUIRED) -> Any:
        """The raw value; null counts as absent."""
        value = self.left.pop(name, None)
        if value is None:
            if default is REQUIRED:
                raise RatesError(self.at(name), "This field is missing.")
            return default
        return value

    def read(self, name: str, reader: Callable[[Any, str], T], default: Any = REQUIRED) -> T:
        value = self.take(name, default)
        return value if value is default else reader(value, self.at(name))

    def list(self, name: str, reader: Callable[[Any, str], T], default: Any = REQUIRED) -> tuple[T, ...]:
        value = self.take(name, default)
        if value is default:
            return default
        if not isinstance(value, list | tuple):
            raise RatesError(self.at(name), "A list is expected here.")
        return tuple(reader(item, f"{self.at(name)}[{index}]") for index, item in enumerate(value))

    def finish(self) -> None:
        """Refuse what nobody asked for: a misspelt restriction must not silently make parking free."""
        for name in self.left:
            raise RatesError(self.at(name), "This field is not known.")


def join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def without_none(document: dict[str, Any]) -> dict[str, Any]:
    """A document being written, without the fields that say nothing."""
    return {name: value for name, value in document.items() if value is not None}


def amount(value: Any, path: str) -> Decimal:
    """A number of at least zero, written as a string or a JSON number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise RatesError(path, "A number is expected here.")
    try:
        # str() first: Decimal(0.1) would be 0.1000000000000000055.
        number = Decimal(str(value))
    except InvalidOperation:
        raise RatesError(path, f"{str(value)[:40]!r} is not a number.") from None
    if not number.is_finite():
        raise RatesError(path, f"{value} is not an amount.")
    if number < 0:
        raise RatesError(path, "An amount cannot be negative.")
    exponent = number.as_tuple().exponent
    if number >= LARGEST_AMOUNT or (isinstance(exponent, int) and exponent < -MOST_DECIMALS):
        raise RatesError(path, "This number is too large or too finely divided.")
    return number or number.copy_abs()  # -0 is 0


def percent(value: Any, path: str) -> Decimal:
    number = amount(value, path)
    if number > 100:
        raise RatesError(path, "A tax is between 0 and 100 percent.")
    return number


def whole(value: Any, path: str) -> int:
    number = amount(value, path)
    if number != number.to_integral_value():
        raise RatesError(path, "A whole number is expected here.")
    return int(number)


def whole_from_one(value: Any, path: str) -> int:
    number = whole(value, path)
    if number < 1:
        raise RatesError(path, "This must be at least 1.")
    return number


def text(value: Any, path: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise RatesError(path, "A text is expected here.")
    return value.strip()


def flag(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise RatesError(path, "true or false is expected here.")
    return value


def one_of(choices: Iterable[str]) -> Callable[[Any, str], str]:
    known = tuple(choices)

    def read(value: Any, path: str) -> str:
        if not isinstance(value, str) or value not in known:
            raise RatesError(path, f"{str(value)[:40]!r} is not one of {', '.join(known)}.")
        return value

    return read


def currency(value: Any, path: str) -> str:
    if not isinstance(value, str) or len(value) != 3 or not (value.isascii() and value.isalpha()):
        raise RatesError(path, "A currency is three letters, such as EUR.")
    return value.upper()


def clock(value: Any, path: str) -> time:
    """A time of day, HH:MM or HH:MM:SS; 24:00 is 00:00, which as an end means the end of the day."""
    if isinstance(value, str) and value in ("24:00", "24:00:00"):
        return time(0)
    try:
        if not isinstance(value, str) or len(value) not in (5, 8):
            raise ValueError
        moment = time.fromisoformat(value)
    except ValueError:
        raise RatesError(path, f"{str(value)[:40]!r} is not a time of day such as 08:30.") from None
    return moment


def day(value: Any, path: str) -> date:
    try:
        if not isinstance(value, str) or len(value) != 10:
            raise ValueError
        return date.fromisoformat(value)
    except ValueError:
        raise RatesError(path, f"{str(value)[:40]!r} is not a date such as 2026-01-31.") from None


def moment(value: Any, path: str) -> datetime:
    """A date and time of RFC 3339; OCPI lets the zone be left out and means UTC."""
    try:
        if not isinstance(value, str) or len(value) < 19:
            raise ValueError
        return datetime.fromisoformat(value)
    except ValueError:
        shown = str(value)[:40]
        raise RatesError(path, f"{shown!r} is not a date and time such as 2026-01-31T12:00:00Z.") from None
