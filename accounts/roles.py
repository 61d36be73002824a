"""What operators may do, as Django groups. Made once; what staff change about them stays changed."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

from accounts import grants

EVERYTHING = ["view", "add", "change", "delete", "import", "export"]
# Group → [(app, model or "*", what)]. Superusers need none of them.
ROLES: dict[str, list[tuple[str, str, list[str]]]] = {
    # Lots, spots, bookings, imports.
    "operator": [
        ("lots", "*", EVERYTHING),
        ("bookings", "*", ["view", "import", "export"]),
        ("bookings", "booking", EVERYTHING),
        ("bookings", "guest", EVERYTHING),
        ("bookings", "waitlistentry", ["view", "change"]),
        ("bookings", "problem", ["view", "change"]),
        ("bookings", "webhookendpoint", EVERYTHING),
        ("bookings", "webhookdelivery", ["view", "change"]),
        ("accounts", "user", ["view"]),
        ("accounts", "vehicle", ["view", "add", "change", "import", "export"]),
        ("accounts", "notice", ["view", "change"]),
        ("accounts", "change", ["view"]),
        ("reports", "*", ["view", "export"]),
        ("reports", "jobrun", ["add"]),
    ],
    # Payments and refunds.
    "cashier": [
        ("bookings", "payment", ["view", "add", "change", "refund", "export"]),
        ("bookings", "refund", ["view", "add", "change", "export"]),
        ("bookings", "*", ["view"]),
        ("lots", "*", ["view"]),
        ("accounts", "user", ["view"]),
        ("accounts", "change", ["view"]),
    ],
    # Reports.
    "viewer": [
        ("reports", "*", ["view", "export"]),
        ("lots", "*", ["view"]),
        ("bookings", "*", ["view"]),
        ("accounts", "change", ["view"]),
    ],
}


def make_roles(*, known: set[int] | None = None, now: datetime | None = None) -> list[str]:
    """Make the groups that are missing; returns their names. Needs the permissions `migrate` writes.

    `known` are the permissions there were before it: groups that exist get what their role says of newer
    ones, which a new release brought and nobody can have taken away. With `now` the changes are recorded.
    """
    made = []
    for name, rights in ROLES.items():
        group, is_new = Group.objects.get_or_create(name=name)
        wanted = Permission.objects.filter(_matching(rights))
        if is_new:
            group.permissions.set(wanted)
            _tell(group, None, now)
            made.append(name)
        elif known is not None and (newer := wanted.exclude(pk__in=known)):
            before = grants.of_role(group)
            group.permissions.add(*newer)
            _tell(group, before, now)
    return made


def _tell(group: Group, before: dict[str, str] | None, now: datetime | None) -> None:
    if now is not None:
        grants.role_changed(group, before, by=None, now=now)


def _matching(rights: list[tuple[str, str, list[str]]]) -> Q:
    wanted = Q(pk__in=[])
    for app, model, actions in rights:
        some = Q(content_type__app_label=app)
        if model != "*":
            some &= Q(content_type__model=model)
        verbs = Q(pk__in=[])
        for action in actions:
            verbs |= Q(codename__startswith=f"{action}_") | Q(codename=action)
        wanted |= some & verbs
    return wanted
