"""Tables whose rows stay as they were written, by the database's own word: triggers on both databases.

On SQLite a later migration that rebuilds such a table drops its triggers: end it with the same operation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import migrations


@dataclass(frozen=True)
class OnlyGrows:
    """`name` is what the database says where one of the `events` ("update", "delete") is tried."""

    table: str
    name: str
    events: tuple[str, ...] = ("update", "delete")

    def install_statements(self, vendor: str) -> list[str]:
        made = [self._trigger(vendor, event) for event in self._events(vendor)]
        return [
            *self.remove_statements(vendor), *([self._function] if vendor == "postgresql" else []), *made,
        ]  # fmt: skip

    def remove_statements(self, vendor: str) -> list[str]:
        on_table = f" ON {self.table}" if vendor == "postgresql" else ""
        return [f"DROP TRIGGER IF EXISTS {name}{on_table}" for name in self.names(vendor)]

    def names(self, vendor: str) -> list[str]:
        return [f"{self.name}_{event}" for event in self._events(vendor)]

    def operation(self) -> migrations.RunPython:
        def run(statements: Iterable[str], schema_editor: Any) -> None:
            for statement in statements:
                schema_editor.execute(statement, params=None)

        return migrations.RunPython(
            lambda _apps, editor: run(self.install_statements(editor.connection.vendor), editor),
            lambda _apps, editor: run(self.remove_statements(editor.connection.vendor), editor),
        )

    @property
    def _function(self) -> str:
        return f"""CREATE OR REPLACE FUNCTION {self.name}() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION '{self.name}' USING ERRCODE = 'integrity_constraint_violation'; END $$"""

    def _events(self, vendor: str) -> tuple[str, ...]:
        """Emptying a table is a statement of its own on PostgreSQL."""
        empties = vendor == "postgresql" and "delete" in self.events
        return (*self.events, "truncate") if empties else self.events

    def _trigger(self, vendor: str, event: str) -> str:
        head = f"CREATE TRIGGER {self.name}_{event} BEFORE {event.upper()} ON {self.table}"
        if vendor == "sqlite":
            return f"{head} BEGIN SELECT RAISE(ABORT, '{self.name}'); END"
        each = "STATEMENT" if event == "truncate" else "ROW"
        return f"{head} FOR EACH {each} EXECUTE FUNCTION {self.name}()"
