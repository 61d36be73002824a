"""Turns what a page sends into typed values. Rules about bookings live in bookings.services."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import formats
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

from accounts.connectors import CONNECTORS
from accounts.models import Vehicle
from bookings.models import Booking
from bookings.offers import Wish
from bookings.sentences import said
from bookings.words import spell
from lots import clock
from lots.models import FEATURES, Lot

STAYS = [15, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1440, 2880, 4320, 10080]  # minutes
EXTENSIONS = [15, 30, 60, 120]
POWERS = [3, 11, 22, 50, 150]  # kW
SORTS = [
    ("", _("Best match")),
    ("name", _("Name")),
    ("price", _("Price for the stay")),
    ("free", _("Free spots")),
    ("rating", _("Rating")),
]
FIRST_OR_SECOND = {0: _("the first"), 1: _("the second")}


def spelled(minutes: int) -> str:
    return spell(timedelta(minutes=minutes))


class LocalTimeInput(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self, **attrs: Any):
        super().__init__(attrs={"class": "form-control", **attrs}, format="%Y-%m-%dT%H:%M")


class WallClockField(forms.Field):
    """A time on some wall clock: naive. An ISO time with an offset is a moment, and stays one."""

    default_error_messages = {"invalid": _("Write a date and a time, such as 2030-01-31 14:30.")}

    def __init__(self, **kwargs: Any):
        super().__init__(**{"widget": LocalTimeInput(), **kwargs})

    def to_python(self, value: Any) -> Any:
        text = str(value or "").strip()
        if not text:
            return None
        try:
            at = datetime.fromisoformat(text)
            return clock.parse_instant(text) if at.tzinfo else _sensible(at)
        except ValueError as error:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from error


def _sensible(at: datetime) -> datetime:
    """Years a calendar can add and subtract a stay from."""
    if not clock.FIRST_YEAR <= at.year < clock.LAST_YEAR:
        raise ValueError(at)
    return at.replace(second=0, microsecond=0)


class FeaturesField(forms.MultipleChoiceField):
    def __init__(self, **kwargs: Any):
        super().__init__(
            **{
                "label": _("Features"),
                "choices": FEATURES,
                "required": False,
                "widget": forms.CheckboxSelectMultiple,
                **kwargs,
            }
        )

    def clean(self, value: Any) -> tuple[str, ...]:
        return tuple(super().clean(value))


def select() -> forms.Select:
    return forms.Select(attrs={"class": "form-select"})


class SearchForm(forms.Form):
    q = forms.CharField(
        label=_("Where"),
        required=False,
        max_length=100,
        widget=forms.TextInput(
            attrs={
                "class": "form-control",
                "type": "search",
                "placeholder": _("Town, street, postcode or lot"),
                "autocomplete": "off",
                "enterkeyhint": "search",
            }
        ),
    )
    at = WallClockField(label=_("From (empty: now)"), required=False)
    stay = forms.TypedChoiceField(
        label=_("How long"),
        required=False,
        coerce=int,
        empty_value=120,  # type: ignore[arg-type]
        choices=lambda: [(minutes, spelled(minutes)) for minutes in STAYS],
        widget=forms.Select(attrs={"class": "form-select"}),
    )
    features = FeaturesField()
    sort = forms.ChoiceField(label=_("Sort by"), required=False, choices=SORTS, widget=select())
    vehicle = forms.ChoiceField(
        label=_("Vehicle"), required=False, choices=[("", _("Any")), *Vehicle.Kind.choices], widget=select()
    )
    height = forms.DecimalField(
        label=_("Its height in metres"),
        required=False,
        min_value=0,
        max_value=10,
        max_digits=4,
        decimal_places=2,
        widget=forms.NumberInput(attrs={"class": "form-control", "step": "0.05", "inputmode": "decimal"}),
    )
    connector = forms.ChoiceField(
        label=_("Plug"), required=False, choices=[("", _("Any")), *CONNECTORS], widget=select()
    )
    kw = forms.TypedChoiceField(
        label=_("At least"),
        required=False,
        coerce=int,
        empty_value=None,
        choices=[("", _("Any")), *((kw, f"{kw} kW") for kw in POWERS)],
        widget=select(),
    )
    # Filled in by "Near me".
    lat = forms.FloatField(required=False, min_value=-90, max_value=90, widget=forms.HiddenInput)
    lon = forms.FloatField(required=False, min_value=-180, max_value=180, widget=forms.HiddenInput)

    MORE = ("vehicle", "height", "connector", "kw")

    def more(self) -> list[forms.BoundField]:
        """What few people ask for."""
        return [self[name] for name in self.MORE]

    @property
    def has_more(self) -> bool:
        return any(self[name].value() or self[name].errors for name in self.MORE)

    def wish(self) -> Wish:
        """What was asked for, leaving out what could not be understood."""
        self.is_valid()
        data = self.cleaned_data
        at = data.get("at")
        return Wish(
            text=" ".join(data.get("q", "").split()),
            at=at.replace(tzinfo=None) if at else None,
            stay=timedelta(minutes=data.get("stay") or 120),
            features=data.get("features", ()),
            vehicle_kind=data.get("vehicle", ""),
            height_cm=int(data["height"] * 100) if data.get("height") else None,
            connector=data.get("connector", ""),
            min_kw=data.get("kw"),
            near=(data["lat"], data["lon"]) if None not in (data.get("lat"), data.get("lon")) else None,
            sort=data.get("sort", ""),
        )


class LocalPeriodForm(forms.Form):
    """Base of forms with times on a lot's own clock, which now and then jumps ahead or runs twice."""

    TIMES: tuple[str, ...] = ()

    def __init__(self, *args: Any, lot: Lot, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.lot = lot
        self._moments: dict[str, datetime | None] = {}
        for name in self.TIMES:
            self.fields[name].widget.attrs["step"] = lot.grid_minutes * 60
            self.fields[f"{name}_fold"] = forms.TypedChoiceField(
                label=_("Which of the two?"),
                required=False,
                coerce=int,
                empty_value=None,
                widget=forms.HiddenInput,
                choices=[(0, FIRST_OR_SECOND[0]), (1, FIRST_OR_SECOND[1])],
            )

    def moment(self, name: str) -> datetime | None:
        """The field's time as a moment in UTC; on a night of change a field error says what to choose."""
        if name not in self._moments:
            self._moments[name] = self._read(name)
        return self._moments[name]

    def _read(self, name: str) -> datetime | None:
        at = self.cleaned_data.get(name)
        if at is None or at.tzinfo is not None:
            return at
        try:
            return clock.to_utc(at, self.lot.zone, self.cleaned_data.get(f"{name}_fold"))
        except clock.NonexistentTime as error:
            self.add_error(name, said(error.sentence))
        except clock.AmbiguousTime as error:
            self.add_error(name, said(error.sentence))
            self._offer_both(name, error)
        return None

    def _offer_both(self, name: str, error: clock.AmbiguousTime) -> None:
        """From now on the form shows a choice between the two moments that time stands for."""
        field = self.fields[f"{name}_fold"]
        field.widget = forms.RadioSelect(
            attrs={"class": "form-check-input"},
            choices=[
                (fold, f"{at.astimezone(self.lot.zone):%H:%M} {at.astimezone(self.lot.zone).tzname()}")
                for fold, at in enumerate([error.first, error.second])
            ],
        )

    def choices_between_times(self) -> list[forms.BoundField]:
        """The fields that ask which of two equal-looking times was meant."""
        shown = [self[f"{name}_fold"] for name in self.TIMES]
        return [field for field in shown if not field.is_hidden]


class BookForm(LocalPeriodForm):
    TIMES = ("starts", "ends")

    kind = forms.ChoiceField(
        label=_("When"),
        choices=[(Booking.Kind.INSTANT, _("Park now")), (Booking.Kind.RESERVED, _("Reserve"))],
        widget=forms.RadioSelect,
    )
    stay = forms.TypedChoiceField(
        label=_("Leaving"),
        required=False,
        coerce=int,
        empty_value=None,
        widget=forms.Select(attrs={"class": "form-select"}),
    )
    starts = WallClockField(label=_("From"), required=False)
    ends = WallClockField(label=_("Until"), required=False)
    spot = forms.CharField(
        label=_("Spot"),
        required=False,
        max_length=20,
        help_text=_("Empty: the first free one."),
        widget=forms.TextInput(
            attrs={
                "class": "form-control",
                "autocomplete": "off",
                "placeholder": _("Any"),
                "list": "free-spots",
            }
        ),
    )
    plate = forms.CharField(
        label=_("Number plate"),
        required=False,
        max_length=20,
        widget=forms.TextInput(
            attrs={"class": "form-control pw-plate", "autocomplete": "off", "autocapitalize": "characters"}
        ),
    )
    features = FeaturesField(label=_("Must have"))

    def __init__(self, *args: Any, now: datetime, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.now = now
        self.fields["stay"].choices = self._leaving_times()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("kind") == Booking.Kind.RESERVED:
            for name in self.TIMES:
                if not data.get(name) and name not in self.errors:
                    self.add_error(name, _("Say when."))
        return data

    def order(self) -> dict[str, Any]:
        """What bookings.services.book() takes. Look at is_valid() again: times may turn out not to exist."""
        data = self.cleaned_data
        starts_at, ends_at = self._period()
        return {
            "kind": data["kind"],
            "starts_at": starts_at,
            "ends_at": ends_at,
            "spot_number": data["spot"],
            "plate": data["plate"],
            "features": data["features"],
        }

    def _period(self) -> tuple[datetime | None, datetime | None]:
        if self.cleaned_data["kind"] == Booking.Kind.RESERVED:
            return self.moment("starts"), self.moment("ends")
        stay = self.cleaned_data.get("stay")
        # A one-tap alternative names the exact end; the form's own choice is a length from now.
        return None, self.now + timedelta(minutes=stay) if stay else self.moment("ends")

    def _leaving_times(self) -> list[tuple[int, str]]:
        longest = self.lot.max_stay_minutes or STAYS[-1]
        minutes = sorted({m for m in [*STAYS, self.lot.default_stay_minutes] if m <= longest} or {longest})
        # Worded where they are shown: an open page that asks whether anything changed shows none.
        worded = lazy(self._leaving, str)
        return [(m, worded(m)) for m in minutes if m >= self.lot.min_stay_minutes]

    def _leaving(self, minutes: int) -> str:
        at = (self.now + timedelta(minutes=minutes)).astimezone(self.lot.zone)
        return (
            f"{formats.date_format(at, str(_('H:i') if minutes < 1440 else _('D H:i')))} ({spelled(minutes)})"
        )


class ExtendForm(LocalPeriodForm):
    """A later end: typed on the lot's clock, or a moment from one of the buttons (twice is then once)."""

    TIMES = ("ends",)

    ends = WallClockField(label=_("Until"))

    def ends_at(self) -> datetime | None:
        return self.moment("ends")
