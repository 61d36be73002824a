"""The forms of an import."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from reports.sheets import known
from reports.sheets.reading import Reading
from reports.sheets.sheet import Sheet


class UploadForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv,.json"}),
        help_text=_("CSV with headings, up to 2 MB and 10,000 rows."),
    )


class ColumnsForm(forms.Form):
    """Which of their columns is which of ours; two fields for each of ours."""

    decimal_comma = forms.BooleanField(
        label=_("Numbers have a decimal comma (2,50)"), required=False, widget=UnfoldBooleanWidget()
    )

    def __init__(self, data: Any, *, sheet: type[Sheet], headings: list[str], reading: Reading) -> None:
        super().__init__(data)
        self.sheet = sheet
        self.headings = headings
        self.reading = reading
        feed = known.FEEDS.get(reading.feed)
        added = [name for name in feed.columns.values() if name not in headings] if feed else []
        choices = [("", "–"), *((name, name) for name in [*headings, *added])]
        self.fields["decimal_comma"].initial = reading.decimal_comma
        for name in sheet.headings():
            self.fields[f"column_{name}"] = forms.ChoiceField(
                choices=choices,
                required=False,
                initial=reading.columns.get(name, ""),
                widget=UnfoldAdminSelectWidget(attrs={"aria-label": f"{name}: {_('column in the file')}"}),
            )
            self.fields[f"constant_{name}"] = forms.CharField(
                max_length=200,
                required=False,
                initial=reading.constants.get(name, ""),
                widget=UnfoldAdminTextInputWidget(attrs={"aria-label": f"{name}: {_('where it is empty')}"}),
            )

    def pairs(self) -> list[dict[str, Any]]:
        """For the page: our column, what stands in it, and its two fields."""
        return [
            {
                "name": column.column_name,
                "about": getattr(column.widget, "about", ""),
                "is_required": column.column_name in self.sheet.required,
                "column": self[f"column_{column.column_name}"],
                "constant": self[f"constant_{column.column_name}"],
            }
            for column in self.sheet.columns()
        ]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not any(data.get(f"column_{name}") for name in self.sheet.headings()):
            self.add_error(None, _("Say of one column at least which one it is."))
        return data

    def said(self) -> Reading:
        data, ours = self.cleaned_data, self.sheet.headings()
        columns = {name: data[f"column_{name}"] for name in ours if data[f"column_{name}"]}
        constants = {name: data[f"constant_{name}"] for name in ours if data[f"constant_{name}"]}
        is_own = set(self.headings) == set(ours) and columns == {name: name for name in ours}
        return Reading(
            encoding=self.reading.encoding,
            delimiter=self.reading.delimiter,
            columns=columns,
            constants=constants,
            decimal_comma=data["decimal_comma"],
            feed=self.reading.feed,
            is_own=is_own and not constants and not data["decimal_comma"],
        )
