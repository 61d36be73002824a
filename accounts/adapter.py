"""What allauth asks us."""

from __future__ import annotations

import logging
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.manage_email import sync_user_email_address
from allauth.account.models import EmailAddress, Login
from allauth.account.utils import setup_user_email
from allauth.core import context as allauth_context
from django.conf import settings
from django.contrib import messages
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts import doors, limits, second_factor
from accounts.models import User

logger = logging.getLogger("parkwell.security")
WRONG_IN_A_ROW = 100  # then the password alone is refused, until a code or a reset shows who it is
# Mails a stranger can make us send by typing somebody's address.
ASKED_FOR = {
    f"account/email/{name}"
    for name in (
        "email_confirmation",
        "email_confirmation_signup",
        "login_code",
        "password_reset_code",
        "account_already_exists",
        "unknown_account",
        "staff_code",
    )
}


class AccountAdapter(DefaultAccountAdapter):
    def populate_username(self, request: HttpRequest, user: User) -> None:
        """Leave an absent username absent: it is optional, so none is made up."""
        user.username = user.username or None

    def new_user(self, request: HttpRequest) -> User:
        """Mails are to be in the language of the page somebody signs up on."""
        user: User = super().new_user(request)
        language = get_language() or settings.LANGUAGE_CODE
        user.language = "" if language == settings.LANGUAGE_CODE else language
        return user

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        if request.user.is_staff:
            return reverse("admin:index")
        return super().get_login_redirect_url(request)

    def is_safe_url(self, url: str | None) -> bool:
        """Only a path of ours: nothing that a browser could read as another host's."""
        return url is not None and url.startswith("/") and bool(super().is_safe_url(url))

    def get_client_ip(self, request: HttpRequest) -> str:
        return limits.client_ip(request)

    # --- Passwords: taken before they are looked at, given back when right ---

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        email = str(credentials.get("email") or credentials.get("username") or "").lower()
        account = (limits.PASSWORD, email)
        limits.take((limits.PASSWORD_IP, limits.network(request)), account)
        if User.objects.filter(email=email, wrong_passwords__gte=WRONG_IN_A_ROW).exists():
            # As slow as looking would be, and the same answer as for a wrong one.
            User().set_password(str(credentials.get("password")))
            return None
        user = super().authenticate(request, **credentials)
        if user is None:
            logger.warning("auth.fail", extra={"network": limits.network(request)})
            User.objects.filter(email=email).update(wrong_passwords=F("wrong_passwords") + 1)
            return None
        limits.give_back(*account)
        self._forgive(user)
        return user

    def set_password(self, user: User, password: str) -> None:
        doors.use_code(allauth_context.request)
        user.password_is_temporary = False
        super().set_password(user, password)
        self._forgive(user)

    def login(self, request: HttpRequest, user: User) -> None:
        doors.use_code(request)
        super().login(request, user)
        self._forgive(user)
        second_factor.accept_after_sign_in(request, user)

    def is_login_by_code_required(self, login: Login) -> bool:
        """A staff password alone opens nothing: no page, and no token of the API."""
        methods = second_factor.methods(self.request, login.user) if login.user else set()
        return bool(login.user and login.user.is_staff) and "code" not in methods

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        doors.use_code(request)
        return super().confirm_email(request, email_address)

    def send_account_already_exists_mail(self, email: str) -> None:
        # Making an account hashes a password and writes; not making one must take as long.
        decoy = f"{get_random_string(20)}@decoy.invalid"
        user = User.objects.create_user(decoy, get_random_string(20), is_active=False)
        setup_user_email(allauth_context.request, user, [])
        EmailAddress.objects.filter(user=user).delete()
        User.objects.filter(pk=user.pk)._raw_delete(using="default")
        super().send_account_already_exists_mail(email)

    @staticmethod
    def _forgive(user: User) -> None:
        if user.wrong_passwords:
            User.objects.filter(pk=user.pk).update(wrong_passwords=0)

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        # Made by a command, somebody has no address on record yet; a sign-in code then proves it too.
        sync_user_email_address(user)
        return super().pre_login(request, user, **kwargs)

    # --- Mail ---

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Owe the mail. Links and names come from BASE_URL, never from the Host a caller sent."""
        if template_prefix in ASKED_FOR:
            address = email.lower()
            # One pause for all of them: which mail an address gets tells whether it is known. But whoever
            # has just signed in by code may ask for the back office's at once.
            pause = (limits.MAIL_PAUSE, f"{template_prefix == second_factor.MAIL} {address}")
            limits.take(pause, (limits.MAIL_HOUR, address), (limits.MAIL_DAY, address))
        context = {
            **context,
            "email": email,
            "request": allauth_context.request,
            "base_url": settings.BASE_URL,
            "current_site": SimpleNamespace(name="Parkwell", domain=urlsplit(settings.BASE_URL).netloc),
            "signup_url": settings.BASE_URL + reverse("account_signup"),
            "password_reset_url": settings.BASE_URL + reverse("account_reset_password"),
        }
        message = self.render_mail(template_prefix, email, context)
        if template_prefix in ASKED_FOR:
            message.is_urgent = True
            message.expires_at = timezone.now() + timedelta(seconds=limits.CODE_LIFE)
        message.send()
        self._point_to_outbox()

    def _point_to_outbox(self) -> None:
        request = allauth_context.request
        if settings.DEBUG and request is not None and not hasattr(request.allauth, "headless"):
            messages.info(request, _("Development: the mail is at %(url)s") % {"url": reverse("outbox:list")})
