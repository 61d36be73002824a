from typing import Any

import pytest

from accounts.roles import make_roles
from bookings import services
from bookings.tests import factories
from bookings.tests.api_support import API, client_for
from bookings.tests.factories import HOUR, NOW
from lots.models import Lot


def get(client: Any, path: str = "events/", **query: Any) -> Any:
    return client.get(API + path, query)


def test_events_are_caught_up_with_after_the_last_one_seen(as_olga: Any, lot: Lot, alice: Any) -> None:
    booking = factories.park(lot, alice)
    first = get(as_olga).json()["results"]
    assert [(event["kind"], event["sequence"]) for event in first] == [("booking.booked", 1)]
    assert first[0]["booking"]["reference"] == booking.reference

    stay = services.release(booking, by=alice, now=NOW + HOUR)
    services.record_desk_payment(stay, method="cash", by=None, now=NOW + HOUR)
    answer = get(as_olga, after=first[0]["position"])

    assert [event["kind"] for event in answer.json()["results"]] == ["booking.released", "payment.paid"]
    assert answer["Cache-Control"] == "no-store"
    last = answer.json()["results"][-1]["position"]
    assert get(as_olga, after=last).json()["results"] == []
    assert len(get(as_olga, lot=lot.slug, booking=booking.reference).json()["results"]) == 3
    assert get(as_olga, lot="elsewhere").json()["results"] == []


def test_pages_go_on_where_the_last_ended(as_olga: Any, lot: Lot, alice: Any) -> None:
    for number in range(5):
        factories.reserve(lot, alice, starts_in=(1 + 3 * number) * HOUR)

    seen, page = [], get(as_olga, page_size=2).json()
    while True:
        seen += [event["position"] for event in page["results"]]
        if page["next"] is None:
            break
        page = as_olga.get(page["next"]).json()
    assert seen == sorted(set(seen))
    assert len(seen) == 5


def test_the_stream_takes_the_same_queries_however_long(
    as_olga: Any, lot: Lot, alice: Any, django_assert_num_queries: Any
) -> None:
    factories.reserve(lot, alice)
    get(as_olga)
    with django_assert_num_queries(5):
        get(as_olga)
    for number in range(4):
        factories.reserve(lot, alice, starts_in=(3 + 3 * number) * HOUR)
    get(as_olga)
    with django_assert_num_queries(5):
        assert len(get(as_olga).json()["results"]) == 5


def test_who_may_see_them(as_alice: Any, as_anyone: Any, lot: Lot, alice: Any) -> None:
    make_roles()
    factories.park(lot, alice)
    limited = factories.make_user("olaf", is_staff=True)
    group = limited.groups.model.objects.get(name="operator")
    limited.groups.add(group)
    factories.make_lot(1, name="His").operators.add(limited)
    clerk = factories.make_user("clerk", is_staff=True)

    assert get(as_anyone).status_code == 401
    assert get(as_alice).status_code == 403
    assert get(client_for(clerk)).status_code == 403
    assert get(client_for(limited)).json()["results"] == []
    limited.lots_limited_to.clear()
    assert len(get(client_for(limited)).json()["results"]) == 1


@pytest.mark.parametrize("after", ["-1", "x", "1e400", "NaN", "9" * 30, "1.5"])
def test_a_bad_position_is_400(as_olga: Any, after: str) -> None:
    answer = get(as_olga, after=after)

    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["after"])
