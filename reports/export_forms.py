"""What a driver says about the file they want."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext_lazy as _

from accounts.forms import Styled
from lots import clock
from reports.export_models import FORMATS, Format, Kind

HINTS = {
    Format.CSV: _("CSV, for programs"),
    Format.XLSX_CSV: _("CSV with semicolons, for Excel"),
    Format.PDF: _("PDF, by month with totals"),
    Format.ZIP: _("ZIP of CSV files"),
}


class DayField(forms.DateField):
    """A day of a year that calendars can reckon with."""

    def __init__(self, **kwargs: Any):
        years = (
            MinValueValidator(date(clock.FIRST_YEAR, 1, 1)),
            MaxValueValidator(date(clock.LAST_YEAR, 1, 1)),
        )
        super().__init__(widget=forms.DateInput(attrs={"type": "date"}), validators=years, **kwargs)


class ExportForm(Styled):
    """Days are whole days on `zone`'s clock, the last one included."""

    format = forms.ChoiceField(label=_("Kind of file"))
    first_day = DayField(label=_("From"), required=False)
    last_day = DayField(label=_("Until"), required=False)

    def __init__(self, *args: Any, kind: Kind, zone: ZoneInfo, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.zone = zone
        choices = [(format.value, HINTS[format]) for format in FORMATS[kind]]
        self.fields["format"].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        first, last = data.get("first_day"), data.get("last_day")
        if first and last and last < first:
            self.add_error("last_day", _("This lies before the first day."))
        return data

    def period(self) -> tuple[datetime | None, datetime | None]:
        first, last = self.cleaned_data["first_day"], self.cleaned_data["last_day"]
        return self._midnight(first), self._midnight(last + timedelta(days=1)) if last else None

    def _midnight(self, day: date | None) -> datetime | None:
        return datetime(day.year, day.month, day.day, tzinfo=self.zone) if day else None
