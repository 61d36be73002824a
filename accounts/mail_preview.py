"""A mail as its readers get it, for the back office: framed as wide as a phone and a desk, and as text."""

from __future__ import annotations

from typing import Any, cast

from csp.constants import NONE, SELF
from csp.decorators import csp
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language_info
from django.views.decorators.clickjacking import xframe_options_sameorigin


# A mail brings its own styles and nothing that runs: the sandbox gives it an origin of its own.
@xframe_options_sameorigin
@csp(  # type: ignore[arg-type]
    {
        "default-src": [NONE],
        "style-src": ["'unsafe-inline'"],
        "img-src": [SELF, "data:"],
        "base-uri": [NONE],
        "form-action": [NONE],
        "frame-ancestors": [SELF],
        "sandbox": ["allow-popups", "allow-popups-to-escape-sandbox"],
    }
)
def _framed(_request: HttpRequest, message: EmailMultiAlternatives) -> HttpResponse:
    # Links open beside the page, not in the frame: no site lets itself be framed.
    return HttpResponse('<base target="_blank">' + html_of(message))


def framed(request: HttpRequest, message: EmailMultiAlternatives) -> HttpResponse:
    """The HTML of a mail as a page for a frame."""
    return cast(HttpResponse, _framed(request, message))  # type: ignore[call-arg]  # of the decorators


def html_of(message: EmailMultiAlternatives) -> str:
    alternatives: list[Any] = list(message.alternatives)
    return next((part[0] for part in alternatives if part[1] == "text/html"), "")


def shown(message: EmailMultiAlternatives, frame: str) -> dict[str, Any]:
    """What templates/admin/mails/_mail.html shows; `frame` is the address that answers with framed()."""
    return {
        "mail": message,
        "frame": frame if html_of(message) else "",
        "headers": {name: value for name, value in message.extra_headers.items() if name != "Message-ID"},
        "files": [str(part[0]) for part in message.attachments],
    }


def languages() -> list[tuple[str, str]]:
    """Those mails are written in, each by its own name."""
    return [(code, get_language_info(code)["name_local"]) for code, _name in settings.LANGUAGES]
