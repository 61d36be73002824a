"""Whoever of the staff is shown somebody's data leaves a row behind: who, whose, what, from where."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import privacy, viewings
from accounts.models import User, Vehicle, Viewing
from accounts.tests.staff import verify
from bookings.models import Booking, Problem
from bookings.tests.api_support import API, client_for
from bookings.tests.factories import make_lot, make_user, park


@pytest.fixture
def office(olga: User) -> Client:
    return verify(Client(), olga)


@pytest.fixture
def stay(alice: User) -> Booking:
    Vehicle.objects.create(driver=alice, plate="A 1", plate_normalised="A1")
    stay = park(make_lot(2, now=timezone.now()), alice, now=timezone.now(), plate="A 1")
    Problem.objects.create(booking=stay, spot=stay.spot, kind="blocked", reported_at=timezone.now())
    return stay


def ask(office: Client, page: str, *args: Any, **query: Any) -> Viewing:
    """The one row the page left behind."""
    before = set(Viewing.objects.values_list("pk", flat=True))
    answer = office.get(reverse(f"admin:{page}", args=args), query)
    assert answer.status_code == 200
    b"".join(answer) if answer.streaming else answer.content  # type: ignore[arg-type]
    return Viewing.objects.exclude(pk__in=before).get()


def test_every_page_about_somebody_says_whose_it_is(office: Client, stay: Booking, alice: User, olga: User):
    problem = Problem.objects.get()
    pages = {
        ("accounts_user_change", alice.pk): "accounts.user",
        ("bookings_booking_change", stay.pk): "bookings.booking",
        ("bookings_booking_extend", stay.pk): "bookings.booking",
        ("bookings_booking_pass", stay.reference): "bookings.booking",
        ("bookings_problem_change", problem.pk): "bookings.problem",
        ("accounts_vehicle_change", alice.vehicles.get().pk): "accounts.vehicle",
        ("accounts_user_changelist",): "accounts.user list",
        ("bookings_booking_changelist",): "bookings.booking list",
        ("lots_spot_changelist",): "lots.spot list",
        ("bookings_problem_changelist",): "bookings.problem list",
        ("accounts_user_export_csv",): "users.csv",
        ("bookings_booking_export_csv",): "bookings.csv",
        ("reports_bookings_csv",): "report bookings.csv",
    }
    found = {page: ask(office, *page) for page in pages}

    assert {page: viewing.what for page, viewing in found.items()} == pages
    assert {tuple(viewing.ids()) for viewing in found.values()} == {(alice.pk,)}
    assert {(viewing.viewer, viewing.address) for viewing in found.values()} == {(olga, "127.0.0.1")}


def test_choices_a_field_offers_are_shown_as_well(office: Client, alice: User):
    query = {"app_label": "accounts", "model_name": "vehicle", "field_name": "driver", "term": "alice"}

    assert ask(office, "autocomplete", **query).ids() == [alice.pk]


def test_a_guests_stay_is_counted_though_nobody_is_named(office: Client, db: None):
    stay = park(make_lot(1, now=timezone.now()), None, now=timezone.now())

    viewing = ask(office, "bookings_booking_change", stay.pk)

    assert (viewing.ids(), viewing.count) == ([], 1)


def test_the_api_says_whom_it_listed(olga: User, alice: User):
    assert client_for(olga).get(f"{API}users/").status_code == 200

    viewing = Viewing.objects.get()
    assert (viewing.what, viewing.ids(), viewing.viewer) == ("API users", [alice.pk], olga)


def test_pages_about_nobody_and_about_oneself_leave_nothing(office: Client, olga: User, lot: Any):
    for page, *args in [
        ("lots_lot_changelist",),
        ("lots_lot_change", lot.pk),
        ("accounts_user_change", olga.pk),
    ]:
        assert office.get(reverse(f"admin:{page}", args=args)).status_code == 200

    assert not Viewing.objects.exists()


@pytest.mark.parametrize("count", [1, 12])
def test_a_list_costs_one_row_however_long(count: int, office: Client):
    people = [make_user().pk for _number in range(count)]

    assert ask(office, "accounts_user_changelist").ids() == sorted(people)


def test_of_a_long_file_the_count_is_kept(office: Client, stay: Booking, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(viewings, "MOST_NAMED", 2)
    for _number in range(5):
        make_user()

    viewing = ask(office, "accounts_user_export_csv")

    assert (viewing.people, viewing.count) == ("", 7)  # five, Alice and Olga


def test_rows_stay_as_they_were_written(office: Client, olga: User, alice: User):
    ask(office, "accounts_user_change", alice.pk)

    with pytest.raises(IntegrityError), transaction.atomic():
        Viewing.objects.update(people="")
    url = reverse("admin:accounts_viewing_change", args=[Viewing.objects.get().pk])
    assert office.post(url, {"what": "nothing"}).status_code == 403
    assert Viewing.objects.get().ids() == [alice.pk]


def test_they_go_after_so_many_days(office: Client, alice: User, settings: Any):
    ask(office, "accounts_user_change", alice.pk)
    settings.KEEP_VIEWINGS_DAYS = 30

    assert viewings.forget_old(now=timezone.now() + timedelta(days=29)) == 0
    assert viewings.forget_old(now=timezone.now() + timedelta(days=31)) == 1


def test_ones_own_download_tells_when_and_what_but_not_who(office: Client, alice: User, bob: User):
    ask(office, "accounts_user_change", alice.pk)
    ask(office, "accounts_user_change", bob.pk)

    told = privacy.everything_about(alice)["accounts.Viewing"]

    assert [(row["what"], row["count"]) for row in told] == [("accounts.user", 1)]
    assert set(told[0]) == {"at", "what", "count"}
    assert "olga" not in json.dumps(told, default=str)


def test_the_list_finds_by_whose_data_it_was(office: Client, alice: User, bob: User):
    ask(office, "accounts_user_change", alice.pk)
    ask(office, "accounts_user_change", bob.pk)

    answer = office.get(reverse("admin:accounts_viewing_changelist"), {"q": "bob@example.com"})

    assert [row.ids() for row in answer.context["cl"].result_list] == [[bob.pk]]
    assert "bob@example.com" in answer.content.decode()
