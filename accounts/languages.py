"""Which language somebody gets: their profile's, else a cookie's, else what the browser says."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.utils import translation
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from accounts import services
from accounts.http import Request

KNOWN = dict(settings.LANGUAGES)
BACK_OFFICE, API = "/admin/", "/api/"


class UserLanguageMiddleware:
    """After LocaleMiddleware and those who know the user: the account's own choice wins on pages.

    The back office has one language, the one its texts are written in. The API goes by Accept-Language
    alone: a program says what it wants.
    """

    def __init__(self, get_response: Callable[[Request], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: Request) -> HttpResponse:
        if language := _chosen(request):
            translation.activate(language)
            request.LANGUAGE_CODE = language
        return self.get_response(request)


def _chosen(request: Request) -> str:
    if request.path.startswith(BACK_OFFICE):
        return settings.LANGUAGE_CODE
    # Without a session's cookie nobody is signed in: no session is opened, and none is named in Vary.
    if request.path.startswith(API) or settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return ""
    chosen = request.user.language if request.user.is_authenticated else ""
    return chosen if chosen in KNOWN else ""


@login_not_required
@require_POST
def choose(request: Request) -> HttpResponse:
    """The switch at the foot of every page: a cookie, and for whoever is signed in their own choice too."""
    answer: HttpResponse = set_language(request)
    language = request.POST.get("language", "")
    if request.user.is_authenticated and language in KNOWN:
        services.update_profile(user=request.user, language=language)
    return answer
