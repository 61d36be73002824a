"""The back office for lots, spots and bookings. Everything it changes goes through the services."""

from bookings.admin import (
    bookings,
    closures,
    history,
    lots,
    payments,
    people,
    problems,
    receipts,
    reviews,
    spots,
    tariffs,
    waitlist,
    webhooks,
)

__all__ = [
    "bookings",
    "closures",
    "history",
    "lots",
    "payments",
    "people",
    "problems",
    "receipts",
    "reviews",
    "spots",
    "tariffs",
    "waitlist",
    "webhooks",
]
