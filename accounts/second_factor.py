"""Staff's second factor: which devices somebody has, and whether this session has shown one."""

from __future__ import annotations

from django.contrib.auth.middleware import get_user
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django_otp.middleware import OTPMiddleware


class SecondFactorMiddleware(OTPMiddleware):
    """django-otp's, but asking for the user anew each time.

    The original wraps the lazy user it finds. allauth's API resets the outer one only, so once anything
    has looked at request.user (LoginRequiredMiddleware does) a bearer token would go unseen.
    """

    def _install_lazy_accessors(self, request: HttpRequest) -> None:
        request.user = SimpleLazyObject(lambda: self._verify_user_sync(request, get_user(request)))
