"""Two workers after one import."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.utils import timezone

from bookings.tests.factories import make_user
from bookings.tests.test_race import at_once
from lots.models import Lot, Tariff
from reports.sheets import batches
from reports.sheets.models import ImportBatch
from reports.sheets.reading import Reading

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
WORKERS = 4


def raced(before: Callable[[], None] = lambda: None) -> list[Any]:
    by, now = make_user("importer", is_staff=True, is_superuser=True), timezone.now()
    content = b"slug,name,capacity,price_per_hour,timezone,currency\n" + b"".join(
        b"l%d,L,1,1,Europe/Berlin,EUR\n" % n for n in range(20)
    )
    batch = batches.upload(kind="lots", file_name="f.csv", content=content, by=by, now=now)
    batches.set_reading(batch, Reading(**batch.reading))
    assert batches.work_on(batch, now=now)
    batches.confirm(batch, batch.plan_sha256)
    before()
    # Each with a row of its own, as two machines have.
    rows = [ImportBatch.objects.get(pk=batch.pk) for _i in range(WORKERS)]
    return at_once([lambda row=row: batches.work_on(row, now=now) for row in rows])


def test_one_of_many_workers_does_an_import():
    assert sorted(raced()) == [False] * (WORKERS - 1) + [True]

    batch = ImportBatch.objects.get()
    assert (batch.state, batch.problems, batch.slot) == ("done", [], None)
    assert Lot.objects.count() == Tariff.objects.count() == batch.rows.count() == 20


def test_without_the_claim_they_get_in_each_others_way(monkeypatch):
    """The canary: the race above can be lost."""

    def claim(batch: ImportBatch, _now: datetime, lease: datetime) -> bool:
        ImportBatch.objects.filter(pk=batch.pk).update(slot=1, lease_until=lease)
        batch.refresh_from_db()
        return True

    assert raced(lambda: monkeypatch.setattr(batches, "_claim", claim)).count(True) == WORKERS
    assert Lot.objects.count() == 20  # and even then nothing is there twice
