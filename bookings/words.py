"""How long something takes, in words. Plain values, no database, no clock."""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext as _

DAY = timedelta(days=1)


def spell(long: timedelta) -> str:
    """As in "2 d 3 h", "1 h 30 min", "45 min". Minutes of a stay of days are left out."""
    minutes = max(0, int(long.total_seconds())) // 60
    days, minutes = divmod(minutes, 24 * 60)
    hours, minutes = divmod(minutes, 60)
    parts = [
        _("%d\u00a0d") % days if days else "",
        _("%d\u00a0h") % hours if hours else "",
        _("%d\u00a0min") % minutes if minutes and not days else "",
    ]
    return " ".join(part for part in parts if part) or _("%d\u00a0min") % 0
