"""Ending reminders and reports from a mail, without signing in. GET only asks: scanners follow links."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from reports import unsubscribe


# Mail readers post here by themselves (RFC 8058): no cookie and no form of ours, the link is the key.
@csrf_exempt
@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe_page(request: HttpRequest, token: str) -> HttpResponse:
    try:
        pk = unsubscribe.read(token)
    except unsubscribe.BadLink as error:
        raise Http404 from error
    if request.method == "POST":
        unsubscribe.switch(pk, wants=False)
    return render(request, "reports/unsubscribe.html", {"is_done": request.method == "POST"})
