"""Readings from files: row by row taken or refused, with the reason, and never twice."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import IntegrityError, transaction

from accounts.csv_files import CsvRefused
from accounts.roles import make_roles
from accounts.tests.staff import verify
from bookings.tests.factories import NOW, make_lot, make_user
from lots.models import Lot
from reports import reading_files
from reports.models import OccupancyImport, Reading

pytestmark = pytest.mark.django_db
FILE = """SystemCodeNumber,Capacity,Occupancy,LastUpdated
quay,100,61,2016-10-04 07:59:42
quay,100,101,2016-10-04 08:25:42
quay,100,-1,2016-10-04 08:59:42
quay,100,61,2016-10-04 07:59:42
quay,100,62,2016-10-04 07:59:42
nowhere,100,61,2016-10-04 07:59:42
quay,100,61
quay,none,61,2016-10-04 10:00:00
quay,100,61,2016-10-30 01:30:00
quay,100,61,2016-03-27 01:30:00
quay,100,61,yesterday
quay,100,61,2090-01-01 00:00:00
Q-7,100,62,2016-11-04 08:00:00
"""


@pytest.fixture
def quay(db):
    return make_lot(3, now=NOW, name="Quay", slug="quay", timezone="Europe/London", source_id="Q-7")


def load(text: str = FILE, **options):
    lots = options.pop("lots", Lot.objects.all())
    return reading_files.load(text.encode(), lots, file_name="f.csv", by=None, now=NOW, **options)


def test_each_row_is_taken_or_refused_by_itself(quay):
    batch = load()

    assert (batch.row_count, batch.new_count, batch.known_count, batch.refused_count) == (13, 2, 0, 11)
    assert list(Reading.objects.order_by("at").values_list("lot", "at", "occupied", "capacity")) == [
        (quay.pk, datetime(2016, 10, 4, 6, 59, 42, tzinfo=UTC), 61, 100),  # summer time there
        (quay.pk, datetime(2016, 11, 4, 8, 0, tzinfo=UTC), 62, 100),
    ]
    refused = {line: (column, sentence) for line, column, sentence in batch.refused}
    assert sorted(refused) == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    assert refused[3] == ("occupied", "101 of 100 cannot be occupied")
    assert refused[5][1] == "the same as line 2"
    assert refused[6][1] == "line 2 says otherwise of the same moment"
    assert refused[7] == ("lot", "there is no such lot")
    assert {refused[line][0] for line in (10, 11, 12, 13)} == {"at"}


def test_a_second_time_changes_nothing(quay):
    load()
    before = list(Reading.objects.order_by("pk").values())

    batch = load()

    assert (batch.new_count, batch.known_count) == (0, 2)
    assert list(Reading.objects.order_by("pk").values()) == before


def test_another_count_of_a_stored_moment_is_refused(quay):
    load()

    batch = load("lot,at,occupied,capacity\nquay,2016-11-04T09:00+01:00,63,100\n")

    assert batch.refused == [[2, "", "another reading of this moment is stored already"]]
    assert Reading.objects.get(at__month=11).occupied == 62


def test_an_operator_loads_only_what_is_theirs(quay):
    batch = load(lots=Lot.objects.exclude(pk=quay.pk))

    assert batch.new_count == 0
    assert "there is no such lot" in {sentence for _line, _column, sentence in batch.refused}


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", 'lot,at,occupied,capacity\n"a\n'])
def test_a_file_of_another_shape_is_refused_as_a_whole(quay, text):
    with pytest.raises(CsvRefused):
        load(text)

    assert not OccupancyImport.objects.exists()


def test_the_command_makes_lots_that_are_not_open_and_writes_what_it_left_out(tmp_path):
    path, refused, out = tmp_path / "f.csv", tmp_path / "refused.csv", io.StringIO()
    path.write_text(FILE)
    options = {"make_lots": True, "timezone": "Europe/London", "refused": str(refused), "stdout": out}

    call_command("import_occupancy", str(path), **options)
    call_command("import_occupancy", str(path), **options)

    assert out.getvalue().splitlines() == [
        "3 lots made.",
        "13 rows: 3 loaded, 0 known before, 10 refused.",
        "0 lots made.",
        "13 rows: 0 loaded, 3 known before, 10 refused.",
    ]
    assert not Lot.objects.listed().exists()
    assert {lot.source_id: lot.spots.count() for lot in Lot.objects.all()} == {
        "quay": 100,
        "nowhere": 100,
        "Q-7": 100,
    }
    rows = list(csv.DictReader(io.StringIO(refused.read_text())))
    assert len(rows) == 10
    assert rows[0] == {"line": "3", "column": "occupied", "problem": "101 of 100 cannot be occupied"}


def test_the_database_refuses_more_cars_than_spots(quay):
    batch = load()
    row = {"lot": quay, "capacity": 2, "source": batch}
    with pytest.raises(IntegrityError), transaction.atomic():
        Reading.objects.create(at=NOW, occupied=3, **row)
    Reading.objects.create(at=NOW - timedelta(days=1), occupied=2, **row)


PAGE = "/admin/reports/occupancyimport/"


def upload(client, text=FILE):
    return client.post(f"{PAGE}add/", {"file": SimpleUploadedFile("f.csv", text.encode())})


def test_staff_load_a_file_and_download_what_was_left_out(client, olga, quay):
    office = verify(client, olga)
    assert office.get(f"{PAGE}add/").status_code == 200

    answer = upload(office)

    batch = OccupancyImport.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"{PAGE}{batch.pk}/change/")
    assert (batch.by, batch.new_count) == (olga, 2)
    assert f"{PAGE}{batch.pk}/refused.csv" in office.get(answer["Location"]).content.decode()
    file = b"".join(office.get(f"{PAGE}{batch.pk}/refused.csv").streaming_content).decode()
    assert "3,occupied,101 of 100 cannot be occupied" in file.splitlines()


def test_a_file_that_cannot_be_read_is_answered_with_what_is_wrong(client, olga):
    answer = upload(verify(client, olga), "a,b\n1,2\n")

    assert answer.status_code == 422
    assert "the columns must be" in answer.content.decode()


def test_whoever_may_not_import_lots_may_not_load_readings(client, quay):
    make_roles()
    viewer = make_user("vera", is_staff=True)
    viewer.groups.add(Group.objects.get(name="viewer"))

    assert upload(verify(client, viewer)).status_code == 403
    assert not Reading.objects.exists()
