"""What copies of rows told about changes becomes lines of the one record: who, when, from, to."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.db import migrations

from accounts.changes import text

# Of the copy itself, and what the record leaves out of every row.
NOT_TOLD = {"id", "history_id", "history_date", "history_change_reason", "history_type", "history_user", "lot",
            "number_key", "scarcity"}  # fmt: skip
ACTIONS = {"+": "made", "~": "changed", "-": "removed"}


def tell(apps: Any, schema_editor: Any) -> None:
    change = apps.get_model("accounts", "Change")
    lots = dict(apps.get_model("lots", "Lot").objects.values_list("pk", "name"))
    for name in ("lot", "spot"):
        copies = apps.get_model("lots", f"Historical{name}").objects
        columns = [field for field in copies.model._meta.concrete_fields if field.name not in NOT_TOLD]
        found = []
        rows = copies.order_by("id", "history_date", "history_id").iterator(chunk_size=2000)
        for _pk, versions in groupby(rows, key=lambda row: row.id):
            before: dict[str, str] = {}
            for row in versions:
                after = {field.name: text(getattr(row, field.attname)) for field in columns}
                fields = [[key, before.get(key, ""), now] for key, now in after.items() if before.get(key, "") != now]
                if fields or row.history_type == "-":
                    found.append(_change(change, name, row, fields, lots))
                before = after
                if len(found) >= 2000:
                    change.objects.bulk_create(found)
                    found = []
        change.objects.bulk_create(found)


def _change(change: Any, name: str, row: Any, fields: list[list[str]], lots: dict[int, str]) -> Any:
    lot_id = row.id if name == "lot" else row.lot_id
    return change(
        at=row.history_date,
        by_id=row.history_user_id,
        kind=f"lots.{name}",
        object_id=row.id,
        lot_id=lot_id,
        name=(row.name if name == "lot" else f"{lots.get(lot_id, lot_id)}, {row.number}")[:200],
        action=ACTIONS[row.history_type],
        fields=[] if row.history_type == "-" else fields,
    )


class Migration(migrations.Migration):
    dependencies = [("lots", "0008_may_import_and_export"), ("accounts", "0006_changes_and_viewings")]

    operations = [migrations.RunPython(tell, migrations.RunPython.noop, elidable=True)]
