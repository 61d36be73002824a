"""Who: people who sign in, their vehicles, and the mails we owe them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        if not email:
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, email: str | None) -> User:
        return self.get(email=(email or "").lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A driver or an operator. Signs in by e-mail; the username is optional and only a name."""

    email = models.EmailField(_("e-mail address"), unique=True)
    username = models.CharField(
        _("username"),
        max_length=40,
        unique=True,
        null=True,
        blank=True,
        validators=[RegexValidator(r"^[\w.-]+\Z", _("Letters, digits, dots, dashes and underscores only."))],
    )
    name = models.CharField(_("name"), max_length=120, blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    address = models.CharField(_("address"), max_length=200, blank=True)
    postcode = models.CharField(_("postcode"), max_length=16, blank=True)
    language = models.CharField(_("language"), max_length=10, blank=True)
    date_joined = models.DateTimeField(_("joined"), default=timezone.now)
    timezone = models.CharField(_("time zone"), max_length=64, blank=True)
    # All mails that are not about a booking or the account; every one of them carries a link that ends them.
    # The database knows the default as well: during an upgrade the release before goes on signing people up.
    wants_reminders = models.BooleanField(_("reminders and reports by mail"), default=True, db_default=True)
    is_staff = models.BooleanField(_("operator"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    # In a row. After a hundred the password alone is refused until it is reset.
    wrong_passwords = models.PositiveIntegerField(default=0, editable=False)
    # Printed by a command: good for coming in once and choosing another.
    password_is_temporary = models.BooleanField(default=False, editable=False)

    # Given to whoever is signed in by accounts.second_factor.SecondFactorMiddleware.
    is_verified: Callable[[], bool]

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()

    class Meta:
        verbose_name = _("user")
        permissions = [("export_user", "Can export users")]
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_once_in_any_case"),
            models.UniqueConstraint(
                Lower("username"),
                name="user_username_once_in_any_case",
                violation_error_message=_("Somebody has this username already."),
            ),
        ]

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name.split(" ")[0] if self.name else self.email.split("@")[0]


class VehicleQuerySet(models.QuerySet["Vehicle"]):
    def of(self, driver: User) -> VehicleQuerySet:
        return self.filter(driver=driver)

    def in_order(self) -> VehicleQuerySet:
        return self.order_by("-is_default", "plate_normalised", "id")

    def default_of(self, driver: User) -> Vehicle | None:
        """The one that fills the booking form."""
        return self.of(driver).filter(is_default=True).first()


class Vehicle(models.Model):
    """A driver's vehicle. The plate is kept as typed and, for comparing, normalised."""

    class Kind(models.TextChoices):
        CAR = "car", _("car")
        VAN = "van", _("van")
        TRUCK = "truck", _("truck")
        MOTORCYCLE = "motorcycle", _("motorcycle")
        BICYCLE = "bicycle", _("bicycle")

    driver = models.ForeignKey(User, models.CASCADE, related_name="vehicles")
    plate = models.CharField(_("plate"), max_length=20)
    plate_normalised = models.CharField(max_length=20, editable=False)
    country = models.CharField(_("country"), max_length=2, blank=True)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind, default=Kind.CAR)
    connector = models.CharField(_("connector"), max_length=32, blank=True)
    is_default = models.BooleanField(_("default"), default=False)

    objects = VehicleQuerySet.as_manager()

    class Meta:
        verbose_name = _("vehicle")
        permissions = [("import_vehicle", "Can import vehicles"), ("export_vehicle", "Can export vehicles")]
        constraints = [
            models.UniqueConstraint(
                fields=["driver", "plate_normalised"], name="vehicle_plate_once_a_driver"
            ),
            models.UniqueConstraint(
                fields=["driver"], condition=Q(is_default=True), name="vehicle_one_default_a_driver"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plate} ({self.driver})"


class RateLimit(models.Model):
    """When a key may be used again: one row a key, moved by one statement (accounts.limits)."""

    # A hash: who tried what where is nobody's business here.
    key = models.CharField(max_length=64, primary_key=True)
    # "Theoretical arrival time" in microseconds since 1970; whole numbers compare exactly everywhere.
    tat = models.BigIntegerField(db_index=True)

    class Meta:
        verbose_name = _("rate limit")

    def __str__(self) -> str:
        return self.key


class NoticeQuerySet(models.QuerySet["Notice"]):
    def open(self) -> NoticeQuerySet:
        """Neither sent nor given up."""
        return self.filter(sent_at=None, failed_at=None)

    def due(self, now: datetime) -> NoticeQuerySet:
        return self.open().filter(not_before__lte=now).filter(Q(locked_until=None) | Q(locked_until__lt=now))

    def in_order(self) -> NoticeQuerySet:
        """Codes first (somebody is waiting at a form), then the oldest."""
        return self.order_by("-is_urgent", "not_before", "id")


class Notice(models.Model):
    """A mail we owe somebody: the outbox. Written in the transaction that causes it, sent by a sweep.

    Either it was rendered when owed (subject and text are filled, as allauth's mails are) or it names
    a template and carries the frozen context to render it with when it is sent.
    """

    # What it announces, e.g. "booking:K7Q…:confirmed"; the same event never makes a second mail.
    event = models.CharField(max_length=120, null=True, editable=False)
    recipient = models.EmailField()
    user = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="notices")
    template = models.CharField(max_length=80, blank=True)
    context = models.JSONField(default=dict, blank=True)
    language = models.CharField(max_length=10, blank=True)
    sender = models.CharField(max_length=200, blank=True)
    subject = models.CharField(max_length=300, blank=True)
    text = models.TextField(blank=True)
    html = models.TextField(blank=True)
    headers = models.JSONField(default=dict, blank=True)
    # [{"name", "type", "content" (base64)}]
    attachments = models.JSONField(default=list, blank=True)
    is_urgent = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    not_before = models.DateTimeField(default=timezone.now)
    # After this moment it says nothing true any more and is dropped.
    expires_at = models.DateTimeField(null=True, blank=True)
    locked_until = models.DateTimeField(null=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    sent_at = models.DateTimeField(null=True, editable=False)
    failed_at = models.DateTimeField(null=True, editable=False)
    last_error = models.CharField(max_length=300, blank=True, editable=False)
    # Stays the same however often it is sent, so that mail readers show one.
    message_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        verbose_name = _("notice")
        constraints = [
            models.UniqueConstraint(fields=["event", "recipient"], name="notice_once_an_event_and_recipient"),
        ]
        indexes = [
            models.Index(
                F("is_urgent").desc(),
                "not_before",
                "id",
                name="notice_due",
                condition=Q(sent_at=None, failed_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"notice {self.pk} to {self.recipient}"


# These have a file of their own; Django finds models through this module only.
from accounts.trail_models import Change as Change  # noqa: E402
from accounts.trail_models import Viewing as Viewing  # noqa: E402
