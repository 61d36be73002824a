"""People, bookings and payments as files: out only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import prefetch_related_objects

from reports.sheets.cells import Column
from reports.sheets.sheet import Sheet


class Users(Sheet):
    kind = "users"

    email = Column("email")
    name_ = Column("name")
    username = Column("username")
    phone = Column("phone")
    address = Column("address")
    postcode = Column("postcode")
    language = Column("language")
    is_staff = Column("is_staff")
    is_active = Column("is_active")
    date_joined = Column("date_joined")
    last_login = Column("last_login")


class Bookings(Sheet):
    kind = "bookings"
    related = ("lot", "spot", "driver")

    reference = Column("reference")
    booking_kind = Column("kind")
    state = Column("state")
    lot = Column("lot", attribute="lot__slug")
    spot = Column("spot", attribute="spot__number")
    driver = Column("driver", attribute="driver__email")
    plate = Column("plate")
    starts_at = Column("starts_at")
    ends_at = Column("ends_at")
    booked_from = Column("booked_from")
    booked_until = Column("booked_until")
    checked_in_at = Column("checked_in_at")
    checked_out_at = Column("checked_out_at")
    total = Column("total")
    currency = Column("currency")
    created_at = Column("created_at")


class Payments(Sheet):
    kind = "payments"
    related = ("booking__lot",)

    payment = Column("payment", attribute="id")
    booking = Column("booking", attribute="booking__reference")
    lot = Column("lot", attribute="booking__lot__slug")
    provider = Column("provider")
    method = Column("method")
    status = Column("status", attribute="shown_status")
    amount = Column("amount")
    refunded = Column("refunded")
    currency = Column("currency")
    transaction_id = Column("transaction_id")
    created_at = Column("created_at")
    settled_at = Column("settled_at")

    def attach(self, instances: Sequence[Any]) -> None:
        prefetch_related_objects(list(instances), "refunds")
