"""Paying on pages: the button, the way back from the provider, my payments, and the demo's card page."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from accounts.http import Request
from bookings import guest_cookie, guests, services
from bookings.errors import BadBooking, BookingRefused
from bookings.models import Booking
from bookings.payments import ledger
from bookings.payments.models import Payment, Provider
from bookings.payments.providers import demo as demo_bank
from bookings.payments.providers import offered, provider
from bookings.payments.providers.base import ProviderAway, ProviderRefused

A_PAGE = 20


@require_http_methods(["GET", "POST"])
def pay(request: Request, reference: str) -> HttpResponse:
    mine = ledger.with_money(Booking.objects.of(request.user))
    booking = get_object_or_404(mine.select_related("lot", "spot", "tariff", "driver"), reference=reference)
    if request.method != "POST":
        return _ask(request, booking)
    try:
        payment = services.pay(
            booking, provider_name=request.POST.get("provider", ""), by=request.user, now=timezone.now()
        )
    except (BookingRefused, BadBooking) as refusal:
        return _ask(request, booking, problem=str(refusal), status=409)
    except ProviderAway:
        sentence = _("The payment service does not answer. Please try again; nothing is paid twice.")
        return _ask(request, booking, problem=sentence, status=503)
    if payment.is_pending and payment.redirect_url:
        # The demo's page is ours: it opens under whatever name the driver calls us by.
        return redirect(payment.redirect_url.removeprefix(settings.BASE_URL))
    return redirect("payments:detail", payment.pk)


def _ask(request: Request, booking: Booking, *, problem: str = "", status: int = 200) -> HttpResponse:
    booking = Booking.objects.select_related("lot", "spot").get(pk=booking.pk)
    context = {"booking": booking, "now": timezone.now(), "problem": problem, **shown(booking)}
    return render(request, "payments/pay.html", context, status=status)


def shown(booking: Booking) -> dict[str, Any]:
    """What a booking's page says about its money."""
    payments = booking.payments.order_by("-created_at").prefetch_related("refunds")
    return {"money": ledger.account(booking), "payments": list(payments), "offered": offered()}


@require_safe
def index(request: Request) -> HttpResponse:
    mine = Payment.objects.of(request.user).select_related("booking__lot", "booking__spot")
    rows = mine.prefetch_related("refunds").order_by("-created_at", "-pk")
    page = Paginator(rows, A_PAGE).get_page(request.GET.get("page"))
    return render(request, "payments/list.html", {"page": page, "now": timezone.now()})


@login_not_required
@require_safe
def detail(request: Request, pk: UUID) -> HttpResponse:
    """Where the provider's page sends the driver back to. What is true, the provider knows."""
    if not request.user.is_authenticated:
        return _guest_is_back(request, pk)
    mine = Payment.objects.of(request.user).select_related("booking__lot", "booking__spot")
    payment = get_object_or_404(mine, pk=pk)
    if payment.is_pending:
        _look(payment)
        payment = mine.get(pk=pk)
    context = {"payment": payment, "booking": payment.booking, "now": timezone.now()}
    response = render(request, "payments/detail.html", context)
    if payment.is_pending:
        response["Refresh"] = "3"
    return response


def _guest_is_back(request: Request, pk: UUID) -> HttpResponse:
    """A guest's stay says what became of the payment; whoever else comes here signs in first."""
    cookie = guest_cookie.read(request, now=timezone.now())
    guest = guests.of_key(cookie.key) if cookie else None
    payment = Payment.objects.filter(pk=pk, booking__guest=guest).first() if guest else None
    if payment is None:
        return redirect_to_login(request.get_full_path())
    if payment.is_pending:
        _look(payment)
    return redirect("guests:stay")


def _look(payment: Payment) -> None:
    try:
        outcome = provider(payment.provider).ask(payment)
    except (ProviderAway, ProviderRefused):
        return  # the page says that we are waiting, and the reconciler asks again
    services.apply_provider_state(payment, outcome, now=timezone.now())


# The id is the key to this page, as it is to a real provider's: no sign-in, no token, and a script that
# tries out the API can press its buttons too.
@csrf_exempt
@login_not_required
@require_http_methods(["GET", "POST"])
def demo(request: Request, pk: UUID) -> HttpResponse:
    rows = Payment.objects.select_related("booking__lot").filter(provider=Provider.DEMO)
    payment = get_object_or_404(rows, pk=pk)
    if not settings.DEMO_PAYMENTS:
        raise Http404
    now = timezone.now()
    answer = request.POST.get("answer", "")
    context = {"payment": payment, "is_open": payment.page_is_open(now)}
    if request.method != "POST" or not context["is_open"]:
        return render(request, "payments/demo.html", context)
    if answer not in demo_bank.ANSWERS:
        return render(request, "payments/demo.html", context, status=400)
    if "answer" not in payment.details:
        # Pressed twice, the first answer counts.
        Payment.objects.pending().filter(pk=pk, details={}).update(details=demo_bank.decide(answer, now))
        payment.refresh_from_db()
    services.apply_provider_state(payment, provider(Provider.DEMO).ask(payment), now=now)
    if request.user.is_authenticated:
        return redirect("payments:detail", pk)
    if payment.booking.guest_id:
        return redirect("guests:stay")
    return redirect("payments:demo", pk)
