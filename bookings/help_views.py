"""The rules: those of the house, and what one lot says about itself."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.http import Request
from bookings import policies
from lots import hours
from lots.models import Lot
from lots.services import tariff_at
from lots.tariff_words import sentences


@login_not_required
@require_safe
def rules(request: Request) -> HttpResponse:
    return render(request, "help/rules.html")


@login_not_required
@require_safe
def lot_rules(request: Request, slug: str) -> HttpResponse:
    lot = get_object_or_404(Lot.objects.listed(), slug=slug)
    context = {
        "lot": lot,
        "prices": sentences(tariff_at(lot, timezone.now()).rates),
        "policies": policies.sentences(lot),
        "week": hours.describe(lot.opening_hours),
    }
    return render(request, "help/rules.html", context)
