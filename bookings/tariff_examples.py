"""What typical stays would cost under a tariff, said in sentences. Arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from bookings.line_texts import duration
from bookings.pricing import NoPrice, Price, price
from lots import clock
from lots.rates import ENERGY, PARKING_TIME, Tariff

MONDAY, TUESDAY, WEDNESDAY, FRIDAY, SATURDAY = 0, 1, 2, 4, 5
# Weekday, arrival, minutes.
STAYS = [
    (MONDAY, time(10), 25),
    (TUESDAY, time(9, 30), 60),
    (SATURDAY, time(18), 140),
    (WEDNESDAY, time(8), 9 * 60),
    (FRIDAY, time(20), 13 * 60),
    (MONDAY, time(8), 3 * 24 * 60),
]
CHARGED = (TUESDAY, time(12), 150, 90, Decimal(25))  # of the minutes the first 90 charge 25 kWh
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Example:
    """One stay and its price; no price where the tariff sells none at these hours."""

    title: str
    starts_at: datetime
    ends_at: datetime
    price: Price | None
    problem: str = ""


def typical(tariff: Tariff, zone: ZoneInfo, today: date) -> list[Example]:
    """Stays in the first whole week after `today`, a day of the lot's."""
    monday = today + timedelta(days=7 - today.weekday())
    found = [
        example(
            tariff,
            clock.first_reaching(datetime.combine(monday + day * timedelta(1), at), zone),
            timedelta(minutes=minutes),
            zone,
        )
        for day, at, minutes in STAYS
    ]
    parts = {part.type for element in tariff.elements for part in element.components}
    if parts & {ENERGY, PARKING_TIME}:
        day, at, minutes, charging, kwh = CHARGED
        starts_at = clock.first_reaching(datetime.combine(monday + day * timedelta(1), at), zone)
        found.append(
            example(
                tariff,
                starts_at,
                timedelta(minutes=minutes),
                zone,
                kwh=kwh,
                charging=timedelta(minutes=charging),
            )
        )
    return found


def example(
    tariff: Tariff,
    starts_at: datetime,
    lasting: timedelta,
    zone: ZoneInfo,
    *,
    kwh: Decimal | None = None,
    charging: timedelta | None = None,
) -> Example:
    """`starts_at` is aware; `kwh` are charged in the first `charging` of the stay, or all along."""
    starts_at = starts_at.astimezone(UTC)
    ends_at, full_at = starts_at + lasting, starts_at + charging if charging is not None else None
    begin = starts_at.astimezone(zone)
    title = f"{_lasting(lasting)} on {begin:%A} from {begin:%H:%M}"
    if kwh is not None:
        charged = f" charged in {_lasting(charging)}" if charging else " charged"
        title += f", {kwh.normalize():f} kWh{charged}"
    try:
        found = price(tariff, starts_at, ends_at, zone=zone, kwh=kwh, charging_ends_at=full_at)
    except NoPrice as error:
        return Example(title, starts_at, ends_at, None, str(error))
    return Example(title, starts_at, ends_at, found)


def _lasting(length: timedelta) -> str:
    days, rest = divmod(length, timedelta(days=1))
    if days > 1 or (days and not rest):
        words = "1 day" if days == 1 else f"{days} days"
        return f"{words} {duration(rest // MICROSECOND)}" if rest else words
    return duration(length // MICROSECOND)
