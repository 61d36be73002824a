import json
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import Notice, User, Vehicle
from bookings import availability, integrity
from bookings.models import Booking, Payment, State
from bookings.payments import ledger
from lots.models import Lot
from parking.demo import activity
from parking.demo import lots as demo_lots
from parking.demo.activity import MOST_PRESENT, WALK_INS_A_LOT
from parking.demo.people import make_people

pytestmark = pytest.mark.django_db
ROWS = json.loads(demo_lots.FILE.read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def tryout(settings, monkeypatch):
    """Where demos are allowed, and with few walk-ins: the crowd is made once, in the slow test."""
    settings.DEBUG = True
    monkeypatch.setattr(activity, "WALK_INS_A_LOT", 1)
    monkeypatch.setattr(activity, "MOST_PRESENT", 2)


def demo(**options) -> str:
    out = StringIO()
    call_command("demo", stdout=out, **options)
    return out.getvalue()


def free_now(source_id: str) -> int:
    now = timezone.now()
    lot = Lot.objects.get(source_id=source_id)
    return availability.free_counts([lot.pk], now, now + timedelta(minutes=5), now=now)[lot.pk]


def test_demo_is_refused_when_debug_is_false(settings):
    settings.DEBUG = False

    with pytest.raises(CommandError, match="refused when DEBUG is false"):
        demo()

    assert not User.objects.exists()
    assert not Lot.objects.exists()


def test_demo_if_empty_leaves_a_house_with_lots_alone():
    Lot.objects.create(name="Ours", slug="ours", price_per_hour=1)

    assert demo(if_empty=True) == "There are lots already; no demo was made.\n"

    assert not User.objects.exists()
    assert Lot.objects.count() == 1


def test_demo_sign_ins_work():
    make_people(now=timezone.now())

    for name in ["driver", "second", "operator"]:
        email = f"{name}@example.com"
        user = authenticate(None, username=email, password="parkwell-demo")
        assert user == User.objects.get(email=email)
        assert EmailAddress.objects.filter(user=user, email=email, verified=True, primary=True).exists()
        is_operator = name == "operator"
        assert (user.is_staff, user.is_superuser) == (is_operator, is_operator)
    assert sorted(Vehicle.objects.values_list("plate", flat=True)) == ["DEMO 1", "DEMO 2"]


def test_demo_again_keeps_a_changed_password():
    driver = make_people(now=timezone.now()).driver
    driver.set_password("something of my own")
    driver.save()

    make_people(now=timezone.now())

    assert authenticate(None, username="driver@example.com", password="something of my own") == driver


@pytest.mark.promise("S0-14")
def test_demo_lots_carry_what_is_published_and_have_floors_and_chargers(olga):
    assert demo_lots.make_lots(by=olga, now=timezone.now()) == 29

    for row in ROWS:
        lot = Lot.objects.get(source_id=row["source_id"])
        assert lot.spots.count() == min(row["published_capacity"], 120)
    altmarkt = Lot.objects.get(source_id="parkapi:dresdenaltmarkt")
    assert (altmarkt.name, altmarkt.address_line1, altmarkt.postcode) == ("Altmarkt", "Altmarkt 1", "01067")
    assert (altmarkt.max_height_cm, altmarkt.timezone) == (200, "Europe/Berlin")
    parcside = Lot.objects.get(source_id="nuernberg:parcside").hours
    assert [str(window) for window in parcside.on(6) + parcside.on(7)] == ["Sa 08:00-14:00"]
    urania = Lot.objects.get(source_id="parkapi:zuerichparkhausurania")
    assert set(urania.spots.values_list("floor", flat=True)) == {"-1", "-2", "-3", "-4"}
    chargers = urania.spots.offering(features=("ev",))
    assert set(chargers.values_list("connector", "power_kw")) == {("IEC_62196_T2", 22)}
    assert urania.spots.offering(features=("accessible",)).count() == 4


def test_demo_fills_the_pages_and_makes_nothing_twice():
    told = demo()

    assert free_now(activity.FULL) == 0
    assert free_now(activity.NEARLY_FULL) == 1
    check_drivers()
    check_money()
    check_mails()
    check_nobody_was_refused(told)
    before = counts()

    told = demo()

    assert "Demo lots made: 0." in told
    assert "The demo's bookings are there already." in told
    assert counts() == before


def counts() -> list[int]:
    return [model.objects.count() for model in (Lot, Booking, User, Notice, Payment)]


def check_drivers() -> None:
    for name in ["driver", "second"]:
        theirs = Booking.objects.of(User.objects.get(email=f"{name}@example.com"))
        assert theirs.running().count() == 1
        assert theirs.in_state(State.CONFIRMED).filter(starts_at__gt=timezone.now()).exists()
        assert theirs.in_state(State.COMPLETED).filter(total__gt=0).count() >= 3
    dana = Booking.objects.of(User.objects.get(email="driver@example.com"))
    actions = set(dana.values_list("timeline__action", flat=True))
    assert {"extended", "cancelled", "released", "started"} <= actions


def check_money() -> None:
    """Whoever drove away has paid, by card or in cash; whoever is still here has not."""
    drivers = User.objects.filter(email__in=["driver@example.com", "second@example.com"])
    theirs = ledger.with_money(Booking.objects.filter(driver__in=drivers))
    for booking in theirs.in_state(State.COMPLETED):
        account = ledger.account(booking)
        assert (account.paid, account.due) == (booking.total, 0)
    assert not Payment.objects.exclude(booking__state=State.COMPLETED).exists()
    assert set(Payment.objects.values_list("method", "status")) == {
        ("card", "succeeded"),
        ("cash", "succeeded"),
    }
    assert integrity.find(now=timezone.now()) == []


def check_mails() -> None:
    """Only those about the last hour are still to be sent."""
    long_ago = timezone.now() - timedelta(hours=2)
    assert Notice.objects.open().filter(created_at__gt=long_ago).exists()
    assert not Notice.objects.open().filter(created_at__lt=long_ago).exists()
    assert Notice.objects.filter(created_at__lt=long_ago).exists()


def check_nobody_was_refused(told: str) -> None:
    line = next(line for line in told.splitlines() if line.startswith("Demo bookings: "))
    parts = line.removeprefix("Demo bookings: ").rstrip(".").split(", ")
    assert {part.split()[1] for part in parts} == {"booked", "released", "extended", "cancelled", "paid"}


def test_the_same_moment_gives_the_same_walk_ins(lot):
    now = timezone.now()

    assert list(activity._walk_ins([lot], now)) == list(activity._walk_ins([lot], now)) != []


@pytest.mark.slow
def test_the_whole_demo_is_made_without_a_refusal(monkeypatch):
    monkeypatch.setattr(activity, "WALK_INS_A_LOT", WALK_INS_A_LOT)
    monkeypatch.setattr(activity, "MOST_PRESENT", MOST_PRESENT)

    check_nobody_was_refused(demo())

    assert Booking.objects.running().count() > 300


def test_every_demo_lot_is_credited():
    sources = (Path(demo_lots.__file__).with_name("SOURCES.md")).read_text(encoding="utf-8")

    for row in ROWS:
        assert f"`{row['source_id'].partition(':')[0]}:`" in sources
