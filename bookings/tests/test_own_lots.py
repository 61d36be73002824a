"""Operators limited to some lots, and roles: in the back office and in the API alike."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Notice, User, Vehicle
from accounts.roles import make_roles
from accounts.tests.staff import verify
from bookings.models import Booking
from bookings.tests.api_support import API, client_for
from bookings.tests.factories import make_lot, make_user, park
from lots.models import Lot, Tariff
from lots.services import set_operators

UNKNOWN = 987_654_321


def make_staff(name: str, role: str = "", *lots: Lot, **fields: Any) -> User:
    make_roles()
    user = make_user(name, is_staff=True, **fields)
    if role:
        user.groups.add(Group.objects.get(name=role))
    for lot in lots:
        lot.operators.add(user)
    return user


@pytest.fixture
def own(db: None) -> Lot:
    return make_lot(2, now=timezone.now(), name="Own lot")


@pytest.fixture
def foreign(db: None) -> Lot:
    return make_lot(2, now=timezone.now(), name="Foreign lot")


@pytest.fixture
def stays(own: Lot, foreign: Lot, alice: User, bob: User) -> list[Booking]:
    """Alice's at our lot, Bob's at the other."""
    for driver in (alice, bob):
        Vehicle.objects.create(driver=driver, plate=driver.name, plate_normalised=driver.name.upper())
        Notice.objects.create(recipient=driver.email, user=driver, subject=driver.name)
    return [park(lot, driver, now=timezone.now()) for lot, driver in ((own, alice), (foreign, bob))]


@pytest.fixture
def limited(own: Lot, foreign: Lot) -> User:
    # Somebody else is named there too: several operators must not make one lot appear twice.
    make_staff("other", "operator", own, foreign)
    return make_staff("limited", "operator", own)


@pytest.fixture
def office(limited: User) -> Client:
    return verify(Client(), limited)


# --- The rule ---


def test_who_is_named_at_some_lots_runs_those_and_who_is_named_at_none_all(limited: User, own: Lot):
    def names(user: User) -> list[str]:
        return list(Lot.objects.run_by(user).order_by("name").values_list("name", flat=True))

    assert names(limited) == ["Own lot"]
    assert names(make_staff("free", "operator")) == ["Foreign lot", "Own lot"]
    assert names(make_staff("root", "", own, is_superuser=True)) == ["Foreign lot", "Own lot"]
    assert names(make_user("driver")) == []
    own.operators.add(driver := make_user("former"))
    assert names(driver) == []


# --- The back office ---

LISTS = ["lots_lot", "lots_spot", "lots_tariff", "bookings_booking", "accounts_vehicle", "accounts_notice"]


def worlds_of(rows: Any) -> set[str]:
    """Which of the two worlds each row belongs to."""
    worlds = {"alice@example.com": "Own lot", "bob@example.com": "Foreign lot"}
    found = set()
    for row in rows:
        person = getattr(row, "driver", None) or getattr(row, "user", None)
        place = row.name if isinstance(row, Lot) else row.lot.name if hasattr(row, "lot") else None
        found.add(place or worlds[str(person)])
    return found


@pytest.mark.parametrize("name", LISTS)
def test_lists_show_only_their_lots(name: str, stays: list[Booking], office: Client):
    url = reverse(f"admin:{name}_changelist")
    everything = verify(Client(), make_staff("free", "operator")).get(url)

    assert worlds_of(everything.context["cl"].result_list) == {"Own lot", "Foreign lot"}
    assert worlds_of(office.get(url).context["cl"].result_list) == {"Own lot"}


def test_the_list_of_people_shows_who_parked_there(stays: list[Booking], office: Client, limited: User):
    rows = office.get(reverse("admin:accounts_user_changelist")).context["cl"].result_list

    assert {row.email for row in rows} == {"alice@example.com", limited.email}


def rows_of(foreign: Lot) -> dict[str, int]:
    booking, bob = foreign.bookings.get(), User.objects.get(email="bob@example.com")
    return {
        "lots_lot": foreign.pk,
        "lots_spot": foreign.spots.first().pk,
        "lots_tariff": foreign.tariffs.get().pk,
        "bookings_booking": booking.pk,
        "accounts_user": bob.pk,
        "accounts_vehicle": bob.vehicles.get().pk,
        "accounts_notice": bob.notices.first().pk,
    }


@pytest.mark.parametrize("view", ["change", "history", "delete"])
@pytest.mark.parametrize("name", [*LISTS, "accounts_user"])
def test_pages_of_foreign_rows_answer_like_unknown_ones(
    name: str, view: str, stays: list[Booking], foreign: Lot, office: Client
):
    def ask(pk: int) -> tuple[int, str | None]:
        answer = office.get(reverse(f"admin:{name}_{view}", args=[pk]))
        return answer.status_code, answer.get("Location")

    assert ask(rows_of(foreign)[name]) == ask(UNKNOWN)
    assert ask(UNKNOWN)[0] in (302, 403, 404)


@pytest.mark.parametrize("command", ["check_in", "release", "extend", "move", "cancel"])
def test_commands_on_foreign_bookings_find_nothing(command: str, stays: list[Booking], office: Client):
    url = reverse(f"admin:bookings_booking_{command}", args=[stays[1].pk])

    assert office.post(url, {"spot": "2", "ends": "2030-01-01T10:00"}).status_code == 404
    stays[1].refresh_from_db()
    assert stays[1].state == "active"


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("lots_lot", "remove_selected"),
        ("lots_spot", "take_out_of_service"),
        ("bookings_booking", "release_selected"),
    ],
)
def test_actions_leave_foreign_rows_alone(
    name: str, action: str, stays: list[Booking], foreign: Lot, office: Client
):
    chosen = {"action": action, "_selected_action": [rows_of(foreign)[name]], "select_across": "1"}
    office.post(reverse(f"admin:{name}_changelist"), chosen)

    foreign.refresh_from_db()
    assert foreign.archived_at is None
    assert foreign.spots.in_service().count() == 2
    assert foreign.bookings.get().state == "active"


@pytest.mark.parametrize(
    ("app", "model", "field"), [("lots", "spot", "lot"), ("accounts", "vehicle", "driver")]
)
def test_choices_offer_nothing_foreign(
    app: str, model: str, field: str, stays: list[Booking], office: Client
):
    query = {"app_label": app, "model_name": model, "field_name": field}
    texts = [row["text"] for row in office.get(reverse("admin:autocomplete"), query).json()["results"]]

    assert texts
    assert not {"Foreign lot", "bob@example.com"} & set(texts)


@pytest.mark.parametrize("view", ["versions", "new", "import"])
def test_tariffs_of_foreign_lots_are_as_if_absent(view: str, foreign: Lot, own: Lot, office: Client):
    def ask(pk: int) -> int:
        return office.get(reverse(f"admin:lots_tariff_{view}", args=[pk])).status_code

    assert (ask(own.pk), ask(foreign.pk), ask(UNKNOWN)) == (200, 404, 404)


def test_files_and_drafts_of_foreign_tariffs_are_as_if_absent(foreign: Lot, office: Client):
    tariff = foreign.tariffs.get()

    assert office.get(reverse("admin:lots_tariff_download", args=[tariff.pk, "document"])).status_code == 404
    for button in ("all_versions", "start_from_this"):
        assert office.get(reverse(f"admin:lots_tariff_{button}", args=[tariff.pk])).status_code == 404
    assert office.post(reverse("admin:lots_tariff_new", args=[foreign.pk]), {}).status_code == 404
    assert office.post(reverse("admin:lots_tariff_example", args=[foreign.pk]), {}).status_code == 404
    assert Tariff.objects.filter(lot=foreign).count() == 1


def test_nobody_books_at_a_foreign_lot(foreign: Lot, own: Lot, office: Client):
    url = reverse("admin:bookings_booking_add")

    links = office.get(url).context["links"]
    assert [name for _link, name, _place in links] == ["Own lot"]
    assert "Book at which lot?" in office.get(f"{url}?lot={foreign.pk}").content.decode()
    office.post(f"{url}?lot={foreign.pk}", {"kind": "instant"})
    assert not Booking.objects.exists()


# --- Limits themselves ---


def test_only_a_superuser_sets_limits(own: Lot, office: Client, olga: User):
    url = reverse("admin:lots_lot_change", args=[own.pk])

    assert "operators" not in office.get(url).context["adminform"].form.fields
    assert "operators" in verify(Client(), olga).get(url).context["adminform"].form.fields


def test_who_is_limited_runs_the_lots_they_make(limited: User, own: Lot):
    client = client_for(limited)
    answer = client.post(
        f"{API}lots/", {"name": "Third", "capacity": 1, "price_per_hour": "1.00"}, format="json"
    )

    assert answer.status_code == 201
    assert set(Lot.objects.run_by(limited).values_list("name", flat=True)) == {"Own lot", "Third"}


# --- The API ---


@pytest.fixture
def program(limited: User) -> APIClient:
    return client_for(limited)


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_the_api_changes_no_foreign_lot(method: str, foreign: Lot, program: APIClient):
    def ask(slug: str) -> tuple[int, Any]:
        answer = getattr(program, method)(f"{API}lots/{slug}/", {"name": "Mine now"}, format="json")
        return answer.status_code, answer.json()["detail"]

    assert ask(foreign.slug) == ask("no-such-lot")
    assert ask(foreign.slug)[0] == 404
    foreign.refresh_from_db()
    assert (foreign.name, foreign.archived_at) == ("Foreign lot", None)


def test_the_api_shows_foreign_lots_as_everybody_sees_them(own: Lot, foreign: Lot, program: APIClient):
    assert program.get(f"{API}lots/{foreign.slug}/").status_code == 200
    Lot.objects.update(is_active=False)

    assert program.get(f"{API}lots/{foreign.slug}/").status_code == 404
    assert program.get(f"{API}lots/{own.slug}/").status_code == 200
    assert program.patch(f"{API}lots/{own.slug}/", {"is_active": True}, format="json").status_code == 200


def test_the_api_lists_the_people_who_parked_there(stays: list[Booking], program: APIClient, limited: User):
    rows = program.get(f"{API}users/").json()["results"]

    assert {row["email"] for row in rows} == {"alice@example.com", limited.email}


# --- Roles ---

# What each role may do through the API: add, change and remove a lot, see people.
API_RIGHTS = {
    "": [403, 403, 403, 403],
    "viewer": [403, 403, 403, 403],
    "cashier": [403, 403, 403, 200],
    "operator": [201, 200, 204, 200],
}


@pytest.mark.parametrize("role", list(API_RIGHTS))
def test_being_staff_is_not_enough_for_the_api(role: str, own: Lot):
    client = client_for(make_staff("someone", role))
    new = {"name": "New", "capacity": 1, "price_per_hour": "1.00"}
    answers = [
        client.post(f"{API}lots/", new, format="json"),
        client.patch(f"{API}lots/{own.slug}/", {"name": "Renamed"}, format="json"),
        client.delete(f"{API}lots/{own.slug}/"),
        client.get(f"{API}users/"),
    ]

    assert [answer.status_code for answer in answers] == API_RIGHTS[role]


def test_lots_that_are_switched_off_need_a_role(own: Lot):
    Lot.objects.update(is_active=False)

    seen = {
        role: client_for(make_staff(f"s{role}", role)).get(f"{API}lots/{own.slug}/").status_code
        for role in API_RIGHTS
    }
    assert seen == {"": 404, "viewer": 200, "cashier": 200, "operator": 200}


@pytest.mark.parametrize("role", ["viewer", "cashier"])
def test_viewers_and_cashiers_read_and_change_nothing_in_the_back_office(
    role: str, stays: list[Booking], own: Lot
):
    desk = verify(Client(), make_staff("someone", role))
    spot, booking = own.spots.first(), stays[0]
    pages = [
        reverse("admin:lots_lot_change", args=[own.pk]),
        reverse("admin:lots_spot_change", args=[spot.pk]),
        reverse("admin:bookings_booking_change", args=[booking.pk]),
        reverse("admin:lots_tariff_versions", args=[own.pk]),
    ]
    assert [desk.get(page).status_code for page in pages] == [200] * 4

    levers = [
        *pages[:3],
        reverse("admin:lots_lot_add"),
        reverse("admin:lots_lot_delete", args=[own.pk]),
        reverse("admin:lots_tariff_new", args=[own.pk]),
        reverse("admin:lots_tariff_import", args=[own.pk]),
        reverse("admin:bookings_booking_add"),
        reverse("admin:bookings_booking_release", args=[booking.pk]),
    ]
    answers = [desk.post(lever, {"name": "Theirs", "post": "yes", "number": "9"}) for lever in levers]
    assert {answer.status_code for answer in answers} <= {302, 403}
    for name, action in [("lots_lot", "remove_selected"), ("lots_spot", "take_out_of_service"),
                         ("bookings_booking", "release_selected")]:  # fmt: skip
        row = {"lots_lot": own, "lots_spot": spot, "bookings_booking": booking}[name]
        desk.post(reverse(f"admin:{name}_changelist"), {"action": action, "_selected_action": [row.pk]})

    own.refresh_from_db()
    booking.refresh_from_db()
    assert (own.name, own.archived_at, own.tariffs.count()) == ("Own lot", None, 1)
    assert own.spots.in_service().count() == 2
    assert booking.state == "active"
    assert Lot.objects.count() == 2


def test_the_record_of_changes_tells_of_own_lots_alone(own: Lot, foreign: Lot, office: Client, olga: User):
    users = [*own.operators.all(), make_staff("newcomer")]
    set_operators(lot=own, users=users, by=olga, now=timezone.now())

    def shown(client: Client) -> set[str]:
        rows = client.get(reverse("admin:accounts_change_changelist")).context["cl"].result_list
        return {row.name for row in rows}

    assert shown(verify(Client(), olga)) >= {"Own lot", "Foreign lot", "Own lot v1", "Foreign lot v1", ""}
    assert shown(office) == {"Own lot", "Own lot v1"}
