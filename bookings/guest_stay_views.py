"""A guest's stay: the page they come back to, and everything they can do there. The cookie is their key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.http import Request
from bookings import availability, guest_cookie, guests, payment_views, receipts, services
from bookings.errors import BadBooking, BookingRefused, NoReceipt
from bookings.guest_views import floors
from bookings.models import Booking, Guest, State
from bookings.offers import fingerprint
from bookings.payments.providers.base import ProviderAway
from bookings.receipt_views import pdf_answer
from lots import clock

EXTENSIONS = [15, 30, 45, 60]  # minutes


@dataclass(frozen=True, slots=True)
class Seen:
    """What a cookie opens: a stay, and while that guest is not forgotten, everything to be done with it."""

    booking: Booking
    guest: Guest | None
    cookie: guest_cookie.Cookie


def seen(request: HttpRequest, now: datetime) -> Seen | None:
    cookie = guest_cookie.read(request, now=now)
    if cookie is None:
        return None
    guest = guests.of_key(cookie.key)
    if guest:
        booking = guests.latest_stay(guest)
    else:
        # Over and forgotten: what it cost is all there is to see, and it names nobody.
        over = Booking.objects.over().filter(guest__erased_at__isnull=False, reference=cookie.stay)
        booking = over.select_related("lot", "spot", "tariff", "guest").first()
    return Seen(booking, guest, cookie) if booking else None


@login_not_required
@never_cache
@require_safe
def stay(request: Request) -> HttpResponse:
    now = timezone.now()
    found = seen(request, now)
    return _show(request, found, now) if found else _nothing(request, now)


@login_not_required
@require_safe
def live(request: Request) -> HttpResponse:
    """The stay alone, asked for again and again; nothing changed costs neither bytes nor a redraw."""
    now = timezone.now()
    found = seen(request, now)
    if found is None:
        # Its page says what to do now.
        return HttpResponse(status=204, headers={"HX-Refresh": "true", "Cache-Control": "no-store"})
    context = _shown(request, found, now)
    etag = f'"{context["etag"]}"'
    if request.headers.get("If-None-Match") == etag:
        response: HttpResponse = HttpResponseNotModified()
    else:
        response = render(request, "guests/_stay.html", context)
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    return response


@login_not_required
@never_cache
@require_POST
def extend(request: Request) -> HttpResponse:
    found, now = _own(request)
    try:
        ends_at = clock.parse_instant(request.POST.get("ends", ""))
    except clock.BadTime as error:
        return _show(request, found, now, status=422, problem=str(error))
    return _act(
        request,
        found,
        lambda: guests.extend(found.booking, ends_at=ends_at, by=found.guest, now=now),
        said=_("Extended."),
    )


@login_not_required
@never_cache
@require_http_methods(["GET", "POST"])
def move(request: Request) -> HttpResponse:
    """Another spot for the running stay. Until that is certain, the first one is theirs."""
    found, now = _own(request)
    if found.booking.state != State.ACTIVE:
        return redirect("guests:stay")
    refusal, status = None, 200
    if request.method == "POST":
        try:
            services.move(found.booking, spot_number=request.POST.get("spot", ""), by=found.guest, now=now)
        except (BookingRefused, BadBooking) as refused:
            refusal, status = refused, 409 if isinstance(refused, BookingRefused) else 422
        else:
            messages.success(request, _("You have another spot now."))
            return redirect("guests:stay")
    booking = found.booking
    free = availability.free_spots(now, booking.ends_at, now=now, lots=[booking.lot_id])
    free = free.filter(kind=booking.spot.kind)
    context = {"booking": booking, "now": now, "floors": floors(free, ""), "chosen": "", "refusal": refusal}
    return render(request, "guests/move.html", context, status=status)


@login_not_required
@never_cache
@require_http_methods(["GET", "POST"])
def stop(request: Request) -> HttpResponse:
    now = timezone.now()
    found = seen(request, now)
    if found is None:
        return _nothing(request, now)
    booking = found.booking
    if booking.is_over:
        return redirect("guests:stay")  # pressed twice
    if request.method != "POST":
        price = None if booking.state == State.HELD else services.price_so_far(booking, now=now)
        return render(request, "guests/stop.html", {"booking": booking, "now": now, "price": price})
    command = services.cancel if booking.state == State.HELD else services.release
    response = _act(
        request,
        found,
        lambda: command(booking, by=found.guest, now=now),
        said=_("The spot is free again. Have a good trip."),
    )
    guests.erase_due(now=now, guest=found.guest)
    return response


@login_not_required
@never_cache
@require_POST
def pay(request: Request) -> HttpResponse:
    found, now = _own(request)
    try:
        name = request.POST.get("provider", "")
        payment = services.pay(found.booking, provider_name=name, by=found.guest, now=now)
    except (BookingRefused, BadBooking) as refusal:
        return _show(request, found, timezone.now(), status=409, problem=str(refusal))
    except ProviderAway:
        sentence = _("The payment service does not answer. Please try again; nothing is paid twice.")
        return _show(request, found, timezone.now(), status=503, problem=sentence)
    if payment.is_pending and payment.redirect_url:
        # The demo's page is ours: it opens under whatever name the guest calls us by.
        return redirect(payment.redirect_url.removeprefix(settings.BASE_URL))
    return redirect("guests:stay")


@login_not_required
@never_cache
@require_safe
def receipt(request: Request) -> HttpResponse:
    now = timezone.now()
    found = seen(request, now)
    if found is None:
        return _nothing(request, now)
    try:
        return pdf_answer(receipts.statement(found.booking, now=now), now)
    except NoReceipt as refusal:
        messages.info(request, str(refusal))
        return redirect("guests:stay")


@login_not_required
@never_cache
@require_POST
def forget(request: Request) -> HttpResponse:
    """Take the e-mail address back before the stay is over."""
    found, now = _own(request)
    if found.guest:
        guests.forget_email(found.guest, now=now)
    messages.success(request, _("Your address is erased."))
    return redirect("guests:stay")


def _own(request: Request) -> tuple[Seen, datetime]:
    """For whatever changes something: the guest must be one we know."""
    now = timezone.now()
    found = seen(request, now)
    if found is None or found.guest is None:
        raise Http404
    return found, now


def _act(request: Request, found: Seen, command: Callable[[], Booking], *, said: str) -> HttpResponse:
    """Run one command. Done: show the stay. Refused: show it with the reason."""
    try:
        command()
    except BookingRefused as refusal:
        return _show(request, found, timezone.now(), status=409, refusal=refusal)
    except BadBooking as bad:
        return _show(request, found, timezone.now(), status=422, problem=str(bad))
    messages.success(request, said)
    return redirect("guests:stay")


def _show(request: Request, found: Seen, now: datetime, status: int = 200, **more: Any) -> HttpResponse:
    found = seen(request, now) or found
    response = render(request, "guests/stay.html", _shown(request, found, now) | more, status=status)
    if found.guest:
        # Whoever looks after their stay keeps the key to it for another 16 hours.
        guest_cookie.give(response, found.cookie, now=now)
    return response


def _nothing(request: Request, now: datetime) -> HttpResponse:
    return render(request, "guests/nothing.html", {"now": now}, status=404)


def _shown(request: HttpRequest, found: Seen, now: datetime) -> dict[str, Any]:
    booking = found.booking
    # By the minute, so that a page which asks every few seconds is mostly told "nothing new".
    minute = now.replace(second=0, microsecond=0)
    is_active = booking.state == State.ACTIVE
    so_far = services.price_so_far(booking, now=minute) if is_active else None
    money = payment_views.shown(booking)
    latest = availability.latest_end(booking, now=now) if is_active else None
    facts = (booking.state, booking.starts_at, booking.ends_at, booking.spot_id, booking.total, latest)
    paid = (money["money"], [(payment.pk, payment.shown_status) for payment in money["payments"]])
    email = found.guest.email if found.guest else ""
    return {
        "booking": booking,
        "guest": found.guest,
        "now": now,
        "so_far": so_far,
        "latest_end": latest,
        "steps": _steps(booking, latest, now) if is_active else [],
        "may_have_receipt": receipts.may_have(booking),
        **money,
        "etag": fingerprint(
            facts,
            paid,
            so_far and so_far.total,
            email,
            bool(found.guest),
            request.LANGUAGE_CODE,  # type: ignore[attr-defined]
        ),
    }


def _steps(booking: Booking, latest: datetime | None, now: datetime) -> list[tuple[int, datetime]]:
    """The ends a tap away: those nobody comes before."""
    ends = [(minutes, booking.ends_at + timedelta(minutes=minutes)) for minutes in EXTENSIONS]
    limit = min(filter(None, [latest, now + guests.LONGEST]))
    return [(minutes, at) for minutes, at in ends if at <= limit]
