"""Two small column types: a set of codes, and a value derived from its own row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

# Features too few have for those who need them: given to others last.
SCARCE = frozenset({"ev", "accessible", "family"})


class CodeSetField(models.CharField):
    """A small set of known codes in one text column, so that SQLite and PostgreSQL can both filter it.

    Stored as "|covered|ev|", read as a sorted tuple. Filter with `<field>__contains=code_filter("ev")`.
    """

    def __init__(self, *args: Any, codes: Iterable[tuple[str, Any]] = (), **kwargs: Any):
        self.codes = list(codes)
        kwargs.setdefault("max_length", 200)
        kwargs["blank"] = True
        kwargs["default"] = ""
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("default", None)
        return name, path, args, kwargs

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> tuple[str, ...]:
        return self.to_python(value)

    def to_python(self, value: Any) -> tuple[str, ...]:
        return read_codes(value)

    def get_prep_value(self, value: Any) -> str:
        # A filter's text is passed on as it is: it is a part of what is stored.
        if isinstance(value, str) and value.startswith("|"):
            return value
        codes = self.to_python(value)
        return f"|{'|'.join(codes)}|" if codes else ""

    def value_to_string(self, obj: models.Model) -> str:
        return " ".join(self.to_python(self.value_from_object(obj)))

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        known = {code for code, _label in self.codes}
        if self.codes and (strange := set(self.to_python(value)) - known):
            raise ValidationError(_("Unknown: %(codes)s."), params={"codes": ", ".join(sorted(strange))})

    def run_validators(self, value: Any) -> None:
        super().run_validators(self.get_prep_value(value))

    def formfield(self, **kwargs: Any) -> Any:
        from django import forms

        if not self.codes:
            return super().formfield(**kwargs)
        return forms.MultipleChoiceField(
            choices=self.codes,
            required=False,
            label=kwargs.get("label", self.verbose_name),
            help_text=self.help_text,
            widget=kwargs.get("widget") or forms.CheckboxSelectMultiple,
        )


def read_codes(value: Any) -> tuple[str, ...]:
    parts = value.replace("|", " ").split() if isinstance(value, str) else (value or ())
    return tuple(sorted(set(parts)))


def code_filter(code: str) -> str:
    """What to look for in a CodeSetField's column to find one code."""
    return f"|{code}|"


class DerivedMixin:
    """Computed from the row whenever it is written (bulk_create included), never set by hand."""

    source: Callable[[Any], Any]

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = type(self).source(model_instance)
        setattr(model_instance, self.attname, value)  # type: ignore[attr-defined]
        return value


def natural_key(number: str) -> str:
    """Order as people count: "2" before "10", "A9" before "A10"; text and figures alternate."""
    import re

    parts = re.split(r"(\d+)", number.casefold())
    return "".join(part.zfill(10) if part.isdigit() else part for part in parts)[:120]


class NumberKeyField(DerivedMixin, models.CharField):
    """The natural sort key of the row's `number`."""

    source = staticmethod(lambda row: natural_key(row.number))

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **{"max_length": 120, "editable": False, **kwargs})


class ScarcityField(DerivedMixin, models.PositiveSmallIntegerField):
    """How many special things a spot offers: plain spots (0) are given away first."""

    # Not a method of the row: its copies in the history have fields, but no methods.
    source = staticmethod(lambda row: len(set(read_codes(row.features)) & SCARCE))

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **{"default": 0, "editable": False, **kwargs})
