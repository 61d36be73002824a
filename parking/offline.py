"""What a browser keeps of us for when there is no network: a page, its looks, and who shows them."""

from __future__ import annotations

import json
from hashlib import blake2b

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.utils.translation import get_language, get_language_bidi
from django.views.decorators.http import require_safe

TABLER = "vendor/tabler/1.6.1/tabler.{}min.css"
FILES = [
    *("theme.js", "site.css", "pages.css", "site.js", "live.js", "offline.js", "icons.svg", "logo.svg"),
    *("favicon.svg", "django_htmx/htmx-2.min.js"),
]


@login_not_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The same for everybody, in their language."""
    return render(None, "offline.html")


@login_not_required
@require_safe
def worker(request: HttpRequest) -> HttpResponse:
    """At the root, since a worker looks after the pages below its own address.

    Other bytes with each release and in each language: browsers then fetch page and files anew.
    """
    files = [static(name) for name in [*FILES, TABLER.format("rtl." if get_language_bidi() else "")]]
    shell = {
        "page": reverse("offline"),
        "files": files,
        "static": settings.STATIC_URL,
        "language": get_language(),
    }
    version = blake2b(json.dumps(shell).encode(), digest_size=8).hexdigest()
    text = mark_safe(json.dumps(shell | {"version": version}))  # our own addresses
    response = render(None, "worker.js", {"shell": text}, content_type="text/javascript")
    response["Cache-Control"] = "no-cache"
    return response
