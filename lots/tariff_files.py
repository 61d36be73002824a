"""A tariff document as somebody sends it: our own shape or OCPI's, told apart by what only OCPI says."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from lots import ocpi, rates
from lots.documents import RatesError

LARGEST = 1_000_000  # bytes
# Only OCPI documents say whose tariff they are.
OCPI_FIELDS = {"country_code", "party_id", "last_updated", "id"}


def read(raw: bytes | str) -> rates.Tariff:
    """RatesError says what is wrong, and where in the document."""
    if len(raw) > LARGEST:
        raise RatesError("", "This is too large for a tariff.")
    try:
        text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw
        document = json.loads(text, parse_float=Decimal)
    except json.JSONDecodeError as error:
        raise RatesError("", f"This is not a JSON file: {error.msg} in line {error.lineno}.") from None
    except (ValueError, RecursionError):
        raise RatesError("", "This is not a JSON file.") from None
    # The answer of an OCPI server carries the tariff in an envelope.
    if isinstance(document, dict) and "status_code" in document and "data" in document:
        document = _only(document["data"])
    is_ocpi = isinstance(document, dict) and OCPI_FIELDS & document.keys()
    return ocpi.parse_ocpi(document) if is_ocpi else rates.Tariff.from_json(document)


def _only(data: Any) -> Any:
    if not isinstance(data, list):
        return data
    if len(data) != 1:
        raise RatesError("data", f"One tariff is expected here, not {len(data)}.")
    return data[0]
