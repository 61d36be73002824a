"""Which database answers: figures, exports and open data may lag; nothing else does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from accounts.replica import NAME, Router, may_lag
from bookings import services
from bookings.models import Booking
from bookings.tests.api_support import client_for
from bookings.tests.factories import make_lot, make_user, park
from lots.models import Lot
from parking import doctor
from reports.tests.export_support import made

pytestmark = pytest.mark.django_db(transaction=True)
HISTORY = ("bookings_booking", "bookings_ledgerentry", "lots_lot")


@pytest.fixture
def replica(settings: Any) -> Iterator[None]:
    """A second way into the same database: what it is asked is what a replica would be asked."""
    settings.DATABASE_ROUTERS = ["accounts.replica.Router"]
    connections.settings[NAME] = deepcopy(connection.settings_dict)
    connections.settings[NAME]["OPTIONS"].pop("pool", None)
    connections[NAME].connect()  # Django's tests let nobody else open what was not there at their beginning
    yield
    connections[NAME].close()
    del connections[NAME], connections.settings[NAME]


def asked(do: Callable[[], Any]) -> tuple[str, str]:
    """What the database and the replica were sent meanwhile."""
    with CaptureQueriesContext(connection) as ours, CaptureQueriesContext(connections[NAME]) as theirs:
        do()
    return tuple("\n".join(query["sql"] for query in part) for part in (ours, theirs))  # type: ignore


@pytest.fixture
def driver(db: None) -> User:
    driver = make_user("dora", is_staff=True, is_superuser=True)
    now = timezone.now()
    services.release(park(make_lot(now=now), driver, now=now), by=driver, now=now)
    return driver


def test_figures_exports_and_open_data_are_read_from_the_replica(driver: User, replica: None) -> None:
    page, api = Client(), client_for(driver)
    page.force_login(driver)
    for do in (
        lambda: page.get("/dashboard/"),
        lambda: api.get("/api/v1/stats/"),
        lambda: api.get("/api/v1/open/places/"),
        lambda: made(driver),
    ):
        _ours, theirs = asked(do)
        assert any(f'FROM "{table}"' in theirs for table in HISTORY), theirs
        assert "INSERT" not in theirs
        assert "UPDATE" not in theirs
        for table in ("accounts_user", "django_session", "usersessions_usersession"):
            assert f'FROM "{table}"' not in theirs, "who somebody is must not lag"


def test_booking_signing_in_and_availability_never_are(driver: User, replica: None) -> None:
    page, api, lot = Client(), client_for(driver), Lot.objects.get()

    def everything_else() -> None:
        page.force_login(driver)
        assert page.get("/").status_code == 200
        assert page.get(f"/lots/{lot.slug}/").status_code == 200
        wish = {"lot": lot.slug, "kind": "instant"}
        assert api.post("/api/v1/bookings/", wish, format="json").status_code == 201
        assert api.get("/api/v1/bookings/").status_code == 200
        assert api.get(f"/api/v1/lots/{lot.slug}/spots/").status_code == 200

    ours, theirs = asked(everything_else)
    assert theirs == ""
    assert "INSERT INTO" in ours


def test_a_transaction_reads_what_it_wrote(driver: User, replica: None) -> None:
    with may_lag(), transaction.atomic():
        assert asked(Booking.objects.count)[1] == ""
    with may_lag():
        assert asked(Booking.objects.count)[0] == ""
        assert Router().db_for_write(Booking) == "default"


def test_without_a_replica_all_is_read_where_it_is_written(driver: User) -> None:
    with may_lag():
        assert Router().db_for_read(Booking) == "default"


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL has replicas")
def test_the_doctor_knows_a_replica_from_another_database(driver: User, replica: None) -> None:
    assert [finding.level for finding in doctor.replica(timezone.now())] == ["warn"]


def test_the_doctor_says_nothing_of_no_replica(db: None) -> None:
    assert list(doctor.replica(timezone.now())) == []
