"""The tariff editor's forms: the common cases as fields, everything else as the document itself."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from bookings.admin.forms import TimeField
from bookings.forms import LocalPeriodForm
from lots.restrictions import WEEKDAYS
from lots.tariff_words import DAYS

MOST_ROWS = 24
LONGEST_STAY = timedelta(days=366)
TABLE_LINE = re.compile(r"(then\s+(?:each\s+)?)?(\d{1,6})\s*(min|h)\s*:\s*(\d+(?:[.,]\d+)?)", re.ASCII)
LENGTH = re.compile(
    r"(?:(\d{1,3})\s*d(?:ays?)?)?\s*(?:(\d{1,4})\s*h(?:ours?)?)?\s*(?:(\d{1,6})\s*(?:min(?:utes)?|m)?)?",
    re.ASCII,
)


class Amount(forms.DecimalField):
    """Empty, or a number of at least zero. What is too fine or too large the tariff itself refuses."""

    def __init__(self, **kwargs: Any):
        widget = UnfoldAdminDecimalFieldWidget({"step": "any", "inputmode": "decimal"})
        super().__init__(**{"required": False, "min_value": 0, "widget": widget, **kwargs})


class Clock(forms.CharField):
    """A time of day, passed on as it was written."""

    def __init__(self, **kwargs: Any):
        widget = UnfoldAdminTextInputWidget({"type": "time"})
        widget.input_type = "time"
        super().__init__(**{"required": False, "max_length": 8, "widget": widget, **kwargs})


class WeekdaysField(forms.CharField):
    """ "Mo-Fr, Su"; gives the names OCPI has for them. Empty is every day."""

    def __init__(self, **kwargs: Any):
        widget = UnfoldAdminTextInputWidget({"placeholder": "Mo-Su"})
        super().__init__(**{"required": False, "max_length": 40, "widget": widget, **kwargs})

    def clean(self, value: Any) -> list[str]:
        days: set[int] = set()
        for part in re.split(r"[\s,;]+", super().clean(value).strip()):
            ends = [self._day(name) for name in re.split(r"[-–]", part, maxsplit=1)] if part else []
            if ends:
                # Fr-Mo runs over the end of the week.
                days |= {(ends[0] + n) % 7 for n in range((ends[-1] - ends[0]) % 7 + 1)}
        return [WEEKDAYS[day] for day in sorted(days)] if len(days) < 7 else []

    def _day(self, name: str) -> int:
        try:
            return DAYS.index(name.strip().title()[:2])
        except ValueError:
            raise forms.ValidationError(
                _("“%(name)s” is no day. Write Mo, Tu, We, Th, Fr, Sa, Su, such as Mo-Fr or Sa, Su."),
                params={"name": name[:20]},
            ) from None


class PriceTableField(forms.CharField):
    """ "30 min: 1.00" a line (up to so long, so much in all); the last may be "then 60 min: 2.00".

    Gives (rows, then) as lots.rates.stepped() takes them, or None.
    """

    def __init__(self, **kwargs: Any):
        widget = UnfoldAdminTextareaWidget(
            {"rows": 3, "placeholder": "30 min: 1.00\n60 min: 2.00\nthen 60 min: 2.00"}
        )
        super().__init__(**{"required": False, "max_length": 2000, "widget": widget, **kwargs})

    def clean(self, value: Any) -> Any:
        lines = [line.strip() for line in super().clean(value).splitlines() if line.strip()]
        rows, then = [], None
        for line in lines:
            match = TABLE_LINE.fullmatch(line)
            if match is None or then is not None:
                raise forms.ValidationError(
                    _(
                        "“%(line)s” is unclear. Write 30 min: 1.00 (so much in all until then); "
                        "the last may be then 60 min: 2.00."
                    ),
                    params={"line": line[:40]},
                )
            minutes = int(match[2]) * (60 if match[3] == "h" else 1)
            pair = (minutes, Decimal(match[4].replace(",", ".")))
            if not minutes:
                raise forms.ValidationError(_("A step lasts at least one minute."))
            if match[1]:
                then = pair
            else:
                rows.append(pair)
        return (rows, then) if lines else None


class RowForm(forms.Form):
    """One price, and when it applies. At every moment the first row that fits counts."""

    name = forms.CharField(
        label=_("Name"), required=False, max_length=60, widget=UnfoldAdminTextInputWidget()
    )
    days = WeekdaysField(label=_("Days"))
    start = Clock(label=_("From"))
    end = Clock(label=_("To"))
    price = Amount(label=_("Per hour"))
    step = forms.IntegerField(
        label=_("In steps of (min)"),
        required=False,
        min_value=1,
        max_value=1440,
        widget=UnfoldAdminIntegerFieldWidget({"placeholder": "–"}),
    )
    table = PriceTableField(label=_("or a price table"))
    most = Amount(label=_("Most each time"))
    tax = Amount(label=_("Tax %"), max_value=100)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("table") and (data.get("price") is not None or data.get("step")):
            self.add_error("table", _("A row has either a price per hour or a table."))
        missing = data.get("price") is None and not data.get("table")
        if missing and not self.errors and any(data.get(name) for name in self.fields):
            self.add_error("price", _("How much? 0 is free."))
        return data


class BaseRows(forms.BaseFormSet):
    def filled(self) -> list[dict[str, Any]]:
        """What stands in the rows that are neither empty nor removed."""
        kept = [form.cleaned_data for form in self.forms if form not in self.deleted_forms]
        return [data for data in kept if data.get("price") is not None or data.get("table")]


Rows = forms.formset_factory(
    RowForm, formset=BaseRows, extra=0, max_num=MOST_ROWS, absolute_max=MOST_ROWS, can_delete=True
)


class CommonForm(forms.Form):
    """What counts for the whole tariff."""

    start_fee = Amount(label=_("Fee per stay"))
    energy = Amount(label=_("Energy, per kWh"), help_text=_("Billed when a meter reports it."))
    energy_tax = Amount(label=_("Tax on energy %"), max_value=100)
    after_charging = Amount(label=_("Parking after charging, per hour"))
    free_minutes = Amount(label=_("Free minutes"))
    free_kind = forms.ChoiceField(
        label=_("Free for"),
        choices=[("grace", _("who leaves within them")), ("deducted", _("everybody, taken off the time"))],
        widget=UnfoldAdminSelectWidget(),
    )
    day_cap = Amount(label=_("Day cap"))
    day_cap_kind = forms.ChoiceField(
        label=_("A day is"),
        choices=[("rolling", _("24 hours from the start")), ("calendar", _("a calendar day"))],
        widget=UnfoldAdminSelectWidget(),
    )
    day_cap_reset = Clock(label=_("which begins at"))
    min_price = Amount(label=_("A stay costs at least"))
    max_price = Amount(label=_("at most"))
    tax = Amount(label=_("Tax %"), max_value=100)
    tax_included = forms.BooleanField(
        label=_("Prices include the tax"), required=False, widget=UnfoldBooleanWidget()
    )


class DocumentForm(forms.Form):
    document = forms.CharField(
        label=_("Document"),
        max_length=200_000,
        strip=False,
        widget=UnfoldAdminTextareaWidget({"rows": 26, "spellcheck": "false", "autocomplete": "off"}),
        help_text=_("Our own shape, as shown, or an OCPI tariff."),
    )


class WhenForm(LocalPeriodForm):
    TIMES = ("valid_from",)

    valid_from = TimeField(label=_("Valid from"), required=False)


class ExampleForm(LocalPeriodForm):
    """A stay the operator asks about; nothing is promised by it, so odd input is only not answered."""

    TIMES = ("starts",)

    starts = TimeField(label=_("Arriving"), required=False)
    lasting = forms.CharField(
        label=_("Staying"),
        required=False,
        max_length=20,
        widget=UnfoldAdminTextInputWidget({"placeholder": "2 h 20 min"}),
    )
    kwh = Amount(label=_("kWh charged"), max_value=10_000)

    def clean_lasting(self) -> timedelta | None:
        text = self.cleaned_data["lasting"].strip().lower()
        if not text:
            return None
        colon = re.fullmatch(r"(\d{1,4}):([0-5]\d)", text, re.ASCII)
        match = LENGTH.fullmatch(f"{colon[1]} h {colon[2]} min" if colon else text)
        if match is None:
            raise forms.ValidationError(_("Write 2 h 20 min, 2:20 or 140."))
        days, hours, minutes = (int(part or 0) for part in match.groups())
        length = timedelta(days=days, hours=hours, minutes=minutes)
        if not timedelta(0) < length <= LONGEST_STAY:
            raise forms.ValidationError(_("A stay lasts from a minute to a year."))
        return length


class WhatIfForm(forms.Form):
    weeks = forms.TypedChoiceField(
        label=_("Stays of the last"),
        coerce=int,
        empty_value=4,  # type: ignore[arg-type]
        required=False,
        initial=4,
        choices=[
            (1, _("week")),
            (2, _("2 weeks")),
            (4, _("4 weeks")),
            (8, _("8 weeks")),
            (13, _("13 weeks")),
            (26, _("26 weeks")),
            (52, _("52 weeks")),
        ],
        widget=UnfoldAdminSelectWidget(),
    )


class ImportForm(forms.Form):
    file = forms.FileField(
        label=_("Tariff file"),
        widget=UnfoldAdminFileFieldWidget(),
        help_text=_("OCPI 2.2.1 or 2.3 Tariff JSON, or our own document. Nothing is published yet."),
    )
