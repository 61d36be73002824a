"""How times, money and positions are written, and how times are read."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from lots import clock, money
from lots.models import Lot

# "+01:00" in an address arrives as " 01:00" when nobody escaped the plus.
_LOST_PLUS = re.compile(r"(T\S+) (\d\d:?\d\d)\Z", re.ASCII)


def utc(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None


def local(lot: Lot, starts_at: datetime, ends_at: datetime | None) -> dict[str, str | None]:
    return {
        "starts_at": starts_at.astimezone(lot.zone).isoformat(),
        "ends_at": ends_at.astimezone(lot.zone).isoformat() if ends_at else None,
        "timezone": lot.timezone,
    }


def amount(value: Decimal, currency: str) -> str:
    return str(money.quantise(value, currency))


def rate(value: Decimal, currency: str) -> str:
    """As fine as the currency, or finer where the price is: 2.50, 0.125."""
    rounded = money.quantise(value, currency)
    return str(rounded if rounded == value else value.normalize())


def moment(text: str) -> datetime:
    """Raises ValidationError with the sentence that says how to write it."""
    try:
        return clock.parse_instant(text)
    except clock.NaiveTime as error:
        raise serializers.ValidationError(error.sentence, code="naive_time") from error
    except clock.ClockError as error:
        raise serializers.ValidationError(error.sentence, code="bad_time") from error


def moment_in_address(text: str) -> datetime:
    return moment(_LOST_PLUS.sub(r"\1+\2", text))


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentField(serializers.Field):
    """ISO 8601 with an offset from UTC; answered in UTC."""

    def to_internal_value(self, data: Any) -> datetime:
        return moment(data)

    def to_representation(self, value: datetime) -> str | None:
        return utc(value)


def jsonable(value: Any) -> Any:
    """The facts a refusal carries, as JSON."""
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, dict):
        return {str(name): jsonable(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(part) for part in value]
    return value if value is None or isinstance(value, int | float) else str(value)
