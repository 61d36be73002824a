"""Input of the API, taken exactly: what a serializer does not know is refused, not dropped."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail


class StrictSerializer(serializers.Serializer):
    """A client that sends `price` believes it sets the price: tell it that it does not."""

    def to_internal_value(self, data: Any) -> Any:
        unknown: Any = self._unknown(data)
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if isinstance(error.detail, dict):
                error.detail = {**error.detail, **unknown}
            raise
        if unknown:
            raise serializers.ValidationError(unknown)
        return value

    def _unknown(self, data: Any) -> dict[str, list[ErrorDetail]]:
        if not isinstance(data, dict):
            return {}
        known = {name for name, field in self.fields.items() if not field.read_only}
        names = sorted(str(name) for name in set(data) - known)
        return {name[:100]: [ErrorDetail("There is no such field.", "unknown_field")] for name in names[:50]}


class NothingSerializer(StrictSerializer):
    """For actions that take no input: an empty object or no body at all."""


class StrictBooleanField(serializers.BooleanField):
    """true or false; "yes", 1 and "on" are not what a program means."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class StrictTextField(serializers.CharField):
    """Text, and a number only where `numbers` lets one pass for text (a spot's number)."""

    def __init__(self, *, numbers: bool = False, **kwargs: Any):
        self.numbers = numbers
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        whole = isinstance(data, int) and not isinstance(data, bool)
        if not isinstance(data, str) and not (self.numbers and whole):
            self.fail("invalid")
        return super().to_internal_value(data)
