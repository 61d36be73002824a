"""What every answer tells the browser: which policy holds here, and what it must not keep."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

Handler = Callable[[HttpRequest], HttpResponse]


class HeadersMiddleware:
    """Below django-csp's middleware, which writes the policy this one may choose."""

    def __init__(self, get_response: Handler):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith("/admin/") and not hasattr(response, "_csp_config"):
            response._csp_config = settings.ADMIN_POLICY  # type: ignore[attr-defined]
        # After signing out, the Back button must not show what was private.
        if _is_personal(request) and "Cache-Control" not in response:
            response["Cache-Control"] = "no-store"
        response["Permissions-Policy"] = settings.PERMISSIONS_POLICY
        return response


def _is_personal(request: HttpRequest) -> bool:
    """Whoever sends a session or a token may get an answer of their own."""
    return settings.SESSION_COOKIE_NAME in request.COOKIES or "Authorization" in request.headers
