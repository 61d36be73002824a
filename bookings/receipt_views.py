"""What a driver takes home: the receipt as a page and as a PDF, the booking as a calendar file."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.http import Request
from bookings import receipts
from bookings.calendar_files import calendar_file
from bookings.errors import NoReceipt
from bookings.models import Booking
from bookings.receipt_pdf import render as render_pdf


@require_safe
def receipt(request: Request, reference: str) -> HttpResponse:
    booking, now = _own(request, reference), timezone.now()
    try:
        found = receipts.statement(booking, now=now)
    except NoReceipt as refusal:
        messages.info(request, str(refusal))
        return redirect("bookings:detail", booking.reference)
    document = found.document
    starts_at, ends_at = (datetime.fromisoformat(document[name]) for name in ("starts_at", "ends_at"))
    context = {
        "statement": found,
        "document": document,
        "booking": booking,
        "now": now,
        "zone": ZoneInfo(document["lot"]["timezone"]),
        "starts_at": starts_at,
        "ends_at": ends_at,
    }
    return render(request, "receipts/receipt.html", context)


@require_safe
def receipt_pdf(request: Request, reference: str) -> HttpResponse:
    booking, now = _own(request, reference), timezone.now()
    try:
        return pdf_answer(receipts.statement(booking, now=now), now)
    except NoReceipt as refusal:
        messages.info(request, str(refusal))
        return redirect("bookings:detail", booking.reference)


@require_safe
def calendar(request: Request, reference: str) -> HttpResponse:
    return calendar_answer(_own(request, reference))


def pdf_answer(found: receipts.Statement, now: datetime) -> HttpResponse:
    response = HttpResponse(render_pdf(found, printed_at=now), content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="receipt-{found.receipt}.pdf"'
    return response


def calendar_answer(booking: Booking) -> HttpResponse:
    response = HttpResponse(calendar_file(booking), content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="parking-{booking.reference}.ics"'
    return response


def _own(request: Request, reference: str) -> Booking:
    """Somebody else's booking does not exist."""
    mine = Booking.objects.of(request.user).select_related("lot", "spot", "tariff")
    return get_object_or_404(mine, reference=reference)
