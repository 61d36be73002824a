"""Bookings in the back office: found, read, and changed by the services only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.tests.staff import verify
from bookings import services
from bookings.models import Booking
from bookings.tests.factories import HOUR, make_lot, make_user, park, reserve
from lots.models import Lot

LIST = reverse("admin:bookings_booking_changelist")
ADD = reverse("admin:bookings_booking_add")


@pytest.fixture
def office(olga: User) -> Client:
    return verify(Client(), olga)


@pytest.fixture
def hour() -> datetime:
    """The full hour that runs: the admin reads the real clock."""
    return timezone.now().replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def open_lot(db: None, hour: datetime) -> Lot:
    return make_lot(3, now=hour - timedelta(days=9), name="Alexanderplatz", city="Berlin")


@pytest.fixture
def later(open_lot: Lot, alice: User, hour: datetime) -> Booking:
    """Alice's, for two hours tomorrow; made long ago, so that cancelling it is no mistake."""
    return reserve(
        open_lot, alice, now=hour - HOUR, starts_in=timedelta(hours=25), plate="B AL 1234", spot_number="2"
    )


@pytest.fixture
def stay(open_lot: Lot, bob: User, hour: datetime) -> Booking:
    """Bob's, running; it has three hours to go."""
    now = timezone.now()
    return park(open_lot, bob, now=now - timedelta(minutes=5), ends_at=hour + 4 * HOUR, spot_number="1")


def change_page(booking: Booking) -> str:
    return reverse("admin:bookings_booking_change", args=[booking.pk])


def command(booking: Booking, name: str) -> str:
    return reverse(f"admin:bookings_booking_{name}", args=[booking.pk])


def local(at: datetime) -> str:
    return f"{at.astimezone(Lot.objects.get().zone):%Y-%m-%dT%H:%M}"


def text(answer: Any) -> str:
    return answer.content.decode().replace("\xa0", " ")


def state(booking: Booking) -> str:
    return Booking.objects.values_list("state", flat=True).get(pk=booking.pk)


# --- Finding ---


@pytest.mark.promise("S2-12", "S1-06", "S4-38")
@pytest.mark.parametrize(
    "term", ["alice@example", "b-al 12", "BAL1234", "alexander", "Berlin", "alexander 2"]
)
def test_search_finds_by_mail_plate_lot_and_town(term: str, later: Booking, stay: Booking, office: Client):
    Booking.objects.filter(pk=stay.pk).update(reference="2" + stay.reference[1:])

    found = office.get(LIST, {"q": term}).context["cl"].result_list

    assert later in found
    assert (stay in found) == (term in ("alexander", "Berlin"))


def test_search_finds_by_reference(later: Booking, stay: Booking, office: Client):
    assert list(office.get(LIST, {"q": stay.reference}).context["cl"].result_list) == [stay]


def test_filters_narrow_the_list(later: Booking, stay: Booking, office: Client):
    assert list(office.get(LIST, {"state__exact": "active"}).context["cl"].result_list) == [stay]
    assert list(office.get(LIST, {"kind__exact": "reserved"}).context["cl"].result_list) == [later]
    assert list(office.get(LIST, {"lot__id__exact": 0}).context["cl"].result_list) == []


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_asks_the_same_however_long(
    rows: int, open_lot: Lot, office: Client, django_assert_num_queries: Any
):
    for _ in range(rows):
        park(open_lot, make_user(), now=timezone.now())

    with django_assert_num_queries(6):
        office.get(LIST)


# --- Reading ---


def test_the_page_shows_price_lines_and_timeline_in_local_time(later: Booking, office: Client):
    page = text(office.get(change_page(later)))

    assert later.reference in page
    assert "5.00 EUR" in page
    assert "alice@example.com (driver)" in page
    begin = later.starts_at.astimezone(later.lot.zone)
    assert f"{begin:%a %d %b %Y %H:%M}" in page


def test_nothing_is_typed_over_or_deleted(later: Booking, office: Client):
    before = Booking.objects.values().get(pk=later.pk)

    assert office.post(change_page(later), {"state": "completed", "total": "0"}).status_code == 403
    delete = reverse("admin:bookings_booking_delete", args=[later.pk])
    assert office.post(delete, {"post": "yes"}).status_code == 403
    office.post(LIST, {"action": "delete_selected", "_selected_action": [later.pk], "post": "yes"})
    assert Booking.objects.values().get(pk=later.pk) == before


def test_only_buttons_that_fit_the_state_are_shown(later: Booking, stay: Booking, office: Client):
    def buttons(booking: Booking) -> list[str]:
        page = text(office.get(change_page(booking)))
        return [
            name
            for name in ("check_in", "release", "extend", "move", "cancel")
            if command(booking, name) in page
        ]

    assert buttons(later) == ["check_in", "extend", "move", "cancel"]
    assert buttons(stay) == ["release", "extend", "move"]


# --- Commands ---


@pytest.mark.parametrize("name", ["check_in", "release", "extend", "move", "cancel"])
def test_a_command_asks_first_and_changes_nothing_by_being_looked_at(
    name: str, later: Booking, office: Client
):
    answer = office.get(command(later, name))

    assert answer.status_code == 200
    assert later.reference in text(answer)
    assert state(later) == "confirmed"


def test_release_shows_the_cost_and_ends_the_stay(stay: Booking, office: Client, olga: User):
    assert "Released now it costs" in text(office.get(command(stay, "release")))

    answer = office.post(command(stay, "release"), follow=True)

    assert "completed" in text(answer)
    entry = stay.timeline.latest("sequence")
    assert (state(stay), entry.by, entry.actor) == ("completed", olga, "operator")


def test_check_in_too_early_says_when(later: Booking, office: Client):
    answer = office.post(command(later, "check_in"))

    assert "Your booking starts at" in text(answer)
    assert state(later) == "confirmed"


def test_extend_takes_local_time(stay: Booking, office: Client):
    later_end = stay.ends_at + HOUR

    office.post(command(stay, "extend"), {"ends": local(later_end)})

    stay.refresh_from_db()
    assert stay.ends_at == later_end


def test_extend_into_the_next_booking_is_refused_with_the_latest_end(
    stay: Booking, open_lot: Lot, alice: User, hour: datetime, office: Client
):
    reserve(open_lot, alice, now=hour, starts_in=timedelta(hours=5), spot_number="1")

    answer = office.post(command(stay, "extend"), {"ends": local(hour + 6 * HOUR)})

    assert "Somebody comes after you: at most until" in text(answer)
    assert "Free instead" in text(answer)
    stay.refresh_from_db()
    assert stay.ends_at == hour + 4 * HOUR


def test_a_time_the_clocks_jump_over_is_told_at_its_field(stay: Booking, office: Client):
    answer = office.post(command(stay, "extend"), {"ends": "2027-03-28T02:30"})

    assert "does not exist" in str(answer.context["form"].errors["ends"])


def test_a_time_that_comes_twice_is_asked_back(later: Booking, office: Client):
    twice = {"ends": "2027-10-31T02:30"}

    answer = office.post(command(later, "extend"), twice)

    assert "comes twice" in str(answer.context["form"].errors["ends"])
    assert 'type="radio"' in text(answer)
    office.post(command(later, "extend"), twice | {"ends_fold": "1"})
    later.refresh_from_db()
    assert later.ends_at == datetime(2027, 10, 31, 1, 30, tzinfo=UTC)


def test_move_names_free_spots_and_moves(stay: Booking, office: Client):
    assert "Free for this time: 2, 3" in text(office.get(command(stay, "move")))

    office.post(command(stay, "move"), {"spot": "3"})

    stay.refresh_from_db()
    assert stay.spot.number == "3"


def test_move_to_a_spot_that_is_not_there_is_told_at_the_field(stay: Booking, office: Client):
    answer = office.post(command(stay, "move"), {"spot": "99"})

    assert "no spot 99" in str(answer.context["form"].errors["spot"])


def test_cancel_previews_both_refunds_and_keeps_the_reason(open_lot: Lot, later: Booking, office: Client):
    Booking.objects.filter(pk=later.pk).update(
        cancellation_tiers=[{"notice_minutes": 0, "refund_percent": 40}]
    )
    page = text(office.get(command(later, "cancel")))
    assert "5.00 EUR comes back, 0.00 EUR is kept." in page
    assert "2.00 EUR comes back, 3.00 EUR is kept." in page

    office.post(command(later, "cancel"), {"asked_by": "driver", "reason": "Phoned at nine"})

    later.refresh_from_db()
    assert (later.state, str(later.total)) == ("cancelled", "3.000")
    assert later.timeline.latest("sequence").reason == "Phoned at nine"


def test_several_are_cancelled_after_a_question(later: Booking, stay: Booking, office: Client):
    chosen = {"action": "cancel_selected", "_selected_action": [later.pk, stay.pk]}

    question = text(office.post(LIST, chosen))
    assert "5.00 EUR comes back" in question
    assert "cannot be cancelled" in question
    assert state(later) == "confirmed"

    answer = text(office.post(LIST, chosen | {"sure": "yes"}, follow=True))
    assert (state(later), state(stay)) == ("cancelled", "active")
    assert f"{stay.reference}: This booking is active; it cannot be cancelled." in answer


def test_several_are_released_and_refusals_named(later: Booking, stay: Booking, office: Client):
    answer = office.post(
        LIST, {"action": "release_selected", "_selected_action": [later.pk, stay.pk]}, follow=True
    )

    assert (state(later), state(stay)) == ("confirmed", "completed")
    assert "has not started; cancel it instead" in text(answer)


@pytest.mark.parametrize("name", ["check_in", "release", "extend", "move", "cancel"])
def test_whoever_may_only_look_may_do_nothing(name: str, later: Booking, db: None):
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.add(permission("view_booking"))
    client = verify(Client(), clerk)

    assert client.get(change_page(later)).status_code == 200
    assert client.post(command(later, name), {"spot": "1", "asked_by": "operator"}).status_code == 403
    assert state(later) == "confirmed"


def permission(codename: str) -> Any:
    from django.contrib.auth.models import Permission

    return Permission.objects.get(codename=codename, content_type__app_label="bookings")


# --- Booking for somebody ---


def test_without_a_lot_it_is_asked_for(open_lot: Lot, office: Client):
    assert f"?lot={open_lot.pk}" in text(office.get(ADD, {"q": "berlin"}))
    assert "No lot was found." in text(office.get(ADD, {"q": "atlantis"}))


Order = Callable[..., Any]


@pytest.fixture
def order(open_lot: Lot, office: Client, hour: datetime) -> Order:
    def post(**fields: Any) -> Any:
        times = {"starts": local(hour + 5 * HOUR), "ends": local(hour + 7 * HOUR)}
        return office.post(f"{ADD}?lot={open_lot.pk}", {"kind": "reserved", **times, **fields})

    return post


def test_an_operator_books_for_a_driver(order: Order, alice: User, olga: User, hour: datetime):
    order(driver="Alice@example.com", plate="B AL 1", spot="2")

    booking = Booking.objects.get()
    assert (booking.driver, booking.spot.number, booking.starts_at) == (alice, "2", hour + 5 * HOUR)
    entry = booking.timeline.get()
    assert (entry.by, entry.actor) == (olga, "operator")


def test_an_operator_books_for_a_guest_from_now(order: Order):
    order(kind="instant", starts="", ends="", plate="B XY 1")

    booking = Booking.objects.get()
    assert (booking.driver, booking.state, booking.kind) == (None, "active", "instant")


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"driver": "nobody@example.com"}, "driver", "Nobody has an account"),
        ({"starts": "2020-01-01T10:00"}, "starts", "must lie in the future"),
        ({"starts": "2027-03-28T02:30", "ends": "2027-03-28T05:00"}, "starts", "does not exist"),
        ({"ends": "when I am back"}, "ends", "Write a date and a time"),
        ({"spot": "99"}, "__all__", "no spot 99"),
    ],
)
def test_a_bad_order_is_told_at_its_field(fields: dict[str, str], field: str, sentence: str, order: Order):
    answer = order(**fields)

    assert sentence in str(answer.context["form"].errors)
    if field != "__all__":
        assert sentence in str(answer.context["form"].errors[field])
    assert not Booking.objects.exists()


@pytest.mark.promise("S4-20")
def test_a_full_lot_is_refused_with_alternatives(order: Order, open_lot: Lot, hour: datetime):
    for _ in range(3):
        reserve(open_lot, make_user(), now=hour, starts_in=5 * HOUR)

    answer = order()

    assert "No spot of this lot is free for the whole time." in text(answer)
    assert "Free instead" in text(answer)
    assert Booking.objects.count() == 3


def test_an_archived_lot_cannot_be_booked(open_lot: Lot, office: Client):
    services.remove_lot(lot_id=open_lot.pk, by=None, now=timezone.now())

    assert "Book at which lot?" in text(office.get(f"{ADD}?lot={open_lot.pk}"))
