import re
from datetime import timedelta
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse

from bookings import services
from bookings.models import Booking, State
from bookings.tests.factories import HOUR, make_lot, park, reserve
from lots.models import Lot
from lots.rates import Tariff
from lots.services import publish_tariff

LOCAL = "%Y-%m-%dT%H:%M"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def at_ten_on_monday(monkeypatch, now):
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)


def text_of(response) -> str:
    """What a reader sees, without the tags, in one line."""
    found = []
    parser = HTMLParser()
    parser.handle_data = found.append
    parser.feed(response.content.decode())
    return " ".join(" ".join(found).split())


def labels(response) -> list[str]:
    """What a screen reader says for each spot on the plan."""
    return re.findall(
        r'class="plan-spot plan-spot--\w+"[^>]* aria-label="([^"]+)"', response.content.decode()
    )


def book(client, lot, **fields):
    return client.post(reverse("lots:book", args=[lot.slug]), {"kind": "instant", "stay": "120"} | fields)


# Search


@pytest.mark.promise("S0-02")
@pytest.mark.promise("S4-08")
def test_search_shows_everybody_free_counts_and_prices(client, lot, bob):
    park(lot, bob)

    page = text_of(client.get("/"))

    assert "Alexanderplatz" in page
    assert "2 of 3 free" in page
    assert "€5.00 for 2 h" in page


@pytest.mark.promise("S2-22")
def test_search_finds_lots_by_place_and_says_when_none_fits(client, lot):
    make_lot(name="Lakeside", city="Konstanz", postcode="78462")

    assert "Lakeside" in text_of(client.get("/", {"q": "konst"}))
    assert "Lakeside" in text_of(client.get("/", {"q": "784"}))
    assert "Alexanderplatz" not in text_of(client.get("/", {"q": "konst"}))
    assert "No lot fits that" in text_of(client.get("/", {"q": "Atlantis"}))


def test_search_counts_for_the_time_asked_for(client, lot, bob, now):
    reserve(lot, bob, starts_in=5 * HOUR, hours=2)
    during = (now + 5 * HOUR).astimezone(lot.zone)

    assert "3 of 3 free" in text_of(client.get("/"))
    assert "2 of 3 free" in text_of(client.get("/", {"at": f"{during:{LOCAL}}", "stay": "60"}))


def test_search_counts_only_spots_with_every_feature(client, lot):
    spot = lot.spots.get(number="2")
    spot.features = ("ev", "covered")
    spot.save()

    assert "1 of 1 free" in text_of(client.get("/", {"features": ["ev", "covered"]}))
    assert "No lot fits that" in text_of(client.get("/", {"features": "guarded"}))


def test_search_leaves_out_what_it_cannot_understand(client, lot):
    response = client.get("/", {"at": "soon", "stay": "-5", "page": "x", "features": "wings"})

    assert response.status_code == 200
    assert "Alexanderplatz" in text_of(response)


def test_search_says_when_a_lot_is_closed(client, lot):
    Lot.objects.filter(pk=lot.pk).update(
        opening_hours={
            "twentyfourseven": False,
            "regular_hours": [{"weekday": 6, "period_begin": "08:00", "period_end": "20:00"}],
        }
    )

    assert "Closed" in text_of(client.get("/"))


@pytest.mark.promise("S3-20")
def test_places_lead_from_country_over_region_to_the_towns_lots(client, lot):
    make_lot(name="Lakeside", city="Konstanz", region="Baden-Württemberg", country="DE")
    make_lot(name="Gone", city="Nowhere", country="FR", is_active=False)

    response = client.get("/places/")

    assert "Germany Berlin 1 Baden-Württemberg Konstanz 1" in text_of(response)
    assert "Nowhere" not in text_of(response)
    assert "Lakeside" in text_of(
        client.get(re.search(r'href="(/\?q=Konstanz)"', response.content.decode())[1])
    )


@pytest.mark.promise("S0-11")
@pytest.mark.promise("S4-47")
def test_results_are_sent_again_only_when_something_changed(client, lot, bob):
    first = client.get("/results/")

    again = client.get("/results/", headers={"If-None-Match": first["ETag"]})
    park(lot, bob)
    later = client.get("/results/", headers={"If-None-Match": first["ETag"]})

    assert again.status_code == 304
    assert not again.content
    assert later.status_code == 200
    assert "2 of 3 free" in text_of(later)


# A lot's page


@pytest.mark.promise("S4-15")
@pytest.mark.promise("S0-14")
def test_lot_page_draws_each_spot_by_floor_with_its_status_in_words(client, lot, bob):
    first, second, third = lot.spots.by_number()
    first.building, first.floor, first.features = "Hall A", "1", ("ev",)
    first.save()
    services.set_spot_in_service(
        spot_id=third.pk, is_in_service=False, by=None, now=lot.tariffs.get().made_at
    )
    park(lot, bob, spot_number=second.number)

    response = client.get(reverse("lots:detail", args=[lot.slug]))

    assert sorted(labels(response)) == [
        "Spot 1, Hall A, floor 1, free, EV charging",
        "Spot 2, taken",
        "Spot 3, out of service",
    ]
    assert "Hall A, floor 1 1 of 1 free" in text_of(response)


def test_lot_page_never_says_who_is_there(client, lot, bob):
    park(lot, bob, plate="SECRET 1")

    page = client.get(reverse("lots:detail", args=[lot.slug])).content.decode()

    assert "SECRET" not in page
    assert "bob" not in page.lower()


def test_lot_page_escapes_what_operators_type(client, lot):
    lot.spots.filter(number="1").update(number='"><script>', building="<b>")

    page = client.get(reverse("lots:detail", args=[lot.slug])).content.decode()

    assert "<script>" not in page
    assert '"><script' not in page


@pytest.mark.promise("S0-09")
@pytest.mark.promise("S0-12")
def test_full_lot_names_the_three_spots_that_become_free_soonest(client, now):
    lot = make_lot(4)
    for hours in (3, 1, 4, 2):
        park(lot, None, ends_at=now + hours * HOUR)

    page = text_of(client.get(reverse("lots:detail", args=[lot.slug])))

    assert (
        "Nothing free now. Free soonest: Spot 2 Today, 12:00 · certain Spot 4 Today, 13:00 · certain "
        "Spot 1 Today, 14:00 · certain" in page
    )


def test_large_lot_is_drawn_in_sections(client, db):
    lot = make_lot(450)
    address = reverse("lots:detail", args=[lot.slug])

    assert len(labels(client.get(address))) == 200
    assert labels(client.get(address, {"section": "2"}))[0] == "Spot 401, free"
    assert "Spot 300, free, chosen" in labels(client.get(address, {"spot": "300"}))


def test_lot_that_is_not_listed_is_not_found(client, lot):
    Lot.objects.filter(pk=lot.pk).update(is_active=False)

    for name in ("lots:detail", "lots:live", "lots:quote"):
        assert client.get(reverse(name, args=[lot.slug])).status_code == 404
    assert book(client, lot).status_code == 404


@pytest.mark.promise("S1-18")
@pytest.mark.promise("S4-41")
def test_plan_is_sent_again_only_when_something_changed(client, lot, bob):
    address = reverse("lots:live", args=[lot.slug])
    first = client.get(address)

    again = client.get(address, headers={"If-None-Match": first["ETag"]})
    park(lot, bob)
    later = client.get(address, headers={"If-None-Match": first["ETag"]})

    assert again.status_code == 304
    assert "2 of 3 free" in text_of(later)


def test_an_open_page_that_asks_again_costs_two_statements(client, lot, now, django_assert_num_queries):
    """The lot and its spots; nothing is drawn. The form's own times move on, its answer does not."""
    address = reverse("lots:live", args=[lot.slug])
    form = {"kind": "instant", "stay": "60", "spot": "", "plate": "", "section": "0"}
    first = client.get(address, form)

    with django_assert_num_queries(2):
        again = client.get(address, form, headers={"If-None-Match": first["ETag"]})

    assert again.status_code == 304


def test_a_spot_that_looks_different_is_drawn_again(client, lot):
    address = reverse("lots:live", args=[lot.slug])
    first = client.get(address)
    lot.spots.filter(number="2").update(floor="7")

    later = client.get(address, headers={"If-None-Match": first["ETag"]})

    assert "floor 7" in labels(later)[-1]


@pytest.mark.promise("S2-05")
def test_quote_shows_the_price_line_by_line(client, lot):
    page = text_of(client.get(reverse("lots:quote", args=[lot.slug]), {"kind": "instant", "stay": "90"}))

    assert "1 h 30 min" in page
    assert "Total €3.75" in page


def test_quote_follows_the_spot_chosen(client, lot, now):
    element = {"price_components": [{"type": "TIME", "price": "9.00", "step_size": 60}]}
    large = {**element, "restrictions": {"spot_kinds": ["large"]}}
    plain = {"price_components": [{"type": "TIME", "price": "2.00", "step_size": 60}]}
    lot.spots.filter(number="3").update(kind="large")
    publish_tariff(lot, Tariff.from_json({"currency": "EUR", "elements": [large, plain]}), by=None, now=now)
    address = reverse("lots:quote", args=[lot.slug])

    assert "Total €4.00" in text_of(client.get(address, {"kind": "instant", "stay": "120"}))
    assert "Total €18.00" in text_of(client.get(address, {"kind": "instant", "stay": "120", "spot": "3"}))


# Booking


@pytest.mark.promise("S4-16")
@pytest.mark.promise("S0-04")
@pytest.mark.promise("S2-03")
def test_parking_now_takes_the_first_spot_and_shows_the_booking(alice_client, lot, alice, now):
    response = book(alice_client, lot, stay="45", plate="b ab 123")

    booking = Booking.objects.of(alice).get()
    assert response.url == reverse("bookings:detail", args=[booking.reference])
    assert (booking.spot.number, booking.state, booking.ends_at) == ("1", State.ACTIVE, now + 0.75 * HOUR)


@pytest.mark.promise("S0-03")
def test_a_particular_spot_may_be_asked_for(alice_client, lot, alice):
    book(alice_client, lot, spot="3")

    assert Booking.objects.of(alice).get().spot.number == "3"


@pytest.mark.promise("S4-17")
def test_a_window_is_reserved_on_the_lots_own_clock(alice_client, lot, alice):
    book(alice_client, lot, kind="reserved", starts="2027-03-02T09:00", ends="2027-03-02T11:30")

    booking = Booking.objects.of(alice).get()
    assert booking.state == State.CONFIRMED
    assert booking.starts_at.isoformat() == "2027-03-02T08:00:00+00:00"
    assert booking.ends_at.isoformat() == "2027-03-02T10:30:00+00:00"


def test_htmx_is_sent_to_the_booking(alice_client, lot, alice):
    response = alice_client.post(
        reverse("lots:book", args=[lot.slug]), {"kind": "instant"}, headers={"HX-Request": "true"}
    )

    assert response["HX-Redirect"] == reverse("bookings:detail", args=[Booking.objects.get().reference])


def test_guest_signs_in_and_comes_back_to_the_filled_form(client, lot):
    response = book(client, lot, stay="45", plate="B AB 123", spot="2")

    assert not Booking.objects.exists()
    login, _, query = response.url.partition("?")
    assert login == reverse("account_login")
    back = parse_qs(query)["next"][0]
    assert urlsplit(back).path == reverse("lots:detail", args=[lot.slug])
    page = client.get(back).content.decode()
    assert 'value="B AB 123"' in page
    assert '<option value="45" selected>' in page
    assert "Spot 2, free, chosen" in page


@pytest.mark.promise("S4-20")
@pytest.mark.promise("S4-24")
def test_refused_spot_names_the_window_in_the_way_and_offers_another_with_one_tap(
    alice_client, lot, bob, alice
):
    park(lot, bob, spot_number="1")

    refused = book(alice_client, lot, spot="1")
    page = text_of(refused)
    fields = dict(re.findall(r'name="(kind|starts|ends|spot)" value="([^"]+)"', _alternative(refused)))
    taken = book(alice_client, lot, stay="", **fields)

    assert refused.status_code == 409
    assert "This spot is taken for a part of that time." in page
    assert "In the way: Today, 11:00–13:00" in page
    assert taken.status_code == 302
    assert Booking.objects.of(alice).get().spot.number == "2"


def _alternative(response) -> str:
    """The first form offered instead."""
    return response.content.decode().partition("Instead, with one tap")[2].partition("</form>")[0]


def test_full_lot_offers_a_later_time_that_can_be_booked(alice_client, alice, bob, now):
    lot = make_lot(1)
    park(lot, bob, ends_at=now + HOUR)

    refused = book(alice_client, lot)
    fields = dict(re.findall(r'name="(kind|starts|ends|spot)" value="([^"]+)"', _alternative(refused)))
    book(alice_client, lot, **fields)

    assert refused.status_code == 409
    booking = Booking.objects.of(alice).get()
    assert (booking.kind, booking.starts_at) == ("reserved", now + HOUR)


def test_second_running_stay_is_refused_with_the_way_to_the_first(alice_client, lot, alice):
    first = park(lot, alice)

    refused = book(alice_client, lot)

    assert refused.status_code == 409
    assert reverse("bookings:detail", args=[first.reference]) in refused.content.decode()


def test_time_the_clocks_jump_over_is_an_error_that_names_the_next(alice_client, lot):
    response = book(alice_client, lot, kind="reserved", starts="2027-03-28T02:30", ends="2027-03-28T05:00")

    assert response.status_code == 422
    assert "The next time that does is 2027-03-28 03:00." in text_of(response)
    assert not Booking.objects.exists()


def test_time_that_comes_twice_offers_both(alice_client, lot, alice):
    twice = {"kind": "reserved", "starts": "2027-10-31T02:30", "ends": "2027-10-31T04:00"}

    asked = book(alice_client, lot, **twice)
    book(alice_client, lot, starts_fold="1", **twice)

    assert "02:30 CEST 02:30 CET" in text_of(asked)
    booking = Booking.objects.of(alice).get()
    assert booking.starts_at.isoformat() == "2027-10-31T01:30:00+00:00"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"kind": "reserved"}, "Say when."),
        (
            {"kind": "reserved", "starts": "2027-03-02T09:07", "ends": "2027-03-02T11:00"},
            "in steps of 15 minutes",
        ),
        ({"kind": "reserved", "starts": "2027-03-02T09:00", "ends": "2027-03-02T08:00"}, "after the start"),
        ({"kind": "reserved", "starts": "2027-02-02T09:00", "ends": "2027-02-02T10:00"}, "lie in the future"),
        ({"kind": "reserved", "starts": "tomorrow", "ends": "2027-03-02T10:00"}, "Write a date and a time"),
        (
            {"kind": "reserved", "starts": "9999-12-31T23:59", "ends": "0001-01-01T00:00"},
            "Write a date and a time",
        ),
        ({"spot": "77"}, "This lot has no spot 77."),
        ({"stay": "-1"}, "Select a valid choice"),
        ({"kind": "forever"}, "Select a valid choice"),
        ({"features": "wings"}, "Select a valid choice"),
        ({"plate": "X" * 21}, "at most 20 characters"),
    ],
)
@pytest.mark.promise("S4-18")
@pytest.mark.promise("S3-16")
def test_bad_input_is_explained_beside_its_field(alice_client, lot, fields, sentence):
    response = book(alice_client, lot, **fields)

    assert response.status_code == 422
    assert sentence in text_of(response)
    assert not Booking.objects.exists()


def test_booking_needs_a_post(alice_client, lot):
    assert alice_client.get(reverse("lots:book", args=[lot.slug])).status_code == 405
    assert not Booking.objects.exists()


def test_times_are_shown_on_the_lots_clock_which_is_named(client):
    lot = make_lot(1, timezone="America/Toronto")
    park(lot, None, ends_at=lot.tariffs.get().made_at + timedelta(hours=1))

    page = client.get(reverse("lots:detail", args=[lot.slug]))

    assert "Today, 06:00" in text_of(page)
    assert "Toronto time (EST)" in text_of(page)
    assert 'data-zone="America/Toronto"' in page.content.decode()
