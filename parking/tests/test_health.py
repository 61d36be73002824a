"""What probes are told, and the tile that says the same to staff."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import outbox
from accounts.models import User
from accounts.tests.staff import verify
from bookings.tests.factories import make_user
from parking import health
from parking.management.commands import run_sweeps
from reports import clock
from reports.models import Heartbeat, JobRun
from reports.tasks import beat

MINUTE = timedelta(minutes=1)


@pytest.fixture
def beating(db: None) -> None:
    clock.beat(now=timezone.now())


def ready(client: Client, query: str = "") -> tuple[int, dict[str, Any]]:
    answer = client.get(f"/readyz{query}", headers={"Host": "10.0.0.7:8000"})
    assert answer["Cache-Control"] == "no-store"
    return answer.status_code, answer.json()


def test_healthz_asks_nobody(client: Client):
    """Without the db mark: a query would fail this test. By address, as a probe comes."""
    answer = client.get("/healthz", headers={"Host": "10.0.0.7:8000"})

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "Set-Cookie" not in answer


def test_all_is_well(client: Client, beating: None):
    status, told = ready(client)

    assert (status, told["status"]) == (200, "ok")
    assert set(told["checks"]) == {"database", "migrations", "notices", "clock", "broker"}


@pytest.mark.django_db
@pytest.mark.parametrize("age", [None, 4 * MINUTE])
def test_a_clock_that_stands_still_is_not_ready_but_turns_no_driver_away(
    client: Client, age: timedelta | None
):
    if age:
        clock.beat(now=timezone.now() - age)

    status, told = ready(client)

    assert (status, told["checks"]["clock"]["status"]) == (503, "bad")
    assert ready(client, "?only=database,migrations")[0] == 200


def test_mail_that_nobody_sends_is_not_ready(client: Client, beating: None):
    now = timezone.now()
    outbox.owe(template="x", recipient="a@example.com", context={}, now=now - 2 * MINUTE)
    assert ready(client)[0] == 200

    outbox.owe(template="x", recipient="a@example.com", context={}, now=now - 6 * MINUTE)
    status, told = ready(client)

    assert status == 503
    assert told["checks"]["notices"]["oldest_seconds"] >= 360


def test_a_database_that_is_away_is_not_ready(client: Client, beating: None, monkeypatch: pytest.MonkeyPatch):
    def away(*_: Any) -> None:
        raise OperationalError("password=secret host=db.internal")

    monkeypatch.setitem(health.CHECKS, "database", away)

    status, told = ready(client, "?only=database")

    assert (status, told["checks"]["database"]) == (503, {"status": "bad", "error": "OperationalError"})


def test_a_migration_that_is_missing_is_not_ready(
    client: Client, beating: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(health, "_all_applied", False)
    monkeypatch.setattr(health.MigrationExecutor, "migration_plan", lambda *_: [("reports", "0009")])

    status, told = ready(client)

    assert (status, told["checks"]["migrations"]) == (503, {"status": "bad", "pending": 1})


def test_a_broker_that_is_away_is_a_warning(client: Client, beating: None, settings: Any):
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"

    status, told = ready(client)

    assert (status, told["status"], told["checks"]["broker"]["status"]) == (200, "warn", "warn")


@pytest.mark.django_db
def test_the_task_and_the_clock_without_celery_beat():
    beat()
    first = Heartbeat.objects.get().beat_at
    Heartbeat.objects.update(beat_at=first - 9 * MINUTE)

    call_command("setup", verbosity=0)
    for row in run_sweeps.in_turn({}):
        if row.name == "Heartbeat":
            run_sweeps.run(row)

    assert Heartbeat.objects.get().beat_at >= first


# --- The tile ---


def tile(user: User) -> str:
    page = verify(Client(), user).get(reverse("admin:index")).content.decode()
    return page.split('id="clock-tile"')[1].split("</section>")[0]


@pytest.mark.promise("S3-13")
def test_the_tile_is_green_while_the_clock_runs(olga: User, beating: None):
    assert "bg-green-100" in tile(olga)
    assert "The clock runs" in tile(olga)


def test_the_tile_turns_red_when_the_clock_stands_still(olga: User):
    clock.beat(now=timezone.now() - 4 * MINUTE)

    shown = tile(olga)

    assert "bg-red-100" in shown
    assert "The clock stands still" in shown
    assert "run_sweeps --loop" in shown


def test_the_tile_tells_of_a_job_that_did_not_run(olga: User, beating: None):
    JobRun.objects.create(job="tidy-up", period="p", due_at=timezone.now(), state="missed")

    shown = tile(olga)

    assert "1 job run failed or was missed" in shown
    assert verify(Client(), olga).get(shown.split('href="')[1].split('"')[0]).status_code == 200


def test_the_ledger_is_not_for_everybody(olga: User, alice: User):
    run = JobRun.objects.create(job="tidy-up", period="p", due_at=timezone.now())
    address = reverse("admin:reports_jobrun_change", args=[run.pk])
    clerk = make_user("clerk", is_staff=True)

    assert verify(Client(), olga).get(address).status_code == 200
    assert verify(Client(), clerk).get(address).status_code == 403
    assert verify(Client(), alice).get(address).status_code == 302


# --- A database that goes away in the middle of a request ---


@pytest.mark.parametrize("path", ["/bookings/", "/api/v1/bookings/"])
def test_what_breaks_before_the_view_is_503_too(
    path: str, alice: User, settings: Any, monkeypatch: pytest.MonkeyPatch
):
    """Django makes a 500 of what middleware raises before ours could catch it."""
    client = Client(raise_request_exception=False)
    client.force_login(alice)

    def away(*_: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.load", away)
    for settings.DEBUG in (False, True):
        answer = client.get(path)

        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert b"server closed" not in answer.content
