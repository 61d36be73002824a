"""The database's last word on money: the ledger only grows, and no more goes back than came in.

Triggers on both databases. On SQLite a later migration that rebuilds bookings_ledgerentry drops its
triggers: end such a migration with `guards.operation()` too (check_integrity notices).
"""

from __future__ import annotations

from typing import Any

from django.db import migrations

TABLE = "bookings_ledgerentry"
ONLY_GROWS = "ledger_only_grows"
WITHIN = "ledger_refunds_within_charges"
NAMES = {
    "sqlite": [f"{ONLY_GROWS}_update", f"{ONLY_GROWS}_delete", WITHIN],
    "postgresql": [f"{ONLY_GROWS}_update", f"{ONLY_GROWS}_delete", f"{ONLY_GROWS}_truncate", WITHIN],
}

# Thousandths are whole numbers: SQLite adds decimals up as floats, and 0.1 + 0.2 is more than 0.3 there.
_SQLITE_SUM = (
    f"(SELECT COALESCE(SUM(CAST(ROUND(amount * 1000) AS INTEGER)), 0) FROM {TABLE} "  # noqa: S608
    "WHERE booking_id = NEW.booking_id AND kind = '{kind}')"
)
SQLITE = [
    f"""CREATE TRIGGER {ONLY_GROWS}_update BEFORE UPDATE ON {TABLE}
        BEGIN SELECT RAISE(ABORT, '{ONLY_GROWS}'); END""",
    f"""CREATE TRIGGER {ONLY_GROWS}_delete BEFORE DELETE ON {TABLE}
        BEGIN SELECT RAISE(ABORT, '{ONLY_GROWS}'); END""",
    f"""CREATE TRIGGER {WITHIN} BEFORE INSERT ON {TABLE}
        WHEN NEW.kind = 'refund' AND {_SQLITE_SUM.format(kind="refund")}
            + CAST(ROUND(NEW.amount * 1000) AS INTEGER) > {_SQLITE_SUM.format(kind="charge")}
        BEGIN SELECT RAISE(ABORT, '{WITHIN}'); END""",
]

POSTGRESQL = [
    f"""CREATE OR REPLACE FUNCTION {ONLY_GROWS}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION '{ONLY_GROWS}' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    f"""CREATE TRIGGER {ONLY_GROWS}_update BEFORE UPDATE ON {TABLE}
        FOR EACH ROW EXECUTE FUNCTION {ONLY_GROWS}()""",
    f"""CREATE TRIGGER {ONLY_GROWS}_delete BEFORE DELETE ON {TABLE}
        FOR EACH ROW EXECUTE FUNCTION {ONLY_GROWS}()""",
    f"""CREATE TRIGGER {ONLY_GROWS}_truncate BEFORE TRUNCATE ON {TABLE}
        FOR EACH STATEMENT EXECUTE FUNCTION {ONLY_GROWS}()""",
    # Locks the booking first: two refunds that do not see each other would both fit.
    f"""CREATE OR REPLACE FUNCTION {WITHIN}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM 1 FROM bookings_booking WHERE id = NEW.booking_id FOR NO KEY UPDATE;
            IF NEW.amount + (SELECT COALESCE(SUM(amount), 0) FROM {TABLE}
                             WHERE booking_id = NEW.booking_id AND kind = 'refund')
                > (SELECT COALESCE(SUM(amount), 0) FROM {TABLE}
                   WHERE booking_id = NEW.booking_id AND kind = 'charge')
            THEN RAISE EXCEPTION '{WITHIN}' USING ERRCODE = 'integrity_constraint_violation'; END IF;
            RETURN NEW;
        END $$""",  # noqa: S608
    f"""CREATE TRIGGER {WITHIN} BEFORE INSERT ON {TABLE}
        FOR EACH ROW WHEN (NEW.kind = 'refund') EXECUTE FUNCTION {WITHIN}()""",
]


def install_statements(vendor: str) -> list[str]:
    return [*remove_statements(vendor), *{"postgresql": POSTGRESQL, "sqlite": SQLITE}[vendor]]


def remove_statements(vendor: str) -> list[str]:
    on_table = f" ON {TABLE}" if vendor == "postgresql" else ""
    return [f"DROP TRIGGER IF EXISTS {name}{on_table}" for name in NAMES[vendor]]


def install(apps: Any, schema_editor: Any) -> None:
    for statement in install_statements(schema_editor.connection.vendor):
        schema_editor.execute(statement, params=None)


def remove(apps: Any, schema_editor: Any) -> None:
    for statement in remove_statements(schema_editor.connection.vendor):
        schema_editor.execute(statement, params=None)


def operation() -> migrations.RunPython:
    return migrations.RunPython(install, remove)
