"""Whoever asks for a row that is not theirs is answered exactly as for a row that is not there."""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.utils import timezone
from django_celery_beat import models as beat
from django_otp.plugins.otp_email.models import EmailDevice
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import Change, Notice, User, Vehicle, Viewing
from accounts.roles import make_roles
from accounts.tests.staff import verify
from bookings import receipts, reviewing, services
from bookings.models import Booking, Payment, Problem, WaitlistEntry, WebhookDelivery, WebhookEndpoint
from bookings.tests.factories import HOUR, make_lot, make_user, park, reserve
from bookings.webhooks import services as webhooks
from lots.models import Closure, Lot
from reports import exports
from reports.models import Export, JobRun, OccupancyImport
from reports.sheets import batches
from reports.sheets.models import ImportBatch
from tests.routes import PUBLIC, address, asked, collected

NONE = 987_654_321
Rows = dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]]


def test_every_route_that_names_a_row_is_asked():
    missing = sorted(route for route in collected() if asked(route) is None and route not in PUBLIC)

    assert missing == [], "say in tests/routes.py who may see these"
    assert len(collected()) > 80


@pytest.fixture
def victim(db: None) -> User:
    return make_user("victim")


@pytest.fixture
def booking(victim: User) -> Booking:
    lot = make_lot(3, now=timezone.now() - timedelta(days=9), name="Foreign", payment_timing="prepaid")
    now = timezone.now()
    start = now.replace(minute=0, second=0, microsecond=0) + 25 * HOUR
    return reserve(lot, victim, now=now, starts_in=start - now)


@pytest.fixture
def rows(booking: Booking, victim: User) -> Rows:
    """By name: what is there, and its like that is not."""
    now, lot = timezone.now(), booking.lot
    payment = services.pay(booking, provider_name="demo", by=victim, now=now)
    free = make_lot(1, now=now - timedelta(days=9), name="Another foreign")
    stay = services.release(park(free, victim, now=now - 2 * HOUR), by=victim, now=now)
    services.record_desk_payment(stay, method="cash", by=victim, now=now)
    refund = services.refund(stay, reason="Gate stuck", by=victim, now=now)[0]
    export = exports.ask(owner=victim, kind="own-bookings", now=now)
    asked_run = JobRun.objects.create(job="monthly-report", period="2030-01 a", due_at=now, asked_by=victim)
    spot = lot.spots.first()
    place = _waiting(victim, now)
    numbers = {
        "vehicle": Vehicle.objects.create(driver=victim, plate="V 1", plate_normalised="V1"),
        "notice": Notice.objects.create(recipient=victim.email, user=victim, subject="Secret"),
        "session": UserSession.objects.create(user=victim, ip="127.0.0.1", session_key="k" * 32),
        "bookings.booking": booking,
        "bookings.ledgerentry": stay.ledger.charges().get(),
        "bookings.waitlistentry": place,
        "bookings.problem": Problem.objects.create(
            booking=stay, spot=stay.spot, kind="blocked", reported_at=now
        ),
        "bookings.receipt": receipts.issue(stay, now=now),
        **_webhook(stay),
        "lots.lot": lot,
        "lots.spot": spot,
        "lots.closure": Closure.objects.create(lot=lot, spot=spot, starts_at=now + 9 * HOUR, created_at=now),
        "lots.review": reviewing.write(lot=free, author=victim, rating=1, text="Secret", now=now),
        "lots.tariff": lot.tariffs.get(),
        "accounts.user": victim,
        "reports.importbatch": _import(now),
        "reports.occupancyimport": _readings(now),
        "account.emailaddress": EmailAddress.objects.create(user=victim, email=victim.email),
        "reports.jobrun": JobRun.objects.create(job="tidy-up", period="2030-01-01", due_at=now),
        "accounts.change": Change.objects.filter(kind="lots.lot", object_id=lot.pk).get(),
        "accounts.viewing": Viewing.objects.create(
            at=now, viewer=victim, what="accounts.user", people=f"|{victim.pk}|", count=1
        ),
        "auth.group": Group.objects.create(name="theirs"),
        "otp_totp.totpdevice": TOTPDevice.objects.create(user=victim, name="d"),
        "otp_email.emaildevice": EmailDevice.objects.create(user=victim, name="d"),
        "otp_static.staticdevice": StaticDevice.objects.create(user=victim, name="d"),
        **_schedules(),
    }
    found: Rows = {name: ((row.pk,), (NONE,)) for name, row in numbers.items()}
    found |= {
        "accounts.vehicle": found["vehicle"],
        "accounts.notice": found["notice"],
        "usersessions.usersession": found["session"],
        "reference": ((booking.reference,), ("Z" * 16,)),
        "place in line": ((place.reference,), ("Z" * 16,)),
        "payment": ((payment.pk,), (uuid.uuid4(),)),
        "bookings.payment": ((payment.pk,), (uuid.uuid4(),)),
        "bookings.refund": ((refund.pk,), (uuid.uuid4(),)),
        "job": ((asked_run.pk,), (uuid.uuid4(),)),
        "export": ((export.pk,), (uuid.uuid4(),)),
        "reports.export": ((export.pk,), (uuid.uuid4(),)),
        "slug": ((lot.slug,), ("no-such-lot",)),
        "tariff file": ((lot.tariffs.get().pk, "document"), (NONE, "document")),
    }
    kind = ContentType.objects.get_for_model(Booking).pk
    return found | {"any row": ((kind, booking.pk), (kind, NONE))}


def _webhook(stay: Booking) -> dict[str, Any]:
    boss = make_user("boss", is_staff=True, is_superuser=True)
    endpoint = webhooks.register(WebhookEndpoint(url="https://example.org/hook"), by=boss, now=timezone.now())
    delivery = WebhookDelivery.objects.create(
        endpoint=endpoint, entry=stay.timeline.first(), created_at=timezone.now(), not_before=timezone.now()
    )
    return {"bookings.webhookendpoint": endpoint, "bookings.webhookdelivery": delivery}


def _readings(now: datetime) -> OccupancyImport:
    numbers = dict.fromkeys(["row_count", "new_count", "known_count", "refused_count"], 0)
    return OccupancyImport.objects.create(file_name="secret.csv", imported_at=now, **numbers)


def _import(now: datetime) -> ImportBatch:
    """Somebody else's, which may be confirmed."""
    importer = make_user("importer", is_staff=True, is_superuser=True)
    content = b"slug,name,capacity,price_per_hour\nsecret,Secret,1,1\n"
    return batches.upload(kind="lots", file_name="secret.csv", content=content, by=importer, now=now)


def _waiting(victim: User, now: datetime) -> WaitlistEntry:
    """The victim's place in line, with an offer."""
    lot = make_lot(1, now=now - timedelta(days=9), name="Full foreign")
    hour = now.replace(minute=0, second=0, microsecond=0)
    taken = reserve(lot, None, now=hour, starts_in=25 * HOUR)
    window = {"starts_at": taken.starts_at, "ends_at": taken.ends_at}
    entry = services.join(lot_id=lot.pk, driver=victim, now=now, **window)
    services.cancel(taken, by=None, now=now)
    return entry


def _schedules() -> dict[str, Any]:
    interval = beat.IntervalSchedule.objects.create(every=7, period="days")
    made = {
        "intervalschedule": interval,
        "periodictask": beat.PeriodicTask.objects.create(name="n", interval=interval),
        "clockedschedule": beat.ClockedSchedule.objects.create(clocked_time=timezone.now()),
        "crontabschedule": beat.CrontabSchedule.objects.create(minute="7"),
        "solarschedule": beat.SolarSchedule.objects.create(event="sunrise", latitude=1, longitude=1),
    }
    return {f"django_celery_beat.{name}": row for name, row in made.items()}


def another_driver() -> Client:
    client = Client()
    client.force_login(make_user("eve"))
    return client


def staff_without_permission() -> Client:
    return verify(Client(), make_user("clerk", is_staff=True))


def staff_of_another_lot() -> Client:
    make_roles()
    operator = make_user("olaf", is_staff=True)
    operator.groups.add(Group.objects.get(name="operator"), Group.objects.get(name="cashier"))
    make_lot(1, now=timezone.now(), name="Olaf's").operators.add(operator)
    return verify(Client(), operator)


ROLES = {
    "anonymous": Client,
    "another driver": another_driver,
    "staff without permission": staff_without_permission,
    "staff of another lot": staff_of_another_lot,
}


def answer_to(client: Client, method: str, route: str, values: tuple[Any, ...]) -> tuple[int, str, str]:
    """What can be seen of an answer, but for what was asked itself and what differs each time."""
    alone = Client()  # of a client that keeps nothing from one question to the next
    alone.cookies.update(client.cookies)
    data: dict[str, Any] = {"post": "yes", "ends": "2030-01-01T10:00", "plate": "X 1", "spot": "2"}
    is_json = route.startswith("api/")
    patch = {"name": "Mine"} if "lots" in route else {"plate": "X 1"}
    more = {"data": patch if method == "PATCH" else {}, "content_type": "application/json"}
    asking = getattr(alone, method.lower())
    url = address(route, values)
    answer = asking(url) if method == "GET" else asking(url, **more) if is_json else asking(url, data)
    # A short id would also be found in widths and counts: where it is shown, the answers differ.
    shown = [url, *(text for text in map(str, values) if len(text) > 8)]
    text, place = (_without(shown, part) for part in (answer.content.decode(), answer.get("Location", "")))
    text = re.sub(r'(csrfmiddlewaretoken" value=|data-now=|X-CSRFToken": ?)"[^"]*"', r"\1", text)
    text = re.sub(r'"request_id": ?"[^"]*"', "", text)
    for value in values:
        place = re.sub(rf"(?<!\w){re.escape(str(value))}(?!\w)", "ASKED", place)
    return answer.status_code, place, text


def _without(shown: list[str], text: str) -> str:
    for value in shown:
        text = text.replace(value, "ASKED").replace(quote(value, safe=""), "ASKED")
    return text


def is_refusal(role: str, route: str, status: int, place: str) -> bool:
    if status in (401, 403, 404):
        return True
    if status != 302 or route.startswith("api/"):
        return False
    # Pages send strangers to the sign-in; the back office sends staff back to where they came from.
    if role == "anonymous":
        return place.startswith(("/accounts/login/", "/admin/login/"))
    return route.startswith("admin/")


@pytest.mark.promise("S4-34")
@pytest.mark.parametrize("area", ["pages", "api", "admin"])
@pytest.mark.parametrize("role", list(ROLES))
def test_what_is_not_theirs_is_as_if_absent(role: str, area: str, rows: Rows, booking: Booking):
    client = ROLES[role]()
    before = world()
    wrong = {}
    for route in sorted(collected() - PUBLIC.keys()):
        begins = route.split("/")[0]
        if (begins if begins in ("api", "admin") else "pages") != area or (entry := asked(route)) is None:
            continue
        known, unknown = rows[entry[0]]
        for method in entry[1]:
            seen, expected = (answer_to(client, method, route, values) for values in (known, unknown))
            if seen != expected or not is_refusal(role, route, seen[0], seen[1]):
                wrong[f"{method} {route}"] = (seen[:2], expected[:2], difference(seen[2], expected[2]))

    assert wrong == {}
    assert world() == before


def difference(one: str, other: str) -> list[tuple[str, str]]:
    lines = zip(one.splitlines(), other.splitlines(), strict=False)
    return [(a.strip()[:200], b.strip()[:200]) for a, b in lines if a != b][:3]


def world() -> list[Any]:
    """What none of these questions may have changed."""
    return [
        list(Booking.objects.order_by("pk").values_list("state", "spot", "ends_at")),
        list(Lot.objects.order_by("pk").values_list("name", "archived_at")),
        list(User.objects.order_by("pk").values_list("email", "password", "is_active")),
        list(WaitlistEntry.objects.order_by("pk").values_list("state", "snoozed_until")),
        *(kind.objects.count() for kind in (Payment, Vehicle, UserSession, Notice, TOTPDevice, Export)),
    ]
