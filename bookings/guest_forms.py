"""What a guest fills in: a spot, when they plan to leave, the plate, and an address if they like."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import formats
from django.utils.translation import gettext_lazy as _

from accounts.plates import normalise_plate
from bookings.guests import LONGEST
from bookings.words import spell
from lots import clock
from lots.models import Lot

STEP = 15  # minutes
SHORTEST = timedelta(minutes=5)
# Up to so long from now the choices lie so many minutes apart.
STEPS = [(timedelta(hours=4), STEP), (timedelta(hours=8), 2 * STEP), (LONGEST, 4 * STEP)]


class LeavingField(forms.TypedChoiceField):
    """A moment of the list; one that has passed meanwhile is the service's business."""

    def __init__(self, **kwargs: Any):
        super().__init__(
            coerce=clock.parse_instant, widget=forms.Select(attrs={"class": "form-select"}), **kwargs
        )

    def valid_value(self, value: Any) -> bool:
        return True


class GuestForm(forms.Form):
    spot = forms.CharField(required=False, max_length=20)
    leaving = LeavingField(label=_("Leaving at"))
    plate = forms.CharField(
        label=_("Number plate"),
        max_length=20,
        widget=forms.TextInput(
            attrs={"class": "form-control pw-plate", "autocomplete": "off", "autocapitalize": "characters"}
        ),
    )
    email = forms.EmailField(
        label=_("E-mail (if you like)"),
        required=False,
        help_text=_("For a confirmation. It is erased when your stay is over, and so is the plate."),
        widget=forms.EmailInput(attrs={"class": "form-control", "autocomplete": "email"}),
    )

    def __init__(self, *args: Any, lot: Lot, now: datetime, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["leaving"].choices = leaving_times(lot, now)  # type: ignore[attr-defined]

    def clean_plate(self) -> str:
        plate: str = self.cleaned_data["plate"]
        if not normalise_plate(plate):
            raise forms.ValidationError(_("A plate has letters or figures."), code="invalid")
        return plate


def leaving_times(lot: Lot, now: datetime) -> list[tuple[str, str]]:
    """The quarter hours of the lot's clock, further apart the later; up to closing time."""
    return [(at.isoformat(), _spelled(lot, at, now)) for at in _moments(lot, now)]


def usual_leaving(lot: Lot, now: datetime) -> datetime | None:
    """The choice the form proposes: the first after the lot's default stay, else the last there is."""
    moments = _moments(lot, now)
    wanted = now + timedelta(minutes=lot.default_stay_minutes)
    return next((at for at in moments if at >= wanted), moments[-1] if moments else None)


def _moments(lot: Lot, now: datetime) -> list[datetime]:
    latest = now + LONGEST
    if lot.max_stay_minutes:
        latest = min(latest, now + timedelta(minutes=lot.max_stay_minutes))
    closes_at = lot.hours.open_until(now, lot.zone)
    if closes_at:
        latest = min(latest, closes_at)
    shortest = max(SHORTEST, timedelta(minutes=lot.min_stay_minutes))
    at, found = clock.next_on_grid(now + shortest, STEP, lot.zone), list[datetime]()
    while at <= latest:
        found.append(at)
        step = next(minutes for until, minutes in STEPS if at - now <= until)
        at = clock.next_on_grid(at + timedelta(minutes=step), STEP, lot.zone)
    if closes_at == latest and latest not in found and latest - now >= shortest:
        found.append(latest)
    return found


def _spelled(lot: Lot, at: datetime, now: datetime) -> str:
    local, today = at.astimezone(lot.zone), now.astimezone(lot.zone).date()
    shown = formats.date_format(local, str(_("H:i") if local.date() == today else _("D H:i")))
    return f"{shown} ({spell(at - now)})"
