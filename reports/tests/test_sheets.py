"""Files in and out of the back office."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts import csv_files
from accounts.models import Change, User, Vehicle
from accounts.roles import make_roles
from accounts.tests.staff import verify
from bookings import services
from bookings.tests.factories import HOUR, make_lot, make_user, park, reserve
from lots import rates
from lots.models import Lot, Spot, Tariff
from lots.services import publish_tariff, tariff_at, update_lot
from reports import tasks
from reports.sheets import batches
from reports.sheets.models import ImportBatch

pytestmark = pytest.mark.django_db
State = ImportBatch.State


@pytest.fixture
def office(client: Client, olga: User) -> Client:
    return verify(client, olga)


def table(content: bytes | str) -> list[dict[str, str]]:
    text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
    return list(csv.DictReader(io.StringIO(text, newline="")))


def exported(office: Client, app: str, model: str) -> bytes:
    response = office.get(reverse(f"admin:{app}_{model}_export_csv"))
    assert response.status_code == 200, response.status_code
    return b"".join(response.streaming_content)


def sent(office: Client, kind: str, content: bytes | str, name: str = "file.csv") -> Any:
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    file.name = name
    return office.post(reverse("admin:reports_importbatch_upload", args=[kind]), {"file": file})


def imported(office: Client, kind: str, content: bytes | str) -> ImportBatch:
    assert sent(office, kind, content).status_code == 302
    batch = ImportBatch.objects.latest("pk")
    if batch.state == State.READY:
        confirm(office, batch)
        batch.refresh_from_db()
    return batch


def confirm(office: Client, batch: ImportBatch) -> Any:
    page = office.get(reverse("admin:reports_importbatch_change", args=[batch.pk]))
    return office.post(
        reverse("admin:reports_importbatch_confirm", args=[batch.pk]), {"token": page.context["token"]}
    )


def problems(batch: ImportBatch) -> list[tuple[int, str]]:
    return [(problem["line"], problem["column"]) for problem in batch.problems]


@pytest.mark.promise("P4")
@pytest.mark.parametrize(
    ("kind", "app", "model"),
    [("lots", "lots", "lot"), ("spots", "lots", "spot"), ("tariffs", "lots", "tariff"),
     ("vehicles", "accounts", "vehicle")],
)  # fmt: skip
def test_an_export_imported_again_changes_nothing(office, lot, alice, kind, app, model):
    make_lot(2, name="-1+1 =Formula", now=timezone.now(), address_line1=" @home", phone="+49 30 1", city="'x")
    Vehicle.objects.create(driver=alice, plate="-B 1", plate_normalised="B1", country="DE")

    batch = imported(office, kind, exported(office, app, model))

    assert (batch.state, batch.new_count, batch.changed_count, batch.problems) == (State.DONE, 0, 0, [])
    assert batch.row_count > 0


LOTS = "slug,name,capacity,price_per_hour,city,timezone,currency,max_height_cm\n"


def lots_file(*rows: str) -> str:
    """The columns a person would write; which is which is clear from the names."""
    return LOTS + "".join(f"{row}\n" for row in rows)


def mapped(office: Client, kind: str, content: bytes | str, **said: str) -> ImportBatch:
    """Uploaded, the columns as they were guessed plus what is said, and checked."""
    response = sent(office, kind, content)
    assert response.status_code == 302, response.context["problems"]
    batch = ImportBatch.objects.latest("pk")
    if batch.state == State.MAPPING:
        url = reverse("admin:reports_importbatch_columns", args=[batch.pk])
        form = office.get(url).context["form"]
        data = {name: field.initial for name, field in form.fields.items() if field.initial}
        assert office.post(url, data | said).status_code == 302
        batch.refresh_from_db()
    return batch


def done(office: Client, kind: str, content: bytes | str, **said: str) -> ImportBatch:
    batch = mapped(office, kind, content, **said)
    assert batch.problems == []
    confirm(office, batch)
    batch.refresh_from_db()
    assert (batch.state, batch.problems) == (State.DONE, [])
    return batch


def undone(office: Client, batch: ImportBatch) -> ImportBatch:
    office.post(reverse("admin:reports_importbatch_undo", args=[batch.pk]))
    batch.refresh_from_db()
    return batch


def state_of_house() -> list[Any]:
    """Every value an import may touch."""
    return [
        list(model.objects.order_by("pk").values())  # type: ignore[attr-defined]
        for model in (Lot, Spot, Tariff, Vehicle)
    ]


def without_versions(house: list[Any]) -> list[Any]:
    """A price that went there and back leaves tariff versions behind: bookings made meanwhile have them."""
    return [house[0], house[1], house[3]]


@pytest.mark.promise("S2-12")
def test_lots_are_made_and_changed_and_the_import_can_be_undone(office, lot, olga):
    lot.refresh_from_db()
    before = state_of_house()
    content = lots_file(
        "alexanderplatz,Alex,5,3.10,Berlin,Europe/Berlin,EUR,210",
        "north,North,2,-0.00,Bonn,Europe/Berlin,EUR,",
    )

    batch = done(office, "lots", content)

    assert (batch.new_count, batch.changed_count, batch.by) == (1, 1, olga)
    lot.refresh_from_db()
    assert (lot.name, lot.price_per_hour, lot.max_height_cm) == ("Alex", Decimal("3.100"), 210)
    assert lot.spots.kept().count() == 5
    north = Lot.objects.get(slug="north")
    assert (north.spots.count(), north.tariffs.count(), north.is_active) == (2, 1, True)
    assert mapped(office, "lots", content).new_count == 0  # the second time, nothing

    assert undone(office, batch).state == State.UNDONE

    after = state_of_house()
    spots = [spot for spot in after[1] if spot["retired_at"] is None]
    assert [after[0], spots, after[3]] == without_versions(before)
    assert Lot.objects.get().tariffs.count() == 3  # 2.50, 3.10, 2.50 again


def test_a_price_that_is_undone_is_the_whole_tariff_that_was(office, lot, olga):
    rich = rates.minimum_one_hour(Decimal(4), "EUR")
    publish_tariff(lot, rich, by=olga, now=timezone.now())

    batch = done(office, "lots", lots_file("alexanderplatz,Alex,3,9.00,Berlin,Europe/Berlin,EUR,"))
    assert tariff_at(lot, timezone.now()).rates == rates.simple(Decimal(9), "EUR")
    undone(office, batch)

    assert tariff_at(lot, timezone.now()).rates == rich
    lot.refresh_from_db()
    assert lot.price_per_hour == 4


def test_what_somebody_changed_since_is_not_undone_and_nothing_else_is(office, lot):
    make_lot(1, name="South", now=timezone.now())
    batch = done(
        office,
        "lots",
        lots_file(
            "alexanderplatz,Alex,3,2.5,Berlin,Europe/Berlin,EUR,", "south,Süd,1,2.5,,Europe/Berlin,EUR,"
        ),
    )
    update_lot(lot_id=lot.pk, by=None, now=timezone.now(), name="Another name")

    assert undone(office, batch).state == State.DONE

    assert [p["sentence"] for p in batch.problems] == ["Alex was changed since."]
    assert Lot.objects.get(slug="south").name == "Süd"


def test_a_new_lot_somebody_booked_is_not_undone(office, alice):
    batch = done(office, "lots", lots_file("north,North,2,1.00,Bonn,Europe/Berlin,EUR,"))
    reserve(Lot.objects.get(), alice, now=timezone.now().replace(minute=0, second=0, microsecond=0))

    assert undone(office, batch).state == State.DONE
    assert "has bookings" in batch.problems[0]["sentence"]
    assert Lot.objects.get().spots.count() == 2


@pytest.mark.promise("S4-08")
def test_spots_are_made_changed_brought_back_and_put_back_as_they_were(office, lot, olga):
    services.set_capacity(lot_id=lot.pk, capacity=2, by=olga, now=timezone.now())
    before = state_of_house()
    content = (
        "lot,number,floor,features,power_kw,is_in_service\n"
        "alexanderplatz,1,2,ev covered,11.0,true\n"
        "alexanderplatz,3,,,,true\n"
        "alexanderplatz,A7,-1,accessible,,false\n"
    )

    batch = done(office, "spots", content)

    assert (batch.new_count, batch.changed_count) == (1, 2)
    first, third, new = (Spot.objects.get(number=number) for number in ("1", "3", "A7"))
    assert (first.features, first.power_kw, first.floor) == (("covered", "ev"), Decimal("11.0"), "2")
    told = Change.objects.get(kind="lots.spot", object_id=first.pk)
    assert (told.by, told.through, ["floor", "", "2"] in told.fields) == (olga, batch.file_name, True)
    assert third.retired_at is None
    assert (new.scarcity, new.is_in_service, new.floor) == (1, False, "-1")
    assert undone(office, batch).state == State.UNDONE
    assert state_of_house() == before


def test_a_spot_in_use_keeps_what_its_booking_relies_on(office, lot, alice):
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    booking = reserve(lot, alice, now=now)
    content = f"lot,number,is_in_service\nalexanderplatz,{booking.spot.number},false\n"

    batch = mapped(office, "spots", content)

    assert [(p["line"], p["sentence"]) for p in batch.problems] == [
        (2, "This spot is in use now or booked later.")
    ]
    assert batch.state == State.REFUSED


def test_a_spot_booked_between_checking_and_importing_stops_the_import(office, lot, alice):
    content = "lot,number,is_in_service,floor\nalexanderplatz,2,true,9\nalexanderplatz,1,false,9\n"
    batch = mapped(office, "spots", content)
    assert batch.state == State.READY
    reserve(lot, alice, now=timezone.now().replace(minute=0, second=0, microsecond=0))

    confirm(office, batch)

    batch.refresh_from_db()
    assert (batch.state, problems(batch)) == (State.REFUSED, [(3, "")])
    assert not Spot.objects.exclude(floor="").exists()


def test_tariffs_are_published_as_versions_and_never_changed(office, lot):
    document = json.dumps(rates.simple(Decimal("7.00"), "EUR").to_json()).replace('"', '""')
    batch = done(office, "tariffs", f'lot,document\nalexanderplatz,"{document}"\n')

    assert list(lot.tariffs.order_by("version").values_list("version", flat=True)) == [1, 2]
    lot.refresh_from_db()
    assert lot.price_per_hour == 7
    again = mapped(office, "tariffs", f'lot,document\nalexanderplatz,"{document}"\n')
    assert (again.new_count, again.changed_count) == (0, 0)
    other = mapped(office, "tariffs", f'lot,version,document\nalexanderplatz,1,"{document}"\n')
    assert "never changed" in other.problems[0]["sentence"]

    assert undone(office, batch).state == State.UNDONE
    lot.refresh_from_db()
    assert (lot.tariffs.count(), lot.price_per_hour) == (1, Decimal("2.5"))


def test_vehicles_are_made_and_changed_and_the_import_can_be_undone(office, alice, bob):
    Vehicle.objects.create(driver=bob, plate="B OB 1", plate_normalised="BOB1")
    before = state_of_house()
    content = "email,plate,kind\nALICE@example.com,B AL 1,van\nbob@example.com,bob1,truck\n"

    batch = done(office, "vehicles", content)

    assert {(v.driver.email, v.plate, v.kind) for v in Vehicle.objects.all()} == {
        ("alice@example.com", "B AL 1", "van"),
        ("bob@example.com", "bob1", "truck"),
    }
    assert alice.vehicles.get().is_default
    undone(office, batch)
    assert state_of_house() == before


@pytest.mark.promise("D3")
def test_mistakes_are_told_by_line_and_column_and_nothing_is_written(office, lot):
    before = state_of_house()
    content = lots_file(
        "good,Good,2,1.00,Bonn,Europe/Berlin,EUR,",
        "bad,Bad,two,1.00,Bonn,Europe/Nowhere,EUR,5",
        "good,Good again,2,1.00,Bonn,Europe/Berlin,EUR,",
        "worse,,2,cheap,Bonn,Europe/Berlin,euro,",
    )

    batch = mapped(office, "lots", content)

    assert batch.state == State.REFUSED
    assert problems(batch) == [(3, "capacity"), (4, ""), (5, "name")]
    assert state_of_house() == before
    page = office.get(reverse("admin:reports_importbatch_change", args=[batch.pk]))
    assert "is not a whole number" in page.content.decode()
    file = office.get(reverse("admin:reports_importbatch_errors", args=[batch.pk])).content
    assert [(row["line"], row["column"]) for row in table(file)] == [
        ("3", "capacity"),
        ("4", ""),
        ("5", "name"),
    ]


@pytest.mark.promise("P4")
def test_what_has_changed_since_it_was_shown_is_not_imported(office, lot):
    batch = mapped(office, "lots", lots_file("alexanderplatz,Alex,3,2.5,Berlin,Europe/Berlin,EUR,"))
    update_lot(lot_id=lot.pk, by=None, now=timezone.now(), name="Meanwhile")

    confirm(office, batch)

    batch.refresh_from_db()
    lot.refresh_from_db()
    assert (batch.state, lot.name) == (State.REFUSED, "Meanwhile")
    assert "has changed since" in batch.problems[0]["sentence"]


def test_only_what_was_shown_to_me_is_confirmed(office, client, lot):
    mine = mapped(office, "lots", lots_file("alexanderplatz,Alex,3,2.5,Berlin,Europe/Berlin,EUR,"))
    token = office.get(reverse("admin:reports_importbatch_change", args=[mine.pk])).context["token"]
    mapped(office, "lots", lots_file("alexanderplatz,Alex,3,2.5,Berlin,Europe/Berlin,EUR,"))  # the same plan
    other = ImportBatch.objects.latest("pk")

    for said in (token, "", f"{token}x"):
        office.post(reverse("admin:reports_importbatch_confirm", args=[other.pk]), {"token": said})

    other.refresh_from_db()
    lot.refresh_from_db()
    assert (other.state, lot.name) == (State.READY, "Alexanderplatz")


def limited(client: Client, lot: Lot, role: str = "operator") -> Client:
    make_roles()
    user = make_user("limited", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    lot.operators.add(user)
    return verify(client, user)


@pytest.mark.promise("P1")
def test_an_operator_of_some_lots_exports_and_imports_only_theirs(client, lot, alice):
    theirs = make_lot(2, name="Theirs", now=timezone.now())
    office = limited(client, theirs)

    assert {row["slug"] for row in table(exported(office, "lots", "lot"))} == {"theirs"}
    assert {row["lot"] for row in table(exported(office, "lots", "spot"))} == {"theirs"}
    assert {row["lot"] for row in table(exported(office, "lots", "tariff"))} == {"theirs"}
    assert table(exported(office, "accounts", "vehicle")) == []
    foreign = [
        ("lots", lots_file("alexanderplatz,Mine now,3,2.5,Berlin,Europe/Berlin,EUR,"), (2, "slug")),
        ("spots", "lot,number,floor\nalexanderplatz,1,9\n", (2, "lot")),
        ("spots", "lot,number,floor\nno-such-lot,1,9\n", (2, "lot")),
        ("vehicles", "email,plate\nalice@example.com,B 1\n", (2, "email")),
    ]
    for kind, content, place in foreign:
        assert problems(mapped(office, kind, content)) == [place], kind
    made = done(office, "lots", lots_file("mine,Mine,3,2.5,Berlin,Europe/Berlin,EUR,"))
    assert {row["slug"] for row in table(exported(office, "lots", "lot"))} == {"theirs", "mine"}
    url = reverse("admin:reports_importbatch_change", args=[made.pk])
    assert verify(Client(), make_user("other", is_staff=True)).get(url).status_code == 403


def test_who_only_looks_neither_imports_nor_exports(client, lot):
    office = limited(client, lot, role="viewer")

    assert sent(office, "lots", LOTS).status_code == 403
    assert office.get(reverse("admin:lots_lot_export_csv")).status_code == 403
    assert office.get(reverse("admin:accounts_user_export_csv")).status_code == 403
    assert "export.csv" not in office.get(reverse("admin:lots_lot_changelist")).content.decode()


@pytest.mark.promise("D4")
def test_every_export_is_inert(office, lot, alice):
    formula = '=HYPERLINK("http://x","y")'
    User.objects.filter(pk=alice.pk).update(name=formula, phone="+41 1", address="@x")
    booking = reserve(lot, alice, now=timezone.now().replace(minute=0, second=0, microsecond=0), plate="-1+1")
    Lot.objects.filter(pk=lot.pk).update(name=formula, latitude=Decimal("-33.9"))
    Spot.objects.filter(lot=lot).update(building="|cmd", floor="-1")

    for app, model in [("lots", "lot"), ("lots", "spot"), ("accounts", "user"), ("bookings", "booking")]:
        for row in table(exported(office, app, model)):
            for name, cell in row.items():
                assert name == "latitude" or not csv_files.STARTS_A_FORMULA.match(cell) or cell[0] == "'"
    row = table(exported(office, "lots", "lot"))[0]
    assert (row["latitude"], row["name"]) == ("-33.900000", f"'{formula}")
    assert table(exported(office, "bookings", "booking"))[0]["plate"] == f"'{booking.plate}"


@pytest.mark.parametrize(
    ("app", "model"),
    [("lots", "lot"), ("lots", "spot"), ("lots", "tariff"), ("accounts", "vehicle"), ("accounts", "user"),
     ("bookings", "booking"), ("bookings", "payment")],
)  # fmt: skip
def test_an_export_takes_as_many_queries_for_many_rows_as_for_one(office, olga, app, model):
    def fill(count: int) -> None:
        for _i in range(count):
            lot = make_lot(2, now=timezone.now() - timedelta(days=1))
            driver = make_user()
            Vehicle.objects.create(driver=driver, plate="A 1", plate_normalised="A1")
            stay = park(lot, driver, now=timezone.now() - 2 * HOUR)
            stay = services.release(stay, by=driver, now=timezone.now())
            services.record_desk_payment(stay, method="cash", by=olga, now=timezone.now())

    fill(1)
    exported(office, app, model)
    with CaptureQueriesContext(connection) as few:
        exported(office, app, model)
    fill(4)
    with CaptureQueriesContext(connection) as many:
        rows = table(exported(office, app, model))

    assert len(rows) >= 5
    assert len(many) == len(few) <= 15


def test_chosen_rows_and_spreadsheets(office, lot):
    make_lot(1, name="Other", now=timezone.now())

    response = office.post(
        reverse("admin:lots_lot_changelist"), {"action": "export_chosen", "_selected_action": [lot.pk]}
    )
    assert [row["slug"] for row in table(b"".join(response.streaming_content))] == ["alexanderplatz"]
    assert response["Content-Disposition"] == 'attachment; filename="lots.csv"'
    sheet = office.get(reverse("admin:lots_lot_export_for_spreadsheets"))
    content = b"".join(sheet.streaming_content)
    assert content.startswith(b"\xef\xbb\xbfslug;source_id;")
    batch = imported(office, "lots", content)
    assert (batch.state, batch.changed_count, batch.row_count) == (State.DONE, 0, 2)


def test_large_files_are_worked_on_by_a_sweep_with_a_progress_bar(office, lot, monkeypatch):
    monkeypatch.setattr(batches, "WHILE_WAITING", 1)
    content = lots_file(*(f"lot-{n},Lot {n},1,1.00,Bonn,Europe/Berlin,EUR," for n in range(3)))
    batch = mapped(office, "lots", content)
    url = reverse("admin:reports_importbatch_change", args=[batch.pk])

    assert batch.state == State.CHECKING
    assert "<progress" in office.get(url).content.decode()
    assert batches.run_due(now=timezone.now()) == 1
    batch.refresh_from_db()
    assert (batch.state, batch.rows_done) == (State.READY, 3)
    assert "<progress" not in office.get(url).content.decode()
    confirm(office, batch)
    assert Lot.objects.count() == 1
    tasks.run_imports()
    assert Lot.objects.count() == 4


@pytest.mark.promise("S4-09")
def test_of_two_imports_at_once_the_second_waits(office, lot):
    first = mapped(office, "lots", lots_file("a,A,1,1,Bonn,Europe/Berlin,EUR,"))
    now = timezone.now()
    ImportBatch.objects.filter(pk=first.pk).update(slot=1, lease_until=now + batches.LEASE)

    second = mapped(office, "lots", lots_file("b,B,1,1,Bonn,Europe/Berlin,EUR,"))
    assert second.state == State.CHECKING
    assert batches.run_due(now=now) == 0

    assert batches.run_due(now=now + 2 * batches.LEASE) == 1  # whoever had it is dead
    second.refresh_from_db()
    assert second.state == State.READY


def test_an_import_that_fails_leaves_nothing_and_says_so(office, lot, monkeypatch):
    def dies(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("no")

    batch = mapped(
        office,
        "lots",
        lots_file("new,New,1,1,Bonn,Europe/Berlin,EUR,", "alexanderplatz,X,3,2.5,Berlin,Europe/Berlin,EUR,"),
    )
    monkeypatch.setattr("reports.sheets.lots.create_lots", dies)
    confirm(office, batch)

    batch.refresh_from_db()
    lot.refresh_from_db()
    assert (batch.state, lot.name, batch.slot) == (State.REFUSED, "Alexanderplatz", None)
    assert "nothing was changed" in batch.problems[0]["sentence"]


def test_files_are_forgotten_after_a_season(office, lot):
    done(office, "lots", lots_file("new,New,1,1,Bonn,Europe/Berlin,EUR,"))

    assert batches.forget_old(now=timezone.now() + timedelta(days=89)) == 0
    assert batches.forget_old(now=timezone.now() + timedelta(days=91))
    assert not ImportBatch.objects.exists()
