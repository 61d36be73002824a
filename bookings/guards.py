"""The database's last word: no two occupying bookings of a spot overlap, whatever the code does.

PostgreSQL gets an exclusion constraint, SQLite two triggers. On SQLite a later migration that rebuilds
bookings_booking drops its triggers: end such a migration with `guards.operation()` too (a test notices).
"""

from __future__ import annotations

from typing import Any

from django.db import migrations

NAME = "booking_spot_once_at_a_time"
_STATES = "('held', 'confirmed', 'active')"

POSTGRESQL = [
    "CREATE EXTENSION IF NOT EXISTS btree_gist",
    f"ALTER TABLE bookings_booking DROP CONSTRAINT IF EXISTS {NAME}",
    f"""ALTER TABLE bookings_booking ADD CONSTRAINT {NAME}
        EXCLUDE USING gist (spot_id WITH =, tstzrange(starts_at, ends_at) WITH &&)
        WHERE (state IN {_STATES})""",
]


def _trigger(event: str, suffix: str) -> list[str]:
    # Datetimes are ISO text in SQLite, all in UTC: comparing the text compares the moments.
    name = f"{NAME}_{suffix}"
    return [
        f"DROP TRIGGER IF EXISTS {name}",
        # Every word of it is ours.
        f"""CREATE TRIGGER {name} BEFORE {event} ON bookings_booking
            WHEN NEW.state IN {_STATES} AND EXISTS (
                SELECT 1 FROM bookings_booking AS other
                WHERE other.spot_id = NEW.spot_id AND other.id IS NOT NEW.id AND other.state IN {_STATES}
                  AND other.starts_at < NEW.ends_at AND other.ends_at > NEW.starts_at)
            BEGIN SELECT RAISE(ABORT, '{NAME}'); END""",  # noqa: S608
    ]


SQLITE = [
    *_trigger("INSERT", "insert"),
    *_trigger("UPDATE OF spot_id, state, starts_at, ends_at", "update"),
]


def install(apps: Any, schema_editor: Any) -> None:
    statements = {"postgresql": POSTGRESQL, "sqlite": SQLITE}[schema_editor.connection.vendor]
    for statement in statements:
        schema_editor.execute(statement)


def remove(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRESQL[1])
    else:
        for statement in SQLITE[::2]:
            schema_editor.execute(statement)


def operation() -> migrations.RunPython:
    return migrations.RunPython(install, remove)
