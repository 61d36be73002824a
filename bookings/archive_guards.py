"""The database's last word on the archive: what was booked, when and for how much stays as it was proven.

Triggers on both databases. Plates may still go (bookings.keeping, privacy). On SQLite a later migration that
rebuilds bookings_booking drops them: end such a migration with `archive_guards.operation()` too.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations

TABLE = "bookings_booking"
STAYS = "booking_archived_stays"
FROZEN = [
    *("reference", "kind", "state", "lot_id", "spot_id", "driver_id", "starts_at", "ends_at", "booked_from"),
    *("booked_until", "checked_in_at", "checked_out_at", "tariff_id", "currency", "total", "price_lines"),
    "archived_at",
]
NAMES = [f"{STAYS}_update", f"{STAYS}_delete"]
FUNCTION = f"""CREATE OR REPLACE FUNCTION {STAYS}() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '{STAYS}' USING ERRCODE = 'integrity_constraint_violation'; END $$"""


def install_statements(vendor: str) -> list[str]:
    functions = [FUNCTION] if vendor == "postgresql" else []
    return [*remove_statements(vendor), *functions, _trigger(vendor, "update"), _trigger(vendor, "delete")]


def remove_statements(vendor: str) -> list[str]:
    on_table = f" ON {TABLE}" if vendor == "postgresql" else ""
    return [f"DROP TRIGGER IF EXISTS {name}{on_table}" for name in NAMES]


def _trigger(vendor: str, event: str) -> str:
    differs = "IS DISTINCT FROM" if vendor == "postgresql" else "IS NOT"
    changed = " OR ".join(f"NEW.{column} {differs} OLD.{column}" for column in FROZEN)
    when = "OLD.archived_at IS NOT NULL" + (f" AND ({changed})" if event == "update" else "")
    head = f"CREATE TRIGGER {STAYS}_{event} BEFORE {event.upper()} ON {TABLE}"
    if vendor == "sqlite":
        return f"{head} WHEN {when} BEGIN SELECT RAISE(ABORT, '{STAYS}'); END"
    return f"{head} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION {STAYS}()"


def install(apps: Any, schema_editor: Any) -> None:
    for statement in install_statements(schema_editor.connection.vendor):
        schema_editor.execute(statement, params=None)


def remove(apps: Any, schema_editor: Any) -> None:
    for statement in remove_statements(schema_editor.connection.vendor):
        schema_editor.execute(statement, params=None)


def operation() -> migrations.RunPython:
    return migrations.RunPython(install, remove)
