"""A person's own pages: profile and vehicles. Everything is fetched through its owner."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import services
from accounts.forms import ProfileForm, VehicleForm
from accounts.http import Request
from accounts.models import Vehicle
from accounts.plates import looks_odd


@require_http_methods(["GET", "POST"])
def profile(request: Request) -> HttpResponse:
    form = ProfileForm.of(request.user, request.POST or None)
    if form.is_valid() and _done(form, services.update_profile, user=request.user):
        messages.success(request, _("Your profile is saved."))
        answer = redirect("accounts:profile")
        if form.cleaned_data["language"]:
            answer.set_cookie(
                settings.LANGUAGE_COOKIE_NAME,
                form.cleaned_data["language"],
                max_age=365 * 24 * 3600,
                secure=settings.SESSION_COOKIE_SECURE,
                samesite="Lax",
            )
        return answer
    return render(request, "accounts/profile.html", {"form": form})


@require_safe
def vehicles(request: Request) -> HttpResponse:
    return render(
        request, "accounts/vehicles.html", {"vehicles": Vehicle.objects.of(request.user).in_order()}
    )


@require_http_methods(["GET", "POST"])
def add_vehicle(request: Request) -> HttpResponse:
    form = VehicleForm(request.POST or None)
    if form.is_valid() and _done(form, services.add_vehicle, driver=request.user):
        return _saved(request, form)
    return render(request, "accounts/vehicle.html", {"form": form})


@require_http_methods(["GET", "POST"])
def edit_vehicle(request: Request, pk: int) -> HttpResponse:
    vehicle = get_object_or_404(Vehicle.objects.of(request.user), pk=pk)
    form = VehicleForm.of(vehicle, request.POST or None)
    if form.is_valid() and _done(form, services.update_vehicle, vehicle=vehicle):
        return _saved(request, form)
    return render(request, "accounts/vehicle.html", {"form": form, "vehicle": vehicle})


@require_POST
def remove_vehicle(request: Request, pk: int) -> HttpResponse:
    services.remove_vehicle(vehicle=get_object_or_404(Vehicle.objects.of(request.user), pk=pk))
    messages.success(request, _("The vehicle is removed. Your bookings keep its plate."))
    return redirect("accounts:vehicles")


def _saved(request: Request, form: forms.Form) -> HttpResponse:
    plate, country = form.cleaned_data["plate"], form.cleaned_data["country"]
    messages.success(request, _("%(plate)s is saved.") % {"plate": plate})
    if looks_odd(plate, country):
        told = _("%(plate)s does not look like a plate from %(country)s. It is saved as you typed it.")
        messages.warning(request, told % {"plate": plate, "country": country})
    return redirect("accounts:vehicles")


def _done(form: forms.Form, service: Any, **whose: Any) -> bool:
    """Hand the form's values to the service; what it refuses is shown at the field."""
    try:
        service(**whose, **form.cleaned_data)
    except ValidationError as refusal:
        errors = refusal.message_dict if hasattr(refusal, "error_dict") else {None: refusal.messages}
        for field, sentences in errors.items():
            form.add_error(field if field in form.fields else None, sentences)
        return False
    return True
