"""Numbers for whoever may see them, and nothing in them that tells of people."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import Notice, User
from bookings import services
from bookings.errors import LotFull
from bookings.tests import factories
from lots.models import Lot
from parking import metrics, readings, sentry, slow_queries
from reports import clock
from reports.models import JobRun

TOKEN = "metrics-token-of-the-test"


def scrape(client: Client, token: str = TOKEN) -> Any:
    return client.get("/metrics", headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def token(settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN


@pytest.mark.parametrize("shown", ["", "wrong", "métrics"])
def test_without_the_token_there_is_no_such_page(token: None, client: Client, db: None, shown: str) -> None:
    assert scrape(client, shown).status_code == 404
    assert client.get("/metrics").status_code == 404


def test_in_production_without_a_token_there_is_no_such_page(client: Client, db: None, settings: Any) -> None:
    settings.METRICS_TOKEN, settings.DEBUG = "", False
    assert scrape(client, "").status_code == 404


def test_requests_are_counted_by_route_and_never_by_path(token: None, client: Client, lot: Lot) -> None:
    client.get(f"/lots/{lot.slug}/")
    client.get("/lots/no-such-lot-with-a-secret/")
    text = scrape(client).content.decode()
    assert 'parkwell_request_seconds_count{method="GET",route="/lots/<slug:slug>/",status="200"}' in text
    assert 'status="404"' in text
    assert lot.slug not in text
    assert "secret" not in text


def test_bookings_are_counted_by_what_came_of_them(token: None, client: Client, alice: User) -> None:
    lot = factories.make_lot(capacity=1)
    before = _count("active"), _count("lot_full"), _waits()
    factories.park(lot, alice)
    with pytest.raises(LotFull):
        factories.park(lot, factories.make_user("second@example.com"))
    assert (_count("active"), _count("lot_full")) == (before[0] + 1, before[1] + 1)
    assert _waits() >= before[2] + 2
    text = scrape(client).content.decode()
    assert 'parkwell_bookings_total{outcome="lot_full"}' in text
    assert "parkwell_bookings_active 1.0" in text
    assert "parkwell_database_up 1.0" in text


def test_a_listener_that_fails_spoils_no_booking(
    alice: User, lot: Lot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics.BOOKINGS, "labels", lambda *_: 1 / 0)
    assert factories.park(lot, alice).state == "active"


def test_late_work_is_read_from_the_database(lot: Lot, alice: User, now: Any) -> None:
    booking = services.book(
        lot_id=lot.pk,
        kind="reserved",
        driver=alice,
        starts_at=now + timedelta(hours=2),
        ends_at=now + timedelta(hours=3),
        hold=True,
        now=now,
    )
    values = {
        reading.name: reading.value
        for reading in readings.read(now=booking.held_until + timedelta(seconds=90))
    }
    assert values["holds_overdue_seconds"] == 90
    assert values["outbox_due"] == 0


def test_every_reading_moves_with_what_it_is_about(lot: Lot, alice: User, now: Any) -> None:
    def read() -> dict[str, float]:
        return {reading.name: reading.value for reading in readings.read(now=later)}

    later = now + timedelta(hours=5)
    before = read()
    factories.park(lot, alice, now=now, ends_at=now + timedelta(hours=1))
    factories.reserve(lot, factories.make_user(), now=now, starts_in=timedelta(hours=48))
    start = now + timedelta(hours=72)
    window = {"starts_at": start, "ends_at": start + timedelta(hours=1)}
    services.book(lot_id=lot.pk, kind="reserved", driver=factories.make_user(), hold=True, now=now, **window)
    Notice.objects.update(not_before=now)
    Notice.objects.create(recipient="x@example.com", created_at=now, not_before=now, failed_at=now)
    clock.beat(now=now)
    run = {"timezone": "UTC", "due_at": now}
    JobRun.objects.create(job="tidy-up", period="1", state=JobRun.State.MISSED, **run)
    proof = {"state": JobRun.State.DONE, "finished_at": now, "counts": {"findings": 2}}
    JobRun.objects.create(job="check-integrity", period="1", **proof, **run)

    after = read()

    assert [name for name in after if after[name] == before.get(name)] == []
    assert after["integrity_findings"] == 2
    assert after["stays_overdue_seconds"] == 4 * 3600
    assert after["clock_heartbeat_seconds"] == 5 * 3600


def test_slow_queries_are_logged_without_their_values(
    db: None, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SLOW_QUERY_MS = 0.0001
    with caplog.at_level(logging.WARNING), connection.execute_wrapper(slow_queries._timed):
        list(User.objects.filter(email="somebody@example.com"))
    assert "slow query" in caplog.text
    assert "accounts_user" in caplog.text
    assert "somebody@example.com" not in caplog.text


def test_sentry_hears_nothing_personal() -> None:
    event = {
        "user": {"email": "somebody@example.com"},
        "request": {
            "method": "POST",
            "url": "https://x/accounts/?code=123456",
            "cookies": {"sessionid": "s3cret"},
        },
        "exception": {"values": [{"value": "no such driver somebody@example.com"}]},
        "extra": {"plate": "B AB 123"},
    }
    sent = str(sentry.scrubbed(event, {}))
    for secret in ("somebody@", "123456", "s3cret", "B AB 123"):
        assert secret not in sent


def _count(outcome: str) -> float:
    return metrics.BOOKINGS.labels(outcome)._value.get()


def _waits() -> float:
    return sum(bucket.get() for bucket in metrics.LOCK_WAITS._buckets)
