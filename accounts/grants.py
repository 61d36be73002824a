"""What somebody may do, as text for the record of changes: a person's rights, and what a role allows."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import Group, Permission
from django.db.models import QuerySet

from accounts import changes
from accounts.changes import Values
from accounts.models import User


def of_user(user: User) -> Values:
    """Two queries."""
    return {
        **{name: changes.text(getattr(user, name)) for name in ("is_active", "is_staff", "is_superuser")},
        "groups": ", ".join(user.groups.order_by("name").values_list("name", flat=True)),
        "user_permissions": _names(user.user_permissions.all()),
    }


def of_role(group: Group) -> Values:
    return {"name": group.name, "permissions": _names(group.permissions.all())}


def user_changed(
    user: User, before: Values | None, *, by: User | None, now: datetime, reason: str = ""
) -> None:
    """The record names nobody: pages look up who has the number now."""
    after = of_user(user)
    if before is None and not (user.is_staff or after["groups"] or after["user_permissions"]):
        return  # a driver's account: it grants nothing
    changes.note(user, before, after, by=by, now=now, reason=reason)


def role_changed(group: Group, before: Values | None, *, by: User | None, now: datetime) -> None:
    """Of a hundred permissions those are told that came or went."""
    after = of_role(group)
    if before is not None:
        was, is_now = (set(values["permissions"].split(", ")) for values in (before, after))
        before = {**before, "permissions": ", ".join(sorted(was - is_now))}
        after |= {"permissions": ", ".join(sorted(is_now - was))}
    changes.note(group, before, after, name=group.name, by=by, now=now)


def role_removed(group: Group, *, by: User | None, now: datetime) -> None:
    changes.note(group, of_role(group), None, name=group.name, by=by, now=now)


def _names(permissions: QuerySet[Permission]) -> str:
    codes = permissions.order_by("content_type__app_label", "codename")
    return ", ".join(".".join(pair) for pair in codes.values_list("content_type__app_label", "codename"))
