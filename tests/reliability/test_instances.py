"""Two web servers of two processes each on one database and one Redis keep what one process keeps."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.tests.conftest import make_member
from bookings.models import Booking
from bookings.tests.factories import make_lot, make_user, overlaps
from bookings.tests.test_race import no_guard
from tests.reliability.house import House, Redis, house, needs_redis, once, until
from tests.reliability.load import signed_in

__all__ = ["house"]
pytestmark = [pytest.mark.slow, pytest.mark.race, once, needs_redis]
LOGIN = "/api/auth/app/v1/auth/login"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def two(house: House, tmp_path: Path) -> Iterator[tuple[House, House]]:
    """Not started yet."""
    redis = Redis(house)
    redis.start()
    (tmp_path / "second").mkdir()
    other = House(tmp_path / "second")
    for each in (house, other):
        each.environment |= {"REDIS_URL": redis.url, "WEB_WORKERS": "2"}
    try:
        yield house, other
    finally:
        other.close()


def ask_both(two: tuple[House, House], path: str, bodies: list[Any], headers: list[Any]) -> list[Any]:
    """All at once, in turn to the one and the other."""

    def ask(number: int) -> Any:
        return two[number % 2].ask("POST", path, bodies[number], headers[number])

    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(ask, range(len(bodies))))


def test_two_servers_are_as_careful_as_one(two: tuple[House, House]) -> None:
    for each in two:
        each.start_web()
    the_last_spot_goes_to_one(two)
    one_key_has_one_effect(two)
    a_password_is_tried_five_times(two)


def test_the_canary_without_lock_and_guard_two_servers_book_one_spot_twice(two: tuple[House, House]) -> None:
    granian = [str(Path(sys.executable).parent / "granian"), "--interface", "wsgi", "--no-ws"]
    many = ["--workers", "2", "--blocking-threads", "4"]
    for each in two:
        each.run([*granian, *many, "--port", str(each.port), "tests.reliability.unlocked:application"], "web")
    for each in two:
        until(lambda each=each: each.get("/healthz")[0] == 200)  # type: ignore[misc]
    drivers = [signed_in(make_user()) for _ in range(16)]
    lot = make_lot(1, now=timezone.now(), name="Unlocked")
    wish = {"lot": lot.slug, "kind": "reserved", "plate": "TW 3", **hours_from_now(2)}

    with no_guard():
        answers = ask_both(two, "/api/v1/bookings/", [wish] * 16, drivers)
        found = overlaps()

    assert [status for status, *_rest in answers].count(201) > 1
    assert found


def the_last_spot_goes_to_one(two: tuple[House, House]) -> None:
    drivers = [signed_in(make_user()) for _ in range(16)]
    for round_ in range(5):
        lot = make_lot(1, now=timezone.now(), name=f"Round {round_}")
        wish = {"lot": lot.slug, "kind": "reserved", "plate": "TW 1", **hours_from_now(2 + round_)}
        answers = ask_both(two, "/api/v1/bookings/", [wish] * 16, drivers)
        assert sorted(status for status, *_rest in answers) == [201] + [409] * 15
    assert Booking.objects.count() == 5
    assert overlaps() == []


def one_key_has_one_effect(two: tuple[House, House]) -> None:
    before = Booking.objects.count()
    driver = signed_in(make_user()) | {"Idempotency-Key": "two-servers-1"}
    lot = make_lot(20, now=timezone.now(), name="Keyed")
    wish = {"lot": lot.slug, "kind": "reserved", "plate": "TW 2", **hours_from_now(2)}
    answers = ask_both(two, "/api/v1/bookings/", [wish] * 16, [driver] * 16)
    made = {json.loads(text)["reference"] for status, _headers, text in answers if status == 201}
    assert {status for status, *_rest in answers} <= {201, 409}
    assert len(made) == 1
    assert Booking.objects.count() == before + 1


def a_password_is_tried_five_times(two: tuple[House, House]) -> None:
    user: User = make_member("tried")
    wrong = {"email": user.email, "password": "not-the-password-1"}
    answers = ask_both(two, LOGIN, [wrong] * 20, [JSON] * 20)
    statuses = [status for status, *_rest in answers]
    assert set(statuses) == {400, 429}
    assert statuses.count(400) == 5
    user.refresh_from_db()
    assert user.wrong_passwords == 5


def hours_from_now(hours: int) -> dict[str, str]:
    begin = timezone.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=hours)
    return {"starts_at": begin.isoformat(), "ends_at": (begin + timedelta(hours=1)).isoformat()}
