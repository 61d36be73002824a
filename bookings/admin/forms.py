"""The forms of the back office for bookings: what a command needs to know."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.models import User, Vehicle
from bookings import availability
from bookings.forms import FeaturesField, LocalPeriodForm, LocalTimeInput, WallClockField
from bookings.models import Booking
from lots import clock
from lots.models import Lot

TEXT_CLASS = UnfoldAdminTextInputWidget().attrs["class"]


class TimeField(WallClockField):
    def __init__(self, **kwargs: Any):
        widget = LocalTimeInput(**{"class": TEXT_CLASS})
        super().__init__(**{"widget": widget, **kwargs})


class CommandForm(LocalPeriodForm):
    """A form about one booking. Without fields it is only a question."""

    def __init__(self, *args: Any, booking: Booking, now: Any, **kwargs: Any):
        super().__init__(*args, lot=booking.lot, **kwargs)
        self.booking, self.now = booking, now
        self.prepare()

    def prepare(self) -> None:
        pass

    def _offer_both(self, name: str, error: clock.AmbiguousTime) -> None:
        super()._offer_both(name, error)
        choices = self.fields[f"{name}_fold"].widget.choices  # type: ignore[attr-defined]
        self.fields[f"{name}_fold"].widget = UnfoldAdminRadioSelectWidget(choices=choices)


class ExtendForm(CommandForm):
    TIMES = ("ends",)

    ends = TimeField(label=_("New end"))

    def prepare(self) -> None:
        step = timedelta(minutes=self.lot.grid_minutes)
        begin = max(self.booking.ends_at, self.now) + timedelta(seconds=1)
        suggestion = clock.next_on_grid(begin, self.lot.grid_minutes, self.lot.zone)
        self.initial["ends"] = suggestion.astimezone(self.lot.zone)
        latest = availability.latest_end(self.booking, now=self.now)
        self.fields["ends"].help_text = (
            _("Somebody comes after: at most until %(at)s.")
            % {"at": f"{latest.astimezone(self.lot.zone):%a %H:%M}"}
            if latest
            else _("In steps of %(step)s minutes, %(zone)s time.")
            % {"step": step.seconds // 60, "zone": self.lot.timezone}
        )


class MoveForm(CommandForm):
    spot = forms.CharField(label=_("To spot"), max_length=20, widget=UnfoldAdminTextInputWidget())

    def prepare(self) -> None:
        begin = max(self.booking.starts_at, self.now)
        end = max(self.booking.ends_at, begin + timedelta(minutes=1))
        free = availability.free_spots(begin, end, now=self.now, lots=[self.lot.pk])
        numbers = list(free.cheapest_first().values_list("number", flat=True)[:21])
        more = " …" if len(numbers) > 20 else ""
        self.fields["spot"].help_text = (
            _("Free for this time: %(spots)s") % {"spots": ", ".join(numbers[:20]) + more}
            if numbers
            else _("No other spot is free for this time.")
        )


class CancelForm(CommandForm):
    asked_by = forms.ChoiceField(
        label=_("Who cancels"), widget=UnfoldAdminRadioSelectWidget(), initial="operator"
    )
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Stands in the booking's timeline."),
    )


class ChooseLotForm(forms.Form):
    q = forms.CharField(
        label=_("Lot"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
        help_text=_("Name, town, street or postcode."),
    )


class OnBehalfForm(LocalPeriodForm):
    """An operator books: for a driver with an account, or for whoever stands at the desk."""

    TIMES = ("starts", "ends")
    # What bookings.services.book() calls the fields, where it differs.
    NAMES = {"starts_at": "starts", "ends_at": "ends"}

    kind = forms.ChoiceField(
        label=_("When"),
        choices=[(Booking.Kind.INSTANT, _("From now")), (Booking.Kind.RESERVED, _("Later"))],
        widget=UnfoldAdminRadioSelectWidget(),
        initial=Booking.Kind.RESERVED,
    )
    starts = TimeField(label=_("From"), required=False, help_text=_("Left empty for a stay from now on."))
    ends = TimeField(label=_("Until"), required=False, help_text=_("Empty: the lot's default stay from now."))
    driver = forms.EmailField(
        label=_("Driver"),
        required=False,
        widget=UnfoldAdminEmailInputWidget(),
        help_text=_("E-mail address of an account; empty for a guest at the desk."),
    )
    plate = forms.CharField(
        label=_("Plate"), required=False, max_length=20, widget=UnfoldAdminTextInputWidget()
    )
    spot = forms.CharField(
        label=_("Spot"),
        required=False,
        max_length=20,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Empty: the first free one."),
    )
    vehicle_kind = forms.ChoiceField(
        label=_("Vehicle"),
        required=False,
        choices=[("", _("any")), *Vehicle.Kind.choices],
        widget=UnfoldAdminSelectWidget(),
    )
    features = FeaturesField(label=_("Must have"), widget=UnfoldAdminCheckboxSelectMultipleWidget())

    def __init__(self, *args: Any, lot: Lot, now: Any, **kwargs: Any):
        super().__init__(*args, lot=lot, **kwargs)
        begin = clock.next_on_grid(now + timedelta(seconds=1), lot.grid_minutes, lot.zone)
        self.initial.setdefault("starts", begin.astimezone(lot.zone))
        end = begin + timedelta(minutes=lot.default_stay_minutes)
        self.initial.setdefault("ends", end.astimezone(lot.zone))

    def clean_driver(self) -> User | None:
        email = self.cleaned_data["driver"]
        if not email:
            return None
        found = User.objects.filter(Q(email__iexact=email), is_active=True).first()
        if found is None:
            raise forms.ValidationError(_("Nobody has an account with this address."))
        return found

    def order(self) -> dict[str, Any]:
        """What bookings.services.book() takes. Look at is_valid() again: times may turn out not to exist."""
        data = self.cleaned_data
        is_instant = data["kind"] == Booking.Kind.INSTANT
        return {
            "kind": data["kind"],
            "starts_at": None if is_instant else self.moment("starts"),
            "ends_at": self.moment("ends"),
            "driver": data["driver"],
            "plate": data["plate"],
            "spot_number": data["spot"],
            "vehicle_kind": data["vehicle_kind"],
            "features": data["features"],
        }
