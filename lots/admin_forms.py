"""The forms of the back office for lots."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from lots import clock
from lots.admin_fields import LocalPeriodsField, TiersField, WeeklyHoursField, to_local, to_moments
from lots.models import Lot, full_refund_before_start
from lots.services import MOST_SPOTS


class LotForm(forms.ModelForm):
    # What a service refused when the form was saved; ServiceAdmin shows the form again with it.
    refused: ValidationError | None = None

    capacity = forms.IntegerField(
        label=_("Capacity"),
        min_value=0,
        max_value=MOST_SPOTS,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=_("Makes spots 1, 2, 3 …; raising it adds the next ones, lowering it removes the last."),
    )
    weekly_hours = WeeklyHoursField(label=_("Open"))
    openings = LocalPeriodsField(
        label=_("Open besides"),
        help_text=_("On the lot's clock, such as 2030-12-24 18:00 – 2030-12-26 08:00."),
    )
    closings = LocalPeriodsField(label=_("Closed nevertheless"), help_text=_("Closings win over openings."))
    cancellation_tiers = TiersField(
        label=_("Refund tiers"),
        help_text=_("Notice before the start and what comes back, one a line: 24 h: 100 %"),
    )

    class Meta:
        model = Lot
        exclude = ("opening_hours",)  # noqa: DJ006  the fieldsets name the fields

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        lot = self.instance
        self.initial.setdefault("cancellation_tiers", full_refund_before_start())
        self.initial.setdefault("weekly_hours", lot.hours)
        self.initial["openings"] = to_local(lot.hours.openings, lot.zone)
        self.initial["closings"] = to_local(lot.hours.closings, lot.zone)
        if lot.pk:
            self.initial["capacity"] = lot.spots.kept().count()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.refused:
            raise self.refused
        if clock.fits_zone(data.get("timezone", "")) and "weekly_hours" in data:
            self._read_hours(data)
        return data

    def _read_hours(self, data: dict[str, Any]) -> None:
        zone = ZoneInfo(data["timezone"])
        periods = {}
        for name in ("openings", "closings"):
            try:
                periods[name] = to_moments(data.get(name, ()), zone)
            except ValidationError as error:
                self.add_error(name, error)
        if len(periods) == 2:
            data["opening_hours"] = replace(data["weekly_hours"], **periods).to_json()

    def changed_fields(self) -> dict[str, Any]:
        """What update_lot() takes: the lot's own fields this form changed."""
        own = {field.name for field in Lot._meta.concrete_fields}
        changed = {name: self.cleaned_data[name] for name in self.changed_data if name in own}
        if {"weekly_hours", "openings", "closings", "timezone"} & set(self.changed_data):
            changed["opening_hours"] = self.cleaned_data["opening_hours"]
        return changed

    def all_fields(self) -> dict[str, Any]:
        """What create_lot() takes, capacity included."""
        extra = {"weekly_hours", "openings", "closings", "operators"}
        return {name: value for name, value in self.cleaned_data.items() if name not in extra}
