"""Downloading and erasing oneself. Both ask for the password again if that was not just now."""

from __future__ import annotations

import json

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth import logout
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts import privacy as records
from accounts.http import Request


@require_safe
def privacy(request: Request) -> HttpResponse:
    return render(request, "accounts/privacy.html", {"reasons": records.open_matters(request.user)})


@never_cache
@require_safe
@reauthentication_required
def download(request: Request) -> HttpResponse:
    text = json.dumps(
        records.everything_about(request.user), cls=DjangoJSONEncoder, indent=2, ensure_ascii=False
    )
    answer = HttpResponse(text, content_type="application/json; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="parkwell-my-data.json"'
    return answer


@never_cache
@require_http_methods(["GET", "POST"])
@reauthentication_required
def erase(request: Request) -> HttpResponse:
    reasons = records.open_matters(request.user)
    if request.method == "POST":
        try:
            records.erase(user=request.user, now=timezone.now())
        except records.EraseRefused as refusal:
            reasons = refusal.reasons
        else:
            logout(request)
            messages.success(request, _("Your account is erased. What you booked and paid is nobody's now."))
            return redirect("lots:search")
    status = 409 if request.method == "POST" else 200
    return render(request, "accounts/erase.html", {"reasons": reasons}, status=status)
