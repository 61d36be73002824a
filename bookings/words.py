"""How long something takes, in words. Plain values, no database, no clock."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import formats
from django.utils.translation import gettext as _

DAY = timedelta(days=1)


def exact(local: datetime) -> str:
    """Day and time on a wall clock, for sentences: as in ISO 8601, or as the language writes them."""
    # Translators: how day and time are written, in the letters of Django's date filter.
    return formats.date_format(local, _("Y-m-d H:i"))


def spell(long: timedelta) -> str:
    """As in "2 d 3 h", "1 h 30 min", "45 min". Minutes of a stay of days are left out."""
    minutes = max(0, int(long.total_seconds())) // 60
    days, minutes = divmod(minutes, 24 * 60)
    hours, minutes = divmod(minutes, 60)
    parts = [
        _short(_("%d d") % days) if days else "",
        _short(_("%d h") % hours) if hours else "",
        _short(_("%d min") % minutes) if minutes and not days else "",
    ]
    return " ".join(part for part in parts if part) or _short(_("%d min") % 0)


def _short(text: str) -> str:
    """Number and unit stay on one line."""
    return text.replace(" ", "\u00a0")
