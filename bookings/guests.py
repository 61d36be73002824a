"""Guests: who parks by scanning a label, and how they are forgotten.

A guest is known by the key in their cookie and has one stay at a time. What we hold of them is an e-mail
address and a language (both optional), the key's hash, and the plate on the booking. All of it goes when
the stay is over and paid, within a minute; what stays is where, when and for how much somebody parked.

A stay that is over and not paid keeps its plate, and the guest the way to pay, for DEBT_KEPT at most:
without the plate nobody could be asked for the money. The same holds while a payment is under way.
Mails are owed until they are sent or given up (accounts.outbox: three days at most), and go then.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Substr
from django.utils.translation import gettext as _

from accounts.models import Notice
from bookings import guest_cookie, privacy, services
from bookings.errors import BadBooking
from bookings.guest_models import GuestQuerySet
from bookings.models import OCCUPYING, Actor, Booking, Guest, State
from bookings.notices import event_of
from bookings.payments import ledger
from bookings.payments.models import Payment, Status
from bookings.payments.providers import offered

DEBT_KEPT = timedelta(days=30)
# The cookie is the only way back to the stay, so no stay is planned to outlive it.
LONGEST = guest_cookie.LIFE
BATCH = 500


def hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def of_key(key: str) -> Guest | None:
    return Guest.objects.live().filter(key_hash=hashed(key)).first()


def book(
    *,
    lot_id: int,
    key: str,
    spot_number: str,
    ends_at: datetime,
    plate: str,
    email: str = "",
    language: str = "",
    quote: str = "",
    now: datetime,
) -> Booking:
    """Park as a guest, from now. The key's first booking makes the guest; refusals make nobody.

    Two requests with one key make one stay: the second is refused with AlreadyParked. Refused as
    services.book() refuses, and with NoGuests where the lot wants an account.
    """
    check_end(ends_at, now)
    with transaction.atomic():
        guest, _made = Guest.objects.get_or_create(key_hash=hashed(key), defaults={"created_at": now})
        # Whoever erases this guest waits, or we wait for them and see that they are gone.
        guest = Guest.objects.select_for_update(no_key=True).get(pk=guest.pk)
        if not guest.is_live:
            guest = Guest.objects.create(key_hash=hashed(key), created_at=now)
        guest.email, guest.language = email, language
        guest.save(update_fields=["email", "language"])
        return services.book(
            lot_id=lot_id,
            kind=Booking.Kind.INSTANT,
            driver=None,
            guest=guest,
            spot_number=spot_number,
            ends_at=ends_at,
            plate=plate,
            quote=quote,
            now=now,
        )


def extend(booking: Booking, *, ends_at: datetime, by: Actor, now: datetime) -> Booking:
    check_end(ends_at, now)
    return services.extend(booking, ends_at=ends_at, by=by, now=now)


def check_end(ends_at: datetime, now: datetime) -> None:
    if ends_at > now + LONGEST:
        hours = int(LONGEST.total_seconds()) // 3600
        raise BadBooking(
            "ends_at", _("Without an account you park for %d hours at most.") % hours, code="too_long"
        )


def latest_stay(guest: Guest) -> Booking | None:
    """The one that runs, else the last one."""
    stays = Booking.objects.of_guest(guest).select_related("lot", "spot", "tariff", "guest")
    return stays.occupying().first() or stays.order_by("-pk").first()


def open_stay(guest: Guest) -> Booking | None:
    """What a guest has to deal with before they park anew: a running stay, or one they can pay here."""
    stay = latest_stay(guest)
    if stay is None or stay.is_occupying:
        return stay
    return stay if offered() and ledger.account(stay).due else None


# --- Forgetting ---


def forget_email(guest: Guest, *, now: datetime) -> None:
    """The guest takes their address back while they park: no mail that is still owed is sent."""
    with transaction.atomic():
        Guest.objects.filter(pk=guest.pk).update(email="")
        for reference in guest.bookings.values_list("reference", flat=True):
            Notice.objects.filter(user=None, event__startswith=event_of(reference)).delete()


def erase_due(*, now: datetime, guest: Guest | None = None) -> int:
    """Forget the guests we have nothing more to do with: all of them, or this one. Safe to repeat."""
    done = _done_with(now)
    if guest is not None:
        done = done.filter(pk=guest.pk)
    erased = sum(_erase(pk, now) for pk in list(done.order_by("pk").values_list("pk", flat=True)[:BATCH]))
    _drop_mails()
    return erased


def _done_with(now: datetime) -> GuestQuerySet:
    """Live guests none of whose stays runs, is owed for, or waits for a payment."""
    stays = ledger.with_money(Booking.objects.filter(guest=OuterRef("pk")))
    # Half of the smallest coin there is: SQLite adds decimals up as floats.
    paid = F("paid_sum") - F("refunded_sum") + F("let_off_sum") + Decimal("0.0005")
    owes = ~Q(state=State.EXPIRED) & Q(total__gt=paid)
    paying = Exists(
        Payment.objects.filter(booking=OuterRef("pk"), status__in=[Status.PENDING, Status.REVIEW])
    )
    unfinished = Q(state__in=OCCUPYING) | Q(owes | paying, ends_at__gt=now - DEBT_KEPT)
    return Guest.objects.live().exclude(Exists(stays.filter(unfinished)))


def _erase(pk: int, now: datetime) -> bool:
    with transaction.atomic():
        # Whoever books with this key at the moment is waited for, and then it is not due any more.
        guest = Guest.objects.select_for_update(no_key=True).get(pk=pk)
        if not _done_with(now).filter(pk=pk).exists():
            return False
        for model, lookup, left in _personal():
            model._base_manager.filter(**{lookup: guest}).update(**left)
        guest.forget(now)
        guest.save()
        return True


def _personal() -> list[tuple[Any, str, dict[str, Any]]]:
    """What the inventory calls personal about a booking, whoever made it: one list for drivers and guests."""
    tables = [table for table in privacy.INVENTORY if table.personal and not table.rows_go]
    found = [
        (table.cls, table.person.replace("driver", "guest"), table.personal)
        for table in tables
        if table.model == "bookings.Booking" or table.person == "booking__driver"
    ]
    return found


def _drop_mails() -> None:
    """Mails to guests who are forgotten, once they are sent or given up."""
    start = len(event_of(""))  # counted from 1, the reference stands where this one ends
    gone = Booking.objects.filter(reference=OuterRef("about"), guest__erased_at__isnull=False)
    mails = Notice.objects.filter(user=None, event__startswith="booking:").exclude(
        sent_at=None, failed_at=None
    )
    mails.annotate(about=Substr("event", start, 16)).filter(Exists(gone)).delete()
