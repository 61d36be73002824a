"""How often the clock does something, as the django-celery-beat row it begins with."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django_celery_beat.models import CrontabSchedule, IntervalSchedule


@dataclass(frozen=True, slots=True)
class Every:
    seconds: int

    def row(self) -> dict[str, IntervalSchedule]:
        found, _made = IntervalSchedule.objects.get_or_create(
            every=self.seconds, period=IntervalSchedule.SECONDS
        )
        return {"interval": found}


@dataclass(frozen=True, slots=True)
class Daily:
    """At this time of day in SCHEDULE_TIMEZONE; each row's zone can be changed afterwards."""

    hour: int
    minute: int
    seconds = 24 * 3600

    def row(self) -> dict[str, CrontabSchedule]:
        return _crontab(self.hour, self.minute)


@dataclass(frozen=True, slots=True)
class Monthly:
    day: int
    hour: int
    minute: int
    seconds = 24 * 3600

    def row(self) -> dict[str, CrontabSchedule]:
        return _crontab(self.hour, self.minute, day_of_month=str(self.day))


def _crontab(hour: int, minute: int, day_of_month: str = "*") -> dict[str, CrontabSchedule]:
    found, _made = CrontabSchedule.objects.get_or_create(
        minute=str(minute),
        hour=str(hour),
        day_of_week="*",
        day_of_month=day_of_month,
        month_of_year="*",
        timezone=settings.SCHEDULE_TIMEZONE,
    )
    return {"crontab": found}
