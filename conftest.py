"""The cast and the stage of every test: Alice and Bob drive, Olga operates; it is a Monday at ten."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from django.utils import translation

from accounts.models import User
from bookings import archive_guards
from bookings.payments import guards as ledger_guards
from bookings.receipt_guards import RECEIPTS
from bookings.tests import factories
from lots.models import Lot

# Playwright's own event loop runs in the test's thread; Django would refuse every query there.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


# These folders hold tests that touch a database only if they ask for it; elsewhere real processes may.
APPS = {"accounts", "lots", "bookings", "reports"}
LONG = ("slow", "browser", "race")


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "leave out what cannot differ from a run on another database: arithmetic, and what a browser shows"
    parser.addoption("--second-database", action="store_true", help=text)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the tests with real transactions the long ones first: what is quick fills the processes at the end.

    They stay behind all others that use the database: pytest-django has seen to it, as they empty it.
    """
    if config.getoption("--second-database"):
        left_out = [item for item in items if _is_proven_by_one(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not _is_proven_by_one(item)]
    at = [number for number, item in enumerate(items) if _has_transactions(item)]
    ordered = sorted((items[number] for number in at), key=_is_quick)
    for number, item in zip(at, ordered, strict=True):
        items[number] = item


def _has_transactions(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("django_db")
    asked = marker is not None and marker.kwargs.get("transaction", False)
    return asked or bool({"transactional_db", "live_server"} & set(getattr(item, "fixturenames", ())))


def _is_quick(item: pytest.Item) -> bool:
    return not any(item.get_closest_marker(name) for name in LONG)


def _is_proven_by_one(item: pytest.Item) -> bool:
    if item.get_closest_marker("browser"):
        return True
    fixtures = getattr(item, "fixturenames", ())
    asks = item.get_closest_marker("django_db") or {"db", "transactional_db", "live_server"} & set(fixtures)
    return not asks and item.path.relative_to(item.config.rootpath).parts[0] in APPS


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    """Whatever language the last test's page or mail was in."""
    yield
    translation.deactivate()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """SQLite's tests run on a file: locks between threads are only real there.

    And no commit of a test waits for the disk: what a power cut or a kill would lose is asked of the real
    processes, with the real settings, in tests/reliability.
    """
    options = connection.settings_dict["OPTIONS"]
    if connection.vendor == "postgresql":
        options["options"] += " -c synchronous_commit=off"
    if connection.vendor == "sqlite":
        options["init_command"] = options["init_command"].replace("synchronous=FULL", "synchronous=OFF")
        connections["default"].settings_dict["TEST"]["NAME"] = str(
            tmp_path_factory.mktemp("db") / "test.sqlite3"
        )


@pytest.fixture(scope="session", autouse=True)
def flush_past_the_ledger() -> Iterator[None]:
    """Tests with real transactions empty all tables at their end; ledger, receipts and archive refuse it.

    Its triggers stay as they are while a test runs; only Django's flush takes them off and puts them back.
    """
    operations = type(connection.ops)
    flush = operations.execute_sql_flush

    def without_triggers(self: Any, statements: list[str]) -> None:
        vendor = self.connection.vendor
        kept: tuple[Any, ...] = (archive_guards, ledger_guards, RECEIPTS)
        off = [statement for guard in kept for statement in guard.remove_statements(vendor)]
        on = [statement for guard in kept for statement in guard.install_statements(vendor)]
        flush(self, [*off, *statements, *on])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operations, "execute_sql_flush", without_triggers)
        yield


@pytest.fixture(autouse=True)
def quiet_site(settings: Any, tmp_path: Any) -> None:
    """Fast passwords, mail into memory, and a cache of the test's own."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.EMAIL_TRANSPORT = "django.core.mail.backends.locmem.EmailBackend"
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


@pytest.fixture
def now() -> datetime:
    return factories.NOW


@pytest.fixture
def alice(db: None) -> User:
    return factories.make_user("alice")


@pytest.fixture
def bob(db: None) -> User:
    return factories.make_user("bob")


@pytest.fixture
def olga(db: None) -> User:
    return factories.make_user("olga", is_staff=True, is_superuser=True)


@pytest.fixture
def lot(db: None) -> Lot:
    """Three spots at 2.50 EUR an hour in Berlin, always open."""
    return factories.make_lot(3, name="Alexanderplatz", city="Berlin", country="DE")


@pytest.fixture
def alice_client(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def threads_close_connections() -> Iterator[None]:
    yield
    connections.close_all()
