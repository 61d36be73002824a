"""Query parameters, taken as strictly as bodies: what cannot be right is 400."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from bookings.api import fields


class MomentFormField(forms.CharField):
    def __init__(self, **kwargs: Any):
        super().__init__(**{"max_length": 60, **kwargs})

    def to_python(self, value: Any) -> datetime | None:  # type: ignore[override]
        text = super().to_python(value)
        if not text:
            return None
        try:
            return fields.moment_in_address(text)
        except serializers.ValidationError as error:
            detail: Any = error.detail[0]  # type: ignore[index]
            raise ValidationError(str(detail), code=detail.code) from error

    def run_validators(self, value: Any) -> None:
        """They are for text; the text was read already."""


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentFilter(django_filters.Filter):
    """ISO 8601 with an offset."""

    field_class = MomentFormField

    def __init__(self, field_name: str | None = None, lookup_expr: str | None = None, **kwargs: Any):
        super().__init__(field_name=field_name, lookup_expr=lookup_expr, **kwargs)


class Repeatable(forms.TextInput):
    """`state=held&state=active` is `state=held,active`."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        return ",".join(data.getlist(name)) if hasattr(data, "getlist") else data.get(name)


class ChoicesFormField(forms.CharField):
    widget = Repeatable

    def __init__(self, *, choices: Any, **kwargs: Any):
        self.known = [code for code, _label in choices]
        super().__init__(**{"max_length": 200, **kwargs})

    def clean(self, value: Any) -> list[str]:
        text = super().clean(value)
        codes = [code.strip() for code in text.split(",") if code.strip()]
        if strange := [code for code in codes if code not in self.known]:
            # As a parameter: a "%" of theirs in the sentence itself would be read as a placeholder.
            raise ValidationError(
                "%(code)s is none of %(known)s.",
                code="invalid_choice",
                params={"code": strange[0][:40], "known": ", ".join(self.known)},
            )
        return codes


@extend_schema_field(OpenApiTypes.STR)
class ChoicesFilter(django_filters.Filter):
    """Several of a few known codes, separated by commas or in a parameter each."""

    field_class = ChoicesFormField

    def filter(self, rows: QuerySet[Any], codes: list[str]) -> QuerySet[Any]:
        return rows.filter(**{f"{self.field_name}__in": codes}) if codes else rows


@extend_schema_field(OpenApiTypes.INT)
class WholeNumberFilter(django_filters.NumberFilter):
    field_class = forms.IntegerField


@extend_schema_field(OpenApiTypes.DOUBLE)
class MeasureFilter(django_filters.NumberFilter):
    """A number that may have decimals."""


class OrderingFilter(django_filters.ChoiceFilter):
    """One name of a whitelist, with "-" before it for the other direction.

    The pages are cut along it (parking.pagination), so the order itself is left to them.
    """

    def __init__(self, names: list[str], **kwargs: Any):
        choices = [(sign + name, sign + name) for name in names for sign in ("", "-")]
        super().__init__(choices=choices, label="Order", **kwargs)

    def filter(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows
