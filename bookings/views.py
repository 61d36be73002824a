"""A driver's own bookings: the list, and each one with everything that can be done to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.http import Request
from bookings import availability, history, passes, payment_views, services, waitlist_views
from bookings.errors import BadBooking, BookingRefused, CalledOff
from bookings.forms import EXTENSIONS, ExtendForm
from bookings.guest_views import floors
from bookings.models import Booking, State, TimelineEntry
from bookings.offers import fingerprint

PAST_A_PAGE = 20


@require_safe
def index(request: Request) -> HttpResponse:
    mine = Booking.objects.of(request.user).select_related("lot", "spot")
    past = Paginator(mine.over().order_by("-starts_at", "-pk"), PAST_A_PAGE)
    current = list(mine.occupying().order_by("starts_at", "pk"))
    now = timezone.now()
    waiting = waitlist_views.waiting(request, now)
    offers = {entry.offer_id for entry in waiting if entry.live_offer(now)}  # shown with the waitlist
    context = {
        "now": now,
        "waiting": waiting,
        "running": [booking for booking in current if booking.state == State.ACTIVE],
        "upcoming": [
            booking for booking in current if booking.state != State.ACTIVE and booking.pk not in offers
        ],
        "past": past.get_page(request.GET.get("page")),
        "summary": history.summary(request.user),
    }
    return render(request, "bookings/list.html", context)


@require_safe
def detail(request: Request, reference: str) -> HttpResponse:
    booking = _own(request, reference)
    page = render(request, "bookings/detail.html", _shown(request, booking, timezone.now()))
    return passes.keep_offline(page, booking)


@require_safe
def live(request: Request, reference: str) -> HttpResponse:
    """The booking alone, asked for again and again; nothing changed costs neither bytes nor a redraw."""
    context = _shown(request, _own(request, reference), timezone.now())
    etag = f'"{context["etag"]}"'
    if request.headers.get("If-None-Match") == etag:
        response: HttpResponse = HttpResponseNotModified()
    else:
        response = render(request, "bookings/_booking.html", context)
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    return response


@require_POST
def check_in(request: Request, reference: str) -> HttpResponse:
    booking, now = _own(request, reference), timezone.now()
    return _act(
        request,
        booking,
        lambda: services.check_in(booking, by=request.user, now=now),
        said=_("You are checked in."),
        question="bookings/check_in.html",
        context={},
    )


@require_http_methods(["GET", "POST"])
def extend(request: Request, reference: str) -> HttpResponse:
    booking, now = _own(request, reference), timezone.now()
    data = request.POST if request.method == "POST" else None
    form = ExtendForm(data, lot=booking.lot, initial={"ends": _next_end(booking)})
    longest = availability.longest_end(booking, now=now)
    ends = [(minutes, booking.ends_at + timedelta(minutes=minutes)) for minutes in EXTENSIONS]
    context: dict[str, Any] = {
        "form": form,
        "steps": [(minutes, at) for minutes, at in ends if now < at <= longest],
        "slider": _slider(booking, longest),
        "latest_end": availability.latest_end(booking, now=now),
    }
    question = "bookings/extend.html"
    if form.is_valid():
        ends_at = form.ends_at()
        if ends_at:
            return _act(
                request,
                booking,
                lambda: services.extend(booking, ends_at=ends_at, by=request.user, now=now),
                said=_("Extended."),
                question=question,
                context=context,
            )
    return _ask(request, question, booking, now, context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "POST"])
def move(request: Request, reference: str) -> HttpResponse:
    """Another spot of the same lot. Until that is certain, the first one is the driver's."""
    booking, now = _own(request, reference), timezone.now()
    begin = max(booking.starts_at, now)
    free = availability.free_spots(
        begin, booking.ends_at, now=now, lots=[booking.lot_id], vehicle_kind=booking.vehicle_kind
    ).filter(kind=booking.spot.kind)
    question, context = "bookings/move.html", {"floors": floors(free, ""), "chosen": ""}
    if request.method != "POST":
        return _ask(request, question, booking, now, context)
    return _act(
        request,
        booking,
        lambda: services.move(booking, spot_number=request.POST.get("spot", ""), by=request.user, now=now),
        said=_("You have another spot now."),
        question=question,
        context=context,
    )


@require_http_methods(["GET", "POST"])
def release(request: Request, reference: str) -> HttpResponse:
    booking, now = _own(request, reference), timezone.now()
    question, context = "bookings/release.html", {"price": services.price_so_far(booking, now=now)}
    if request.method != "POST":
        return _ask(request, question, booking, now, context)
    return _act(
        request,
        booking,
        lambda: services.release(booking, by=request.user, now=now),
        said=_("The spot is free again. Have a good trip."),
        question=question,
        context=context,
    )


@require_http_methods(["GET", "POST"])
def cancel(request: Request, reference: str) -> HttpResponse:
    booking, now = _own(request, reference), timezone.now()
    question = "bookings/cancel.html"
    context = {"outcome": services.cancellation_preview(booking, now=now)}
    if request.method != "POST":
        return _ask(request, question, booking, now, context)
    return _act(
        request,
        booking,
        lambda: services.cancel(booking, by=request.user, now=now),
        said=_("Cancelled."),
        question=question,
        context=context,
    )


def _own(request: Request, reference: str) -> Booking:
    """Somebody else's booking does not exist."""
    mine = Booking.objects.of(request.user).select_related("lot", "spot", "tariff")
    return get_object_or_404(mine, reference=reference)


def _act(
    request: Request,
    booking: Booking,
    command: Callable[[], Booking],
    *,
    said: str,
    question: str,
    context: dict[str, Any],
) -> HttpResponse:
    """Run one command. Done: show the booking. Refused: ask again, with the reason."""
    try:
        command()
    except BookingRefused as refusal:
        context = context | {"refusal": refusal}
        return _ask(request, question, booking, timezone.now(), context, status=409)
    except BadBooking as bad:
        return _ask(request, question, booking, timezone.now(), context | {"bad": str(bad)}, status=422)
    messages.success(request, said)
    if not request.htmx:
        return redirect("bookings:detail", booking.reference)
    fresh = _own(request, booking.reference)
    shown = _shown(request, fresh, timezone.now()) | {"oob": True}
    return render(request, "bookings/_done.html", shown)


def _ask(
    request: Request,
    question: str,
    booking: Booking,
    now: datetime,
    context: dict[str, Any],
    status: int = 200,
) -> HttpResponse:
    """A question before something is done: a page of its own, or for htmx just the form in it."""
    template = question.replace("/", "/_", 1) if request.htmx else question
    response = render(request, template, {"booking": booking, "now": now, **context}, status=status)
    if request.htmx:
        response["HX-Retarget"] = "#dialog-body"
        response["HX-Reswap"] = "innerHTML"
    return response


def _shown(request: Request, booking: Booking, now: datetime) -> dict[str, Any]:
    timeline = list(booking.timeline.order_by("sequence"))
    # By the minute, so that a page which asks every few seconds is mostly told "nothing new".
    minute = now.replace(second=0, microsecond=0)
    so_far = services.price_so_far(booking, now=minute) if booking.state == State.ACTIVE else None
    money = payment_views.shown(booking)
    facts = (booking.state, booking.starts_at, booking.ends_at, booking.spot_id, booking.total, len(timeline))
    paid = (money["money"], [(payment.pk, payment.shown_status) for payment in money["payments"]])
    return {
        "booking": booking,
        "now": now,
        "timeline": timeline,
        "so_far": so_far,
        "instead": _instead(booking, timeline, now),
        **money,
        "address": request.build_absolute_uri(reverse("bookings:detail", args=[booking.reference])),
        "etag": fingerprint(
            facts, paid, so_far and so_far.total, now < booking.starts_at, request.LANGUAGE_CODE
        ),
    }


def _instead(booking: Booking, timeline: list[TimelineEntry], now: datetime) -> CalledOff | None:
    """What is free now for whom we called off, until the time they had booked is over."""
    last = next((entry for entry in reversed(timeline) if entry.action == "cancelled"), None)
    if last is None or "cause" not in last.details or booking.booked_until <= now:
        return None
    return services.called_off(booking, now)


def _slider(booking: Booking, longest: datetime) -> dict[str, Any]:
    """Minutes beyond the present end, in steps of the lot's grid, up to what is possible."""
    step = booking.lot.grid_minutes
    steps = int((longest - booking.ends_at).total_seconds()) // 60 // step
    return {"step": step, "most": steps * step, "first": booking.ends_at + timedelta(minutes=step)}


def _next_end(booking: Booking) -> datetime:
    """What the form proposes: one step of the lot's grid more, on the lot's clock."""
    later = booking.ends_at + timedelta(minutes=booking.lot.grid_minutes)
    return later.astimezone(booking.lot.zone).replace(tzinfo=None)
