"""Form fields that let operators write hours, exceptions and cancellation tiers as people note them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from lots import clock
from lots.hours import HoursError, OpeningHours, from_text, to_text

Period = tuple[datetime, datetime]
PERIOD = re.compile(r"(\S+)[ T](\S+)\s*(?:–|—|-|to|until)\s*(\S+)[ T](\S+)")
TIER = re.compile(r"(\d{1,6})\s*(d|h|min)\s*:\s*(\d{1,3})\s*%")
MINUTES = {"d": 1440, "h": 60, "min": 1}


class WeeklyHoursField(forms.CharField):
    """ "Mo-Fr 08:00-20:00; Sa 09:00-18:00" or "24/7"; gives OpeningHours without exceptions."""

    def __init__(self, **kwargs: Any):
        help_text = _("For example 24/7, or Mo-Fr 08:00-20:00; Sa 09:00-18:00; Su off.")
        super().__init__(**{"widget": UnfoldAdminTextInputWidget(), "help_text": help_text, **kwargs})

    def prepare_value(self, value: Any) -> Any:
        return to_text(value) if isinstance(value, OpeningHours) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)

    def clean(self, value: Any) -> OpeningHours:
        try:
            return from_text(super().clean(value))
        except HoursError as error:
            raise ValidationError(str(error)) from error


class LinesField(forms.CharField):
    """One thing a line."""

    def __init__(self, **kwargs: Any):
        super().__init__(**{"widget": UnfoldAdminTextareaWidget({"rows": 3}), "required": False, **kwargs})

    def write(self, items: Any) -> str:
        raise NotImplementedError

    def read(self, line: str) -> Any:
        raise NotImplementedError

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else self.write(value or ())

    def has_changed(self, initial: Any, data: Any) -> bool:
        was, given = (self.prepare_value(value).split() for value in (initial, data or ""))
        return bool(was != given)

    def clean(self, value: Any) -> list[Any]:
        lines = [" ".join(line.split()) for line in super().clean(value).splitlines()]
        return [self.read(line) for line in lines if line]


class LocalPeriodsField(LinesField):
    """Naive periods on the lot's clock: "2030-12-24 18:00 – 2030-12-26 08:00", one a line."""

    def write(self, items: Iterable[Period]) -> str:
        return "\n".join(f"{begins:%Y-%m-%d %H:%M} – {ends:%Y-%m-%d %H:%M}" for begins, ends in items)

    def read(self, line: str) -> Period:
        match = PERIOD.fullmatch(line)
        try:
            if match is None:
                raise ValueError(line)
            begins, ends = (datetime.fromisoformat(" ".join(match.group(i, i + 1))) for i in (1, 3))
        except ValueError as error:
            raise ValidationError(
                _("“%(line)s” is no period. Write 2030-12-24 18:00 – 2030-12-26 08:00, one a line."),
                params={"line": line[:60]},
            ) from error
        return begins, ends


def to_moments(periods: Iterable[Period], zone: tzinfo) -> tuple[Period, ...]:
    """Periods of wall-clock times as moments; ValidationError names a time that does not exist."""
    found = []
    for begins, ends in periods:
        try:
            # A closing that starts in the hour that comes twice starts with the first.
            moments = clock.to_utc(begins, zone, fold=0), clock.to_utc(ends, zone, fold=0)
        except clock.ClockError as error:
            raise ValidationError(error.sentence) from error
        if moments[0] >= moments[1]:
            raise ValidationError(_("A period must end after it begins."))
        found.append(moments)
    return tuple(sorted(found))


def to_local(periods: Iterable[Period], zone: tzinfo) -> list[Period]:
    return [(begins.astimezone(zone), ends.astimezone(zone)) for begins, ends in periods]


class TiersField(LinesField):
    """ "24 h: 100 %", one a line: with that much notice before the start, so much comes back."""

    def write(self, items: Iterable[dict[str, int]]) -> str:
        return "\n".join(f"{_spelled(t['notice_minutes'])}: {t['refund_percent']} %" for t in items)

    def read(self, line: str) -> dict[str, int]:
        match = TIER.fullmatch(line)
        if match is None or int(match[3]) > 100:
            raise ValidationError(
                _("“%(line)s” is no tier. Write 24 h: 100 %% (or min, or d), one a line."),
                params={"line": line[:60]},
            )
        return {"notice_minutes": int(match[1]) * MINUTES[match[2]], "refund_percent": int(match[3])}


def _spelled(minutes: int) -> str:
    for unit in ("d", "h"):
        if minutes and minutes % MINUTES[unit] == 0:
            return f"{minutes // MINUTES[unit]} {unit}"
    return f"{minutes} min"
