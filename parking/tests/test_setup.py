"""What `manage.py setup` makes, and the clock it sets up, with Celery and without."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.core.cache.backends.db import DatabaseCache
from django.core.mail import EmailMessage
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from accounts.models import Notice
from accounts.outbox import OutboxBackend
from bookings.models import Booking
from bookings.tests.factories import HOUR, make_lot, make_user, reserve
from parking import schedules
from parking.celery import app
from parking.management.commands import run, run_sweeps

pytestmark = pytest.mark.django_db


def setup_again() -> str:
    out = StringIO()
    call_command("setup", stdout=out)
    return out.getvalue()


def owe_mail() -> None:
    EmailMessage("Hello", "there", None, ["somebody@example.com"], connection=OutboxBackend()).send()


def test_setup_makes_a_row_for_every_job():
    setup_again()

    rows = {row.name: row for row in PeriodicTask.objects.all()}
    assert rows.keys() == {job.name for job in schedules.JOBS}
    assert rows["Deliver notices"].interval.every == 5
    assert rows["Clear sessions"].crontab.hour == "3"
    assert {row.expire_seconds for row in rows.values()} == {5, 15, 60, 600, 24 * 3600}


def test_a_schedule_whose_task_was_renamed_finds_it_again():
    setup_again()
    PeriodicTask.objects.filter(name="Tidy up mail").update(task="accounts.tasks.tidy_up", enabled=False)

    setup_again()

    row = PeriodicTask.objects.get(name="Tidy up mail")
    assert (row.task, row.enabled) == ("reports.jobs.tidy-up", False)


@pytest.mark.promise("S1-17")
def test_new_schedules_begin_in_the_zone_of_the_house(settings: Any):
    settings.SCHEDULE_TIMEZONE = "Europe/Berlin"

    setup_again()

    assert str(PeriodicTask.objects.get(name="Clear sessions").crontab.timezone) == "Europe/Berlin"


def test_every_job_names_a_task_that_exists():
    app.loader.import_default_modules()

    assert {job.task for job in schedules.JOBS} <= set(app.tasks)


@pytest.mark.promise("S1-17")
def test_setup_leaves_what_staff_edited():
    setup_again()
    hourly, _ = IntervalSchedule.objects.get_or_create(every=1, period=IntervalSchedule.HOURS)
    PeriodicTask.objects.filter(name="Lapse holds").update(interval=hourly, enabled=False)

    assert "no new schedules" in setup_again()
    row = PeriodicTask.objects.get(name="Lapse holds")
    assert (row.interval, row.enabled) == (hourly, False)


@pytest.mark.django_db(transaction=True)  # beat closes its connection now and then
def test_beat_adds_no_row_of_its_own():
    from django_celery_beat.schedulers import DatabaseScheduler

    setup_again()
    DatabaseScheduler(app=app)

    assert not PeriodicTask.objects.exclude(name__in=[job.name for job in schedules.JOBS]).exists()


def test_migrate_alone_makes_the_cache_table():
    """Whoever knows Django starts with migrate and runserver and never meets `setup`."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE parking_cache")
    cache = DatabaseCache("parking_cache", {})

    # Not "0001_cache_table": the database of the tests has been through that.
    migration = import_module("parking.migrations.0001_cache_table")
    migration.make_table(None, SimpleNamespace(connection=connection))

    cache.set("a", 1)
    assert cache.get("a") == 1


# --- The clock without Celery ---


def test_run_sweeps_ends_a_stay_and_sends_a_mail(mailoutbox: list[Any]):
    now = timezone.now()
    begin = (now - timedelta(hours=5)).replace(minute=0, second=0, microsecond=0)
    stay = reserve(make_lot(now=begin - HOUR), make_user(), now=begin - HOUR, starts_in=HOUR)
    owe_mail()
    setup_again()

    call_command("run_sweeps")

    assert Booking.objects.get(pk=stay.pk).state == "completed"
    assert "somebody@example.com" in {mail.to[0] for mail in mailoutbox}


def test_run_sweeps_leaves_out_what_staff_paused():
    owe_mail()
    setup_again()
    PeriodicTask.objects.filter(name="Deliver notices").update(enabled=False)

    call_command("run_sweeps")

    assert Notice.objects.get().sent_at is None


def test_a_sweep_that_fails_does_not_stop_the_others(monkeypatch: Any, mailoutbox: list[Any]):
    def broken(**_: Any) -> None:
        raise RuntimeError("the lot is on fire")

    monkeypatch.setattr("bookings.services.lapse_holds", broken)
    owe_mail()

    with pytest.raises(SystemExit):
        call_command("run_sweeps")

    assert [mail.to for mail in mailoutbox] == [["somebody@example.com"]]


def test_a_daily_job_waits_for_its_hour():
    setup_again()
    daily = PeriodicTask.objects.filter(name="Clear sessions")

    assert "Clear sessions" not in {row.name for row in run_sweeps.once()}
    daily.update(last_run_at=timezone.now() - timedelta(days=1, minutes=1))
    assert "Clear sessions" in {row.name for row in run_sweeps.once()}


def test_in_a_loop_each_sweep_keeps_its_own_pace(monkeypatch: Any):
    setup_again()
    clock = {"at": 1000.0}
    monkeypatch.setattr(run_sweeps.time, "monotonic", lambda: clock["at"])
    last_runs: dict[int, float] = {}

    def names() -> set[str]:
        return {row.name for row in run_sweeps.in_turn(last_runs)}

    # Daily jobs wait for their hour.
    assert names() == {job.name for job in schedules.JOBS if isinstance(job.when, schedules.Every)}
    clock["at"] += 6
    assert names() == {"Deliver notices", "Deliver webhooks", "Make exports", "Run imports"}
    clock["at"] += 10
    assert {"Deliver notices", "Lapse holds"} <= names()


# --- What `run` looks at before it starts anything ---


def test_run_refuses_a_port_that_is_taken(live_port: int):
    with pytest.raises(CommandError, match=rf"Port {live_port} is taken.*PORT="):
        run.check_port("127.0.0.1", live_port)


@pytest.mark.parametrize("port", [0, 70000])
def test_run_refuses_a_port_that_does_not_exist(port: int):
    with pytest.raises(CommandError, match="does not exist; set PORT"):
        run.check_port("127.0.0.1", port)


def test_run_refuses_a_database_it_cannot_write():
    read_only, again = {
        "sqlite": ("PRAGMA query_only = ON", "PRAGMA query_only = OFF"),
        "postgresql": ("SET LOCAL transaction_read_only = ON", "SET LOCAL transaction_read_only = ON"),
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(read_only)
        with pytest.raises(CommandError, match=r"cannot be written .*read-?only.*DATABASE_URL"):
            run.check_database()
        cursor.execute(again)


def test_run_leaves_no_trace_of_its_look_at_the_database():
    run.check_database()

    assert "parkwell_may_write" not in connection.introspection.table_names()


def test_the_greeting_names_address_sign_ins_and_mail(settings: Any):
    settings.PORT, settings.DEBUG = 8123, True

    text = run.greeting()

    assert "http://localhost:8123/" in text
    assert "http://localhost:8123/outbox/" in text
    assert "operator@example.com" in text
    assert "parkwell-demo" in text


def test_in_production_the_greeting_tells_no_password(settings: Any):
    settings.DEBUG = False

    assert "parkwell-demo" not in run.greeting()


def test_the_procfile_and_the_example_name_only_settings_we_know():
    source = Path(settings.BASE_DIR, "parking", "settings.py").read_text()
    source += Path(settings.BASE_DIR, "Procfile").read_text()
    example = Path(settings.BASE_DIR, ".env.example").read_text()
    names = {line[1:].split("=")[0] for line in example.splitlines() if line[:1] == "#" and "=" in line[:25]}

    assert {"PORT", "DATABASE_URL", "EMAIL_URL"} <= names
    assert {name for name in names if name not in source} == set()


@pytest.fixture
def live_port():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.django_db
def test_new_permissions_reach_roles_that_exist_and_what_staff_took_away_stays_away() -> None:
    call_command("setup", verbosity=0)
    group = Group.objects.get(name="operator")
    taken_away = group.permissions.get(codename="delete_lot")
    group.permissions.remove(taken_away)
    # As a new release finds it: the model is new, so that migrating makes its permissions.
    Permission.objects.filter(content_type__model="closure").delete()

    call_command("setup", verbosity=0)

    codenames = set(group.permissions.values_list("codename", flat=True))
    assert {"add_closure", "view_closure"} <= codenames
    assert "delete_lot" not in codenames
