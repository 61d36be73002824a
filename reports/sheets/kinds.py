"""Which kinds of files there are."""

from __future__ import annotations

from reports.sheets.lots import Lots
from reports.sheets.sheet import Sheet
from reports.sheets.spots import Spots
from reports.sheets.tariffs import Tariffs
from reports.sheets.vehicles import Vehicles

# What can be imported, by ImportBatch.kind.
SHEETS: dict[str, type[Sheet]] = {sheet.kind: sheet for sheet in (Lots, Spots, Tariffs, Vehicles)}
# The permission an import takes: app and model.
MODELS = {
    "lots": ("lots", "lot"),
    "spots": ("lots", "spot"),
    "tariffs": ("lots", "tariff"),
    "vehicles": ("accounts", "vehicle"),
}
