"""A lot's past stays as they were, and as they would have been under a draft tariff. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from bookings.errors import BadBooking
from bookings.models import Booking, State
from bookings.services import core
from bookings.what_if import Replayed
from lots import money, rates
from lots.models import Lot, Tariff

AT_A_TIME = 500


def replayed(lot: Lot, draft: rates.Tariff, since: datetime, until: datetime) -> Iterator[Replayed]:
    """Completed stays that ended in [since, until), the latest first, by the rules a stay is closed by."""
    version = Tariff(lot=lot, version=0, document={})
    version.rates = draft
    rows = Booking.objects.filter(
        lot=lot, state=State.COMPLETED, currency=draft.currency, ends_at__gte=since, ends_at__lt=until
    )
    for booking in rows.select_related("spot").order_by("-ends_at", "-pk").iterator(chunk_size=AT_A_TIME):
        booking.lot, booking.tariff = lot, version
        try:
            new = core.final_price(booking, booking.ends_at).total
        except BadBooking:  # this tariff sells nothing at these hours
            new = None
        old = money.quantise(booking.total, booking.currency)
        yield Replayed(booking.reference, booking.starts_at, booking.ends_at, old, new)
