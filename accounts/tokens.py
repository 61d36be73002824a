"""The API's tokens: allauth's, but a refresh token is good for one use, however many use it at once."""

from __future__ import annotations

import logging

from allauth.core import context as allauth_context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.headless.base.response import BaseAuthenticationResponse
from allauth.headless.tokens.strategies.jwt import JWTTokenStrategy, internal
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.models import Session
from django.db import transaction

from accounts import limits

logger = logging.getLogger("parkwell.security")
# Once, for as long as a token lives.
REFRESH = limits.Limit("refresh token", 1, settings.HEADLESS_JWT_REFRESH_TOKEN_EXPIRES_IN)


class OneUse(JWTTokenStrategy):
    """allauth reads the session, takes the old token out of it and writes it back whole.

    Of many that do so at once each is answered with tokens, and a request of the same session that began
    before would even write the old token back. So: one at a time, and what was used is kept elsewhere.
    """

    def refresh_token(self, refresh_token: str) -> tuple[str, str]:
        """New tokens for this one; raises the 401 that tells a program to sign in again.

        allauth would answer 400, as it does where the token is left out.
        """
        tokens = self._exchange(refresh_token)
        if tokens is None:
            refusal = BaseAuthenticationResponse(allauth_context.request, user=AnonymousUser())
            raise ImmediateHttpResponse(refusal)
        return tokens

    def _exchange(self, refresh_token: str) -> tuple[str, str] | None:
        payload = internal.decode_token(refresh_token, "refresh")
        key = internal.session_key_from_sid(payload["sid"]) if payload else None
        if payload is None or not key:
            return None
        with transaction.atomic():
            # SQLite's transaction waits at its beginning, PostgreSQL's here.
            if not Session.objects.select_for_update().filter(session_key=key).exists():
                return None
            if internal.validate_refresh_token(refresh_token) and _is_first_use(payload["jti"]):
                return super().refresh_token(refresh_token)
        logger.warning("auth.refresh_refused", extra={"user_id": payload["sub"]})
        return None


def _is_first_use(token_id: str) -> bool:
    try:
        limits.take((REFRESH, token_id))
    except limits.TooOften:
        return False
    return True
