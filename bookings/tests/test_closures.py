"""Out of service for a while: nobody is sent there, and whoever is affected is moved, paid back or told."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Notice
from accounts.roles import make_roles
from accounts.tests.staff import verify
from bookings import availability, integrity, services
from bookings.errors import BadBooking, LotClosed, SpotClosed
from bookings.models import Booking
from bookings.payments import ledger
from bookings.services import closing as closing_service
from bookings.services.closing import Closing
from bookings.tests.factories import HOUR, NOW, make_lot, make_user, park, reserve
from lots.models import Closure

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def shut(lot, number="", *, starts_in=2 * HOUR, hours=2):
    """From two to four hours from now unless told otherwise; without a number the whole lot."""
    spot = lot.spots.get(number=number) if number else None
    ends_at = NOW + starts_in + hours * HOUR if hours else None
    return Closure.objects.create(
        lot=lot, spot=spot, starts_at=NOW + starts_in, ends_at=ends_at, created_at=NOW
    )


def free(lot, begin, end):
    spots = availability.free_spots(NOW + begin * HOUR, NOW + end * HOUR, now=NOW, lots=[lot.pk])
    return list(spots.by_number().values_list("number", flat=True))


def statuses(lot, begin, end):
    found = availability.spot_statuses(lot, NOW + begin * HOUR, NOW + end * HOUR, now=NOW)
    return [status for _spot, status in found]


def test_a_closed_spot_is_free_before_and_after_and_not_in_between(lot):
    shut(lot, "1")

    assert free(lot, 1, 2) == free(lot, 4, 5) == ["1", "2", "3"]
    for begin, end in [(1, 3), (2, 4), (2.5, 3), (3, 5), (1, 5)]:
        assert free(lot, begin, end) == ["2", "3"]
        assert statuses(lot, begin, end) == ["closed", "free", "free"]
    assert statuses(lot, 4, 5) == ["free"] * 3


def test_a_closed_lot_has_nothing_free_and_others_have(lot):
    other = make_lot(2)
    shut(lot, hours=0)

    assert free(lot, 1, 2) == ["1", "2", "3"]
    assert free(lot, 100, 101) == []
    assert statuses(lot, 100, 101) == ["closed"] * 3
    counts = availability.free_counts([lot.pk, other.pk], NOW + 3 * HOUR, NOW + 4 * HOUR, now=NOW)
    assert counts == {lot.pk: 0, other.pk: 2}


def test_a_lifted_closure_closes_nothing(lot):
    closure = shut(lot)
    closure.lifted_at = NOW
    closure.save()

    assert free(lot, 2, 4) == ["1", "2", "3"]


def test_counting_many_lots_stays_one_query(django_assert_num_queries):
    lots = [make_lot(2) for _i in range(5)]
    shut(lots[0], "1")
    shut(lots[1])

    with django_assert_num_queries(1):
        counts = availability.free_counts([lot.pk for lot in lots], NOW + 2 * HOUR, NOW + 3 * HOUR, now=NOW)

    assert list(counts.values()) == [1, 0, 2, 2, 2]


def test_the_soonest_free_spots_go_round_closures(lot):
    shut(lot, "1", starts_in=-HOUR, hours=0)
    shut(lot, "2", starts_in=-HOUR, hours=2)

    found = availability.soonest_free(lot, now=NOW)

    assert [(o.spot.number, o.starts_at) for o in found] == [("3", NOW), ("2", NOW + HOUR)]


def test_booking_a_closed_spot_says_until_when_and_what_is_free_instead(lot, alice):
    shut(lot, "1")

    with pytest.raises(SpotClosed, match=r"out of service until 2027-03-01 15:00") as refused:
        reserve(lot, alice, starts_in=HOUR, spot_number="1")

    assert refused.value.details["opens_at"] == NOW + 4 * HOUR
    assert [other.spot.number for other in refused.value.alternatives] == ["2"]


def test_booking_at_a_closed_lot_says_so_and_offers_later(lot, alice):
    shut(lot)

    with pytest.raises(LotClosed, match=r"out of service until 2027-03-01 15:00") as refused:
        reserve(lot, alice, starts_in=3 * HOUR)

    later = {other.kind: other for other in refused.value.alternatives}["later"]
    assert later.starts_at == NOW + 4 * HOUR


def test_extending_stops_where_the_closure_begins(lot, alice):
    booking = reserve(lot, alice, starts_in=HOUR, hours=0.5)
    shut(lot, "1")

    with pytest.raises(SpotClosed) as refused:
        services.extend(booking, ends_at=NOW + 3 * HOUR, by=alice, now=NOW)
    assert refused.value.details["latest_end"] == NOW + 2 * HOUR
    assert refused.value.alternatives

    longer = services.extend(booking, ends_at=NOW + 2 * HOUR, by=alice, now=NOW)
    assert longer.total == Decimal("2.5")


def test_nobody_is_moved_to_a_closed_spot(lot, alice):
    booking = park(lot, alice, ends_at=NOW + 3 * HOUR)
    shut(lot, "2", hours=0)

    with pytest.raises(SpotClosed, match="until further notice"):
        services.move(booking, spot_number="2", by=None, now=NOW)


# --- Closing what is booked ---


def closing(lot, *numbers, choice="move", begin=2, end=4, **fields):
    spots = tuple(lot.spots.filter(number__in=numbers).values_list("pk", flat=True))
    ends_at = NOW + end * HOUR if end else None
    return Closing(lot.pk, spots, NOW + begin * HOUR, ends_at, choice, **fields)


def close(lot, *numbers, now=NOW, **fields):
    return services.close(closing(lot, *numbers, **fields), by=None, now=now)


def fates(affected):
    return [(found.booking.reference, found.fate, found.to_spot, found.refund) for found in affected]


def fresh(booking):
    return Booking.objects.select_related("spot").get(pk=booking.pk)


def pay(booking):
    services.record_desk_payment(booking, method="cash", by=make_user(is_staff=True), now=NOW)


@pytest.fixture
def booked(alice, bob):
    """Two spots: alice has paid for 1, bob for 2, both from two to four hours from now; a third is free."""
    lot = make_lot(3)
    found = [
        reserve(lot, alice, starts_in=2 * HOUR, spot_number="1"),
        reserve(lot, bob, starts_in=2 * HOUR, spot_number="2"),
    ]
    for booking in found:
        pay(booking)
    return found


@pytest.mark.parametrize("choice", ["move", "refund", "tell"])
def test_the_preview_is_what_happens_and_changes_nothing(booked, choice, lot):
    lot = booked[0].lot
    before = Booking.objects.values_list("pk", "state", "spot", "total"), Notice.objects.count()
    kept = list(before[0])

    seen = services.closing_preview(closing(lot, "1", "2", choice=choice), by=None, now=NOW)

    assert (list(Booking.objects.values_list("pk", "state", "spot", "total")), Notice.objects.count()) == (
        kept, before[1],
    )  # fmt: skip
    assert not Closure.objects.exists()
    assert fates(close(lot, "1", "2", choice=choice)) == fates(seen)


def test_whoever_can_be_is_moved_and_the_others_get_everything_back(booked):
    first, second = booked

    affected = close(first.lot, "1", "2")

    assert fates(affected) == [
        (first.reference, "moved", "3", Decimal(0)),
        (second.reference, "refunded", "", Decimal(5)),
    ]
    first, second = fresh(first), fresh(second)
    assert (first.state, first.spot.number, first.total) == ("confirmed", "3", Decimal(5))
    assert (second.state, second.total, second.refunds.get().amount) == ("cancelled", 0, Decimal(5))
    assert ledger.account(second).due == 0
    kinds = {(n.recipient, n.template.rpartition("/")[2]) for n in Notice.objects.filter(created_at=NOW)}
    assert {(first.driver.email, "moved"), (second.driver.email, "called_off")} <= kinds
    assert free(first.lot, 2, 4) == []
    assert integrity.find(now=NOW) == []


def test_everybody_back_moves_nobody(booked):
    assert [found.fate for found in close(booked[0].lot, "1", "2", choice="refund")] == ["refunded"] * 2


def test_a_closed_lot_has_no_spot_to_move_to(booked):
    assert [found.fate for found in close(booked[0].lot, end=None)] == ["refunded"] * 2


def test_the_told_are_rescued_by_the_clock_unless_the_closure_goes(booked):
    first, second = booked
    assert [found.fate for found in close(first.lot, "1", "2", choice="tell")] == ["told"] * 2
    assert fresh(first).timeline.last().action == "told"
    assert Notice.objects.filter(template="bookings/email/closing").count() == 2
    assert integrity.find(now=NOW) == []
    services.lift_closure(closure_id=Closure.objects.get(spot=second.spot).pk, by=None, now=NOW)

    services.rescue_bookings(now=NOW + 2 * HOUR - 10 * MINUTE)

    assert (fresh(first).spot.number, fresh(second).spot.number) == ("3", "2")


def test_a_running_stay_is_told_and_moved_only_when_asked(alice):
    lot = make_lot(2)
    stay = park(lot, alice, ends_at=NOW + 3 * HOUR)

    assert [found.fate for found in close(lot, "1", begin=1)] == ["told"]
    assert (fresh(stay).state, fresh(stay).spot.number) == ("active", "1")
    assert [found.to_spot for found in close(lot, "1", begin=1, moves_running=True)] == ["2"]
    assert fresh(stay).booked_from == NOW


def test_who_is_done_before_or_comes_after_is_not_concerned(alice, bob):
    lot = make_lot(1)
    reserve(lot, alice, starts_in=HOUR, hours=1)
    reserve(lot, bob, starts_in=4 * HOUR)

    assert close(lot, "1") == []


def test_all_or_nothing(booked, monkeypatch):
    calls = []

    def second_fails(booking, *args, **kwargs):
        calls.append(booking)
        if len(calls) == 2:
            raise RuntimeError
        return deal(booking, *args, **kwargs)

    deal = closing_service._deal_with
    monkeypatch.setattr(closing_service, "_deal_with", second_fails)
    with pytest.raises(RuntimeError):
        close(booked[0].lot, "1", "2")

    assert {fresh(booking).state for booking in booked} == {"confirmed"}
    assert fresh(booked[0]).spot.number == "1"
    assert not Closure.objects.exists()


@pytest.mark.parametrize("fields", [{"begin": 4, "end": 2}, {"begin": -3, "end": -1}, {"choice": "shout"}])
def test_what_cannot_be_meant_is_refused(lot, fields):
    with pytest.raises(BadBooking):
        close(lot, **fields)


def test_spots_of_another_lot_are_refused(lot):
    other = make_lot(1)
    with pytest.raises(BadBooking):
        services.close(
            Closing(lot.pk, (other.spots.get().pk,), NOW, None, "move"), by=None, now=NOW
        )  # fmt: skip


def test_shortened_it_can_be_booked_again_from_then_on(lot):
    close(lot, end=None)
    closure = Closure.objects.get()

    services.shorten_closure(closure_id=closure.pk, ends_at=NOW + 3 * HOUR, by=None, now=NOW)

    assert (free(lot, 2, 3), free(lot, 3, 4)) == ([], ["1", "2", "3"])
    with pytest.raises(BadBooking):
        services.shorten_closure(closure_id=closure.pk, ends_at=NOW + 5 * HOUR, by=None, now=NOW)


def test_the_check_finds_who_was_forgotten(booked):
    shut(booked[0].lot, "1")

    assert [(f.check, f.where) for f in integrity.find(now=NOW)] == [("closed_spot", booked[0].reference)]


def test_the_page_of_who_was_called_off_shows_what_is_free(client, alice):
    now = timezone.now()
    lot = make_lot(1, now=now - HOUR)
    begin = now.replace(minute=0, second=0, microsecond=0) + 2 * HOUR
    booking = reserve(lot, alice, now=now, starts_in=begin - now)
    services.close(Closing(lot.pk, (), begin, begin + 2 * HOUR, "move"), by=None, now=now)
    client.force_login(alice)

    page = client.get(reverse("bookings:detail", args=[booking.reference])).content.decode()

    assert "your booking is cancelled" in page
    assert f'action="{reverse("lots:book", args=[lot.slug])}"' in page


# --- In the back office ---


@pytest.fixture
def office(olga):
    return verify(Client(), olga)


def test_an_operator_sees_whom_it_hits_before_it_is_done(office, alice, bob):
    now = timezone.now()
    lot = make_lot(2, now=now - HOUR)
    begin = now.replace(minute=0, second=0, microsecond=0) + 2 * HOUR
    first = reserve(lot, alice, now=now, starts_in=begin - now, spot_number="1")
    spot = first.spot
    answer = office.post(
        reverse("admin:lots_spot_changelist"), {"action": "close_selected", "_selected_action": [spot.pk]}
    )
    url = answer["Location"]
    assert url.endswith(f"/close/?spot={spot.pk}")
    assert office.get(url).status_code == 200
    form = {"starts": "", "ends": "", "choice": "move", "reason": "Paint", "spot": spot.pk, "seen": ""}

    answer = office.post(url, form)
    assert f"{first.reference}" in answer.content.decode()
    assert "is moved to spot 2" in answer.content.decode()
    assert not Closure.objects.exists()
    seen = dict(answer.context["hidden"])["seen"]

    # Somebody books in between: what was agreed to is not what would happen, so it is shown again.
    second = reserve(lot, bob, now=now, starts_in=begin - now + 3 * HOUR, spot_number="1")
    answer = office.post(url, form | {"seen": seen})
    assert second.reference in answer.content.decode()
    assert not Closure.objects.exists()

    answer = office.post(url, form | {"seen": dict(answer.context["hidden"])["seen"]}, follow=True)
    closure = Closure.objects.get()
    assert (closure.spot, closure.reason, closure.ends_at) == (spot, "Paint", None)
    assert "2 moved, 0 cancelled" in answer.content.decode()
    assert fresh(first).spot.number == "2"

    office.post(reverse("admin:lots_closure_lift", args=[closure.pk]))
    assert not Closure.objects.in_force().exists()


def test_a_bad_period_is_said_in_the_form(office):
    lot = make_lot(1, now=timezone.now())
    form = {"starts": "2027-03-01T12:00", "ends": "2027-03-01T10:00", "choice": "move", "seen": ""}

    answer = office.post(reverse("admin:lots_lot_close", args=[lot.pk]), form)

    assert "The end must lie after the start" in answer.content.decode()


def test_an_operator_closes_their_own_lots_only(olga):
    limited = make_user("otto", is_staff=True)
    limited.groups.set(Group.objects.filter(name__in=make_roles() or ["operator"]))
    own, foreign = make_lot(1, now=timezone.now()), make_lot(1, now=timezone.now())
    own.operators.add(limited)
    client = verify(Client(), limited)

    assert client.get(reverse("admin:lots_lot_close", args=[own.pk])).status_code == 200
    assert client.get(reverse("admin:lots_lot_close", args=[foreign.pk])).status_code == 404
    url = reverse("admin:lots_lot_close", args=[own.pk])
    assert client.get(f"{url}?spot={foreign.spots.get().pk}").status_code == 404


# --- A whole lot: what pages and programs are told ---


@pytest.mark.parametrize(
    ("hours", "said"),
    [(3, "This lot is out of service until"), (None, "out of service until further notice")],
)
def test_a_closed_lot_says_so_and_until_when(lot, client, hours, said):
    now = timezone.now()
    ends_at = now + hours * HOUR if hours else None
    make_lot(3, name="Open")
    assert services.close(Closing(lot.pk, (), now, ends_at, "tell"), by=None, now=now) == []

    row = client.get(f"/api/v1/lots/{lot.slug}/").json()
    assert row["is_open"] is False
    page = client.get(f"/lots/{lot.slug}/").content.decode()
    assert said in page
    assert "Closed then" in page
    assert page.count("plan-spot--free") == 1  # the legend's
    found = client.get("/").content.decode()
    assert found.count("out of service until") == 1
    assert said in client.get(f"/s/{lot.code}/").content.decode()


def test_a_lot_closed_later_is_open_now_and_closed_then(lot, client):
    now = timezone.now()
    services.close(Closing(lot.pk, (), now + 5 * HOUR, None, "tell"), by=None, now=now)
    then = {"from": (now + 6 * HOUR).isoformat(), "to": (now + 7 * HOUR).isoformat()}

    assert client.get(f"/api/v1/lots/{lot.slug}/").json()["is_open"] is True
    assert client.get(f"/api/v1/lots/{lot.slug}/", then).json()["is_open"] is False
    assert "Closed then" not in client.get(f"/lots/{lot.slug}/").content.decode()
