"""What people type about themselves, as typed values."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.connectors import CONNECTORS
from accounts.models import User, Vehicle
from accounts.plates import normalise_plate

LOOKS: dict[type, str] = {forms.Select: "form-select", forms.CheckboxInput: "form-check-input"}


class Styled(forms.Form):
    """Our look on every control, and for screen readers what is wrong with it."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs.setdefault("class", LOOKS.get(type(field.widget), "form-control"))


class ProfileForm(Styled):
    name = forms.CharField(label=_("Name"), max_length=120, required=False)
    username = forms.CharField(
        label=_("Username"),
        max_length=40,
        required=False,
        help_text=_("Shown with your reviews. You sign in with your e-mail address."),
    )
    phone = forms.CharField(label=_("Phone"), max_length=40, required=False)
    address = forms.CharField(label=_("Address"), max_length=200, required=False)
    postcode = forms.CharField(label=_("Postcode"), max_length=16, required=False)
    language = forms.ChoiceField(
        label=_("Language"), choices=[("", _("As the browser says")), *settings.LANGUAGES], required=False
    )
    timezone = forms.CharField(
        label=_("Time zone"),
        max_length=64,
        required=False,
        help_text=_("Such as Europe/Berlin. A lot's times are always shown on the lot's own clock."),
    )

    wants_reminders = forms.BooleanField(
        label=_("Send me reminders and monthly reports"),
        required=False,
        help_text=_("Mails about your bookings come in any case."),
    )

    AUTOCOMPLETE = {
        "name": "name",
        "username": "username",
        "phone": "tel",
        "address": "street-address",
        "postcode": "postal-code",
    }

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        for name, purpose in self.AUTOCOMPLETE.items():
            self.fields[name].widget.attrs["autocomplete"] = purpose

    def clean_timezone(self) -> str:
        zone = self.cleaned_data["timezone"]
        if zone and zone not in available_timezones():
            raise forms.ValidationError(_("That is no time zone. Use a name such as Europe/Berlin."))
        return zone

    @classmethod
    def of(cls, user: User, data: Any = None) -> ProfileForm:
        return cls(data, initial={name: getattr(user, name) for name in cls.base_fields})


class VehicleForm(Styled):
    plate = forms.CharField(label=_("Plate"), max_length=20, help_text=_("As it is on the vehicle."))
    country = forms.CharField(
        label=_("Country"),
        max_length=2,
        required=False,
        help_text=_("Two letters, such as DE or FR. Only used to point out a slip of the keys."),
    )
    kind = forms.ChoiceField(label=_("Kind"), choices=Vehicle.Kind.choices)
    connector = forms.ChoiceField(
        label=_("Charging plug"), choices=[("", _("None")), *CONNECTORS], required=False
    )
    is_default = forms.BooleanField(label=_("Fill this one into the booking form"), required=False)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["plate"].widget.attrs |= {
            "class": "form-control pw-plate",
            "autocapitalize": "characters",
        }

    def clean_plate(self) -> str:
        plate = self.cleaned_data["plate"]
        if not normalise_plate(plate):
            raise forms.ValidationError(_("A plate has letters or digits."))
        return plate

    def clean_country(self) -> str:
        country = self.cleaned_data["country"].upper()
        if country and not (len(country) == 2 and country.isascii() and country.isalpha()):
            raise forms.ValidationError(_("Two letters, such as DE or FR."))
        return country

    @classmethod
    def of(cls, vehicle: Vehicle, data: Any = None) -> VehicleForm:
        return cls(data, initial={name: getattr(vehicle, name) for name in cls.base_fields})
