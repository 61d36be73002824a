"""Which of the staff were shown what we know about whom: one row for a page or a file, whatever it lists."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from accounts import limits
from accounts.models import User, Viewing
from accounts.only_grows import OnlyGrows

MOST_NAMED = 1000  # people a row names; of a longer file only the count is kept
VIEWINGS = OnlyGrows("accounts_viewing", "viewings_only_grow", ("update",))


def note(
    request: Any, what: str, people: Iterable[int | None], *, object_id: Any = "", count: int = 0
) -> None:
    """
    Keep that `request.user` was shown these people; None is somebody without an account, a guest.

    Nothing is kept of who looks at nobody, or only at themselves. `count` is for who cannot name them.
    """
    viewer: Any = request.user
    found = list(people)
    guests = sum(pk is None for pk in found)
    known = sorted({pk for pk in found if pk is not None} - {viewer.pk})
    total = max(count, len(known) + guests)
    if not total:
        return
    Viewing.objects.create(
        at=timezone.now(),
        viewer_id=viewer.pk,
        address=_address(request),
        what=what[:60],
        object_id=str(object_id or "")[:40],
        people=f"|{'|'.join(map(str, known))}|" if known and total <= MOST_NAMED else "",
        count=total,
    )


def note_rows(request: Any, what: str, rows: QuerySet[Any], lookup: str) -> None:
    """A file of these rows, which lead to their people by `lookup`: named while they are not too many."""
    people = rows.order_by().values_list(lookup, flat=True).distinct()
    few = list(people[: MOST_NAMED + 1])
    note(request, what, few, count=people.count() if len(few) > MOST_NAMED else 0)


def told_to(person: User) -> list[dict[str, Any]]:
    """For the person's own download: when, and on which page. Not who: those are people as well."""
    rows = Viewing.objects.naming(person).order_by("pk")
    return [dict(row) for row in rows.values("at", "what", "count")]


def forget_old(*, now: datetime) -> int:
    return Viewing.objects.filter(at__lt=now - timedelta(days=settings.KEEP_VIEWINGS_DAYS)).delete()[0]


def _address(request: Any) -> str | None:
    try:
        return str(ip_address(limits.client_ip(request)))
    except ValueError:
        return None
