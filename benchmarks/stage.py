"""The benchmark's own database, and what stands in it: drivers with tokens, lots, and years of history."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from decimal import Decimal

import psycopg
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.test import Client
from django.utils import timezone

from accounts.models import User
from bookings import services
from bookings.models import Booking, State, new_reference
from lots.models import Lot
from lots.services import create_lot

PASSWORD = "benchmark-only"  # noqa: S105


def recreate(server: str, name: str) -> None:
    """An empty database; whatever had that name is gone."""
    with psycopg.connect(server, autocommit=True) as link:
        link.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        link.execute(f'CREATE DATABASE "{name}"')


def drop(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as link:
        link.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def set_up() -> None:
    call_command("setup", verbosity=0)


def drivers(count: int) -> list[str]:
    """Access tokens of so many drivers, made where they are missing."""
    tokens = []
    for number in range(count):
        email = f"driver{number}@example.com"
        user, _made = User.objects.get_or_create(email=email, defaults={"password": make_password(PASSWORD)})
        EmailAddress.objects.get_or_create(
            user=user, email=email, defaults={"verified": True, "primary": True}
        )
        answer = Client().post(
            "/api/auth/app/v1/auth/login",
            {"email": email, "password": PASSWORD},
            content_type="application/json",
            # Each from an address of its own: the limits are not what is measured.
            REMOTE_ADDR=f"10.1.{number // 250}.{number % 250 + 1}",
        )
        tokens.append(answer.json()["meta"]["access_token"])
    return tokens


def lots(count: int, *, spots: int, name: str = "Lot", **fields: object) -> list[Lot]:
    now = timezone.now()
    return [
        create_lot(
            name=f"{name} {n}",
            capacity=spots,
            price_per_hour=Decimal("2.50"),
            timezone="Europe/Berlin",
            by=None,
            now=now,
            **fields,
        )
        for n in range(count)
    ]


def lots_around(count: int) -> None:
    """Small lots within some 100 km of where `near me` stands."""
    for lot in lots(count, spots=5, name="Near", latitude=Decimal("52.5"), longitude=Decimal("13.4")):
        step = Decimal(lot.pk % 400 - 200) / 400
        lot.latitude, lot.longitude = Decimal("52.5") + step, Decimal("13.4") + step
        lot.save(update_fields=["latitude", "longitude"])


def booked(lot: Lot) -> tuple[str, str]:
    """The session of a signed-in driver, and the reference of a booking they made."""
    client, driver = Client(), User.objects.get(email="driver0@example.com")
    client.force_login(driver)
    starts_at, ends_at = window(days=60)
    booking = services.book(
        lot_id=lot.pk,
        kind="reserved",
        driver=driver,
        starts_at=starts_at,
        ends_at=ends_at,
        now=timezone.now(),
    )
    return client.cookies["sessionid"].value, booking.reference


def window(days: int = 2) -> tuple[dt.datetime, dt.datetime]:
    """An hour on the grid, so many days ahead."""
    start = timezone.now().replace(minute=0, second=0, microsecond=0) + dt.timedelta(days=days)
    return start, start + dt.timedelta(hours=1)


HISTORY = """
    INSERT INTO bookings_booking (reference, kind, state, lot_id, spot_id, plate, plate_normalised,
        vehicle_kind, features, starts_at, ends_at, booked_from, booked_until, is_open_ended, tariff_id,
        cancellation_tiers, no_show_fee_percent, early_release, overstay_percent, currency, total,
        price_lines, created_at)
    SELECT upper(substr(md5(%(seed)s || s.id || '.' || n), 1, 16)), 'reserved', %(state)s, s.lot_id, s.id, '',
        '', '', '[]', at, at + interval '1 hour', at, at + interval '1 hour', false, t.id, '[]', 100, 'keep',
        100, 'EUR', 2.5, '[]', now() - interval '9 years'
    FROM generate_series(0, %(rows)s / (SELECT count(*) FROM lots_spot WHERE lot_id = ANY(%(lots)s))) n
    CROSS JOIN LATERAL (SELECT date_trunc('hour', now())
        + %(direction)s * (n * 2 + 72) * interval '1 hour' AS at) period
    CROSS JOIN lots_spot s
    JOIN lots_tariff t ON t.lot_id = s.lot_id AND t.version = 1
    WHERE s.lot_id = ANY(%(lots)s) LIMIT %(rows)s
"""
# Everything that would be kept up row by row; what the primary key needs stays.
CONSTRAINTS = """
    SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE conrelid = 'bookings_booking'::regclass AND contype IN ('f', 'u', 'x')
"""
INDEXES = """
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
    WHERE indrelid = 'bookings_booking'::regclass AND NOT indisprimary
        AND indexrelid NOT IN (SELECT conindid FROM pg_constraint WHERE conrelid = indrelid)
"""
MANY = 100_000


def history(lots: list[Lot], rows: int, *, is_past: bool = True) -> None:
    """So many bookings, spread evenly over the lots' spots: long over, or promised from in three days on.

    Written by statements of their own: what is measured is life beside them, not how they came. Where they
    are many, indexes and constraints are taken away and made anew, which checks every row as well and is
    several times faster.
    """
    values = {
        "state": "completed" if is_past else "confirmed",
        "direction": -1 if is_past else 1,
        "lots": [lot.pk for lot in lots],
        "rows": rows,
        "seed": new_reference(),
    }
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0; SET lock_timeout = 0; SET maintenance_work_mem = '256MB'")
        cursor.execute("ANALYZE lots_lot, lots_spot, lots_tariff")
        with transaction.atomic(), _bare(cursor) if rows > MANY else nullcontext():
            cursor.execute(HISTORY, values)
        cursor.execute("VACUUM ANALYZE bookings_booking")
    connection.close()  # and with it what was set


def past_bookings(lots: list[Lot], rows: int) -> None:
    """As many as that are over; what is missing is written."""
    there = Booking.objects.in_state(State.COMPLETED).count()
    if there < rows:
        history(lots, rows - there)


@contextmanager
def _bare(cursor: CursorWrapper) -> Iterator[None]:
    """The table of bookings without its indexes and constraints, for as long as it is filled."""
    cursor.execute(CONSTRAINTS)
    constraints = cursor.fetchall()
    cursor.execute(INDEXES)
    indexes = cursor.fetchall()
    for name, _definition in constraints:
        cursor.execute(f'ALTER TABLE bookings_booking DROP CONSTRAINT "{name}"')
    for name, _definition in indexes:
        cursor.execute(f"DROP INDEX {name}")
    yield
    for _name, definition in indexes:
        cursor.execute(definition)
    for name, definition in constraints:
        cursor.execute(f'ALTER TABLE bookings_booking ADD CONSTRAINT "{name}" {definition}')
