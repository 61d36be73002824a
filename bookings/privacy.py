"""What bookings know about people. Amounts and times stay for the books; names and plates go."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from accounts.privacy import Table
from bookings.models import Booking
from bookings.payments.ledger import account, with_money

INVENTORY = [
    Table(
        "bookings.Booking",
        "driver",
        personal={"plate": "", "plate_normalised": ""},
        # The driver's row stays, without a name.
        other=(
            "driver",
            "reference",
            "features",
            "cancellation_tiers",
            "currency",
            "price_lines",
            "source_id",
        ),
    ),
    # Nobody's account hangs on it: bookings.guests erases it, with whatever the tables here say of bookings.
    Table(
        "bookings.Guest",
        personal={"key_hash": None, "email": "", "language": ""},
        secret=("key_hash",),
    ),
    Table(
        "bookings.TimelineEntry",
        "booking__driver",
        personal={"reason": ""},
        other=("by", "action", "from_state", "to_state", "actor", "details"),
    ),
    Table(
        "bookings.IdempotencyKey",
        "user",
        personal=dict.fromkeys(["user", "key", "fingerprint", "body"]),
        secret=("key", "fingerprint"),
        rows_go=True,
    ),
    # That a spot was blocked stays; what its driver wrote about it goes.
    Table("bookings.Problem", "booking__driver", personal={"text": ""}, other=("kind", "dealt_with_by")),
    Table(
        "bookings.WaitlistEntry",
        "driver",
        personal=dict.fromkeys(["driver", "reference", "plate", "features"]),
        other=("vehicle_kind", "state", "passed_over"),
        rows_go=True,
    ),
    Table(
        "bookings.Payment",
        "booking__driver",
        personal={"details": {}, "note": "", "redirect_url": ""},
        # The provider's own numbers: without them no payment could be found again.
        other=("method", "currency", "provider_reference", "transaction_id", "client_key", "by"),
    ),
    Table(
        "bookings.Refund",
        "booking__driver",
        personal={"note": "", "reason": ""},
        other=("currency", "by", "transaction_id"),
    ),
    # The ledger only grows: no column of it may tell who somebody is.
    Table("bookings.LedgerEntry", "booking__driver", other=("currency", "reference", "by", "reason")),
    # Receipts only grow as well: what was charged where and when, and not to whom.
    Table("bookings.Receipt", "booking__driver", other=("currency", "document")),
    # An operator's own, at work: their lots' events go there, and nobody's but the operator's name is on it.
    Table(
        "bookings.WebhookEndpoint",
        "operator",
        personal=dict.fromkeys(["operator", "url", "switched_off", "secret", "old_secret"]),
        secret=("secret", "old_secret"),
        rows_go=True,
    ),
    Table("bookings.WebhookDelivery", other=("last_error",)),
    Table(
        "bookings.CalendarFeed",
        "driver",
        personal=dict.fromkeys(["driver", "key"]),
        secret=("key",),
        rows_go=True,
    ),
    Table("bookings.ProviderEvent", other=("event_id", "kind", "review")),
]


def unfinished(user: User) -> list[str]:
    bookings = Booking.objects.of(user)
    reasons = []
    running = bookings.occupying().count()
    if running:
        told = ngettext(
            "You have %(count)d booking that is not over.",
            "You have %(count)d bookings that are not over.",
            running,
        )
        reasons.append(told % {"count": running})
    unpaid = [booking.reference for booking in with_money(bookings.over()) if account(booking).due]
    if unpaid:
        reasons.append(_("Not all is paid: %(references)s.") % {"references": ", ".join(unpaid)})
    return reasons
