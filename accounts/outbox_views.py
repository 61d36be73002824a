"""The mails we owe, as pages, while DEBUG: whoever tries Parkwell out has no mail server."""

from __future__ import annotations

from csp.constants import SELF
from csp.decorators import csp_update
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.mail import EmailMultiAlternatives
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts import outbox
from accounts.mail_preview import framed, html_of
from accounts.models import Notice

SHOWN = 100


@login_not_required
@never_cache
@require_safe
def mails(request: HttpRequest) -> HttpResponse:
    _only_in_development()
    notices = Notice.objects.order_by("-created_at", "-pk")[:SHOWN]
    rows = [{"notice": notice, "mail": _rendered(notice)} for notice in notices]
    return render(request, "accounts/outbox.html", {"rows": rows})


@login_not_required
@never_cache
@require_safe
@csp_update({"frame-src": [SELF]})  # type: ignore[arg-type]
def mail(request: HttpRequest, pk: int) -> HttpResponse:
    _only_in_development()
    notice = get_object_or_404(Notice, pk=pk)
    message = _rendered(notice)
    return render(
        request,
        "accounts/outbox_mail.html",
        {"notice": notice, "mail": message, "has_html": bool(html_of(message))},
    )


@login_not_required
@never_cache
@require_safe
def mail_html(request: HttpRequest, pk: int) -> HttpResponse:
    _only_in_development()
    return framed(request, _rendered(get_object_or_404(Notice, pk=pk)))


def _only_in_development() -> None:
    if not settings.DEBUG:
        raise Http404


def _rendered(notice: Notice) -> EmailMultiAlternatives:
    try:
        return outbox.to_message(notice)
    except Exception as error:  # a broken template is what this page is there to show
        return EmailMultiAlternatives(subject=type(error).__name__, body=str(error), to=[notice.recipient])
