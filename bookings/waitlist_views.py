"""A driver's places in line, and what they answer to an offer. One service call an action."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.http import Request
from bookings import services
from bookings.errors import BookingRefused, PaymentDue
from bookings.models import WaitlistEntry
from bookings.offers import fingerprint
from lots.models import Lot


def waiting(request: Request, now: datetime) -> list[WaitlistEntry]:
    """The driver's live places in line, with position and offer, for the list of their bookings."""
    entries = list(_mine(request, now).live().order_by("starts_at", "pk"))
    return [_with_offer(entry, now) for entry in entries]


@require_safe
def detail(request: Request, reference: str) -> HttpResponse:
    """The page the mail leads to. For htmx the place alone, asked for again and again."""
    now = timezone.now()
    context = _shown(request, reference, now)
    etag = f'"{context["etag"]}"'
    if not request.htmx:
        return render(request, "bookings/waiting.html", context)
    if request.headers.get("If-None-Match") == etag:
        response: HttpResponse = HttpResponseNotModified()
    else:
        response = render(request, "bookings/_waiting.html", context)
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    return response


@require_POST
def accept(request: Request, reference: str) -> HttpResponse:
    entry = _own(request, reference, timezone.now())
    try:
        entry = services.accept(entry, by=request.user, now=timezone.now())
    except PaymentDue as due:
        return redirect("bookings:pay", due.details["booking"])
    except BookingRefused as refusal:
        return _refused(request, reference, refusal)
    messages.success(request, _("The spot is yours."))
    return redirect("bookings:detail", entry.offer.reference)  # type: ignore[union-attr]


@require_POST
def snooze(request: Request, reference: str) -> HttpResponse:
    return _act(request, reference, services.snooze, _("You keep your place. We ask you again later."))


@require_POST
def leave(request: Request, reference: str) -> HttpResponse:
    return _act(request, reference, services.leave, _("You are not waiting there any more."))


def _act(request: Request, reference: str, command: Callable[..., WaitlistEntry], said: str) -> HttpResponse:
    entry = _own(request, reference, timezone.now())
    try:
        command(entry, by=request.user, now=timezone.now())
    except BookingRefused as refusal:
        return _refused(request, reference, refusal)
    messages.success(request, said)
    return redirect("bookings:list")


def _refused(request: Request, reference: str, refusal: BookingRefused) -> HttpResponse:
    context = _shown(request, reference, timezone.now()) | {"refusal": refusal}
    return render(request, "bookings/waiting.html", context, status=409)


def _mine(request: Request, now: datetime) -> Any:
    mine = WaitlistEntry.objects.of(request.user).with_positions(now)
    return mine.select_related("lot", "offer__spot", "offer__lot")


def _own(request: Request, reference: str, now: datetime) -> WaitlistEntry:
    """Somebody else's place in line does not exist."""
    return get_object_or_404(_mine(request, now), reference=reference)


def _with_offer(entry: Any, now: datetime) -> WaitlistEntry:
    """Adds what templates ask: the offer, if it still stands, and whether it is taken by paying for it."""
    entry.open_offer = entry.live_offer(now)
    entry.snoozes = entry.is_snoozed(now)
    prepaid = entry.lot.payment_timing == Lot.PaymentTiming.PREPAID
    entry.pays_first = bool(entry.open_offer and prepaid and entry.open_offer.total)
    return entry


def _shown(request: Request, reference: str, now: datetime) -> dict[str, Any]:
    entry: Any = _with_offer(_own(request, reference, now), now)
    facts = (entry.state, entry.position, entry.snoozes, entry.open_offer and entry.open_offer.pk)
    return {
        "entry": entry,
        "lot": entry.lot,
        "now": now,
        "etag": fingerprint(facts, entry.starts_at <= now, request.LANGUAGE_CODE),
    }
