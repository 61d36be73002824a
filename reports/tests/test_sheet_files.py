"""Files of others: each is a clean import or a clear refusal, whatever was done to it."""

from __future__ import annotations

import os
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.tests.staff import verify
from bookings.tests.factories import make_lot, make_user
from lots.models import Lot, Spot, Tariff
from reports.sheets import batches
from reports.sheets.models import ImportBatch
from reports.tests.test_sheets import confirm, done, exported, lots_file, mapped, problems, sent

pytestmark = pytest.mark.django_db
DATA = Path(__file__).parent / "data"
GREEN_P = Path(__file__).parents[2] / "lots" / "tests" / "data" / "green-p-parking-2019.json"
State = ImportBatch.State
ROUNDS = int(os.environ.get("MUTATED_FILES", "150"))


@pytest.fixture
def office(client: Client, olga: User) -> Client:
    return verify(client, olga)


@pytest.mark.promise("S4-13")
def test_the_french_register_is_known(office):
    batch = done(office, "lots", (DATA / "exemple-valide.csv").read_bytes())

    assert (batch.new_count, batch.reading["feed"]) == (2, "bnls")
    lot, other = Lot.objects.order_by("pk")
    assert (lot.slug, other.slug) == ("levallois-peret-republique", "levallois-peret-republique-2")
    assert (lot.source_id, lot.address_line1, lot.postcode, lot.city) == (
        "bnls:75114-P-001",
        "3 rue de la Gare",
        "92300",
        "Levallois-Peret",
    )
    assert (lot.price_per_hour, lot.max_height_cm, other.max_height_cm) == (Decimal("5.5"), 290, None)
    assert (lot.timezone, lot.currency, lot.spots.count()) == ("Europe/Paris", "EUR", 325)
    again = mapped(office, "lots", (DATA / "exemple-valide.csv").read_bytes())
    assert (again.new_count, again.changed_count) == (0, 0)


def test_the_registers_own_wrong_example_is_refused_where_it_is_wrong(office):
    batch = mapped(office, "lots", (DATA / "exemple-invalide.csv").read_bytes())

    assert problems(batch) == [(2, "max_height_cm")]
    assert not Lot.objects.exists()


def test_torontos_list_is_known_and_a_price_it_does_not_say_can_be_said(office):
    batch = mapped(office, "lots", GREEN_P.read_bytes())
    assert {column for _line, column in problems(batch)} == {"price_per_hour"}
    url = reverse("admin:reports_importbatch_columns", args=[batch.pk])
    form = office.get(url).context["form"]
    data = {name: field.initial for name, field in form.fields.items() if field.initial}

    office.post(url, data | {"constant_price_per_hour": "4.00"})
    confirm(office, batch)

    batch.refresh_from_db()
    assert (batch.state, batch.problems) == (State.DONE, [])
    lot = Lot.objects.get(source_id="greenp:1")
    assert (lot.name, lot.price_per_hour, lot.max_height_cm) == (
        "20 Charles Street East (Green P 1)",
        Decimal("5"),
        200,
    )
    assert (lot.timezone, lot.currency, lot.spots.count()) == ("America/Toronto", "CAD", 641)


GERMAN = "Bezeichnung;Stellplätze;Straße;PLZ;Ort;Breitengrad;Längengrad;Preis\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "latin-1"])
def test_semicolons_decimal_commas_and_other_encodings(office, encoding):
    row = "Parkhaus Süd;120;Königstr. 1;04070;Köln;50,937531;6,960279;2,50\r\n"

    done(office, "lots", (GERMAN + row).encode(encoding))

    lot = Lot.objects.get()
    assert (lot.name, lot.slug, lot.postcode, lot.city) == (
        "Parkhaus Süd",
        "koln-parkhaus-sud",
        "04070",
        "Köln",
    )
    assert (lot.latitude, lot.longitude) == (Decimal("50.937531"), Decimal("6.960279"))
    assert (lot.price_per_hour, lot.timezone, lot.currency, lot.country) == (
        Decimal("2.5"),
        "Europe/Berlin",
        "EUR",
        "DE",
    )


ROW = "Parkhaus Süd;120;Königstr. 1;04070;Köln;50,937531;6,960279;2,50\r\n"


@pytest.mark.parametrize(
    "content",
    [
        (GERMAN + ROW).encode("utf-16"),
        (GERMAN + ROW).encode("utf-16-be").join([b"\xfe\xff", b""]),
        ("sep=;\r\n" + GERMAN + ROW).encode("cp1252"),
        ('"sep=\t"\r\n' + GERMAN + ROW).replace(";", "\t").encode(),
        (GERMAN + ROW).replace("\r\n", ";;;\r\n").encode(),
        (GERMAN + ";;;;;;;\r\n\r\n" + ROW + ";;;;;;; \r\n").encode(),
        (GERMAN + ROW).replace("\r\n", "\r").encode(),
        (GERMAN + ROW).replace("Parkhaus Süd", '"Parkhaus\n  Süd"').encode("utf-8-sig"),
        (GERMAN + ROW).replace(";", "|").encode("latin-1"),
        (GERMAN + ROW).replace("Bezeichnung", "  BEZEICHNUNG ").replace("Süd", "\u00a0Su\u0308d ").encode(),
    ],
    ids=["utf-16", "utf-16-be", "sep", "sep-tab", "columns", "blank", "cr", "newline", "pipe", "letters"],
)
def test_whatever_a_spreadsheet_made_of_it_it_is_the_same_lot(office, content):
    done(office, "lots", content)

    lot = Lot.objects.get()
    assert (lot.name, lot.postcode, lot.city, lot.price_per_hour) == (
        "Parkhaus Süd",
        "04070",
        "Köln",
        Decimal("2.5"),
    )
    assert lot.latitude == Decimal("50.937531")
    assert lot.spots.count() == 120


def test_lines_are_counted_as_an_editor_counts_them(office):
    """Below Excel's own line, a name over two lines and a blank row."""
    rows = '"A\nB";1;;;Bonn;50,7;7,1;1\n;;;;;;;\nC;x;;;Bonn;50,7;7,1;1\n'

    batch = mapped(office, "lots", "sep=;\n" + GERMAN + rows)

    assert problems(batch) == [(6, "capacity")]


def test_the_columns_are_remembered_for_the_next_file_of_the_same_headings(office):
    head = "what;how many;where;cost\n"
    said = {
        "column_name": "what",
        "column_capacity": "how many",
        "column_city": "where",
        "column_price_per_hour": "cost",
        "constant_timezone": "Europe/Paris",
        "constant_currency": "EUR",
    }
    done(office, "lots", head + "Nord;5;Lille;1,20\n", **said)

    done(office, "lots", head + "Sud;7;Lille;1,30\n")

    assert Lot.objects.get(name="Sud").price_per_hour == Decimal("1.3")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("A;1;;;Bonn;50,7;7,1;1\nA;2;;;Bonn;50,8;7,1;1\n", [(3, "")]),
        ("A;;;;Bonn;50,7;7,1;1\n", [(2, "capacity")]),
        ("A;1;;;Bonn;50,7;7,1;\n", [(2, "price_per_hour")]),
        (";1;;;Bonn;50,7;7,1;1\n", [(2, "name")]),
        ("A;1.200,5;;;Bonn;50,7;7,1;1\n", [(2, "capacity")]),
        ("A;1.200;;;Bonn;50,7;7,1;1\n", [(2, "capacity")]),
        ("A;1;;;Bonn;;;1\n", [(2, "timezone"), (2, "currency")]),
        ("A;1;;;Bonn;0;-30;1\n", [(2, "latitude")]),
        ("A;1;;;Bonn;50,7;7,1;n/a\n", [(2, "price_per_hour")]),
        ("A;-1;;;Bonn;50,7;7,1;1\n", [(2, "capacity")]),
    ],
)
def test_what_is_missing_or_double_is_told_by_line_and_column(office, rows, expected):
    batch = mapped(office, "lots", GERMAN + rows)

    assert problems(batch) == expected
    assert not Lot.objects.exists()


@pytest.mark.promise("D3")
@pytest.mark.parametrize(
    ("content", "status", "sentence"),
    [
        (b"x" * (2 * 1024 * 1024 + 1), 413, "larger than 2 MB"),
        (b"slug,name\n" + b"a,b\n" * 10_001, 413, "more than 10000 rows"),
        (b"PK\x03\x04\x14\x00\x06\x00\x08\x00", 422, "NUL"),
        (b"\xff\xfes\0l\0u\0g", 422, "UTF-16"),
        (b"slug,name\na\0,b\n", 422, "NUL"),
        (b"slug,name,slug\na,b,c\n", 422, "two columns"),
        (b"slug,name\na\n", 422, "1 columns instead of 2"),
        (b"slug,name\n", 422, "no rows"),
        (b"slug,name\n" + b"x" * 140_000 + b",1\n", 422, "field larger"),
        (b'{"a": 1}', 422, "no list of rows"),
        (b"[" * 100_000, 422, "JSON"),
        (b"slug,name\na,\x07b\n", 422, "control characters"),
    ],
)
def test_what_is_no_such_file_is_refused_at_once(office, content, status, sentence):
    response = sent(office, "lots", content)

    assert response.status_code == status
    assert sentence in response.content.decode()
    assert not ImportBatch.objects.exists()


def test_file_names_are_only_names(office):
    sent(office, "lots", lots_file("a,A,1,1,Bonn,Europe/Berlin,EUR,"), name="../../etc/<b>x</b>\r\n.csv")

    batch = ImportBatch.objects.get()
    assert "/" not in batch.file_name
    page = office.get(reverse("admin:reports_importbatch_changelist")).content.decode()
    assert "<b>x</b>" not in page


# --- Whatever is done to a file ---


def mutate(content: bytes, chance: random.Random) -> bytes:
    """A file as it comes out of an editor, a broken transfer or a bad day."""
    data = bytearray(content)
    for _i in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        what = chance.randrange(9)
        if what == 0:
            data[at:at] = bytes(chance.choices(range(256), k=chance.randint(1, 8)))
        elif what == 1:
            del data[at : at + chance.randint(1, 40)]
        elif what == 2:
            data[at : at + 1] = chance.choice(
                [b",", b";", b'"', b"\n", b"\r", b"\t", b"'", b"-", b"=", b"\0"]
            )
        elif what == 3:
            lines = bytes(data).split(b"\n")
            chance.shuffle(lines)
            data = bytearray(b"\n".join(lines))
        elif what == 4:
            line = chance.choice(bytes(data).split(b"\n"))
            data += b"\n" + line
        elif what == 5:
            data = bytearray(bytes(data).replace(b",", b";"))
        elif what == 6:
            cells = bytes(data).split(b",")
            cells[chance.randrange(len(cells))] = chance.choice(
                [
                    b"",
                    b"-1",
                    b"1e999",
                    b"NaN",
                    b"99999999999999999999",
                    b"null",
                    b"\xff",
                    "٣".encode(),
                    b"{}",
                    b"[]",
                ]
            )
            data = bytearray(b",".join(cells))
        elif what == 7:
            data = bytearray(
                bytes(data)
                .decode("utf-8", "replace")
                .encode(chance.choice(["utf-16", "cp1252", "utf-8-sig"]), "replace")
            )
        else:
            data = data[: max(at, 1)]
    return bytes(data)


@pytest.mark.promise("D3")
@pytest.mark.slow
def test_of_a_mutated_file_everything_is_imported_or_nothing(office, olga):
    """150 in every run; MUTATED_FILES=5000 for the long one."""
    now = timezone.now()
    make_lot(3, name="One", now=now)
    make_lot(2, name="Two", now=now, latitude=Decimal("-33.9"), longitude=Decimal("18.4"), max_height_cm=200)
    make_user("vera").vehicles.create(plate="V 1", plate_normalised="V1")
    kinds = {"lots": ("lots", "lot"), "spots": ("lots", "spot"), "tariffs": ("lots", "tariff"),
             "vehicles": ("accounts", "vehicle")}  # fmt: skip
    files = {kind: exported(office, *names) for kind, names in kinds.items()}
    files["lots"] += b"new,,New,2,,,Bonn,,,,,,,Europe/Berlin,EUR,1.00" + b"," * 15 + b"\r\n"
    seed = int(os.environ.get("MUTATION_SEED", "1"))
    outcomes: dict[str, int] = {}
    for number in range(ROUNDS):
        chance = random.Random(f"{seed}-{number}")
        kind = chance.choice(list(files))
        content = mutate(files[kind], chance)
        outcome = _take(kind, content, olga, now, f"{seed}-{number}")
        outcomes[outcome] = outcomes.get(outcome, 0) + 1

    print(outcomes)  # noqa: T201  of the long run
    assert sum(outcomes.values()) == ROUNDS
    assert {"refused", "has errors"} <= set(outcomes) <= {"refused", "has errors", "stopped", "imported"}


def _take(kind: str, content: bytes, olga: User, now: Any, name: str) -> str:
    """Through all steps, and undone again, so that each file finds the same house."""
    before = _counts()
    try:
        batch = batches.upload(kind=kind, file_name=name, content=content, by=olga, now=now)
    except batches.CsvRefused as refused:
        return "refused" if refused.problems else "refused without a reason"
    if batch.state == State.MAPPING:
        batches.set_reading(batch, batches.Reading(**batch.reading))
    assert batches.work_on(batch, now=now)
    if batch.state == State.REFUSED:
        assert batch.problems, name
        assert "went wrong" not in str(batch.problems), name
        assert _counts() == before, name
        return "has errors"
    batches.confirm(batch, batch.plan_sha256)
    assert batches.work_on(batch, now=now)
    assert "went wrong" not in str(batch.problems), name
    if batch.state == State.REFUSED:
        assert _counts() == before, name
        return "stopped"
    made = batch.rows.filter(action="new").count()
    assert (batch.state, made) == (State.DONE, batch.new_count)
    assert _counts()[kind] - before[kind] == made, name
    batches.undo(batch)
    batches.work_on(batch, now=now)
    assert (batch.state, batch.problems) == (State.UNDONE, []), name
    return "imported"


def _counts() -> dict[str, int]:
    vehicles = User.objects.get(email="vera@example.com").vehicles.count()
    return {
        "lots": Lot.objects.count(),
        "spots": Spot.objects.kept().count(),
        "tariffs": Tariff.objects.count(),
        "vehicles": vehicles,
    }
