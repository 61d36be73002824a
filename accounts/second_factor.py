"""Staff's second factor: which devices somebody has, and whether this session has shown one."""

from __future__ import annotations

import time

import django_otp
from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import get_authentication_records
from django.contrib.auth.middleware import get_user
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django_otp.middleware import OTPMiddleware
from django_otp.models import Device
from django_otp.plugins.otp_email.models import EmailDevice
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import limits
from accounts.models import User

LONGEST = 12 * 3600  # seconds until it is asked for again, however busy the session
IDLE = 30 * 60
SINCE, SEEN = "second_factor_since", "second_factor_seen"
BACKUP_CODES = 10
MAIL = "account/email/staff_code"


class SecondFactorMiddleware(OTPMiddleware):
    """django-otp's, but asking for the user anew each time.

    The original wraps the lazy user it finds. allauth's API resets the outer one only, so once anything
    has looked at request.user (LoginRequiredMiddleware does) a bearer token would go unseen.
    """

    def _install_lazy_accessors(self, request: HttpRequest) -> None:
        request.user = SimpleLazyObject(  # type: ignore[assignment]
            lambda: self._verify_user_sync(request, get_user(request))
        )


def accept(request: HttpRequest, device: Device) -> None:
    """From now on this session counts as verified."""
    django_otp.login(request, device)
    request.session[SINCE] = request.session[SEEN] = int(time.time())


def is_fresh(request: HttpRequest) -> bool:
    """Half a day at most, half an hour without a click; then a code is asked for again."""
    now, since, seen = int(time.time()), request.session.get(SINCE, 0), request.session.get(SEEN, 0)
    if now - since > LONGEST or now - seen > IDLE:
        return False
    if now - seen > 60:  # one write a minute is enough
        request.session[SEEN] = now
    return True


def accept_after_sign_in(request: HttpRequest, user: User) -> None:
    """Password and then the e-mailed code are already both factors: nobody is sent a second code."""
    if user.is_staff and methods(request, user) >= {"password", "code"} and not authenticator(user):
        accept(request, email_device(user))


def methods(request: HttpRequest, user: User) -> set[str]:
    """How this session signed in: password, code, …"""
    return {record["method"] for record in get_authentication_records(request, user)}


def authenticator(user: User) -> TOTPDevice | None:
    return TOTPDevice.objects.filter(user=user, confirmed=True).first()


def email_device(user: User) -> EmailDevice:
    """Every operator has one, so that a fresh one is not locked out. See also devices()."""
    device = EmailDevice.objects.filter(user=user, confirmed=True).first()
    return device or EmailDevice.objects.create(user=user, name="E-mail", confirmed=True)


def devices(user: User) -> list[Device]:
    """What may be used. Whoever has an authenticator app is not let in by the weaker mailbox any more."""
    first = authenticator(user) or email_device(user)
    backup = StaticDevice.objects.filter(user=user, confirmed=True, token_set__isnull=False).first()
    return [first, *([backup] if backup else [])]


def send_code(request: HttpRequest, user: User) -> None:
    """Raises TooOften."""
    device = email_device(user)
    device.generate_token(valid_secs=limits.CODE_LIFE, commit=False)
    get_adapter(request).send_mail(MAIL, user.email, {"code": device.token})
    # Only now: a refused mail must not end the code that is on its way.
    device.save()


def verify(request: HttpRequest, user: User, token: str) -> bool:
    """At most five wrong ones an hour over all devices, taken before any is looked at. Raises TooOften."""
    limits.take((limits.STAFF_CODE, str(user.pk)))
    token = "".join(token.split())
    for device in devices(user):
        # Each kind has its own length; only that one is asked, so none is throttled for another's sake.
        if isinstance(device, StaticDevice) == (len(token) > 6) and device.verify_token(token):
            limits.give_back(limits.STAFF_CODE, str(user.pk))
            accept(request, device)
            return True
    return False


def backup_codes_left(user: User) -> int:
    return StaticToken.objects.filter(device__user=user).count()


def new_backup_codes(user: User) -> list[str]:
    """Ten new ones; the old ones end. Shown once."""
    device, _made = StaticDevice.objects.get_or_create(user=user, name="Backup codes")
    device.token_set.all().delete()
    codes = [StaticToken.random_token() for _code in range(BACKUP_CODES)]
    StaticToken.objects.bulk_create(StaticToken(device=device, token=code) for code in codes)
    return codes
