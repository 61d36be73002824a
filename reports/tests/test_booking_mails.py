"""The mails of a booking's life, as they are sent."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts import outbox
from accounts.models import Notice
from bookings import services
from bookings.services import closing
from bookings.tests.factories import HOUR, NOW, make_lot, park, reserve
from reports.tests import snapshots

pytestmark = pytest.mark.django_db
KINDS = [
    "confirmed",
    "starts_soon",
    "ends_soon",
    "extended",
    "moved",
    "paid",
    "completed",
    "cancelled",
    "expired",
    "no_show",
    "called_off",
    "refunded",
    "closing",
    "waitlist_offer",
]


@pytest.fixture
def lived(alice, bob, olga):
    """A booking that was extended, moved, paid and partly refunded, and some that ended otherwise."""
    lot = make_lot(3, name="Alexanderplatz", slug="alexanderplatz", city="Berlin", country="DE")
    booking = reserve(lot, alice, plate="B-AL 1", hours=2)
    services.extend(booking, ends_at=NOW + 4 * HOUR, by=alice, now=NOW)
    services.move(booking, spot_number="3", by=olga, now=NOW)
    services.record_desk_payment(booking, method="card", by=olga, now=NOW)
    services.refund(booking, amount=Decimal(1), reason="Rain", by=olga, now=NOW)
    services.release(park(lot, bob, now=NOW), by=bob, now=NOW + HOUR)
    services.cancel(reserve(lot, bob, starts_in=30 * HOUR), by=bob, now=NOW + HOUR)
    reserve(lot, alice, starts_in=54 * HOUR)
    prepaid = make_lot(1, name="Prepaid", slug="prepaid", payment_timing="prepaid")
    reserve(prepaid, bob, starts_in=5 * HOUR)
    services.lapse_holds(now=NOW + HOUR)
    strict = make_lot(1, name="Strict", slug="strict", needs_check_in=True)
    reserve(strict, bob)
    services.mark_no_shows(now=NOW + 2 * HOUR)

    _go_wrong(alice, bob, olga)


def _go_wrong(alice, bob, olga):
    """A spot is closed under a paid booking, on another lot the driver is only told; one waits in a line."""
    for name, choice in (("Westhafen", closing.REFUND), ("Tempelhof", closing.TELL)):
        lot = make_lot(1, name=name, slug=name.lower(), city="Berlin", country="DE")
        booking = reserve(lot, alice, starts_in=80 * HOUR, plate="B-AL 1")
        services.record_desk_payment(booking, method="cash", by=olga, now=NOW)
        spots = tuple(lot.spots.values_list("pk", flat=True))
        shut = closing.Closing(lot.pk, spots, NOW + 79 * HOUR, NOW + 90 * HOUR, choice)
        closing.close(shut, by=olga, now=NOW)
        alice = bob
    full = make_lot(1, name="Ostkreuz", slug="ostkreuz", city="Berlin", country="DE")
    taken = reserve(full, olga, starts_in=100 * HOUR)
    services.join(
        lot_id=full.pk, driver=bob, starts_at=taken.starts_at, ends_at=taken.ends_at, now=NOW, plate="B-OB 2"
    )
    services.cancel(taken, by=olga, now=NOW + HOUR / 6)


@pytest.mark.promise("S4-25")
@pytest.mark.parametrize("kind", KINDS)
def test_the_mail(lived, kind):
    notice = Notice.objects.filter(template=f"bookings/email/{kind}").order_by("pk").first()

    assert notice is not None, sorted(set(Notice.objects.values_list("template", flat=True)))
    assert notice.created_at < NOW + timedelta(days=1)
    snapshots.check(f"booking_{kind}", outbox.to_message(notice))
