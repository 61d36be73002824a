"""How a mail writes what was frozen when it was owed: ISO moments in the lot's zone, amounts as text."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils import formats
from django.utils.translation import gettext as _

from bookings.sentences import said
from bookings.templatetags.booking import money

register = template.Library()
register.filter("money", money)
register.filter("said", said)


def _read(moment: str) -> datetime | None:
    try:
        return datetime.fromisoformat(moment)
    except (TypeError, ValueError):
        return None


def _day(at: datetime) -> str:
    """With the year: a mail is read whenever."""
    return formats.date_format(at, _("D j N Y"))


@register.filter
def when(moment: str) -> str:
    """ "Mon 1 March 2027, 12:00", on the clock of the lot."""
    at = _read(moment)
    return f"{_day(at)}, {at:%H:%M}" if at else ""


@register.filter
def until(starts: str, ends: str) -> str:
    """ "Mon 1 March 2027, 12:00–14:00"; the second day is named only when it is another one."""
    first, last = _read(starts), _read(ends)
    if not first or not last:
        return when(starts) or when(ends)
    if first.date() == last.date() and first.utcoffset() == last.utcoffset():
        return f"{_day(first)}, {first:%H:%M}–{last:%H:%M}"
    return f"{when(starts)} – {when(ends)}"


@register.filter
def place(zone: str) -> str:
    """ "Europe/Berlin" as people say it."""
    return zone.rpartition("/")[2].replace("_", " ")
