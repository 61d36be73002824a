"""What a label's QR code opens: book a spot without an account, and look after the stay."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.http import Request
from accounts.limits import GUEST_IP, give_back, network, take
from bookings import availability, guest_cookie, guests, offers, quotes
from bookings.errors import AlreadyParked, BadBooking, BookingRefused
from bookings.guest_forms import GuestForm, usual_leaving
from bookings.models import Booking
from bookings.promises import Wish
from bookings.services import core
from lots import clock, rates
from lots.labels import read_code
from lots.models import Lot, Spot
from lots.services import tariff_at

SOONEST = 3
SHOWN_A_FLOOR = 100  # a thumb finds nothing among more; the label beside a spot leads straight to it


@dataclass(frozen=True, slots=True)
class Label:
    """Where a code was scanned: at a lot, or at one of its spots."""

    code: str
    lot: Lot
    spot: Spot | None


@dataclass(frozen=True, slots=True)
class Floor:
    """Free spots of one floor; `more` are free besides those listed."""

    building: str
    floor: str
    spots: list[Spot]
    more: int


@login_not_required
@never_cache
@require_safe
def label(request: Request, code: str) -> HttpResponse:
    found, now = _label(code), timezone.now()
    if request.user.is_authenticated and found.lot.is_listed:
        return redirect(_lot_page(found))
    cookie = guest_cookie.read(request, now=now)
    guest = guests.of_key(cookie.key) if cookie else None
    if guest and guests.open_stay(guest):
        return redirect("guests:stay")
    if not (found.lot.is_listed and found.lot.guests_may_book):
        return render(request, "guests/closed.html", {"lot": found.lot, "now": now})
    leaving = usual_leaving(found.lot, now)
    initial = {
        "spot": found.spot.number if found.spot else "",
        "leaving": leaving.isoformat() if leaving else "",
    }
    form = GuestForm(lot=found.lot, now=now, initial=initial)
    response = render(request, "guests/label.html", _page(request, found, form, now))
    # The key is made before the booking, so that the form sent twice is known to be the same guest's.
    # A key whose stay is over and forgotten is not used again.
    if cookie is None or (cookie.stay and guest is None):
        cookie = guest_cookie.new(cookie.stay if cookie else "")
    guest_cookie.give(response, cookie, now=now)
    return response


@login_not_required
@require_safe
def live(request: Request, code: str) -> HttpResponse:
    """What is free, asked for again and again; nothing changed costs neither bytes nor a redraw."""
    found, now = _label(code), timezone.now()
    if not (found.lot.is_listed and found.lot.guests_may_book):
        raise Http404
    context = _page(request, found, GuestForm(request.GET, lot=found.lot, now=now), now)
    etag = f'"{context["etag"]}"'
    if "empty" in request.GET and context["count"]:
        # The page had no form to fill in; now it needs one.
        response = HttpResponse(status=204, headers={"HX-Refresh": "true"})
    elif request.headers.get("If-None-Match") == etag:
        response = HttpResponseNotModified()
    else:
        response = render(request, "guests/_free.html", context)
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    return response


@login_not_required
@never_cache
@require_POST
def book(request: Request, code: str) -> HttpResponse:
    found, now = _label(code), timezone.now()
    if not found.lot.is_listed:
        raise Http404
    cookie = guest_cookie.read(request, now=now) or guest_cookie.new()
    guest = guests.of_key(cookie.key)
    if guest and guests.open_stay(guest):
        return redirect("guests:stay")  # the form, sent a second time
    form = GuestForm(request.POST, lot=found.lot, now=now)
    refusal, status = None, 422
    if form.is_valid():
        try:
            booking = _book(request, found.lot, cookie.key, form.cleaned_data, now)
        except AlreadyParked:
            return redirect("guests:stay")  # at the same moment as the first time
        except BookingRefused as refused:
            refusal, status = refused, 409
        except BadBooking as bad:
            names = {"ends_at": "leaving", "plate": "plate"}
            form.add_error(names.get(bad.field), str(bad))
        else:
            done = redirect("guests:stay")
            guest_cookie.give(done, guest_cookie.Cookie(cookie.key, booking.reference), now=now)
            return done
    context = _page(request, found, form, timezone.now()) | {"refusal": refusal}
    response = render(request, "guests/label.html", context, status=status)
    guest_cookie.give(response, cookie, now=now)
    return response


def _book(request: Request, lot: Lot, key: str, order: dict[str, Any], now: datetime) -> Booking:
    """Only bookings that are made count against the limit."""

    def book(token: str) -> Booking:
        return guests.book(
            lot_id=lot.pk,
            key=key,
            spot_number=order["spot"],
            ends_at=order["leaving"],
            plate=order["plate"],
            email=order["email"],
            language=get_language() or "",
            quote=token,
            now=now,
        )

    caller = network(request)
    take((GUEST_IP, caller))
    wish, token = _wish(order["spot"], order["leaving"]), request.POST.get("quote", "")
    try:
        return quotes.book_as_shown(book, lot, wish, token, now=now)
    except (BookingRefused, BadBooking):
        give_back(GUEST_IP, caller)
        raise


def _label(code: str) -> Label:
    code = read_code(code)
    spot = Spot.objects.select_related("lot").filter(code=code).first()
    lot = spot.lot if spot else get_object_or_404(Lot, code=code)
    if lot.archived_at:
        raise Http404
    # A spot that is no more still leads to its lot.
    return Label(code, lot, spot if spot and spot.retired_at is None else None)


def _lot_page(found: Label) -> str:
    """A driver who is signed in books as themselves."""
    query = f"?{urlencode({'spot': found.spot.number})}" if found.spot else ""
    return reverse("lots:detail", args=[found.lot.slug]) + query


def _page(request: HttpRequest, found: Label, form: GuestForm, now: datetime) -> dict[str, Any]:
    lot = found.lot
    ends_at = _ends_at(form, now) or now + timedelta(minutes=lot.grid_minutes)
    free = list(availability.free_spots(now, ends_at, now=now, lots=[lot.pk]).by_number())
    is_open = lot.hours.is_open_throughout(now, ends_at, lot.zone)
    tariff = tariff_at(lot, now)
    wanted = str(form["spot"].value() or "")
    chosen = wanted if any(spot.number == wanted for spot in free) else ""
    soonest, closed = [], ""
    if len(free) < SOONEST:
        diary = availability.Diary.read(lot, now, now=now)
        soonest = [opening for opening in diary.soonest(SOONEST) if opening.starts_at > now]
        if shut_until := diary.shut_until(ends_at):
            closed = core.closed_words(lot, shut_until if shut_until < availability.NEVER else None)
            is_open = False
    quote = _quote(lot, ends_at, now, chosen) if free and is_open else None
    facts = [(spot.pk, spot.number, spot.building, spot.floor) for spot in free]
    later = [(opening.spot.pk, opening.starts_at) for opening in soonest]
    return {
        "label": found,
        "lot": lot,
        "form": form,
        "now": now,
        "ends_at": ends_at,
        "is_open": is_open,
        "closed": closed,
        "opens_at": None if is_open else lot.hours.next_opening(now, lot.zone),
        "closes_at": lot.hours.open_until(now, lot.zone),
        "count": len(free) if is_open else 0,
        "floors": floors(free, chosen),
        "chosen": chosen,
        "is_wanted_taken": bool(found.spot) and wanted == found.spot.number and not chosen,  # type: ignore[union-attr]
        "soonest": soonest,
        "quote": quote,
        "hourly": rates.per_hour(tariff.rates),
        "etag": offers.fingerprint(
            facts,
            later,
            chosen,
            wanted,
            is_open,
            closed,
            quote and quote.price.total,
            ends_at,
            request.LANGUAGE_CODE,  # type: ignore[attr-defined]
        ),
    }


def floors(free: Iterable[Spot], chosen: str) -> list[Floor]:
    """Free spots by building, floor and number, as people look for them; the chosen one is always listed."""
    found = []
    ordered = sorted(free, key=lambda spot: (spot.building, spot.floor, spot.number_key))
    for (building, floor), group in groupby(ordered, key=lambda spot: (spot.building, spot.floor)):
        spots = list(group)
        shown = [spot for at, spot in enumerate(spots) if at < SHOWN_A_FLOOR or spot.number == chosen]
        found.append(Floor(building, floor, shown, len(spots) - len(shown)))
    return found


def _ends_at(form: GuestForm, now: datetime) -> datetime | None:
    try:
        ends_at = clock.parse_instant(str(form["leaving"].value() or ""))
    except clock.BadTime:
        return None
    return ends_at if now < ends_at <= now + guests.LONGEST else None


def _wish(spot_number: str, ends_at: datetime) -> Wish:
    return Wish(Booking.Kind.INSTANT, spot_number.strip(), (), "", None, ends_at)


def _quote(lot: Lot, ends_at: datetime, now: datetime, spot: str) -> quotes.Quote | None:
    try:
        return quotes.quote(lot, _wish(spot, ends_at), now=now)
    except (BookingRefused, BadBooking):
        return None
