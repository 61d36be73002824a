"""On PostgreSQL, people and plates are found by any part of them without reading all of them.

SQLite has nothing of the kind; a house that runs on it reads its few thousand rows.
"""

from typing import Any

from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations

# As Django writes `icontains` and `contains`: only then the index is used.
INDEXES = {
    "user_email_parts": "accounts_user USING gin (upper(email::text) gin_trgm_ops)",
    "user_name_parts": "accounts_user USING gin (upper(name::text) gin_trgm_ops)",
    "booking_plate_parts": "bookings_booking USING gin (plate_normalised gin_trgm_ops)",
}


def make(apps: Any, editor: Any) -> None:
    """While everything goes on, and again where an earlier run was broken off. See also bookings.online."""
    if editor.connection.vendor != "postgresql":
        return
    editor.execute("SET statement_timeout = 0")
    editor.execute("SET lock_timeout = 0")
    for name, place in INDEXES.items():
        editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        editor.execute(f"CREATE INDEX CONCURRENTLY {name} ON {place}")
    editor.execute("RESET lock_timeout")
    editor.execute("RESET statement_timeout")


def drop(apps: Any, editor: Any) -> None:
    if editor.connection.vendor == "postgresql":
        for name in INDEXES:
            editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("bookings", "0016_found_unless_archived"),
        ("accounts", "0005_may_import_and_export"),
    ]

    operations = [TrigramExtension(), migrations.RunPython(make, drop)]
