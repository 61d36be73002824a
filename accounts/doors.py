"""Every door where a code or password can be tried or a mail be asked for, and the limits in front of it."""

from __future__ import annotations

import hashlib
from typing import Any

from allauth.account.internal.flows.email_verification_by_code import EMAIL_VERIFICATION_CODE_SESSION_KEY
from allauth.account.internal.flows.password_reset_by_code import PASSWORD_RESET_VERIFICATION_SESSION_KEY
from allauth.account.internal.stagekit import LOGIN_SESSION_KEY
from allauth.headless import app_settings as headless_settings
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest

from accounts import limits
from accounts.limits import Limit

API = "headless:app:account:"

# Where a code is tried, and which one; the API's GET with a key in a header tries it as well.
CODE_DOORS = {
    "account_email_verification_sent": "email",
    "account_confirm_login_code": "login",
    "account_confirm_password_reset_code": "reset",
    API + "verify_email": "email",
    API + "confirm_login_code": "login",
    API + "reset_password": "reset",
}
# Where one address on the net may not come too often.
IP_DOORS: dict[str, Limit] = {
    "account_signup": limits.SIGN_UP_IP,
    API + "signup": limits.SIGN_UP_IP,
    "account_request_login_code": limits.ASK_IP,
    "account_reset_password": limits.ASK_IP,
    "account_email": limits.ASK_IP,
    API + "request_login_code": limits.ASK_IP,
    API + "request_password_reset": limits.ASK_IP,
    API + "manage_email": limits.ASK_IP,
    API + "resend_email_verification_code": limits.ASK_IP,
    API + "resend_login_code": limits.ASK_IP,
    "headless:app:tokens:refresh": limits.REFRESH_IP,
}
# Where a signed-in person's present password is asked for again. (Signing in: accounts.adapter.)
PASSWORD_DOORS = {"account_change_password", API + "change_password", "admin:password_change"}
SAFE = {"GET", "HEAD", "OPTIONS"}


def guard(request: HttpRequest, door: str) -> None:
    """Take what this request uses up before a view evaluates anything; raises TooOften."""
    is_safe = request.method in SAFE
    if door in IP_DOORS and not is_safe:
        limits.take((IP_DOORS[door], limits.network(request)))
    if door in CODE_DOORS and (not is_safe or door.startswith(API)):
        _guard_code(request, door)
    if door in PASSWORD_DOORS and not is_safe:
        who = _session(request, door).get("_auth_user_id") or limits.network(request)
        limits.take((limits.PASSWORD, f"user {who}"))


def use_code(request: HttpRequest | None) -> None:
    """The code of this request has its effect now; of several requests with one code, one gets here."""
    key = getattr(request, "code_key", "")
    if key:
        request.code_key = ""  # type: ignore[union-attr]
        limits.take((limits.CODE_USE, key))


def _guard_code(request: HttpRequest, door: str) -> None:
    """At most five tries a code, however many come at once; ten an hour for an address."""
    # Asking for another one is no try, but only without a code: allauth takes an action that is not
    # possible just now for a try.
    if request.POST.get("action") in ("resend", "change") and "code" not in request.POST:
        limits.take((limits.ASK_IP, limits.network(request)))
        return
    limits.take((limits.CODE_TRY_IP, limits.network(request)))
    session = _session(request, door)
    state = _pending(session, CODE_DOORS[door])
    if state is None:
        _forget_session(request, door)
        return
    # No code is kept for an unknown address; its flow is limited just the same.
    one_code = f"{session.session_key} {state.get('code')} {state.get('at')}"
    request.code_key = hashlib.sha256(one_code.encode()).hexdigest()  # type: ignore[attr-defined]
    limits.take((limits.CODE_TRY, one_code), (limits.CODE_TRY_ADDRESS, str(state.get("email")).lower()))


def _forget_session(request: HttpRequest, door: str) -> None:
    """The view of the API loads the session once more, and a slower request may have written a code back.

    It would compare that code uncounted. So it gets to see what was seen here: a session without a code.
    """
    if door.startswith(API):
        for name in ("HTTP_X_SESSION_TOKEN", "HTTP_AUTHORIZATION"):
            request.META.pop(name, None)
        request.__dict__.pop("headers", None)  # read before, and kept


def _session(request: HttpRequest, door: str) -> SessionBase:
    """The session the view will look at: the API's is named by a header, not by the cookie."""
    if not door.startswith(API):
        return request.session
    strategy = headless_settings.TOKEN_STRATEGY
    token = strategy.get_session_token(request)
    found = strategy.lookup_session(token) if token else None
    return found if found is not None else SessionStore()


def _pending(session: SessionBase, flow: str) -> dict[str, Any] | None:
    """What allauth remembers of the code it sent: the code, when, and to whom."""
    if flow == "email":
        return session.get(EMAIL_VERIFICATION_CODE_SESSION_KEY)
    if flow == "reset":
        return session.get(PASSWORD_RESET_VERIFICATION_SESSION_KEY)
    login = session.get(LOGIN_SESSION_KEY) or {}
    return login.get("state", {}).get("stages", {}).get("login_by_code", {}).get("data") or None
