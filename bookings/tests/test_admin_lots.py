"""Lots and spots in the back office: the services do it, and their refusals are seen."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.tests.staff import verify
from bookings.models import Booking
from bookings.tests.factories import make_lot, make_user, park
from lots.models import Lot, Spot

LIST = reverse("admin:lots_lot_changelist")
SPOTS = reverse("admin:lots_spot_changelist")


@pytest.fixture
def office(olga: User) -> Client:
    return verify(Client(), olga)


@pytest.fixture
def open_lot(db: None) -> Lot:
    """The admin reads the real clock, so this lot and its bookings live now."""
    return make_lot(3, now=timezone.now() - timedelta(days=1), name="Alexanderplatz", city="Berlin")


def change_page(lot: Lot) -> str:
    return reverse("admin:lots_lot_change", args=[lot.pk])


def form_of(client: Client, url: str) -> dict[str, Any]:
    """What a browser would send back if nothing was typed."""
    form = client.get(url).context["adminform"].form
    data = {}
    for field in form:
        value = field.value()
        if isinstance(value, bool):
            data |= {field.html_name: "on"} if value else {}
        else:
            data[field.html_name] = "" if value is None else value
    return data


def text(answer: Any) -> str:
    return answer.content.decode().replace("\xa0", " ").replace("&nbsp;", " ")


# --- Adding and changing a lot ---


@pytest.mark.promise("S1-02", "S1-05", "S4-09", "S4-10", "S2-09", "S3-10")
def test_adding_a_lot_makes_its_spots(office: Client):
    url = reverse("admin:lots_lot_add")
    data = form_of(office, url) | {
        "name": "Nordmarkt",
        "capacity": "4",
        "price_per_hour": "1.80",
        "timezone": "Europe/Berlin",
        "weekly_hours": "Mo-Fr 08:00-20:00",
        "closings": "2030-12-24 00:00 – 2030-12-26 00:00",
    }

    assert office.post(url, data).status_code == 302

    lot = Lot.objects.get()
    assert (lot.slug, lot.price_per_hour) == ("nordmarkt", Decimal("1.80"))
    assert [spot.number for spot in lot.spots.by_number()] == ["1", "2", "3", "4"]
    assert lot.tariffs.count() == 1
    assert len(lot.hours.weekly) == 5
    assert len(lot.hours.closings) == 1


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("capacity", "30000", "less than or equal to 20000"),
        ("timezone", "Berlin", "no time zone"),
        ("weekly_hours", "sometimes", "sometimes"),
        ("price_per_hour", "-1", "greater than or equal to 0"),
        ("closings", "2030-03-31 02:30 – 2030-03-31 05:00", "does not exist"),
    ],
)
def test_bad_input_is_told_at_its_field(field: str, value: str, sentence: str, office: Client):
    url = reverse("admin:lots_lot_add")
    good = {"name": "Nordmarkt", "capacity": "4", "price_per_hour": "1.80", "timezone": "Europe/Berlin"}

    answer = office.post(url, form_of(office, url) | good | {field: value})

    assert sentence in str(answer.context["adminform"].form.errors[field])
    assert not Lot.objects.exists()


@pytest.mark.promise("S4-12")
def test_raising_the_capacity_adds_the_next_spots(open_lot: Lot, office: Client):
    url = change_page(open_lot)

    office.post(url, form_of(office, url) | {"capacity": "5"})

    assert [spot.number for spot in open_lot.spots.kept().by_number()] == ["1", "2", "3", "4", "5"]


@pytest.mark.promise("S4-13")
def test_lowering_it_past_a_spot_in_use_is_refused_and_changes_nothing(open_lot: Lot, office: Client):
    park(open_lot, make_user(), now=timezone.now(), spot_number="3")
    url = change_page(open_lot)

    answer = office.post(
        url, form_of(office, url) | {"capacity": "1", "name": "Renamed", "price_per_hour": "9"}
    )

    errors = answer.context["adminform"].form.errors
    assert "Spot 3 is in use now or booked later." in errors["capacity"]
    open_lot.refresh_from_db()
    assert (open_lot.name, open_lot.spots.kept().count()) == ("Alexanderplatz", 3)
    assert open_lot.tariffs.count() == 1


@pytest.mark.promise("S1-03", "S4-11")
def test_a_new_price_is_a_new_tariff_and_the_history_names_the_operator(
    open_lot: Lot, office: Client, olga: User
):
    url = change_page(open_lot)

    office.post(url, form_of(office, url) | {"price_per_hour": "3.00"})

    assert [tariff.version for tariff in open_lot.tariffs.order_by("version")] == [1, 2]
    assert open_lot.tariffs.get(version=2).made_by == olga
    history = text(office.get(reverse("admin:lots_lot_history", args=[open_lot.pk]), follow=True))
    assert "olga@example.com" in history
    assert "<del>2.5</del> → <ins>3</ins>" in history


def test_saving_without_a_change_changes_nothing(open_lot: Lot, office: Client):
    url = change_page(open_lot)
    before = Lot.objects.values().get(pk=open_lot.pk)

    assert office.post(url, form_of(office, url)).status_code == 302

    assert Lot.objects.values().get(pk=open_lot.pk) == before
    assert open_lot.tariffs.count() == 1


# --- Removing ---


@pytest.mark.promise("S1-04", "S4-14")
def test_deleting_an_unused_lot_archives_it(open_lot: Lot, office: Client):
    url = reverse("admin:lots_lot_delete", args=[open_lot.pk])
    assert "kept" in text(office.get(url))

    assert office.post(url).status_code == 302

    open_lot.refresh_from_db()
    assert open_lot.archived_at is not None
    assert "Alexanderplatz" not in text(office.get(LIST)).split("was deleted")[-1]
    assert "Alexanderplatz" in text(office.get(f"{LIST}?archived=yes"))


@pytest.mark.promise("S4-14")
def test_deleting_a_lot_in_use_is_refused(open_lot: Lot, office: Client):
    park(open_lot, make_user(), now=timezone.now())

    answer = office.post(reverse("admin:lots_lot_delete", args=[open_lot.pk]), follow=True)

    assert "Cannot delete lot with occupied spots." in text(answer)
    open_lot.refresh_from_db()
    assert open_lot.archived_at is None


def test_several_at_once_are_archived_or_named(open_lot: Lot, office: Client):
    used = make_lot(1, now=timezone.now() - timedelta(days=1), name="Westkreuz")
    park(used, make_user(), now=timezone.now())

    answer = office.post(
        LIST, {"action": "remove_selected", "_selected_action": [open_lot.pk, used.pk]}, follow=True
    )

    assert "Westkreuz: Cannot delete lot with occupied spots." in text(answer)
    assert list(Lot.objects.kept()) == [used]
    assert "delete_selected" not in dict(answer.context["cl"].model_admin.get_actions(answer.wsgi_request))


# --- The live state ---


@pytest.mark.promise("S1-07", "S4-15", "S4-38")
def test_the_spots_page_tells_who_stands_where(open_lot: Lot, office: Client):
    driver = make_user("dora")
    park(open_lot, driver, now=timezone.now() - timedelta(hours=1), plate="B AB 123", spot_number="2")

    page = text(office.get(f"{SPOTS}?lot__id__exact={open_lot.pk}"))

    assert "dora@example.com" in page
    assert "B AB 123" in page
    assert "occupied until" in page
    assert "2.50 EUR" in page


@pytest.mark.promise("S4-08")
def test_the_list_of_lots_counts_what_is_free(open_lot: Lot, office: Client):
    park(open_lot, make_user(), now=timezone.now())

    lot = office.get(LIST).context["cl"].result_list[0]

    assert (lot.capacity, lot.free_now) == (3, 2)


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_of_lots_asks_the_same_however_long(
    rows: int, office: Client, django_assert_max_num_queries: Any
):
    for _ in range(rows):
        make_lot(2)

    with django_assert_max_num_queries(8):
        office.get(LIST)


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_of_spots_asks_the_same_however_long(
    rows: int, office: Client, django_assert_num_queries: Any
):
    lot = make_lot(3, now=timezone.now() - timedelta(days=1))
    for _ in range(rows):
        park(lot, make_user(), now=timezone.now() - timedelta(minutes=30))

    with django_assert_num_queries(11):
        office.get(SPOTS)


# --- Spots ---


def spot_page(spot: Spot) -> str:
    return reverse("admin:lots_spot_change", args=[spot.pk])


@pytest.mark.promise("S2-10")
def test_a_spot_is_changed_by_the_service(open_lot: Lot, office: Client):
    spot = open_lot.spots.get(number="1")
    url = spot_page(spot)

    office.post(url, form_of(office, url) | {"number": "A1", "features": ["ev", "covered"], "power_kw": "22"})

    spot.refresh_from_db()
    assert (spot.number, spot.features_set(), spot.power_kw) == ("A1", ("covered", "ev"), Decimal("22.0"))


def test_renaming_a_spot_in_use_is_refused(open_lot: Lot, office: Client):
    park(open_lot, make_user(), now=timezone.now(), spot_number="1")
    spot = open_lot.spots.get(number="1")
    url = spot_page(spot)

    answer = office.post(url, form_of(office, url) | {"number": "A1"})

    assert "in use now or booked later" in str(answer.context["adminform"].form.errors)
    spot.refresh_from_db()
    assert spot.number == "1"


def test_spots_go_out_of_service_unless_they_are_used(open_lot: Lot, office: Client):
    park(open_lot, make_user(), now=timezone.now(), spot_number="1")
    spots = list(open_lot.spots.by_number())

    answer = office.post(
        SPOTS,
        {"action": "take_out_of_service", "_selected_action": [spot.pk for spot in spots]},
        follow=True,
    )

    assert "Spot 1 is in use now or booked later." in text(answer)
    assert "2 spots put out of service." in text(answer)
    assert [spot.number for spot in open_lot.spots.in_service()] == ["1"]


def test_spots_are_neither_added_nor_deleted_by_hand(open_lot: Lot, office: Client):
    spot = open_lot.spots.first()

    assert office.get(reverse("admin:lots_spot_add")).status_code == 403
    assert office.post(reverse("admin:lots_spot_delete", args=[spot.pk]), {"post": "yes"}).status_code == 403


def test_staff_without_rights_change_nothing(open_lot: Lot, db: None):
    clerk = verify(Client(), make_user("clerk", is_staff=True))

    assert clerk.get(LIST).status_code == 403
    assert clerk.post(reverse("admin:lots_lot_delete", args=[open_lot.pk])).status_code in (302, 403)
    assert Lot.objects.kept().count() == 1
    assert not Booking.objects.exists()
