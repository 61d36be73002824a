"""What our views get: a request whose user is one of ours, and which knows whether htmx sent it."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from accounts.models import User


class Request(HttpRequest):
    # Behind login_not_required the user may be nobody: look at is_authenticated first.
    user: User  # type: ignore[assignment]
    htmx: HtmxDetails
    LANGUAGE_CODE: str
