"""Telling the operator that a spot is not as promised, and the operator's dealing with it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.urls import reverse

from accounts import outbox
from accounts.models import User
from bookings.errors import InvalidTransition
from bookings.models import Booking, Problem, State
from lots.models import Lot

# Who is there, or should be.
TELLABLE = frozenset({State.CONFIRMED, State.ACTIVE})


def may_tell(booking: Booking, now: datetime) -> bool:
    return booking.state in TELLABLE and booking.starts_at <= now


def tell(booking: Booking, *, kind: str, text: str = "", now: datetime) -> Problem:
    """Write the problem down and owe a mail to whoever runs the lot. Telling it again changes nothing."""
    if not may_tell(booking, now):
        raise InvalidTransition(
            f"This booking is {booking.get_state_display()}; there is no spot to tell of."
        )
    concerned = operators_of(booking.lot)
    with transaction.atomic():
        problem, is_new = Problem.objects.open().get_or_create(
            booking=booking, spot=booking.spot, kind=kind, defaults={"text": text, "reported_at": now}
        )
        if is_new:
            outbox.owe_all([_mail(problem, booking, operator, now) for operator in concerned])
    return problem


def deal_with(problems: Iterable[Problem], *, by: User, now: datetime) -> int:
    """Says how many were open."""
    keys = [problem.pk for problem in problems]
    return Problem.objects.open().filter(pk__in=keys).update(dealt_with_at=now, dealt_with_by=by)


def operators_of(lot: Lot) -> list[User]:
    """Staff who run this lot and whose role shows them its problems."""
    staff = User.objects.filter(is_staff=True, is_active=True).order_by("pk")
    return [
        user
        for user in staff
        if user.has_perm("bookings.view_problem") and Lot.objects.run_by(user).filter(pk=lot.pk).exists()
    ]


def _mail(problem: Problem, booking: Booking, operator: User, now: datetime) -> outbox.Notice:
    """Says what and where. Who told it, and in which words, stays in the back office, to be erased there."""
    return outbox.owed(
        template="bookings/email/problem",
        recipient=operator.email,
        user=operator,
        event=f"problem:{problem.pk}:{operator.pk}",
        context={
            "kind": problem.kind,
            "lot": booking.lot.name,
            "spot": problem.spot.number,
            "building": problem.spot.building,
            "floor": problem.spot.floor,
            "path": reverse("admin:bookings_problem_change", args=[problem.pk]),
        },
        now=now,
    )
