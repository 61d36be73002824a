"""The database's last word on receipts: what was written under a number stays as it was written."""

from __future__ import annotations

from accounts.only_grows import OnlyGrows

RECEIPTS = OnlyGrows("bookings_receipt", "receipts_only_grow")
operation = RECEIPTS.operation
