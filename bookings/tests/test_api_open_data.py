from typing import Any

import pytest

from bookings.api.open_data import blurred
from bookings.tests import factories
from bookings.tests.api_support import API
from lots.models import Lot


@pytest.mark.parametrize(("free", "told"), [(0, 0), (1, 1), (4, 1), (5, 5), (9, 5), (10, 10), (1234, 1230)])
def test_counts_are_told_in_steps(free: int, told: int) -> None:
    assert blurred(free) == told


def test_lots_in_the_shapes_others_read(as_anyone: Any, api: Any, alice: Any) -> None:
    lot = factories.make_lot(
        7, name="Zoo", address_line1="Budapester Str. 32", postcode="10787", city="Berlin", country="DE",
        latitude="52.508", longitude="13.337", max_height_cm=200,
    )  # fmt: skip
    factories.park(lot, alice, plate="B AL 1")
    Lot.objects.filter(pk=factories.make_lot(1, name="Off").pk).update(is_active=False)

    answer = as_anyone.get(f"{API}open/places/")
    [place] = answer.json()["results"]
    assert (place["id"], place["name"]) == ("zoo", [{"language": "en", "string": "Zoo"}])
    assert place["indicativePointLocation"] == {"type": "Point", "coordinates": [13.337, 52.508]}
    assert place["occupancy"] == {
        "supplyQuantity": 7,
        "vacantSpaces": 5,
        "observedAt": "2027-03-01T10:00:00Z",
    }
    assert "B AL 1" not in answer.content.decode()
    api.shift(20)
    again = as_anyone.get(f"{API}open/places/", headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304

    [site] = as_anyone.get(f"{API}open/parking-sites/").json()["results"]
    assert (site["uid"], site["capacity"], site["realtime_free_capacity"]) == ("zoo", 7, 5)
    assert (site["address"], site["max_height"]) == ("Budapester Str. 32, 10787 Berlin", 200)
    assert site["realtime_opening_status"] == "OPEN"


def test_pages_of_at_most_200(as_anyone: Any) -> None:
    for _number in range(3):
        factories.make_lot(0)
    page = as_anyone.get(f"{API}open/places/", {"page_size": 2}).json()

    assert len(page["results"]) == 2
    assert len(as_anyone.get(page["next"]).json()["results"]) == 1
