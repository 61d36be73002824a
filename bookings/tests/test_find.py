"""Finding: by distance, price, rating and what the vehicle needs; what is found can be shared."""

import pytest
from django.urls import reverse

from bookings.tests.factories import HOUR, make_lot, make_user, park
from bookings.tests.test_lot_views import text_of
from lots import reviews
from lots.models import Spot

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def at_ten_on_monday(monkeypatch, now):
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)


@pytest.fixture
def three(now):
    """In the order of their names, and in no other."""
    near = make_lot(1, name="Zoo", price="3", latitude="52.5072", longitude="13.3326")
    cheap = make_lot(2, name="Alexanderplatz", price="1", latitude="52.5219", longitude="13.4132")
    large = make_lot(5, name="Messe", price="2", latitude="52.5000", longitude="13.2700")
    reviews.write(lot=large, author=make_user(), rating=5, text="", now=now)
    reviews.write(lot=near, author=make_user(), rating=2, text="", now=now)
    return near, cheap, large


def found(client, **asked):
    return [offer.lot.name for offer in client.get("/", asked).context["offers"]]


def test_lots_come_in_the_order_asked_for(client, three):
    assert found(client) == ["Alexanderplatz", "Messe", "Zoo"]
    assert found(client, sort="price") == ["Alexanderplatz", "Messe", "Zoo"]
    assert found(client, sort="free") == ["Messe", "Alexanderplatz", "Zoo"]
    assert found(client, sort="rating") == ["Messe", "Zoo", "Alexanderplatz"]


def test_near_me_comes_first_and_says_how_far(client, three):
    here = {"lat": "52.507", "lon": "13.332"}

    assert found(client, **here) == ["Zoo", "Messe", "Alexanderplatz"]
    assert found(client, **here, sort="name") == ["Alexanderplatz", "Messe", "Zoo"]
    assert "5.7 km" in text_of(client.get("/", here))


def test_what_is_full_comes_after_what_is_free_however_cheap(client, three, bob):
    for _spot in range(2):
        park(three[1], make_user())

    assert found(client, sort="price") == ["Messe", "Zoo", "Alexanderplatz"]


def test_a_lot_too_low_for_the_vehicle_is_left_out(client):
    make_lot(name="Low", max_height_cm=190)
    make_lot(name="Open")

    assert found(client, height="1.95") == ["Open"]
    assert found(client, height="1.90") == ["Low", "Open"]


def test_only_spots_with_the_plug_and_the_power_count(client, lot):
    make_lot(name="Without")
    Spot.objects.filter(lot=lot, number="1").update(connector="CHADEMO", power_kw=50)
    Spot.objects.filter(lot=lot, number="2").update(connector="CHADEMO", power_kw=22)

    assert "2 of 2 free" in text_of(client.get("/", {"connector": "CHADEMO"}))
    assert "1 of 1 free" in text_of(client.get("/", {"connector": "CHADEMO", "kw": "50"}))
    assert found(client, connector="CHADEMO", kw="50") == ["Alexanderplatz"]
    assert found(client, connector="CHADEMO", kw="150") == []


def test_a_vehicle_is_shown_only_where_its_kind_may_stand(client, lot):
    lot.spots.update(vehicle_kinds="|motorcycle|")

    assert found(client, vehicle="motorcycle") == ["Alexanderplatz"]
    assert found(client, vehicle="van") == []


def test_nonsense_is_left_out(client, three):
    asked = {"sort": "magic", "lat": "north", "lon": "0", "height": "high", "kw": "-1", "connector": "?"}

    assert found(client, **asked) == ["Alexanderplatz", "Messe", "Zoo"]


def test_what_was_filtered_without_a_reload_is_an_address_to_share(client, three):
    url, by_form = reverse("lots:results"), {"HX-Trigger": "search-form"}

    filtered = client.get(url, {"q": "zoo", "sort": "price"}, headers=HTMX | by_form)
    polled = client.get(url, {"q": "zoo", "sort": "price"}, headers=HTMX | {"HX-Trigger": "results"})

    assert filtered["HX-Replace-Url"] == "/?q=zoo&sort=price"
    assert "HX-Replace-Url" not in polled
    assert found(client, q="zoo", sort="price") == ["Zoo"]


def test_nothing_new_costs_no_body(client, lot, bob, now):
    url = reverse("lots:results")
    etag = client.get(url)["ETag"]

    assert client.get(url, headers={"If-None-Match": etag}).status_code == 304
    park(lot, bob, ends_at=now + HOUR)
    assert client.get(url, headers={"If-None-Match": etag}).status_code == 200
