"""What we know about people: one inventory, from which one downloads and erases oneself.

Each app declares its own tables in a privacy.py named by settings.PRIVACY; this one knows no other app.
A column that can hold text, or names a user, is on one of the two lists, or a test fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import models, transaction
from django.db.models import Q, QuerySet
from django.utils.module_loading import import_string

from accounts import viewings
from accounts.models import User


@dataclass(frozen=True)
class Table:
    """A model's columns, by whether they tell about a person.

    `person` is the lookup that leads from a row to its person; "" where rows belong to nobody in particular.
    `personal` maps a column to what stays of it when its person is erased (a value, or a function of
    the user); with `rows_go`, the rows go as a whole. `secret` columns are personal, but not handed out.
    """

    model: str
    person: str = ""
    personal: dict[str, Any] = field(default_factory=dict)
    other: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()
    rows_go: bool = False

    @property
    def cls(self) -> type[models.Model]:
        return apps.get_model(self.model)

    def rows_of(self, user: User) -> QuerySet[Any]:
        if not self.person:
            return self.cls._default_manager.none()
        lookups = Q(pk=user.pk) if self.person == "pk" else Q(**{self.person: user.pk})
        if self.model == "accounts.Change":  # which names people by their number alone
            lookups = Q(kind="accounts.user", object_id=user.pk)
        if self.model == "accounts.Notice":  # allauth's mails are owed to an address
            lookups |= Q(recipient=user.email)
        return self.cls._base_manager.filter(lookups)


class EraseRefused(Exception):
    """Something is still open between the person and us; `reasons` are sentences for them."""

    def __init__(self, reasons: list[str]):
        self.reasons = reasons
        super().__init__(" ".join(reasons))


def _gone(user: User) -> str:
    # Reserved for never being delivered to (RFC 2606), and unique, as the column must be.
    return f"erased-{user.pk}@erased.invalid"


INVENTORY = [
    Table(
        "accounts.User",
        "pk",
        personal={
            "email": _gone,
            "username": None,
            "name": "",
            "phone": "",
            "address": "",
            "postcode": "",
            "language": "",
            "timezone": "",
            "password": "!",
            "last_login": None,
        },
        secret=("password",),
    ),
    Table(
        "accounts.Vehicle",
        "driver",
        personal=dict.fromkeys(["driver", "plate", "plate_normalised", "country", "connector"]),
        rows_go=True,
    ),
    Table(
        "accounts.Notice",
        "user",
        personal=dict.fromkeys(
            [
                "recipient",
                "user",
                "event",
                "context",
                "language",
                "subject",
                "text",
                "html",
                "headers",
                "attachments",
                "last_error",
            ]
        ),
        other=("template", "sender"),
        # A code in a mail is for whoever reads the mailbox, not for whoever sits at the screen.
        secret=("text", "html"),
        rows_go=True,
    ),
    Table("accounts.RateLimit", other=("key",)),
    # What was changed about a person's rights, without who did it: that is another person.
    Table(
        "accounts.Change",
        "object_id",
        personal={"reason": ""},
        other=("by", "name", "through", "fields"),
        secret=("by_id",),
    ),
    # Staff at work, and numbers of those they were shown: rows go after KEEP_VIEWINGS_DAYS.
    # What a person learns of it, viewings.told_to() says.
    Table("accounts.Viewing", other=("viewer", "address", "what", "object_id", "people")),
    Table("account.EmailAddress", "user", personal=dict.fromkeys(["user", "email"]), rows_go=True),
    Table(
        "usersessions.UserSession",
        "user",
        personal=dict.fromkeys(["user", "ip", "user_agent", "session_key", "data"]),
        secret=("session_key", "data"),
        rows_go=True,
    ),
    Table("otp_totp.TOTPDevice", "user", {"user": None, "name": "", "key": ""}, (), ("key",), rows_go=True),
    Table(
        "otp_email.EmailDevice",
        "user",
        {"user": None, "name": "", "token": "", "email": ""},
        (),
        ("token",),
        rows_go=True,
    ),
    Table("otp_static.StaticDevice", "user", {"user": None, "name": ""}, rows_go=True),
]


def inventory() -> list[Table]:
    return [table for module in settings.PRIVACY for table in import_string(f"{module}.INVENTORY")]


def person_lookup(model: type[models.Model]) -> str:
    """What leads from a row to its person; "" where none does."""
    return next((table.person for table in inventory() if table.model == model._meta.label), "")


def everything_about(user: User) -> dict[str, list[dict[str, Any]]]:
    """All rows about a person, table by table, as plain values."""
    return {
        table.model: [_readable(table, row) for row in table.rows_of(user).order_by("pk").values()]
        for table in inventory()
        if table.person
    } | {"accounts.Viewing": viewings.told_to(user)}


def open_matters(user: User) -> list[str]:
    """What stands against erasing: an app may have an `unfinished(user)` in its privacy module."""
    reasons: list[str] = []
    for module in settings.PRIVACY:
        ask = _optional(f"{module}.unfinished")
        reasons += ask(user) if ask else []
    return reasons


def erase(*, user: User, now: datetime) -> None:
    """Forget who somebody was. What was booked and paid stays, and is nobody's any more.

    Raises EraseRefused. Their sessions and tokens end at once: the password they hang on is gone.
    """
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        reasons = open_matters(user)
        if reasons:
            raise EraseRefused(reasons)
        # Rows are found by the person's own columns, so those go last.
        for table in reversed(inventory()):
            rows = table.rows_of(user)
            if table.rows_go:
                rows.delete()
            elif table.person:
                rows.update(**{name: _after(left, user) for name, left in table.personal.items()})
        user.groups.clear()
        user.user_permissions.clear()
        User.objects.filter(pk=user.pk).update(is_active=False, is_staff=False, is_superuser=False)


def unlisted(models_to_check: Iterable[type[models.Model]]) -> list[str]:
    """Columns that could tell about a person and are on neither list."""
    tables = {table.model: table for table in inventory()}
    missing = []
    for model in models_to_check:
        table = tables.get(model._meta.label)
        known = {*table.personal, *table.other} if table else set()
        missing += [
            f"{model._meta.label}.{column.name}"
            for column in model._meta.concrete_fields
            if _could_tell(column) and column.name not in known
        ]
    return missing


def _could_tell(column: Any) -> bool:
    """Text, documents, files, addresses, and whatever names a user. A choice among our words does not."""
    if column.remote_field:
        return column.related_model is User
    if column.choices:
        return False
    kinds = (models.CharField, models.TextField, models.JSONField, models.GenericIPAddressField)
    return isinstance(column, (*kinds, models.FileField, models.BinaryField))


def _readable(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in table.secret}


def _after(left: Any, user: User) -> Any:
    return left(user) if callable(left) else left


def _optional(path: str) -> Callable[[User], list[str]] | None:
    try:
        return import_string(path)
    except ImportError:
        return None
