"""What operators change, told as from → to: written by the service, in the transaction of the change."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import Model

from accounts.models import Change, User

LONGEST = 2000  # letters of a value
Values = dict[str, str]
_through: ContextVar[str] = ContextVar("through", default="")


@contextmanager
def through(name: str) -> Iterator[None]:
    """Says by which command or file the changes inside came."""
    token = _through.set(name[:100])
    try:
        yield
    finally:
        _through.reset(token)


def values(row: Model, *, apart_from: Iterable[str] = ()) -> Values:
    """A row's own columns as text. Relations are left out: the caller knows what they are called."""
    left_out = {row._meta.pk.name, *apart_from} if row._meta.pk else {*apart_from}
    return {
        column.name: text(getattr(row, column.attname))
        for column in row._meta.concrete_fields
        if column.name not in left_out and not column.is_relation
    }


def text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if isinstance(value, tuple | set | frozenset):
        return ", ".join(sorted(map(str, value)))
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)[:LONGEST] if value else ""
    return str(value)[:LONGEST]


def change(
    row: Model,
    before: Values | None,
    after: Values | None,
    *,
    by: User | None,
    now: datetime,
    name: str = "",
    lot_id: int | None = None,
    reason: str = "",
) -> Change | None:
    """
    Unsaved; None where nothing differs. `before` is None for a row just made, `after` for one removed.

    For many at once: `note_all()`.
    """
    differing = [
        [field, (before or {}).get(field, ""), (after or {}).get(field, "")]
        for field in {**(before or {}), **(after or {})}
        if (before or {}).get(field, "") != (after or {}).get(field, "")
    ]
    if not differing and before is not None and after is not None:
        return None
    made, removed = before is None, after is None
    return Change(
        at=now,
        by=by,
        through=_through.get(),
        kind=row._meta.label_lower,
        object_id=row.pk,
        lot_id=lot_id,
        name=name[:200],
        action=Change.Action.MADE if made else Change.Action.REMOVED if removed else Change.Action.CHANGED,
        fields=differing,
        reason=reason[:200],
    )


def note(*args: Any, **kwargs: Any) -> None:
    """Keep one change(); call it inside the transaction that makes the change."""
    note_all([change(*args, **kwargs)])


def note_all(found: Iterable[Change | None]) -> None:
    Change.objects.bulk_create((one for one in found if one is not None), batch_size=500)


def forget_old(*, now: datetime) -> int:
    """Returns how many were older than KEEP_CHANGES_DAYS; 0 days: they are kept for ever."""
    if not settings.KEEP_CHANGES_DAYS:
        return 0
    return Change.objects.filter(at__lt=now - timedelta(days=settings.KEEP_CHANGES_DAYS)).delete()[0]
