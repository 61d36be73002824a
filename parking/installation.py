"""How the installation is, for the back office's first page: a line each, with where to look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.translation import gettext as _

from bookings.words import spell
from parking import metrics

SLOW = 1.0  # seconds; one of the boundaries in metrics.LATENCY
PROOF_DUE = timedelta(days=2)
NOTICES = "admin:accounts_notice_changelist"


@dataclass(frozen=True, slots=True)
class Sign:
    label: str
    value: str
    is_bad: bool = False
    link: str = ""


def health(found: dict[str, float]) -> Iterator[Sign]:
    """From parking.readings, by name."""
    waiting, failed = int(found["outbox_due"]), int(found["outbox_failed"])
    yield Sign(_("Mails that wait"), str(waiting), found["outbox_oldest_seconds"] > 300, _notices("waiting"))
    yield Sign(_("Mails given up"), str(failed), failed > 0, _notices("given up"))
    yield _integrity(found)
    slow, answered = metrics.slower_than(SLOW)
    told = _("%(slow)d of %(all)d") % {"slow": slow, "all": answered}
    # Of those the web processes that run now have answered.
    yield Sign(_("Requests slower than a second"), told, slow * 100 > answered)
    logged = settings.SLOW_QUERY_MS
    if logged:
        label = _("Queries slower than %(time)d ms") % {"time": logged}
        yield Sign(label, str(metrics.slow_queries()))
    yield Sign(_("Size of the database"), filesizeformat(database_size()))


def _integrity(found: dict[str, float]) -> Sign:
    link = f"{reverse('admin:reports_jobrun_changelist')}?job__exact=check-integrity"
    label = _("Integrity")
    if "integrity_findings" not in found:
        return Sign(label, _("not proved yet"), link=link)
    count, age = int(found["integrity_findings"]), timedelta(seconds=found["integrity_age_seconds"])
    ago = {"count": count, "ago": spell(age)}
    told = _("%(count)d findings, %(ago)s ago") % ago if count else _("proved %(ago)s ago") % ago
    return Sign(label, told, count > 0 or age > PROOF_DUE, link)


def _notices(state: str) -> str:
    return f"{reverse(NOTICES)}?state={state.replace(' ', '+')}"


def database_size() -> int:
    """Bytes."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_database_size(current_database())")
        else:
            cursor.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
        return int(cursor.fetchone()[0])
