"""Each thing that can be wrong is named, and nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from kombu import Connection

from bookings.tests import factories
from parking import doctor
from reports import clock

NOW = datetime(2027, 3, 1, 10, tzinfo=UTC)


def of(check: doctor.Check) -> list[doctor.Finding]:
    return list(check(NOW))


def levels(check: doctor.Check) -> set[str]:
    return {finding.level for finding in of(check)}


@pytest.fixture(autouse=True)
def own_folders(settings: Any, tmp_path: Any) -> None:
    settings.BACKUP_DIR = str(tmp_path)


def test_a_sound_installation_has_nothing_bad(
    db: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DEBUG = True
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", dict(connection.settings_dict["OPTIONS"]))
    out = StringIO()
    call_command("doctor", stdout=out)
    for word in (
        "database",
        "migrations",
        "cache",
        "broker",
        "mail",
        "clock",
        "proxy",
        "time zones",
        "disk",
        "keys",
    ):
        assert f"{word}:" in out.getvalue()
    assert "bad " not in out.getvalue()


def test_a_host_that_is_not_allowed(settings: Any) -> None:
    settings.BASE_URL, settings.ALLOWED_HOSTS = "https://parking.example.com", ["other.example.com"]
    assert levels(doctor.addresses) == {"bad"}
    settings.ALLOWED_HOSTS = [".example.com"]
    assert levels(doctor.addresses) == {"ok"}


def test_production_behind_no_known_proxy(settings: Any) -> None:
    settings.DEBUG = False
    assert levels(doctor.proxy) == {"warn"}
    settings.TRUSTED_PROXY_COUNT = 1
    assert levels(doctor.proxy) == {"ok"}


def test_a_mail_server_that_is_not_there(settings: Any) -> None:
    settings.EMAIL_TRANSPORT = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert of(doctor.mail)[0].level == "bad"


def test_a_broker_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.app, "connection_for_write", lambda: Connection("redis://127.0.0.1:1/0"))
    assert levels(doctor.broker) == {"bad"}


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LEAST_DISK", 10**18)
    assert levels(doctor.disk) == {"bad"}


def test_a_database_that_does_not_answer_ends_the_list(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("connection refused\nand more")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", away)
        found = list(doctor.examine(now=NOW))
    assert found[-1].about == "database"
    assert found[-1].level == "bad"
    assert "connection refused" in found[-1].what
    assert "and more" not in found[-1].what


def test_what_a_developers_machine_may_lack_and_a_servers_may_not(db: None, settings: Any) -> None:
    settings.DEBUG = True
    assert levels(doctor.keys) == {"warn"}
    assert levels(doctor.staff) == {"warn"}
    settings.DEBUG, settings.STATIC_ROOT = False, settings.BACKUP_DIR
    assert levels(doctor.keys) == {"ok"}
    assert levels(doctor.static_files) == {"bad"}
    assert levels(doctor.backup) == {"warn"}
    factories.make_user("olga", is_staff=True)
    assert levels(doctor.staff) == {"ok"}


def test_time_zones_that_are_missing_or_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    assert levels(doctor.time_zones) == {"ok"}
    monkeypatch.setattr(doctor, "ZoneInfo", lambda _name: UTC)
    assert levels(doctor.time_zones) == {"bad"}
    monkeypatch.setattr(doctor, "available_timezones", set)
    assert levels(doctor.time_zones) == {"bad"}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has this machine's clock")
def test_a_clock_that_is_not_the_databases(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert levels(doctor.clock_of_the_database) == {"ok"}
    monkeypatch.setattr(doctor, "CLOCK_OFF", timedelta(seconds=-1))
    assert levels(doctor.clock_of_the_database) == {"bad"}


def test_a_missing_migration(db: None) -> None:
    newest = max(name for app, name in MigrationRecorder(connection).applied_migrations() if app == "lots")
    MigrationRecorder(connection).record_unapplied("lots", newest)
    assert levels(doctor.migrations) == {"bad"}


def test_a_cache_that_forgets(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "cache", SimpleNamespace(set=lambda *_: None, get=lambda *_: None))
    assert levels(doctor.the_cache) == {"warn"}


def test_work_that_waits_for_its_sweep(lot: Any, alice: Any) -> None:
    assert levels(doctor.sweeps) == {"ok", "warn"}  # no process was started yet
    clock.beat(now=NOW)
    assert levels(doctor.sweeps) == {"ok"}
    factories.reserve(lot, alice)  # its confirmation has been owed since long before
    later = doctor.sweeps(factories.NOW.replace(year=2028))
    assert {finding.level for finding in later} == {"bad"}


def test_a_lot_in_an_unknown_zone(lot: Any) -> None:
    assert of(doctor.lots_time_zones) == []
    type(lot).objects.update(timezone="Mars/Olympus")
    assert levels(doctor.lots_time_zones) == {"bad"}


def test_a_check_that_fails_hides_no_other(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def sick(now: datetime) -> Any:
        raise RuntimeError("sick")
        yield

    monkeypatch.setattr(doctor, "OUTSIDE", [sick, doctor.disk])
    found = list(doctor.examine(now=NOW))
    assert [finding.about for finding in found[:2]] == ["sick", "disk"]
