"""The pass of a booking, for the driver: a page that needs no network once it is open, and a picture."""

from __future__ import annotations

import io

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.http import Request
from bookings import passes
from bookings.models import Booking


@require_safe
def page(request: Request, reference: str) -> HttpResponse:
    booking = _own(request, reference)
    if booking.state not in passes.WITH_PASS:
        messages.info(request, _("Only a booking that is confirmed or running has a pass."))
        return redirect("bookings:detail", booking.reference)
    # Safe: segno draws it from an address of our own making.
    drawing = mark_safe(passes.code(booking).svg_inline(**passes.LOOK, omitsize=True))
    context = {"booking": booking, "now": timezone.now(), "drawing": drawing}
    return passes.keep_offline(render(request, "bookings/pass.html", context), booking)


@require_safe
def picture(request: Request, reference: str) -> HttpResponse:
    """For the photos of a phone: a file needs no network at all."""
    booking = _own(request, reference)
    if booking.state not in passes.WITH_PASS:
        return redirect("bookings:pass", booking.reference)
    file = io.BytesIO()
    passes.code(booking).save(file, kind="png", **{**passes.LOOK, "scale": 12})
    response = HttpResponse(file.getvalue(), content_type="image/png")
    response["Content-Disposition"] = f'attachment; filename="pass-{booking.reference}.png"'
    return response


def _own(request: Request, reference: str) -> Booking:
    """Somebody else's booking does not exist."""
    mine = Booking.objects.of(request.user).select_related("lot", "spot")
    return get_object_or_404(mine, reference=reference)
