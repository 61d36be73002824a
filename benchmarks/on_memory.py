"""One large job in a process of its own; prints by how much memory grew at its peak, in MB.

`python -m benchmarks.on_memory JOB`, with the settings and the database of the benchmark around it.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

SELF = Path("/proc/self")
IMPORTED = 10_000  # rows


def main() -> None:
    import django

    django.setup()
    from django.utils import timezone

    from accounts.models import User

    prepare, work = JOBS[sys.argv[1]]
    staff, _made = User.objects.get_or_create(
        email="staff@example.com", defaults={"is_staff": True, "is_superuser": True}
    )
    now = timezone.now()
    given = prepare(staff, now)
    _forget_peak()
    before = _peak()
    work(staff, now, given)
    print(max(_peak() - before, 0))


def _forget_peak() -> None:
    """Linux then counts the peak from here; elsewhere it is that of the whole life."""
    if SELF.exists():
        (SELF / "clear_refs").write_text("5")


def _peak() -> float:
    """MB."""
    if SELF.exists():
        line = next(line for line in (SELF / "status").read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / (1024 if sys.platform == "darwin" else 1)
    )


def _spots_file(staff: object, now: datetime) -> bytes:
    from benchmarks import stage

    lot = stage.lots(1, spots=0, name="Imported")[0]
    return b"lot,number,floor\n" + b"".join(b"%s,%d,1\n" % (lot.slug.encode(), n) for n in range(IMPORTED))


def _import(staff: object, now: datetime, content: bytes) -> None:
    from lots.models import Spot
    from reports.sheets import batches, reading

    batch = batches.upload(kind="spots", file_name="spots.csv", content=content, by=staff, now=now)  # type: ignore[arg-type]
    # The columns as they were guessed.
    batches.set_reading(batch, reading.Reading(**batch.reading))
    batch.refresh_from_db()
    batches.work_on(batch, now=now)
    batch.refresh_from_db()
    batches.confirm(batch, batch.plan_sha256)
    batch.refresh_from_db()
    batches.work_on(batch, now=now)
    if Spot.objects.filter(lot__slug=content.split(b"\n", 2)[1].split(b",")[0].decode()).count() != IMPORTED:
        raise SystemExit("Not every row was imported.")


def _export(staff: object, now: datetime, given: object) -> None:
    from bookings.models import Booking
    from reports import exports

    export = exports.ask(owner=staff, kind="all-data", period=(None, now), now=now)  # type: ignore[arg-type]
    exports.make_due(now=now)
    export.refresh_from_db()
    if export.state != "done" or export.rows < Booking.objects.filter(starts_at__lt=now).count():
        raise SystemExit(f"The export is {export.state}, {export.rows} rows.")


def _figures(staff: object, now: datetime, given: object) -> None:
    """What the API's statistics and the back office's charts show of the last 30 days."""
    from accounts.models import User
    from lots.models import Lot
    from reports import api_stats, office_charts
    from reports.days import DAY, Days, zone_of

    zone = zone_of(staff)  # type: ignore[arg-type]
    today = now.astimezone(zone).date()
    lots = Lot.objects.kept()
    api_stats.stats(staff, lots, Days.chosen(today - 29 * DAY, today, zone), now=now)  # type: ignore[arg-type]
    steps = [Days.day(today - n * DAY, zone) for n in range(29, -1, -1)]
    office_charts.draw(lots, User.objects.all(), steps, now=now)


def _mail(template: str, **days_ago: int) -> Callable[[object, datetime, object], None]:
    """An operator's report on all lots, as it is when it is sent."""

    def write(staff: object, now: datetime, given: object) -> None:
        from datetime import timedelta

        from accounts import outbox
        from reports import mail_content

        context = {name: str((now - timedelta(days=days)).date()) for name, days in days_ago.items()}
        notice = outbox.owed(
            template=f"reports/email/{template}",
            recipient="staff@example.com",
            user=staff,  # type: ignore[arg-type]
            context=context,
            now=now,
            not_before=now,
        )
        getattr(mail_content, template)(notice)

    return write


def _nothing(staff: object, now: datetime) -> None:
    """There is nothing to prepare."""


JOBS: dict[str, tuple[Callable[..., object], Callable[..., None]]] = {
    "import": (_spots_file, _import),
    "export": (_nothing, _export),
    "figures": (_nothing, _figures),
    "daily": (_nothing, _mail("daily", day=5)),
    "monthly": (_nothing, _mail("monthly_lots", month=5)),
}

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.site")
    main()
