"""The database's last word on receipts: what was written under a number stays as it was written.

Triggers on both databases. On SQLite a later migration that rebuilds bookings_receipt drops them: end such
a migration with `receipt_guards.operation()` too.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations

TABLE = "bookings_receipt"
ONLY_GROW = "receipts_only_grow"
EVENTS = {"sqlite": ("update", "delete"), "postgresql": ("update", "delete", "truncate")}
NAMES = {vendor: [f"{ONLY_GROW}_{event}" for event in events] for vendor, events in EVENTS.items()}
FUNCTION = f"""CREATE OR REPLACE FUNCTION {ONLY_GROW}() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '{ONLY_GROW}' USING ERRCODE = 'integrity_constraint_violation'; END $$"""


def install_statements(vendor: str) -> list[str]:
    made = [_trigger(vendor, event) for event in EVENTS[vendor]]
    return [*remove_statements(vendor), *([FUNCTION] if vendor == "postgresql" else []), *made]


def remove_statements(vendor: str) -> list[str]:
    on_table = f" ON {TABLE}" if vendor == "postgresql" else ""
    return [f"DROP TRIGGER IF EXISTS {name}{on_table}" for name in NAMES[vendor]]


def _trigger(vendor: str, event: str) -> str:
    head = f"CREATE TRIGGER {ONLY_GROW}_{event} BEFORE {event.upper()} ON {TABLE}"
    if vendor == "sqlite":
        return f"{head} BEGIN SELECT RAISE(ABORT, '{ONLY_GROW}'); END"
    each = "STATEMENT" if event == "truncate" else "ROW"
    return f"{head} FOR EACH {each} EXECUTE FUNCTION {ONLY_GROW}()"


def install(apps: Any, schema_editor: Any) -> None:
    for statement in install_statements(schema_editor.connection.vendor):
        schema_editor.execute(statement, params=None)


def remove(apps: Any, schema_editor: Any) -> None:
    for statement in remove_statements(schema_editor.connection.vendor):
        schema_editor.execute(statement, params=None)


def operation() -> migrations.RunPython:
    return migrations.RunPython(install, remove)
