"""What stands in exported files, and what a spreadsheet makes of it."""

from __future__ import annotations

import io
import re
import zipfile

import pytest
from django.contrib.auth.models import Group

from accounts.models import RateLimit, Vehicle
from accounts.roles import make_roles
from bookings import services
from bookings.models import Booking
from bookings.tests.factories import HOUR, NOW, make_lot, make_user, park, reserve
from reports import export_pdf, export_tables, exports
from reports.export_models import State
from reports.tests.export_support import asked, content, made, rows_of

FORMULAS = ["=1+1", "==1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "|calc", "%1", "＝1", "＋1", "－1", "＠1"]


@pytest.mark.promise("S4-39")
@pytest.mark.django_db
def test_own_bookings_are_all_of_them_and_nobody_elses(alice, stays):
    rows = rows_of(content(made(alice)))

    assert [row["reference"] for row in rows] == list(
        stays.order_by("starts_at").values_list("reference", flat=True)
    )
    assert {(row["total"], row["due"], row["currency"], row["minutes"]) for row in rows} == {
        ("5.00", "5.00", "EUR", "120")
    }
    assert rows[0]["starts_at"] == "2027-01-20T11:00:00+01:00"


@pytest.mark.django_db
def test_a_file_for_spreadsheets_has_what_european_ones_want(alice, stays):
    data = content(made(alice, format="xlsx-csv"))

    assert data.startswith("\ufeff".encode())
    row = rows_of(data, delimiter=";")[0]
    assert (row["total"], row["starts_at"]) == ("5,00", "2027-01-20 11:00:00")


@pytest.mark.promise("S3-20")
@pytest.mark.django_db
def test_the_pdf_has_months_with_totals_that_add_up(alice, stays, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        export_pdf.Canvas, "drawString", lambda self, x, y, text: drawn.append(text.replace("\xa0", " "))
    )

    data = content(made(alice, format="pdf"))

    assert data.startswith(b"%PDF-")
    heads = [text for text in drawn if text in ("January 2027", "February 2027", "In all")]
    assert heads == ["January 2027", "February 2027"]
    assert sum("Total of the month: 1 booking, 2 h" in text for text in drawn) == 2
    assert any("In all: 2 bookings, 4 h" in text for text in drawn)
    assert drawn.count("€5.00 (paid €0.00)") == 2
    assert drawn.count("€10.00 (paid €0.00)") == 1


@pytest.mark.django_db
def test_more_than_anybody_prints_is_refused_with_a_reason(alice, stays, monkeypatch):
    monkeypatch.setattr(export_pdf, "MOST_ROWS", 1)

    export = made(alice, format="pdf")

    assert (export.state, export.error_code) == (State.FAILED, "too_many_for_pdf")
    assert "CSV" in exports.reason(export)


@pytest.mark.django_db
def test_a_period_limits_the_bookings_half_open(alice, stays):
    first = stays.order_by("starts_at").first()
    around = (first.starts_at - HOUR, first.ends_at)

    assert [row["reference"] for row in rows_of(content(made(alice, period=around)))] == [first.reference]
    assert rows_of(content(made(alice, period=(first.ends_at, first.ends_at + HOUR)))) == []


@pytest.mark.promise("S4-31")
@pytest.mark.django_db
def test_all_data_is_a_zip_of_every_table(olga, alice, stays):
    Vehicle.objects.create(driver=alice, plate="B AB 1", plate_normalised="BAB1")
    services.record_desk_payment(stays.first(), method="cash", by=olga, now=NOW)

    export = made(olga, kind="all-data")

    archive = zipfile.ZipFile(io.BytesIO(content(export)))
    tables = {name: rows_of(archive.read(name)) for name in archive.namelist()}
    assert {name: len(rows) for name, rows in tables.items()} == {
        "users.csv": 3,
        "vehicles.csv": 1,
        "lots.csv": 1,
        "spots.csv": 3,
        "bookings.csv": 3,
        "payments.csv": 1,
    }
    assert export.rows == 12
    assert tables["payments.csv"][0]["amount"] == "5.00"
    assert not any("password" in name for rows in tables.values() for name in rows[0])


@pytest.mark.django_db
def test_an_operator_of_some_lots_gets_those_and_a_viewer_no_people(lot, alice, bob, stays):
    make_roles()
    other = make_lot(1, name="Other")
    services.release(park(other, bob, now=NOW - 3 * HOUR), by=bob, now=NOW - HOUR)
    olaf, vera = make_user("olaf", is_staff=True), make_user("vera", is_staff=True)
    olaf.groups.add(Group.objects.get(name="operator"))
    vera.groups.add(Group.objects.get(name="viewer"))
    other.operators.add(olaf)

    his = zipfile.ZipFile(io.BytesIO(content(made(olaf, kind="all-data"))))
    hers = zipfile.ZipFile(io.BytesIO(content(made(vera, kind="all-data"))))

    assert {row["lot"] for row in rows_of(his.read("bookings.csv"))} == {other.slug}
    assert {row["email"] for row in rows_of(his.read("users.csv"))} == {bob.email, olaf.email}
    assert [row["slug"] for row in rows_of(his.read("lots.csv"))] == [other.slug]
    assert {row["lot"] for row in rows_of(his.read("spots.csv"))} == {other.slug}
    assert "users.csv" not in hers.namelist()
    assert len(rows_of(hers.read("bookings.csv"))) == 4


@pytest.mark.django_db
def test_all_data_of_some_lots_is_theirs_and_of_who_booked_there(olga, alice, stays):
    other, carol = make_lot(1, name="Other"), make_user("carol")
    stay = services.release(park(other, carol, now=NOW - 3 * HOUR), by=carol, now=NOW - HOUR)
    for booking in (stay, stays.first()):
        services.record_desk_payment(booking, method="cash", by=olga, now=NOW)

    files = zipfile.ZipFile(io.BytesIO(content(made(olga, kind="all-data", lots=[other.slug]))))

    def column(sheet: str, name: str) -> list[str]:
        return [row[name] for row in rows_of(files.read(f"{sheet}.csv"))]

    assert column("lots", "slug") == column("spots", "lot") == column("bookings", "lot") == [other.slug]
    assert column("users", "email") == [carol.email]
    assert column("payments", "booking") == [stay.reference]


@pytest.mark.django_db
def test_formulas_are_inert_in_every_file(olga, lot):
    Vehicle.objects.create(driver=olga, plate="=1", plate_normalised="1")
    for number, text in enumerate(FORMULAS):
        driver = make_user(f"d{number}", address=text)
        driver.name = text
        driver.save()
        booking = reserve(make_lot(1, name=f"L{number}"), driver, plate="X 1")
        Booking.objects.filter(pk=booking.pk).update(plate=text)
        booking.lot.name = text
        booking.lot.save()
        RateLimit.objects.all().delete()
        for format, delimiter in (("csv", ","), ("xlsx-csv", ";")):
            assert _check_inert(content(made(driver, format=format)), delimiter) == 1
    for format, delimiter in (("csv", ","), ("xlsx-csv", ";")):
        archive = zipfile.ZipFile(io.BytesIO(content(made(olga, kind="all-data", format=format))))
        rows = {name: _check_inert(archive.read(name), delimiter) for name in archive.namelist()}
        assert rows["users.csv"] > rows["bookings.csv"] == len(FORMULAS)


def _check_inert(data, delimiter):
    """Gives the number of rows: of none, nothing would be proved."""
    rows = rows_of(data, delimiter=delimiter)
    for row in rows:
        for name, text in row.items():
            assert not re.match(r"[\s]*[=+\-@|%\t\r\n＝＋－＠]", text), (name, text)
    return len(rows)


@pytest.mark.django_db
def test_chunks_read_each_row_once_in_constant_queries(alice, stays, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(export_tables, "CHUNK", 1)
    Booking.objects.update(starts_at=NOW - 9 * HOUR, ends_at=NOW)  # equal values: the key decides
    sheet = export_tables.own_bookings(asked(alice))

    with django_assert_num_queries(3):
        found = [row.pk for chunk in export_tables.in_chunks(sheet) for row in chunk]

    assert sorted(found) == sorted(stays.values_list("pk", flat=True))
