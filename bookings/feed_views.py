"""The calendar feed: the file itself, and the page where its address is made and revoked."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.http import Request
from bookings import calendar_feeds
from bookings.feed_models import CalendarFeed


@login_not_required
@require_safe
def feed(request: Request, key: str) -> HttpResponse:
    """No sign-in: the key is the proof."""
    found = get_object_or_404(CalendarFeed.objects.filter(driver__is_active=True), key=key)
    response = HttpResponse(
        calendar_feeds.content(found, now=timezone.now()), content_type="text/calendar; charset=utf-8"
    )
    response["Cache-Control"] = "private, no-cache"
    response["X-Robots-Tag"] = "noindex"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: Request) -> HttpResponse:
    if request.method == "POST" and "revoke" in request.POST:
        calendar_feeds.revoke(request.user)
        messages.success(request, _("The address leads nowhere any more."))
        return redirect("bookings:calendar-feed")
    if request.method == "POST":
        calendar_feeds.make(request.user, now=timezone.now())
        messages.success(request, _("This is your calendar's new address."))
        return redirect("bookings:calendar-feed")
    found = CalendarFeed.objects.filter(driver=request.user).first()
    address = calendar_feeds.address(found) if found else ""
    return render(request, "bookings/calendar_feed.html", {"address": address})
