"""The list of people in the back office: what they did, for whom it may be told, at a fixed price."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Change, User
from accounts.tests.staff import verify
from bookings import services
from bookings.tests.factories import HOUR, make_lot, make_user, park
from bookings.tests.test_own_lots import make_staff
from lots.models import Lot

LIST = reverse("admin:accounts_user_changelist")


@pytest.fixture
def office(olga: User) -> Client:
    return verify(Client(), olga)


@pytest.fixture
def lots(alice: User, bob: User, olga: User) -> tuple[Lot, Lot]:
    """Alice paid at both lots, in two currencies; Bob stands at the second."""
    now = timezone.now()
    own = make_lot(3, now=now - 9 * HOUR, name="Own")
    foreign = make_lot(3, now=now - 9 * HOUR, name="Foreign", currency="CHF", timezone="Europe/Zurich")
    for lot in (own, foreign):
        stay = services.release(park(lot, alice, now=now - 2 * HOUR), by=alice, now=now - HOUR)
        services.record_desk_payment(stay, method="card", by=olga, now=now)
    park(foreign, bob, now=now)
    return own, foreign


def rows(client: Client, **query: Any) -> dict[str, tuple[int, list[str]]]:
    found = client.get(LIST, query).context["cl"].result_list
    return {user.name: (user.booked_count, user.spent_in) for user in found}


@pytest.mark.promise("S2-11", "S1-06")
def test_it_tells_bookings_and_spending_by_currency(office: Client, lots: tuple[Lot, Lot]):
    found = rows(office)

    assert found["Alice"] == (2, ["2.50\u00a0CHF", "2.50\u00a0EUR"])
    assert found["Bob"] == (1, [])
    assert found["Olga"] == (0, [])


def test_who_is_limited_is_told_of_their_lots_alone(lots: tuple[Lot, Lot]):
    limited = verify(Client(), make_staff("limited", "operator", lots[0]))

    assert rows(limited) == {"Alice": (1, ["2.50\u00a0EUR"]), "Limited": (0, [])}
    assert rows(limited, booked="ever") == {"Alice": (1, ["2.50\u00a0EUR"])}


def test_it_is_sorted_and_filtered_by_what_people_did(office: Client, lots: tuple[Lot, Lot], olga: User):
    booked = office.get(LIST).context["cl"].list_display.index("booked")

    assert list(rows(office, o=f"-{booked}")) == ["Alice", "Bob", "Olga"]
    assert list(rows(office, o=f"{booked}"))[-1] == "Alice"
    assert set(rows(office, booked="never")) == {"Olga"}
    assert set(rows(office, booked="30")) == {"Alice", "Bob"}
    User.objects.filter(name="Bob").update(last_login=timezone.now())
    assert "Bob" in rows(office, seen="7")
    assert set(rows(office, seen="never")) == {"Alice"}


def test_roles_are_told_with_their_limits(office: Client, lots: tuple[Lot, Lot]):
    make_staff("limited", "operator", lots[0])

    page = office.get(LIST, {"limited": "yes"})

    assert [user.name for user in page.context["cl"].result_list] == ["Limited"]
    assert "operator at Own" in page.content.decode()


def test_more_people_cost_no_more_queries(office: Client, lots: tuple[Lot, Lot]):
    def cost() -> int:
        with CaptureQueriesContext(connection) as found:
            office.get(LIST)
        return len(found)

    few = cost()
    wide = make_lot(20, now=timezone.now())
    for _number in range(20):
        park(wide, make_user(), now=timezone.now())

    assert cost() <= few <= 25


def test_only_a_superuser_sets_limits_at_a_person_and_it_is_told(
    office: Client, lots: tuple[Lot, Lot], olga: User
):
    otto = make_staff("otto", "operator")
    url = reverse("admin:accounts_user_change", args=[otto.pk])
    prefix = office.get(url).context["inline_admin_formsets"][1].formset.prefix
    role = otto.groups.get()
    form = {"email": otto.email, "name": "Otto", "is_staff": "on", "groups": [role.pk],
            "vehicles-TOTAL_FORMS": 0, "vehicles-INITIAL_FORMS": 0, f"{prefix}-TOTAL_FORMS": 1,
            f"{prefix}-INITIAL_FORMS": 0, f"{prefix}-0-user": otto.pk, f"{prefix}-0-lot": lots[0].pk,
            }  # fmt: skip

    assert office.post(url, form).status_code == 302

    assert list(otto.lots_limited_to.all()) == [lots[0]]
    change = Change.objects.filter(kind="accounts.user", object_id=otto.pk).latest("pk")
    assert (change.by, change.fields) == (olga, [["lots", "", "Own"]])
    clerk = verify(Client(), make_staff("clerk", "operator", lots[0]))
    assert clerk.post(url, {**form, f"{prefix}-0-lot": lots[1].pk}).status_code in (302, 403)
    assert list(otto.lots_limited_to.all()) == [lots[0]]
