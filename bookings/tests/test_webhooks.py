import hashlib
import hmac
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.roles import make_roles
from accounts.tests.staff import verify
from bookings import safe_http, services
from bookings.models import TimelineEntry, WebhookDelivery, WebhookEndpoint
from bookings.tests.factories import HOUR, NOW, make_lot, make_user, park, reserve
from bookings.tests.receiver import Receiver, listening
from bookings.tests.test_race import at_once
from bookings.webhooks import delivering
from bookings.webhooks import services as webhooks
from bookings.webhooks.signing import HEADER
from lots.models import Lot

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def private(settings: Any) -> None:
    settings.WEBHOOKS_TO_PRIVATE_ADDRESSES = True


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as server:
        yield server


def register(by: User, url: str, **fields: Any) -> WebhookEndpoint:
    return webhooks.register(WebhookEndpoint(url=url, **fields), by=by, now=NOW)


def kinds(receiver: Receiver) -> list[str]:
    return [event["kind"] for event in receiver.events]


def test_an_endpoint_is_told_what_happens_from_now_on(lot: Lot, alice: User, olga: User, receiver: Any):
    reserve(lot, alice)  # before
    register(olga, receiver.url)
    booking = park(lot, alice, plate="B AL 1")
    services.release(booking, by=alice, now=NOW + HOUR)

    assert delivering.sweep(now=NOW + HOUR) == 2
    assert delivering.sweep(now=NOW + HOUR) == 0

    assert kinds(receiver) == ["booking.booked", "booking.released"]
    first, second = receiver.events
    assert [first["sequence"], second["sequence"]] == [1, 2]
    assert first["id"] == f"{booking.reference}-1"
    assert (first["at"], first["lot"]) == ("2027-03-01T10:00:00Z", lot.slug)
    assert first["position"] < second["position"]
    assert (second["to_state"], second["booking"]["plate"]) == ("completed", "B AL 1")
    assert alice.email not in receiver.told[0][1].decode()
    assert receiver.told[0][0]["Parkwell-Event"] == first["id"]


def test_it_is_signed_with_the_time_and_two_secrets_while_one_changes(
    lot: Lot, alice: User, olga: User, receiver: Any
):
    endpoint = register(olga, receiver.url)
    old = endpoint.secret
    new = webhooks.rotate(endpoint, now=NOW)
    reserve(lot, alice)
    delivering.sweep(now=NOW + HOUR)
    reserve(lot, alice)
    delivering.sweep(now=NOW + 25 * HOUR)

    (headers, body), (later, later_body) = receiver.told

    def sign(secret: str, at: str, text: bytes) -> str:
        return hmac.new(secret.encode(), f"{at}.".encode() + text, hashlib.sha256).hexdigest()

    at = re.match(r"t=(\d+),", headers[HEADER])
    assert at
    assert abs(int(at[1]) - int((NOW + HOUR).timestamp())) <= 1
    assert headers[HEADER] == f"t={at[1]},v1={sign(new, at[1], body)},v1={sign(old, at[1], body)}"
    assert later[HEADER].count("v1=") == 1
    again = re.match(r"t=(\d+),", later[HEADER])
    assert again
    assert later[HEADER] == f"t={again[1]},v1={sign(new, again[1], later_body)}"


def test_a_receiver_that_fails_gets_it_later_and_in_order(lot: Lot, alice: User, olga: User, receiver: Any):
    register(olga, receiver.url)
    first = park(lot, alice)
    other = reserve(lot, make_user(), starts_in=3 * HOUR)
    services.release(first, by=alice, now=NOW + HOUR)
    receiver.status = 500

    assert delivering.sweep(now=NOW + HOUR) == 0
    told = [(event["booking"]["reference"], event["sequence"]) for event in receiver.events]
    assert told == [(first.reference, 1), (other.reference, 1)]  # not the second of the first

    receiver.told.clear()
    receiver.status = 204
    assert delivering.sweep(now=NOW + HOUR + 5 * SECOND) == 0  # it has just been tried
    assert delivering.sweep(now=NOW + HOUR + 13 * SECOND) == 3
    told = [(event["booking"]["reference"], event["sequence"]) for event in receiver.events]
    assert told.index((first.reference, 1)) < told.index((first.reference, 2))


def test_after_three_days_it_is_given_up_and_the_next_goes_on(
    lot: Lot, alice: User, olga: User, receiver: Any
):
    register(olga, receiver.url)
    booking = park(lot, alice)
    services.release(booking, by=alice, now=NOW)
    receiver.status = 503
    delivering.sweep(now=NOW)

    delivering.sweep(now=NOW + timedelta(days=3, seconds=1))

    first, second = WebhookDelivery.objects.order_by("pk")
    assert first.failed_at is not None
    assert (first.last_status, first.last_error) == (503, "answered 503")
    assert second.attempts == 1


@pytest.mark.parametrize(
    ("status", "error"), [(301, "redirects are not followed"), (307, "redirects are not followed")]
)
def test_redirects_are_not_followed(
    lot: Lot, alice: User, olga: User, receiver: Any, status: int, error: str
):
    register(olga, receiver.url)
    park(lot, alice)
    receiver.status = status

    assert delivering.sweep(now=NOW) == 0
    assert len(receiver.told) == 1
    assert WebhookDelivery.objects.get().last_error == error


def test_410_switches_it_off(lot: Lot, alice: User, olga: User, receiver: Any):
    endpoint = register(olga, receiver.url)
    park(lot, alice)
    receiver.status = 410
    delivering.sweep(now=NOW)
    reserve(lot, make_user())
    delivering.sweep(now=NOW + HOUR)

    endpoint.refresh_from_db()
    assert (endpoint.is_active, "410" in endpoint.switched_off) == (False, True)
    assert len(receiver.told) == 1


def test_nobody_there_is_asked_once_and_does_not_hold_up_others(
    lot: Lot, alice: User, olga: User, receiver: Any
):
    with listening() as gone:
        dead = register(olga, gone.url)
    register(olga, receiver.url)
    for _number in range(2):
        reserve(lot, alice)

    assert delivering.sweep(now=NOW) == 2
    assert sorted(WebhookDelivery.objects.filter(endpoint=dead).values_list("attempts", flat=True)) == [0, 1]
    dead.refresh_from_db()
    assert dead.not_before is not None
    assert delivering.sweep(now=NOW + SECOND) == 0
    assert WebhookDelivery.objects.get(endpoint=dead, attempts=1).last_error == (
        "no answer: ConnectionRefusedError"
    )


def test_a_private_address_is_refused_when_it_is_connected_to(
    lot: Lot, alice: User, olga: User, receiver: Any, settings: Any
):
    register(olga, receiver.url.replace("127.0.0.1", "localhost"))
    park(lot, alice)
    settings.WEBHOOKS_TO_PRIVATE_ADDRESSES = False
    WebhookEndpoint.objects.update(url=f"https://localhost:{receiver.server_address[1]}/")

    assert delivering.sweep(now=NOW) == 0

    assert receiver.told == []
    assert WebhookDelivery.objects.get().last_error == "blocked: The address is not a public one."


def test_a_limited_operator_is_told_of_their_lots_only(lot: Lot, alice: User, receiver: Any):
    make_roles()
    olaf = make_user("olaf", is_staff=True)
    olaf.groups.add(olaf.groups.model.objects.get(name="operator"))
    hers = make_lot(1, name="Olaf's")
    hers.operators.add(olaf)
    register(olaf, receiver.url)
    park(lot, alice)
    mine = reserve(hers, alice)

    assert delivering.sweep(now=NOW) == 1
    assert receiver.events[0]["booking"]["reference"] == mine.reference

    User.objects.filter(pk=olaf.pk).update(is_active=False)
    services.cancel(mine, by=alice, now=NOW)
    assert delivering.sweep(now=NOW + HOUR) == 0


def test_it_tells_only_what_was_asked_for(lot: Lot, alice: User, olga: User, receiver: Any):
    register(olga, receiver.url, wants_bookings=False)
    stay = services.release(park(lot, alice), by=alice, now=NOW + HOUR)
    services.record_desk_payment(stay, method="cash", by=olga, now=NOW + HOUR)

    delivering.sweep(now=NOW + HOUR)
    assert kinds(receiver) == ["payment.paid"]


def test_what_was_told_can_be_told_again(lot: Lot, alice: User, olga: User, receiver: Any):
    register(olga, receiver.url)
    park(lot, alice)
    delivering.sweep(now=NOW)

    assert webhooks.replay(WebhookDelivery.objects.all(), now=NOW + HOUR) == 1
    assert delivering.sweep(now=NOW + HOUR) == 1
    assert receiver.events[0]["id"] == receiver.events[1]["id"]
    assert webhooks.forget_old(now=NOW + timedelta(days=30)) == 0
    assert webhooks.forget_old(now=NOW + timedelta(days=31)) == 1


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_tell_it_once(receiver: Any):
    lot, olga = make_lot(3), make_user("olga", is_staff=True, is_superuser=True)
    register(olga, receiver.url)
    for _number in range(3):
        reserve(lot, make_user())

    done = at_once([lambda: delivering.sweep(now=NOW) for _sweep in range(4)])

    assert sum(done) == 3
    assert len(receiver.told) == 3


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_without_the_turn_they_tell_it_more_than_once(receiver: Any, monkeypatch: pytest.MonkeyPatch):
    """The canary: the race above is one."""
    lot, olga = make_lot(3), make_user("olga", is_staff=True, is_superuser=True)
    register(olga, receiver.url)
    for _number in range(3):
        reserve(lot, make_user())
    monkeypatch.setattr(delivering, "_take_turn", lambda now: True)

    at_once([lambda: delivering.sweep(now=NOW) for _sweep in range(4)])

    assert len(receiver.told) > 3


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com/", "ftp://example.com/", "https://", "https:///x", "example.com", ""),
        *("https://user:pass@example.com/", "https://example.com/#x", "https://exa mple.com/"),
        *("https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1/", "https://169.254.169.254/"),
        *("https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/"),
        *("https://example.com:0/", "https://example.com:99999/", "https://exämple.com/", "https://a\nb/"),
    ],
)
def test_addresses_that_are_refused_when_typed(url: str, settings: Any, olga: User):
    settings.WEBHOOKS_TO_PRIVATE_ADDRESSES = False
    with pytest.raises(ValidationError):
        register(olga, url)
    assert not WebhookEndpoint.objects.exists()


def test_the_endless_answer_is_cut(receiver: Any, monkeypatch: pytest.MonkeyPatch):
    receiver.answer = b"x" * (safe_http.MOST * 4)
    assert safe_http.post(receiver.url, b"{}", {}) == 200


# --- The back office ---


@pytest.fixture
def back_office(olga: User) -> Client:
    return verify(Client(), olga)


def test_an_operator_registers_and_sees_the_secret_once(back_office: Client, olga: User, receiver: Any):
    add = reverse("admin:bookings_webhookendpoint_add")
    assert back_office.get(add).status_code == 200
    bad = back_office.post(add, {"url": "gopher://x/"})
    assert "must begin with https" in bad.content.decode()

    data = {"url": receiver.url, "wants_bookings": "on", "wants_payments": "on", "is_active": "on"}
    shown = back_office.post(add, data, follow=True).content.decode()

    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.operator == olga
    assert endpoint.secret in shown
    page = reverse("admin:bookings_webhookendpoint_change", args=[endpoint.pk])
    assert endpoint.secret not in back_office.get(page).content.decode()
    back_office.post(page, {"url": receiver.url, "wants_payments": "on"})
    old = endpoint.secret
    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.wants_bookings, endpoint.secret) == (False, False, old)

    changed = back_office.post(
        reverse("admin:bookings_webhookendpoint_changelist"),
        {"action": "new_secret", "_selected_action": [endpoint.pk]},
        follow=True,
    ).content.decode()
    endpoint.refresh_from_db()
    assert (endpoint.old_secret, endpoint.secret in changed) == (old, True)


def test_the_log_is_read_and_replayed(back_office: Client, olga: User, receiver: Any):
    register(olga, receiver.url)
    park(make_lot(1, now=timezone.now()), make_user(), now=timezone.now())
    delivering.sweep(now=timezone.now())
    log = reverse("admin:bookings_webhookdelivery_changelist")
    delivery = WebhookDelivery.objects.get()

    text = back_office.get(log).content.decode()
    assert f"{delivery.entry.booking.reference}-1" in text
    page = reverse("admin:bookings_webhookdelivery_change", args=[delivery.pk])
    assert back_office.get(page).status_code == 200
    back_office.post(log, {"action": "send_again", "_selected_action": [delivery.pk]})
    assert delivering.sweep(now=timezone.now()) == 1
    assert len(receiver.told) == 2


def test_the_stream_goes_on_where_numbers_are_given_late(lot: Lot, alice: User):
    """A row that becomes visible late is put behind what was read, never before it."""
    from bookings import events

    early, late = reserve(lot, alice), reserve(lot, make_user())
    hidden = TimelineEntry.objects.get(booking=early)
    TimelineEntry.objects.filter(pk=hidden.pk).update(position=-1)  # as if not committed yet
    seen = events.number_new()
    TimelineEntry.objects.filter(pk=hidden.pk).update(position=None)
    events.number_new()

    hidden.refresh_from_db()
    assert TimelineEntry.objects.get(booking=late).position == seen
    assert hidden.position == seen + 1
