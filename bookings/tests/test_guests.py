"""Guests: from the label to the stay and out again, and how they are forgotten."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.core import serializers
from django.test import Client
from django.utils import timezone

from accounts import limits, outbox
from accounts.models import Notice, User
from bookings import guest_cookie, guests, services, tasks
from bookings.errors import AlreadyParked, NoGuests, SpotTaken
from bookings.models import Booking, Guest
from bookings.payments.models import Payment
from bookings.tests.factories import HOUR, make_lot, make_user, overlaps
from bookings.tests.test_race import at_once, tally
from lots.models import Lot, Spot

pytestmark = pytest.mark.django_db
KEY = "0f" * 16
MAIL = "gina.sentinel@example.com"
PLATE = "GUE 5T"


@pytest.fixture
def lot() -> Lot:
    """Free of charge, in two buildings, open always."""
    lot = make_lot(3, name="Harbour", price="0", now=timezone.now() - HOUR)
    lot.spots.filter(number="3").update(building="West", floor="2")
    return lot


@pytest.fixture
def paid() -> Lot:
    return make_lot(2, name="Paid", price="6", now=timezone.now() - HOUR)


def spot(lot: Lot, number: str) -> Spot:
    return lot.spots.get(number=number)


def label(row: Lot | Spot) -> str:
    return f"/s/{row.code}/"


def leaving(minutes: int = 60) -> str:
    return (timezone.now() + timedelta(minutes=minutes)).isoformat()


def book(client: Client, at: Lot | Spot, **fields: Any) -> Any:
    client.get(label(at))
    order = {"spot": "", "leaving": leaving(), "plate": PLATE, "email": MAIL} | fields
    return client.post(f"{label(at)}book/", order)


def park(lot: Lot, *, key: str = KEY, now: datetime, minutes: int = 60, **fields: Any) -> Booking:
    order = {"spot_number": "", "plate": PLATE, "email": MAIL} | fields
    return guests.book(lot_id=lot.pk, key=key, ends_at=now + timedelta(minutes=minutes), now=now, **order)


def cookie_of(client: Client) -> str:
    return client.cookies["guest"].value


def text_of(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def dump() -> str:
    """Every row of every table."""
    rows = [row for model in apps.get_models() for row in model._base_manager.all()]
    return serializers.serialize("json", rows)


# --- The label ---


@pytest.mark.promise("S0-01")
@pytest.mark.promise("S0-02")
@pytest.mark.promise("S0-14")
def test_a_label_opens_a_page_with_what_is_free_without_an_account(lot: Lot, client: Client):
    services.book(lot_id=lot.pk, kind="instant", driver=None, now=timezone.now(), spot_number="2")

    page = client.get(label(lot))

    shown = page.content.decode()
    assert page.status_code == 200
    assert "2 spots free" in text_of(page)
    assert re.findall(r'name="spot" value="(\w*)"', shown) == ["", "1", "3"]
    assert "West, floor 2" in text_of(page)
    assert Guest.objects.count() == Booking.objects.filter(guest__isnull=False).count() == 0
    assert "no-store" in page["Cache-Control"]


@pytest.mark.promise("S0-03")
def test_a_spots_label_proposes_that_spot_while_it_is_free(lot: Lot, client: Client):
    assert 'value="3" id="spot-' in client.get(label(spot(lot, "3"))).content.decode()
    assert re.search(r'value="3"[^>]* checked', client.get(label(spot(lot, "3"))).content.decode())

    services.book(lot_id=lot.pk, kind="instant", driver=None, now=timezone.now(), spot_number="3")

    assert "Spot 3 is not free until then" in text_of(client.get(label(spot(lot, "3"))))


def test_codes_may_be_typed_and_unknown_ones_lead_nowhere(lot: Lot, client: Client):
    code = spot(lot, "1").code
    typed = f"{code[:5]}-{code[5:]}".lower().replace("0", "o").replace("1", "l")

    assert client.get(f"/s/{typed}/").status_code == 200
    assert client.get("/s/0000000000/").status_code == 404
    lot.archived_at = timezone.now()
    lot.save()
    assert client.get(label(spot(lot, "1"))).status_code == 404


def test_who_is_signed_in_books_as_themselves(lot: Lot, alice_client: Client):
    assert alice_client.get(label(spot(lot, "2")))["Location"] == f"/lots/{lot.slug}/?spot=2"


@pytest.mark.promise("S0-15")
def test_leaving_times_are_quarter_hours_of_the_lots_clock(lot: Lot, client: Client):
    shown = client.get(label(lot)).content.decode()

    offered = [datetime.fromisoformat(at) for at in re.findall(r'<option value="(\d[^"]+)"', shown)]
    steps = [later - at for at, later in pairwise(offered)]
    assert steps[:10] == [timedelta(minutes=15)] * 10
    assert all(at.minute % 15 == 0 and at.second == 0 for at in offered)
    assert timedelta(hours=14) < offered[-1] - timezone.now() <= timedelta(hours=16)


@pytest.mark.promise("S0-09")
@pytest.mark.promise("S0-12")
@pytest.mark.promise("S0-18")
def test_when_nothing_is_free_the_three_soonest_are_named_and_the_page_looks_again(lot: Lot, client: Client):
    now = timezone.now()
    for hours, number in enumerate("123", start=1):
        services.book(
            lot_id=lot.pk, kind="instant", driver=None, now=now, spot_number=number,
            ends_at=now + hours * HOUR,
        )  # fmt: skip

    page = client.get(label(lot))

    shown = page.content.decode()
    assert "Nothing free" in text_of(page)
    assert [f"Spot {number}" in text_of(page) for number in "123"] == [True] * 3
    assert shown.count("<time ") == 3
    assert "guest-form" not in shown.replace("#guest-form", "")
    assert '<meta http-equiv="refresh"' in shown
    assert re.search(r'hx-get="[^"]+\?empty=1"', shown)
    services.release(Booking.objects.first(), by=None, now=now + timedelta(minutes=5))
    again = client.get(f"{label(lot)}live/?empty=1")
    assert (again.status_code, again["HX-Refresh"]) == (204, "true")


@pytest.mark.promise("S0-11")
def test_what_is_free_is_asked_for_again_cheaply(lot: Lot, client: Client):
    query = {"leaving": leaving(), "spot": "1"}
    first = client.get(f"{label(lot)}live/", query)

    same = client.get(f"{label(lot)}live/", query, headers={"If-None-Match": first["ETag"]})
    services.book(lot_id=lot.pk, kind="instant", driver=None, now=timezone.now(), spot_number="2")
    other = client.get(f"{label(lot)}live/", query, headers={"If-None-Match": first["ETag"]})

    assert (same.status_code, same.content) == (304, b"")
    assert (other.status_code, re.search(r'value="1"[^>]* checked', other.content.decode()) is None) == (
        200,
        False,
    )


def test_a_lot_may_refuse_guests(lot: Lot, client: Client):
    client.get(label(lot))
    Lot.objects.filter(pk=lot.pk).update(guests_may_book=False)

    assert "takes no guests" in text_of(client.get(label(lot)))
    refused = client.post(f"{label(lot)}book/", {"leaving": leaving(), "plate": PLATE})
    assert (refused.status_code, Booking.objects.count(), Guest.objects.count()) == (409, 0, 0)
    with pytest.raises(NoGuests):
        park(lot, now=timezone.now())


# --- Booking ---


@pytest.mark.promise("S0-04")
@pytest.mark.promise("S0-17")
def test_a_guest_books_and_comes_back_to_the_stay(lot: Lot, client: Client):
    answer = book(client, spot(lot, "3"), spot="3")

    assert answer["Location"] == "/s/stay/"
    stay = Booking.objects.get()
    assert (stay.kind, stay.state, stay.spot.number, stay.plate, stay.driver) == (
        *("instant", "active", "3", PLATE),
        None,
    )
    assert [entry.actor for entry in stay.timeline.all()] == ["guest"]
    # Any label leads back to it.
    assert client.get(label(lot))["Location"] == "/s/stay/"
    page = client.get("/s/stay/")
    shown = text_of(page)
    end = stay.ends_at.astimezone(lot.zone)
    assert all(word in shown for word in ["Harbour", "West", "floor 2", f"{end:%H:%M}", "Stop", "Change"])
    assert [f"+{m}" in shown for m in ("15", "30", "45", "1")] == [True] * 4


def test_bad_input_comes_back_with_its_reasons(lot: Lot, client: Client):
    answer = book(client, lot, plate=" - ", email="nonsense", leaving="soon")

    assert answer.status_code == 422
    assert "A plate has letters or figures." in text_of(answer)
    assert answer.content.decode().count("pw-errors") == 3
    assert book(client, lot, leaving=leaving(-5)).status_code == 422
    assert book(client, lot, leaving=leaving(17 * 60)).status_code == 422
    assert (Booking.objects.count(), Guest.objects.count()) == (0, 0)


def test_a_spot_taken_meanwhile_is_refused_and_nobody_is_made(lot: Lot, client: Client):
    client.get(label(lot))
    services.book(lot_id=lot.pk, kind="instant", driver=None, now=timezone.now(), spot_number="1")

    answer = book(client, lot, spot="1")

    assert answer.status_code == 409
    assert "This spot is taken" in text_of(answer)
    assert MAIL in answer.content.decode()  # what was typed stays
    assert Guest.objects.count() == 0


def test_the_form_sent_twice_is_one_stay(lot: Lot, client: Client):
    book(client, lot)
    again = client.post(f"{label(lot)}book/", {"leaving": leaving(), "plate": PLATE})

    assert again["Location"] == "/s/stay/"
    assert Booking.objects.count() == 1
    stay = Booking.objects.get()
    with pytest.raises(AlreadyParked):
        services.book(lot_id=lot.pk, kind="instant", driver=None, guest=stay.guest, now=timezone.now())


def test_posting_needs_the_forms_token(lot: Lot):
    strict = Client(enforce_csrf_checks=True)
    strict.get(label(lot))

    assert strict.post(f"{label(lot)}book/", {"leaving": leaving(), "plate": PLATE}).status_code == 403


def test_nobody_fills_a_lot_from_one_address(client: Client, monkeypatch: pytest.MonkeyPatch):
    lot = make_lot(9, price="0", now=timezone.now() - HOUR)
    monkeypatch.setattr("bookings.guest_views.GUEST_IP", limits.Limit("test", 2, 3600))
    assert book(Client(), lot, spot="99").status_code == 422  # gave its turn back

    answers = [book(Client(), lot) for _i in range(3)]

    assert [answer.status_code for answer in answers] == [302, 302, 429]
    assert int(answers[-1]["Retry-After"]) > 60
    assert Booking.objects.count() == 2


# --- The cookie ---


@pytest.mark.promise("S0-10")
def test_the_cookie_is_closed_to_scripts_and_says_nothing(lot: Lot, client: Client, settings: Any):
    book(client, lot)

    morsel = client.cookies["guest"]
    assert (morsel["httponly"], morsel["samesite"], morsel["max-age"]) == (True, "Lax", 16 * 3600)
    assert not morsel["secure"]
    assert not [word for word in (MAIL, "GUE", Booking.objects.get().reference) if word in morsel.value]
    stored = Guest.objects.values_list("key_hash", flat=True).get()
    assert guest_cookie.read(_asking(morsel.value), now=timezone.now()).key not in stored
    settings.SESSION_COOKIE_SECURE = True
    secure = client.get(label(make_lot(1, price="0")))
    assert secure.cookies["__Host-guest"]["secure"]


def _asking(value: str) -> Any:
    return type("Request", (), {"COOKIES": {guest_cookie.name(): value}})()


def test_forged_foreign_and_old_cookies_are_none(lot: Lot, client: Client, settings: Any):
    book(client, lot)
    good, now = cookie_of(client), timezone.now()
    flipped = good[:40] + ("A" if good[40] != "A" else "B") + good[41:]
    foreign = Fernet(Fernet.generate_key()).encrypt(b'{"key": "%s", "stay": ""}' % KEY.encode()).decode()

    for value in (flipped, foreign, "x", "", "gAAAAA=="):
        thief = Client()
        thief.cookies["guest"] = value
        assert thief.get("/s/stay/").status_code == 404
        assert thief.post("/s/stay/stop/").status_code == 404
        assert thief.post("/s/stay/extend/", {"ends": leaving(90)}).status_code == 404
        assert thief.get(label(lot)).status_code == 200
    assert guest_cookie.read(_asking(good), now=now + timedelta(hours=15, minutes=59)) is not None
    assert guest_cookie.read(_asking(good), now=now + timedelta(hours=16, minutes=1)) is None
    assert Booking.objects.get().state == "active"
    # The site's key was changed: what the old one locked opens while it is named.
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another " * 8
    assert client.get("/s/stay/").status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    client.cookies["guest"] = good
    assert client.get("/s/stay/").status_code == 404


def test_two_guests_see_their_own_stay_only(lot: Lot):
    gina, hugo = Client(), Client()
    book(gina, lot, spot="1", plate="GINA 1")
    book(hugo, lot, spot="2", plate="HUGO 2")

    assert "HUGO 2" not in text_of(gina.get("/s/stay/"))
    assert "HUGO 2" in text_of(hugo.get("/s/stay/"))
    gina.post("/s/stay/stop/")
    states = dict(Booking.objects.values_list("spot__number", "state"))
    assert states == {"1": "completed", "2": "active"}


# --- The stay ---


@pytest.mark.promise("S0-06")
@pytest.mark.promise("S0-15")
def test_extending_is_a_tap_and_twice_is_once(lot: Lot, client: Client):
    book(client, lot)
    stay = Booking.objects.get()
    later = stay.ends_at + timedelta(minutes=15)

    for _twice in range(2):
        assert client.post("/s/stay/extend/", {"ends": later.isoformat()}).status_code == 302

    stay.refresh_from_db()
    assert stay.ends_at == later
    assert [entry.action for entry in stay.timeline.order_by("sequence")] == ["booked", "extended"]
    assert client.post("/s/stay/extend/", {"ends": leaving(17 * 60)}).status_code == 422
    assert client.post("/s/stay/extend/", {"ends": "later"}).status_code == 422


def test_nobody_extends_into_somebody_elses_time(lot: Lot, client: Client, alice: User):
    book(client, lot, spot="1")
    stay = Booking.objects.get()
    start = (stay.ends_at + timedelta(minutes=20)).replace(minute=0, second=0, microsecond=0) + HOUR
    services.book(
        lot_id=lot.pk, kind="reserved", driver=alice, spot_number="1", now=timezone.now(),
        starts_at=start, ends_at=start + HOUR,
    )  # fmt: skip

    answer = client.post("/s/stay/extend/", {"ends": (start + timedelta(minutes=15)).isoformat()})

    assert answer.status_code == 409
    assert "Somebody comes after you" in text_of(answer)
    stay.refresh_from_db()
    assert stay.ends_at < start


def test_changing_moves_the_stay_and_a_taken_spot_costs_nothing(lot: Lot, client: Client):
    book(client, lot, spot="1")
    services.book(lot_id=lot.pk, kind="instant", driver=None, now=timezone.now(), spot_number="2")
    offered = client.get("/s/stay/change/").content.decode()

    refused = client.post("/s/stay/change/", {"spot": "2"})
    stay = Booking.objects.get(guest__isnull=False)
    assert re.findall(r'name="spot" value="(\w+)"', offered) == ["3"]
    assert (refused.status_code, stay.spot.number, stay.state) == (409, "1", "active")
    assert "Spot 1 stays yours." in text_of(refused)

    assert client.post("/s/stay/change/", {"spot": "3"}).status_code == 302
    stay.refresh_from_db()
    assert (stay.spot.number, stay.timeline.last().actor, overlaps()) == ("3", "guest", [])


@pytest.mark.promise("S0-07")
@pytest.mark.promise("S0-08")
def test_stopping_frees_the_spot_and_erases_who_it_was(lot: Lot, client: Client):
    book(client, lot, spot="1")
    assert client.get("/s/stay/stop/").status_code == 200
    assert Booking.objects.get().state == "active"  # asking changes nothing

    for _twice in range(2):
        assert client.post("/s/stay/stop/")["Location"] == "/s/stay/"

    stay = Booking.objects.get()
    assert (stay.state, stay.plate, stay.plate_normalised) == ("completed", "", "")
    assert (stay.guest.key_hash, stay.guest.email) == (None, "")
    page = client.get("/s/stay/")
    assert "completed" in text_of(page)
    assert "Nothing any more" in text_of(page)
    assert client.get("/s/stay/receipt.pdf")["Content-Type"] == "application/pdf"
    assert client.post("/s/stay/extend/", {"ends": leaving(90)}).status_code == 404
    # And the next stay is somebody new's.
    before = cookie_of(client)
    book(client, lot)
    assert guest_cookie.read(_asking(before), now=timezone.now()).key != (
        guest_cookie.read(_asking(cookie_of(client)), now=timezone.now()).key
    )
    assert Guest.objects.count() == 2


# --- Forgetting ---


@pytest.mark.promise("S0-05")
@pytest.mark.promise("S0-08")
def test_a_stay_that_ended_by_itself_leaves_no_trace_of_a_person(lot: Lot, now: datetime, client: Client):
    stay = park(lot, now=now)
    before = {name: getattr(stay, name) for name in ("reference", "spot_id", "starts_at", "total")}
    end = now + timedelta(minutes=61)
    assert MAIL in dump()
    assert guests.erase_due(now=now + timedelta(minutes=59)) == 0

    services.end_stays(now=end)
    outbox.deliver_due(now=end)
    assert guests.erase_due(now=end) == 1
    assert guests.erase_due(now=end) == 0

    left = dump()
    assert [word for word in (MAIL, PLATE, "GUE5T", guests.hashed(KEY)) if word in left] == []
    stay.refresh_from_db()
    assert {name: getattr(stay, name) for name in before} == before
    assert stay.guest.erased_at == end


def test_a_mail_that_is_still_owed_is_sent_and_then_forgotten(lot: Lot, now: datetime, mailoutbox: Any):
    park(lot, now=now)
    services.end_stays(now=now + 2 * HOUR)
    guests.erase_due(now=now + 2 * HOUR)
    assert Notice.objects.filter(recipient=MAIL).count() == 2  # confirmed, completed

    outbox.deliver_due(now=now + 2 * HOUR)
    guests.erase_due(now=now + 2 * HOUR)

    assert len(mailoutbox) == 2
    assert all("/s/stay/" in mail.body and "/bookings/" not in mail.body for mail in mailoutbox)
    assert Notice.objects.count() == 0


def test_what_is_not_paid_keeps_its_plate_until_it_is_and_thirty_days_at_most(paid: Lot, now: datetime):
    for key, plate in (("a1" * 16, "OWES 1"), ("b2" * 16, "PAYS 2")):
        park(paid, key=key, plate=plate, now=now)
    end = now + 2 * HOUR
    services.end_stays(now=end)
    assert guests.erase_due(now=end) == 0
    olga = make_user("olga", is_staff=True)

    services.record_desk_payment(Booking.objects.get(plate="PAYS 2"), method="cash", by=olga, now=end)

    assert guests.erase_due(now=end) == 1
    assert list(Booking.objects.order_by("pk").values_list("plate", flat=True)) == ["OWES 1", ""]
    assert guests.erase_due(now=end + timedelta(days=29)) == 0
    assert guests.erase_due(now=end + timedelta(days=31)) == 1
    assert list(Booking.objects.values_list("plate", flat=True)) == ["", ""]


def test_a_guest_takes_the_address_back_while_parked(lot: Lot, client: Client):
    book(client, lot)
    assert MAIL in text_of(client.get("/s/stay/"))

    assert client.post("/s/stay/forget/").status_code == 302

    assert MAIL not in text_of(client.get("/s/stay/"))
    assert MAIL not in dump()
    assert Booking.objects.get().state == "active"


def test_the_clock_runs_it(lot: Lot):
    park(lot, now=timezone.now() - 2 * HOUR)
    services.end_stays(now=timezone.now())

    assert tasks.erase_guests() == 1


# --- Money ---


def test_a_prepaid_stay_is_held_paid_and_begun(client: Client):
    lot = make_lot(1, price="6", payment_timing="prepaid", now=timezone.now() - HOUR)
    book(client, lot)
    assert Booking.objects.get().state == "held"
    assert "Pay with the demo card" in text_of(client.get("/s/stay/"))

    page = client.post("/s/stay/pay/", {"provider": "demo"})["Location"]
    back = client.post(page, {"answer": "approve"})

    assert back["Location"] == "/s/stay/"
    stay, payment = Booking.objects.get(), Payment.objects.get()
    assert (stay.state, payment.status, payment.by) == ("active", "succeeded", None)
    assert [entry.actor for entry in stay.timeline.order_by("sequence")][:3] == ["guest"] * 3
    assert client.get(f"/payments/{payment.pk}/")["Location"] == "/s/stay/"
    assert Client().get(f"/payments/{payment.pk}/")["Location"].startswith("/accounts/login/")


def test_who_leaves_pays_and_is_then_forgotten(paid: Lot, client: Client):
    book(client, paid)
    Booking.objects.update(booked_from=timezone.now() - HOUR, starts_at=timezone.now() - HOUR)
    client.post("/s/stay/stop/")
    stay = Booking.objects.get()
    assert (stay.state, stay.plate, stay.total > 5) == ("completed", PLATE, True)
    # What is owed comes first, wherever they scan next.
    assert client.get(label(paid))["Location"] == "/s/stay/"

    page = client.post("/s/stay/pay/", {"provider": "demo"})["Location"]
    client.post(page, {"answer": "approve"})
    guests.erase_due(now=timezone.now())

    stay.refresh_from_db()
    assert (stay.plate, stay.guest.is_live, stay.ledger.count()) == ("", False, 1)
    assert client.get("/s/stay/receipt.pdf").status_code == 200
    assert client.get(label(paid)).status_code == 200


def test_a_hold_nobody_paid_is_let_go_and_forgotten(now: datetime):
    lot = make_lot(1, price="6", payment_timing="prepaid")
    stay = park(lot, now=now)

    services.lapse_holds(now=now + timedelta(minutes=11))

    assert guests.erase_due(now=now + timedelta(minutes=11)) == 1
    stay.refresh_from_db()
    assert (stay.state, stay.plate) == ("expired", "")


# --- At the same moment ---


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_two_guests_after_the_last_spot_one_gets_it_and_the_other_leaves_nothing():
    now = timezone.now()
    lot = make_lot(1, price="0", now=now - HOUR)

    def job(number: int) -> Any:
        return lambda: park(lot, key=f"{number:032x}", spot_number="1", now=now)

    outcomes = tally(at_once([job(number) for number in range(8)]))

    assert outcomes == {"Booking": 1, SpotTaken.__name__: 7}
    assert (overlaps(), Guest.objects.count()) == ([], 1)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_one_guest_at_once_on_two_lots_gets_one_stay():
    now = timezone.now()
    here, there = (make_lot(9, price="0", now=now - HOUR) for _i in range(2))

    outcomes = tally(at_once([lambda lot=lot: park(lot, now=now) for lot in (here, there) * 4]))

    assert outcomes == {"Booking": 1, "AlreadyParked": 7}
    assert Booking.objects.occupying().count() == Guest.objects.count() == 1


def test_who_was_found_to_be_done_with_and_has_booked_since_is_left_alone(lot: Lot, now: datetime):
    first = park(lot, now=now)
    services.release(first, by=first.guest, now=now + HOUR)
    found = guests._done_with(now + HOUR).get()
    park(lot, now=now + HOUR, plate="NEW 1")

    assert guests._erase(found.pk, now + HOUR) is False
    assert Booking.objects.occupying().get().plate == "NEW 1"


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_booking_and_erasing_at_once_leave_the_new_stay_its_guest():
    now = timezone.now()
    lot = make_lot(2, price="0", now=now - 9 * HOUR)
    park(lot, now=now - 3 * HOUR)
    services.end_stays(now=now)

    at_once([lambda: park(lot, now=now, plate="NEW 1"), lambda: guests.erase_due(now=now)])

    new = Booking.objects.occupying().get()
    assert (new.plate, new.guest.is_live) == ("NEW 1", True)
    assert new.total == Decimal(0)
