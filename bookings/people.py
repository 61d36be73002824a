"""Which people an operator gets to see. Accounts know nothing of lots and bookings; here they meet."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import User
from bookings.models import Booking
from lots.models import Lot


def known_to(operator: User) -> QuerySet[User]:
    """Everybody; for operators limited to some lots, who booked there, and themselves."""
    if operator.is_superuser or not operator.lots_limited_to.exists():
        return User.objects.all()
    # Asked for once: with a subquery here the database looks at every booking of every person.
    lots = list(Lot.objects.run_by(operator).values_list("pk", flat=True))
    there = Booking.objects.filter(driver=OuterRef("pk"), lot__in=lots)
    return User.objects.filter(Exists(there) | Q(pk=operator.pk))
