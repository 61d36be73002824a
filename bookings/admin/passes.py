"""Where the QR code of a pass leads staff: is it valid, for which spot, and the button to check in."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from bookings import passes
from bookings.admin.base import local
from bookings.admin.commands import CHECK_IN


class Passes(ModelAdmin):
    """Asked for by reference, which is what a pass carries; another operator's is as if absent."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.pass_page)
        return [path("pass/<slug:reference>/", view, name="bookings_booking_pass"), *super().get_urls()]

    def pass_page(self, request: HttpRequest, reference: str) -> HttpResponse:
        booking = self.get_queryset(request).filter(reference=reference.upper()).first()
        if booking is None or not self.has_view_permission(request, booking):
            raise Http404
        now, lot = timezone.now(), booking.lot
        may_check_in = CHECK_IN.fits(booking) and booking.starts_at <= now < booking.ends_at
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Pass"),
            "original": booking,
            "booking": booking,
            "verdict": passes.verdict(booking, now),
            "begin": local(booking.starts_at, lot),
            "end": local(booking.ends_at, lot),
            "page": reverse("admin:bookings_booking_change", args=[booking.pk]),
            "check_in": reverse("admin:bookings_booking_check_in", args=[booking.pk])
            if may_check_in and self.has_command_permission(request)  # type: ignore[attr-defined]
            else "",
        }
        return TemplateResponse(request, "admin/bookings/booking/pass.html", context)
