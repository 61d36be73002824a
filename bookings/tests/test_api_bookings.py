from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bookings.api.serializers import BookingSerializer, TimelineSerializer
from bookings.models import Booking
from bookings.tests import factories
from bookings.tests.api_support import API, at, client_for, post, reserved, z

FIELDS = [
    *("reference", "kind", "state", "lot", "spot", "starts_at", "ends_at", "local", "booked_from"),
    *("booked_until", "checked_in_at", "checked_out_at", "held_until", "plate", "price", "paid"),
    *("refunded", "due", "timeline"),
]


@pytest.mark.promise("S4-16")
@pytest.mark.promise("S1-10")
def test_an_instant_booking_gets_the_first_free_spot_from_now(as_alice: Any, lot: Any, bob: Any) -> None:
    factories.park(lot, bob)

    answer = post(
        as_alice, "bookings/", {"lot": lot.slug, "kind": "instant", "ends_at": at(2), "plate": "B AB 1"}
    )

    assert answer.status_code == 201
    body = answer.json()
    assert list(body) == FIELDS
    assert body["spot"] == "2"
    assert body["lot"] == lot.slug
    assert body["state"] == "active"
    assert (body["starts_at"], body["ends_at"]) == (z(0), z(2))
    assert body["local"] == {
        "starts_at": "2027-03-01T11:00:00+01:00",
        "ends_at": "2027-03-01T13:00:00+01:00",
        "timezone": "Europe/Berlin",
    }
    assert body["price"]["total"] == "5.00"
    assert body["price"]["currency"] == "EUR"
    assert [line["amount"] for line in body["price"]["lines"]] == ["5.00"]
    assert (body["paid"], body["refunded"], body["due"]) == ("0.00", "0.00", "5.00")
    assert [(e["action"], e["actor"], e["at"]) for e in body["timeline"]] == [("booked", "driver", z(0))]


@pytest.mark.promise("S4-17")
@pytest.mark.promise("S4-19")
@pytest.mark.promise("S4-22")
def test_a_reserved_booking_is_for_later_on_the_lowest_spot(as_alice: Any, lot: Any) -> None:
    body = post(as_alice, "bookings/", reserved(lot, 1, 3)).json()

    assert (body["kind"], body["state"], body["spot"]) == ("reserved", "confirmed", "1")
    assert (body["booked_from"], body["booked_until"]) == (z(1), z(3))
    assert body["price"]["total"] == "5.00"


@pytest.mark.promise("S0-03")
def test_a_particular_spot_can_be_asked_for(as_alice: Any, lot: Any) -> None:
    assert post(as_alice, "bookings/", reserved(lot, spot="3")).json()["spot"] == "3"


@pytest.mark.promise("S4-20")
def test_a_full_lot_is_refused_with_alternatives_and_nothing_is_booked(
    as_alice: Any, lot: Any, bob: Any
) -> None:
    for _spot in range(3):
        factories.reserve(lot, bob)

    answer = post(as_alice, "bookings/", reserved(lot, 1, 2))

    assert answer.status_code == 409
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["code"] == "lot_full"
    later = [a for a in body["alternatives"] if a["kind"] == "later"]
    assert later == [
        {"kind": "later", "lot": lot.slug, "spot": "1", "starts_at": z(3), "ends_at": z(4), "free": 1}
    ]
    assert not Booking.objects.of(factories.User.objects.get(email="alice@example.com")).exists()


@pytest.mark.promise("S4-24")
def test_a_taken_spot_names_the_window_in_the_way_and_not_whose_it_is(
    as_alice: Any, lot: Any, bob: Any
) -> None:
    factories.reserve(lot, bob, spot_number="2")

    answer = post(as_alice, "bookings/", reserved(lot, spot="2"))

    assert answer.status_code == 409
    body = answer.json()
    assert body["code"] == "spot_taken"
    assert body["conflict"] == {"starts_at": z(1), "ends_at": z(3)}
    assert body["alternatives"][0]["kind"] == "other_spot"
    assert "bob" not in answer.content.decode().lower()


@pytest.mark.promise("S4-24")
def test_one_running_instant_stay_a_driver(as_alice: Any, lot: Any) -> None:
    first = post(as_alice, "bookings/", {"lot": lot.slug, "kind": "instant"}).json()

    answer = post(as_alice, "bookings/", {"lot": lot.slug, "kind": "instant"})

    assert answer.status_code == 409
    assert answer.json()["code"] == "already_parked"
    assert answer.json()["booking"] == first["reference"]


@pytest.mark.promise("S4-18")
@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"starts_at": at(-1)}, "starts_at", "start_in_the_past"),
        ({"ends_at": at(1)}, "ends_at", "end_before_start"),
        ({"starts_at": "2027-03-01T12:00:00"}, "starts_at", "naive_time"),
        ({"starts_at": "2027-03-01T25:61:00Z"}, "starts_at", "bad_time"),
        ({"starts_at": "9999-12-31T23:59:59Z"}, "starts_at", "bad_time"),
        ({"starts_at": "2027-03-01T11:07:00Z"}, "starts_at", "off_grid"),
        ({"starts_at": 1}, "starts_at", "bad_time"),
        ({"starts_at": None}, "starts_at", "required"),
        ({"ends_at": "2100-12-31T00:00:00Z"}, "ends_at", "too_long"),
        ({"starts_at": "2099-01-01T00:00:00Z", "ends_at": "2099-01-01T01:00:00Z"}, "starts_at", "too_far"),
        ({"kind": "weekly"}, "kind", "invalid_choice"),
        ({"kind": True}, "kind", "invalid_choice"),
        ({"kind": ["instant"]}, "kind", "invalid_choice"),
        ({"lot": "nowhere"}, "lot", "does_not_exist"),
        ({"lot": 7}, "lot", "does_not_exist"),
        ({"lot": "x" * 5000}, "lot", "does_not_exist"),
        ({"spot": "99"}, "spot", "unknown_spot"),
        ({"spot": True}, "spot", "invalid"),
        ({"spot": ["1"]}, "spot", "invalid"),
        ({"plate": "B" * 21}, "plate", "max_length"),
        ({"features": "ev"}, "features", "not_a_list"),
        ({"features": ["sauna"]}, "features.0", "invalid_choice"),
        ({"price": "0.01"}, "price", "unknown_field"),
        ({"driver": 1}, "driver", "unknown_field"),
        ({"state": "completed"}, "state", "unknown_field"),
    ],
)
def test_bad_input_is_400_with_the_field(as_alice: Any, lot: Any, change: Any, field: str, code: str) -> None:
    answer = post(as_alice, "bookings/", {**reserved(lot), **change})

    assert answer.status_code == 400, answer.content
    body = answer.json()
    assert body["code"] == code
    assert list(body["fields"]) == [field]
    assert body["codes"] == {field: [code]}
    assert not Booking.objects.exists()


@pytest.mark.promise("S4-23")
@pytest.mark.promise("S1-12")
@pytest.mark.promise("S3-06")
def test_my_bookings_are_mine_newest_first(as_alice: Any, lot: Any, alice: Any, bob: Any) -> None:
    early = factories.reserve(lot, alice)
    late = factories.reserve(lot, alice, starts_in=timedelta(hours=5))
    factories.reserve(lot, bob)

    body = as_alice.get(API + "bookings/").json()

    assert [row["reference"] for row in body["results"]] == [late.reference, early.reference]
    assert [row["price"]["total"] for row in body["results"]] == ["5.00", "5.00"]
    assert (body["next"], body["previous"]) == (None, None)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"state": "cancelled"}, [2]),
        ({"state": "cancelled,confirmed"}, [2, 1, 0]),
        ({"state": ["cancelled", "confirmed"]}, [2, 1, 0]),
        ({"lot": "alexanderplatz"}, [2, 1, 0]),
        ({"lot": "other"}, []),
        ({"from": at(4)}, [2, 1]),
        ({"to": at(2)}, [0]),
        ({"from": at(4), "to": at(6)}, [1]),
        ({"ordering": "starts_at"}, [0, 1, 2]),
        ({"kind": "instant"}, []),
    ],
)
def test_my_bookings_can_be_filtered(as_alice: Any, lot: Any, alice: Any, query: Any, expected: Any) -> None:
    made = [factories.reserve(lot, alice, starts_in=timedelta(hours=h)) for h in (1, 5, 9)]
    post(as_alice, f"bookings/{made[2].reference}/cancel/")

    body = as_alice.get(API + "bookings/", query).json()

    assert [row["reference"] for row in body["results"]] == [made[i].reference for i in expected]


@pytest.mark.parametrize(
    "query",
    [
        {"state": "gone"},
        {"state": "100%s"},
        {"ordering": "driver__password"},
        {"from": "2027-03-01"},
        {"from": "2027-03-01T12:00"},
        {"page_size": "0"},
        {"page_size": "-1"},
        {"page_size": "1e3"},
        {"cursor": "AAAA"},
        {"cursor": "é\0"},
        {"lot": "a\0b"},
    ],
)
def test_bad_filters_are_400(as_alice: Any, lot: Any, query: Any) -> None:
    answer = as_alice.get(API + "bookings/", query)

    assert answer.status_code == 400, answer.content
    assert list(answer.json()["fields"]) == list(query)


@pytest.mark.parametrize("ordering", ["starts_at", "-starts_at", "ends_at", "-created_at"])
def test_pages_reach_every_booking_once_and_back(as_alice: Any, alice: Any, api: Any, ordering: str) -> None:
    big = factories.make_lot(7)
    for hours in (1, 1, 1, 1, 5, 5, 9):  # many at one moment
        factories.reserve(big, alice, starts_in=timedelta(hours=hours))
    whole = as_alice.get(API + "bookings/", {"ordering": ordering}).json()["results"]

    seen, links = [], []
    url = f"{API}bookings/?page_size=2&ordering={ordering}"
    while url:
        page = as_alice.get(url).json()
        seen.append([row["reference"] for row in page["results"]])
        links.append(page["previous"])
        url = page["next"]

    assert [reference for page in seen for reference in page] == [row["reference"] for row in whole]
    assert links[0] is None
    back = [as_alice.get(link).json()["results"] for link in links[1:]]
    assert [[row["reference"] for row in page] for page in back] == seen[:-1]


def test_a_page_holds_at_most_200(as_alice: Any, lot: Any) -> None:
    assert as_alice.get(API + "bookings/", {"page_size": "100000"}).status_code == 200


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_takes_the_same_queries_however_long(
    as_alice: Any, alice: Any, api: Any, count: int
) -> None:
    big = factories.make_lot(3)
    for _number in range(count):
        factories.reserve(big, alice)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        as_alice.get(API + "bookings/")

    assert len(queries) == 2, [q["sql"][:120] for q in queries]


@pytest.mark.promise("S0-06")
def test_a_stay_can_be_extended(as_alice: Any, lot: Any, alice: Any) -> None:
    stay = factories.park(lot, alice, ends_at=factories.NOW + timedelta(hours=1))

    answer = post(as_alice, f"bookings/{stay.reference}/extend/", {"ends_at": at(2)})

    assert answer.status_code == 200
    assert answer.json()["ends_at"] == z(2)
    assert answer.json()["price"]["total"] == "5.00"


def test_extending_into_somebody_is_refused_with_the_latest_end(
    as_alice: Any, lot: Any, alice: Any, bob: Any
) -> None:
    mine = factories.reserve(lot, alice, hours=1)
    factories.reserve(lot, bob, starts_in=timedelta(hours=3), spot_number="1")

    answer = post(as_alice, f"bookings/{mine.reference}/extend/", {"ends_at": at(4)})

    assert answer.status_code == 409
    body = answer.json()
    assert (body["code"], body["latest_end"]) == ("spot_taken", z(3))
    assert [a["kind"] for a in body["alternatives"]] == ["other_spot"]


@pytest.mark.promise("S4-21")
@pytest.mark.promise("S0-07")
@pytest.mark.promise("S1-11")
@pytest.mark.promise("S4-47")
def test_release_ends_the_stay_now_and_answers_the_cost_once(
    as_alice: Any, api: Any, lot: Any, alice: Any
) -> None:
    stay = factories.park(lot, alice)
    api.shift(timedelta(hours=1))

    first = post(as_alice, f"bookings/{stay.reference}/release/")
    api.shift(timedelta(hours=1))
    second = post(as_alice, f"bookings/{stay.reference}/release/")

    assert first.status_code == 200
    assert first.json()["state"] == "completed"
    assert first.json()["checked_out_at"] == z(1)
    assert first.json()["price"]["total"] == "2.50"
    assert second.json() == first.json()


def test_what_is_not_allowed_now_is_refused(as_alice: Any, lot: Any, alice: Any) -> None:
    mine = factories.reserve(lot, alice)

    early = post(as_alice, f"bookings/{mine.reference}/check-in/")
    released = post(as_alice, f"bookings/{mine.reference}/release/")

    assert (early.status_code, early.json()["code"]) == (409, "too_early")
    assert early.json()["starts_at"] == z(1)
    assert (released.status_code, released.json()["code"]) == (409, "invalid_transition")


def test_a_driver_checks_in(as_alice: Any, api: Any, alice: Any) -> None:
    lot = factories.make_lot(1, needs_check_in=True)
    mine = factories.reserve(lot, alice)
    api.shift(timedelta(hours=1))

    answer = post(as_alice, f"bookings/{mine.reference}/check-in/")

    assert answer.json()["state"] == "active"
    assert answer.json()["checked_in_at"] == z(1)


def test_cancelling_says_before_what_it_costs(as_alice: Any, api: Any, lot: Any, alice: Any) -> None:
    lot.cancellation_tiers = [
        {"notice_minutes": 120, "refund_percent": 100},
        {"notice_minutes": 0, "refund_percent": 40},
    ]
    lot.save()
    mine = factories.reserve(lot, alice)
    api.shift(timedelta(minutes=30))

    preview = as_alice.get(f"{API}bookings/{mine.reference}/cancellation/").json()
    after = post(as_alice, f"bookings/{mine.reference}/cancel/").json()

    assert preview == {
        "reference": mine.reference,
        "currency": "EUR",
        "total": "5.00",
        "refund_percent": 40,
        "refunded": "2.00",
        "retained": "3.00",
        "reason": "Cancelled before the start: 40 % comes back.",
    }
    assert after["state"] == "cancelled"
    assert after["due"] == "3.00"


def test_there_is_no_preview_for_what_cannot_be_cancelled(as_alice: Any, lot: Any, alice: Any) -> None:
    stay = factories.park(lot, alice)

    answer = as_alice.get(f"{API}bookings/{stay.reference}/cancellation/")

    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_transition")


def test_actions_take_no_input_they_do_not_know(as_alice: Any, lot: Any, alice: Any) -> None:
    stay = factories.park(lot, alice)

    answer = post(as_alice, f"bookings/{stay.reference}/release/", {"total": "0.00"})

    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_field")
    stay.refresh_from_db()
    assert stay.state == "active"


@pytest.mark.promise("S4-21")
def test_bob_finds_nothing_of_alice(as_bob: Any, lot: Any, alice: Any) -> None:
    hers = factories.park(lot, alice)
    path = f"{API}bookings/{hers.reference}/"
    nobody = f"{API}bookings/{'0' * 16}/"

    def tries(base: str) -> list[Any]:
        return [
            as_bob.get(base),
            as_bob.get(base + "cancellation/"),
            *(
                as_bob.post(base + verb + "/", {}, format="json")
                for verb in ("check-in", "release", "cancel")
            ),
            as_bob.post(base + "extend/", {"ends_at": at(5)}, format="json"),
        ]

    answers, unknown = tries(path), tries(nobody)

    assert [a.status_code for a in answers] == [404] * 6
    same = [{k: v for k, v in a.json().items() if k != "request_id"} for a in answers]
    assert same == [{k: v for k, v in a.json().items() if k != "request_id"} for a in unknown]
    assert as_bob.get(API + "bookings/").json()["results"] == []
    hers.refresh_from_db()
    assert hers.state == "active"


@pytest.mark.promise("S4-04")
@pytest.mark.promise("S3-03")
def test_nobody_books_without_signing_in(as_anyone: Any, lot: Any) -> None:
    answer = post(as_anyone, "bookings/", reserved(lot))

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer.json()["code"] == "not_authenticated"
    assert as_anyone.get(API + "bookings/").status_code == 401


def test_private_answers_are_not_kept(alice: Any, lot: Any, as_alice: Any) -> None:
    assert as_alice.get(API + "bookings/")["Cache-Control"] == "no-store"
    assert client_for().get(API + "bookings/")["Cache-Control"] == "no-store"


@pytest.mark.promise("S2-12")
def test_staff_search_everybody_s_by_email_plate_spot_and_lot(
    as_olga: Any, as_alice: Any, lot: Any, alice: Any, bob: Any
) -> None:
    hers = factories.reserve(lot, alice, plate="B-AL 1")
    his = factories.reserve(factories.make_lot(1, name="Zoo"), bob)

    def found(client: Any, **query: str) -> Any:
        answer = client.get(f"{API}bookings/", query)
        return {b["reference"] for b in answer.json()["results"]} if answer.status_code == 200 else answer

    assert found(as_olga) == set()
    assert found(as_olga, whose="all") == {hers.reference, his.reference}
    for query in ({"email": "ALICE@example.com"}, {"plate": "bal1"}, {"spot": "1", "lot": lot.slug}):
        assert found(as_olga, whose="all", **query) == {hers.reference}
    assert found(as_alice, whose="all").status_code == 403
    assert found(as_alice, plate="BAL1") == {hers.reference}
    assert found(as_alice, email="bob@example.com") == set()
    limited = factories.make_user("olaf", is_staff=True)
    limited.user_permissions.add(Permission.objects.get(codename="view_booking"))
    his.lot.operators.add(limited)
    assert found(client_for(limited), whose="all") == {his.reference}
    assert as_olga.get(f"{API}bookings/{hers.reference}/", {"whose": "all"}).status_code == 404


@pytest.mark.parametrize("kind", ["instant", "reserved", "held"])
def test_a_new_booking_is_answered_as_it_will_be_read(as_alice: Any, lot: Any, kind: str) -> None:
    """The answer is made of what was written; a look at it afterwards finds the same."""
    if kind == "held":
        lot.payment_timing = "prepaid"
        lot.save()
    order = {"lot": lot.slug, "kind": "instant"} if kind == "instant" else reserved(lot)

    made = post(as_alice, "bookings/", order).json()

    assert made == as_alice.get(f"{API}bookings/{made['reference']}/").json()
    assert list(made) == list(BookingSerializer().fields)
    assert list(made["timeline"][0]) == list(TimelineSerializer().fields)


def test_a_booking_takes_few_statements(as_alice: Any, lot: Any) -> None:
    """The lot by its name; its lock, what is due there, a spot, the tariff; three rows and the frame."""
    post(as_alice, "bookings/", reserved(lot, 1, 3))

    with CaptureQueriesContext(connection) as asked:
        assert post(as_alice, "bookings/", reserved(lot, 3, 5)).status_code == 201

    assert len(asked) <= 10
