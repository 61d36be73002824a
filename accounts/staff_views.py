"""Staff's second factor as pages: showing it, and setting it up."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

import segno
from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import second_factor
from accounts.http import Request

View = Callable[..., HttpResponse]


class TokenForm(forms.Form):
    token = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=20,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "inputmode": "text",
                "autofocus": True,
                "spellcheck": "false",
            }
        ),
    )


def staff_only(view: View) -> View:
    @wraps(view)
    def wrapped(request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_staff:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return wrapped


def verified_only(view: View) -> View:
    """Who only stole a session must not be able to add a device of their own."""

    @wraps(view)
    def wrapped(request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        if not (request.user.is_verified() and second_factor.is_fresh(request)):
            return redirect(f"{reverse('staff:step-up')}?{urlencode({'next': reverse('staff:security')})}")
        return view(request, *args, **kwargs)

    return staff_only(wrapped)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@staff_only
def step_up(request: Request) -> HttpResponse:
    user, wanted = request.user, _next(request)
    has_app = second_factor.authenticator(user) is not None
    if not has_app and not user.has_usable_password():
        messages.info(request, _("Choose a password first: the code to your mailbox is only one factor."))
        return redirect("account_set_password")
    if not has_app and "password" not in second_factor.methods(request, user):
        # Signed in by a code to the very mailbox: that is one factor, the password is the other.
        here = f"{request.path}?{urlencode({'next': wanted})}"
        return redirect(f"{reverse('account_reauthenticate')}?{urlencode({'next': here})}")
    if user.password_is_temporary:
        messages.info(request, _("Choose a password of your own first; the one you were given is used up."))
        return redirect("account_change_password")
    form = TokenForm(request.POST if "token" in request.POST else None)
    if request.method == "POST" and "send" in request.POST and not has_app:
        second_factor.send_code(request, user)
        messages.success(request, _("We have sent you a code."))
    elif form.is_valid():
        if second_factor.verify(request, user, form.cleaned_data["token"]):
            return redirect(wanted)
        form.add_error("token", _("That code is not right, or it is used up."))
    return render(request, "accounts/step_up.html", {"form": form, "has_app": has_app, "next": wanted})


@never_cache
@require_http_methods(["GET"])
@verified_only
def security(request: Request) -> HttpResponse:
    return render(request, "accounts/security.html", _devices(request))


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@verified_only
def add_app(request: Request) -> HttpResponse:
    """The key stays the same until it is confirmed, so that a mistyped code can be tried again."""
    device = TOTPDevice.objects.filter(user=request.user, confirmed=False).first()
    device = device or TOTPDevice.objects.create(user=request.user, name="Authenticator", confirmed=False)
    form = TokenForm(request.POST or None)
    if form.is_valid():
        if device.verify_token("".join(form.cleaned_data["token"].split())):
            TOTPDevice.objects.filter(user=request.user).exclude(pk=device.pk).delete()
            device.confirmed = True
            device.save()
            second_factor.accept(request, device)
            messages.success(request, _("Your authenticator app is set up."))
            return redirect("staff:security")
        form.add_error("token", _("That code is not right. Is the clock of your phone?"))
    picture = segno.make(device.config_url, error="m").svg_inline(
        scale=5, dark="#111", light="#fff", border=3
    )
    secret = base64.b32encode(device.bin_key).decode()
    context = {"form": form, "picture": mark_safe(picture), "secret": secret}
    return render(request, "accounts/add_app.html", context)


@never_cache
@require_POST
@verified_only
def remove_app(request: Request) -> HttpResponse:
    TOTPDevice.objects.filter(user=request.user).delete()
    # The session was verified by what is gone now, or by something weaker than it: the mailbox takes over.
    second_factor.accept(request, second_factor.email_device(request.user))
    messages.success(request, _("Your authenticator app is removed; codes come by e-mail again."))
    return redirect("staff:security")


@never_cache
@require_POST
@verified_only
def backup_codes(request: Request) -> HttpResponse:
    codes = second_factor.new_backup_codes(request.user)
    return render(request, "accounts/security.html", {**_devices(request), "codes": codes})


def _devices(request: Request) -> dict[str, Any]:
    left = second_factor.backup_codes_left(request.user)
    return {"app": second_factor.authenticator(request.user), "codes_left": left}


def _next(request: Request) -> str:
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure())
    return wanted if is_ours else reverse("admin:index")
