"""Redis killed, stopped and frozen: bookings go on, and when it is back all mail goes out."""

from __future__ import annotations

import time

import pytest
from django.utils import timezone

from accounts.models import Notice
from bookings.models import Booking
from bookings.tests.factories import make_lot, make_user
from parking import schedules
from tests.reliability.house import LONG, House, Redis, house, needs_redis, once, until
from tests.reliability.load import Drivers, signed_in
from tests.reliability.mail_sink import MailSink

__all__ = ["house"]
pytestmark = [pytest.mark.slow, once, needs_redis]
# How it goes away, and for how many seconds.
OUTAGES = [("killed", 0)] * 5 + [("stopped", 60), ("frozen", 30)] if LONG else [("killed", 2), ("frozen", 2)]
DRIVERS = 2
A_MINUTE = 4  # requests
LONGEST_WAIT = 10  # seconds: a few of the cache's timeouts on a busy machine, and no hanging


def confirmations():
    """What must go out now; the reminders owed with them wait for their hour."""
    return Notice.objects.open().filter(template="bookings/email/confirmed")


def test_bookings_go_on_without_redis_and_all_mail_goes_out_after(house: House):
    redis, sink = Redis(house), MailSink()
    redis.start()
    house.environment |= {"REDIS_URL": redis.url, "EMAIL_URL": f"smtp://127.0.0.1:{sink.port}"}
    schedules.ensure()
    lot = make_lot(DRIVERS, now=timezone.now(), name="Alexanderplatz")
    house.start("worker")
    house.start("beat")
    house.start_web()
    drivers = Drivers(house, lot, [signed_in(make_user()) for _ in range(DRIVERS)], pause=0.2)

    for how, seconds in OUTAGES:
        until(lambda: sink.recipients().total() >= 1)  # all is well so far
        redis.freeze() if how == "frozen" else redis.kill()
        before = len(drivers.booked)
        time.sleep(seconds)
        until(lambda before=before: len(drivers.booked) > before)
        back = time.monotonic()
        redis.thaw() if how == "frozen" else redis.start()
        owed = set(confirmations().values_list("pk", flat=True))
        until(lambda owed=owed: not confirmations().filter(pk__in=owed).exists())
        print(f"{how} {seconds} s: {len(owed)} mails out {time.monotonic() - back:.1f} s after")  # noqa: T201
    drivers.stop()
    until(lambda: not confirmations().exists())

    assert drivers.odd == []
    assert set(drivers.statuses) == {201}
    assert Booking.objects.count() == len(drivers.booked)
    assert sink.recipients().total() == len(drivers.booked)
    print(f"{len(drivers.booked)} bookings, slowest {drivers.slowest:.2f} s")  # noqa: T201


def test_requests_are_counted_while_redis_is_there_and_let_through_without(house: House):
    """Neither an error nor a long wait, however it is away; and counted again afterwards."""
    redis = Redis(house)
    redis.start()
    house.environment |= {"REDIS_URL": redis.url, "THROTTLE_ANON": f"{A_MINUTE}/min"}
    make_lot(1, now=timezone.now())
    house.start_web()

    assert _statuses(house) == [200] * A_MINUTE + [429]
    for how in ("killed", "frozen"):
        redis.freeze() if how == "frozen" else redis.kill()
        assert _statuses(house) == [200] * (A_MINUTE + 1), how
        redis.thaw() if how == "frozen" else redis.start()
        until(lambda: 429 in _statuses(house))


def _statuses(house: House) -> list[int]:
    """Of one request more than there are; each has an answer long before a client gives up."""
    found = []
    for _request in range(A_MINUTE + 1):
        begun = time.monotonic()
        found.append(house.get("/api/v1/lots/")[0])
        assert time.monotonic() - begun < LONGEST_WAIT
    return found
