"""What everybody looks at: free counts of many lots, lots near me, pages, and pages that stay open."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from statistics import median
from urllib.parse import urlencode

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from benchmarks import load, stage
from benchmarks.measures import booking
from benchmarks.results import Measure
from bookings import availability
from lots.models import Lot

MOST = 8  # statements a page; the goal for all of them
# What a driver's lot page takes today: it asks for their plate, their review and their stays there as well.
MOST_OF_LOT_PAGE = 11
PLAIN_COUNT = """
    SELECT s.lot_id, count(*) FROM lots_spot s WHERE s.lot_id = ANY(%s) AND s.is_in_service AND COALESCE(
        (SELECT b.ends_at FROM bookings_booking b WHERE b.spot_id = s.id
            AND b.state IN ('held', 'confirmed', 'active') AND b.starts_at < %s
            ORDER BY b.starts_at DESC LIMIT 1) <= %s, true) GROUP BY s.lot_id
"""
POLL_EVERY = 5  # seconds, as templates/lots/_plan.html says


def free_counts(lots: Sequence[Lot], *, rounds: int) -> list[Measure]:
    """The free spots of all these lots for one window, beside the raw statement; counted alike."""
    ids = [lot.pk for lot in lots]
    starts_at, ends_at = stage.window(days=20)
    now = timezone.now()

    def plain() -> dict[int, int]:
        with connection.cursor() as cursor:
            cursor.execute(PLAIN_COUNT, [ids, ends_at, starts_at])
            return dict(cursor.fetchall())

    def ours() -> dict[int, int]:
        return availability.free_counts(ids, starts_at, ends_at, now=now)

    expected = plain()
    wrong = sum(count != expected.get(pk, 0) for pk, count in ours().items())
    times, beside = _in_turn(ours, plain, rounds)
    spots = sum(lot.spots.count() for lot in lots[:1]) * len(lots)
    what = f"Free counts of {len(lots)} lots, {spots:,} spots"
    path = f"/api/v1/lots/?from={starts_at:%Y-%m-%dT%H:%M:%SZ}&to={ends_at:%Y-%m-%dT%H:%M:%SZ}"
    return [
        Measure(
            "free-counts",
            what,
            times * 1000,
            "ms",
            beside * 1000,
            "the raw statement",
            1.5,
            is_at_least=False,
            errors=wrong,
            queries=_statements(path),
            most_queries=MOST,
        )
    ]


def near_me(*, rounds: int) -> list[Measure]:
    """The list of lots around a place, beside the same lots without their free counts."""
    client = Client()
    path = "/api/v1/lots/?lat=52.5&lon=13.4&radius_km=200"
    plain_lots = Lot.objects.listed().exclude(latitude=None)

    def ours() -> None:
        _checked(client.get(path))

    real = availability.free_counts

    def without() -> None:
        availability.free_counts = lambda ids, *_a, **_k: dict.fromkeys(ids, 0)  # type: ignore[assignment]
        try:
            _checked(client.get(path))
        finally:
            availability.free_counts = real

    times, beside = _in_turn(ours, without, rounds)
    return [
        Measure(
            "near-me",
            f"Near me among {plain_lots.count():,} lots",
            times * 1000,
            "ms",
            beside * 1000,
            "without free counts",
            2,
            is_at_least=False,
            queries=_statements(path),
            most_queries=MOST,
        )
    ]


def pages(port: int, lot: Lot, session: str, reference: str, *, seconds: float) -> list[Measure]:
    found = []
    cookie = f"sessionid={session}"
    nothing = load.request("GET", "/benchmark/nothing/", Cookie=cookie)
    for name, path in [
        ("search", "/"),
        ("lot", f"/lots/{lot.slug}/"),
        ("booking", f"/bookings/{reference}/"),
    ]:
        request = load.request("GET", path, Cookie=cookie)
        least = load.run(port, lambda _n: nothing, clients=8, seconds=seconds)
        seen = load.run(port, lambda _n, request=request: request, clients=8, seconds=seconds)
        other = sum(count for status, count in seen.statuses.items() if status != 200)
        found.append(
            Measure(
                f"page-{name}",
                f"The {name} page",
                seen.rate,
                "a second",
                least.rate,
                "a page that shows nothing",
                errors=other,
                queries=_statements(path, cookie),
                most_queries=MOST_OF_LOT_PAGE if name == "lot" else MOST,
                more=booking.latency([seen]),
            )
        )
    return found


def polling(
    port: int, tokens: Sequence[str], lots: Sequence[Lot], *, open_pages: int, seconds: float, rounds: int
) -> list[Measure]:
    """Booking while so many pages stay open and ask every few seconds what is free."""
    paths = [f"/lots/{lot.slug}/live/?{_open_form()}" for lot in lots[-20:]]
    etags = {path: Client().get(path)["ETag"] for path in paths}
    asking = [
        load.request("GET", path, If_None_Match=etag, HX_Request="true") for path, etag in etags.items()
    ]
    alone, beside_pages, answers = [], [], []
    for _round in range(rounds):
        alone.append(load.run(port, booking.orders(tokens, lots[:-20]), clients=16, seconds=seconds))
        background = _Background(port, asking, open_pages / POLL_EVERY, seconds + 1)
        background.start()
        beside_pages.append(load.run(port, booking.orders(tokens, lots[:-20]), clients=16, seconds=seconds))
        background.join()
        answers.append(background.found)
    errors = sum(one.errors for one in [*alone, *beside_pages, *answers])
    statuses = {str(status): count for one in answers for status, count in one.statuses.items()}
    # Fewer than open_pages / POLL_EVERY: the machine could not answer more, and the ratio flatters.
    polls = median(one.rate for one in answers)
    return [
        Measure(
            "polling",
            f"Booking beside {open_pages:,} open pages, {polls:.0f} answers a second",
            median(one.rate for one in beside_pages),
            "a second",
            median(one.rate for one in alone),
            "with none open",
            0.8,
            errors=errors,
            queries=_statements(paths[-1], etag=etags[paths[-1]]),
            most_queries=MOST,
            more={"polls": statuses, "polls_a_second": polls},
        )
    ]


def _open_form() -> str:
    """What a lot's page sends along: its form as it stands there."""
    starts_at, ends_at = (f"{at:%Y-%m-%dT%H:%M}" for at in stage.window())
    kept = {"section": 0, "kind": "instant", "stay": 120, "starts": starts_at, "ends": ends_at}
    return urlencode(kept | {"plate": "", "spot": ""})


class _Background(threading.Thread):
    def __init__(self, port: int, requests: Sequence[bytes], rate: float, seconds: float):
        super().__init__()
        self.port, self.requests, self.rate, self.seconds = port, requests, rate, seconds
        self.found = load.Round(seconds)

    def run(self) -> None:
        self.found = load.run(
            self.port,
            lambda number: self.requests[number % len(self.requests)],
            clients=100,  # so many that slow answers do not slow the asking
            seconds=self.seconds,
            warm_up=0,
            rate=self.rate,
        )


def _in_turn(one: Callable[[], object], other: Callable[[], object], rounds: int) -> tuple[float, float]:
    """The median seconds of each."""
    times: tuple[list[float], list[float]] = ([], [])
    for _round in range(rounds):
        for work, into in zip((one, other), times, strict=True):
            start = time.perf_counter()
            work()
            into.append(time.perf_counter() - start)
    return median(times[0]), median(times[1])


def _statements(path: str, cookie: str = "", etag: str = "") -> int:
    """How many one request of this process takes; the second, when whatever is kept is kept."""
    headers = {name: value for name, value in (("cookie", cookie), ("if-none-match", etag)) if value}
    client = Client(headers=headers)
    client.get(path)
    with CaptureQueriesContext(connection) as asked:
        client.get(path)
    return len(asked)


def _checked(answer: object) -> None:
    if getattr(answer, "status_code", 0) != 200:
        raise SystemExit(f"An answer was {getattr(answer, 'status_code', 'none')} instead of 200.")
