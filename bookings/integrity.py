"""Does everything add up? Proves on live data what the code and the database promise; changes nothing.

Each check yields what it found wrong. It looks at one snapshot: whatever commits meanwhile is for next time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.db.models import Count, Exists, F, OuterRef, Prefetch, Q, QuerySet

from accounts.viewings import VIEWINGS
from bookings import archive_guards, guards, receipts
from bookings.models import (
    MOVES,
    OVER,
    PAID_LATE,
    Booking,
    BookingQuerySet,
    State,
    TimelineEntry,
    WaitlistEntry,
    WaitlistState,
)
from bookings.payments import guards as ledger_guards
from bookings.payments import ledger
from bookings.payments.models import LedgerEntry, Payment, Provider, Refund, Status
from bookings.receipt_guards import RECEIPTS
from bookings.services import core
from lots import money
from lots.models import Closure, Spot

HOLD_GRACE = timedelta(minutes=1)  # the sweep comes by every few seconds
NEVER_ASKED = timedelta(minutes=15)
TOO_LONG = timedelta(hours=24)
CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """`check` is stable and for programs, `where` names the row, `what` is a sentence."""

    check: str
    where: str
    what: str


Check = Callable[[datetime], Iterator[Finding]]


def find(*, now: datetime, archived: bool = False) -> list[Finding]:
    """`archived`: also what the archive has proven already, which takes as long as history is."""
    with _snapshot():
        checks = [*CHECKS, *(ARCHIVED if archived else [])]
        return [finding for check in checks for finding in check(now)]


@contextmanager
def _snapshot() -> Iterator[None]:
    """All queries see one moment, and nobody waits for us (SQLite's atomic() would lock out every writer)."""
    if connection.in_atomic_block:
        yield
        return
    is_postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if is_postgresql else "BEGIN")
        if is_postgresql:  # a proof takes its time, and holds no lock meanwhile
            cursor.execute("SET LOCAL statement_timeout = 0")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ROLLBACK")


# --- The database's own guards ---


def guards_in_place(now: datetime) -> Iterator[Finding]:
    for name in sorted(_guards_wanted() - _guards_there()):
        yield Finding("guard_missing", name, "The database does not guard this any more.")


def _guards_wanted() -> set[str]:
    if connection.vendor == "postgresql":
        ours = {guards.NAME}
    else:
        ours = {f"{guards.NAME}_insert", f"{guards.NAME}_update"}
    only_grow = [*RECEIPTS.names(connection.vendor), *VIEWINGS.names(connection.vendor)]
    return {*ours, *archive_guards.NAMES, *ledger_guards.NAMES[connection.vendor], *only_grow}


def _guards_there() -> set[str]:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # "D": switched off.
            cursor.execute(
                "SELECT conname FROM pg_constraint WHERE convalidated"
                " UNION SELECT tgname FROM pg_trigger WHERE tgenabled <> 'D'"
            )
        else:
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        return {row[0] for row in cursor.fetchall()}


# --- Space and time ---


def no_overlap(now: datetime) -> Iterator[Finding]:
    last: tuple[int, str, datetime] | None = None
    rows = Booking.objects.occupying().order_by("spot_id", "starts_at", "pk")
    for spot_id, reference, starts_at, ends_at in rows.values_list(
        "spot_id", "reference", "starts_at", "ends_at"
    ).iterator(CHUNK):
        if last and last[0] == spot_id and starts_at < last[2]:
            yield Finding("overlap", reference, f"On one spot at one time with {last[1]}.")
        if last is None or last[0] != spot_id or ends_at > last[2]:
            last = (spot_id, reference, ends_at)


def spots_in_their_lots(now: datetime) -> Iterator[Finding]:
    wrong = Booking.objects.filter(archived_at=None).exclude(spot__lot=F("lot"))
    for reference in wrong.values_list("reference", flat=True):
        yield Finding("foreign_spot", reference, "Its spot belongs to another lot.")


def nobody_is_sent_to_closed_spots(now: datetime) -> Iterator[Finding]:
    """Whose promised spot is out of service then was told; the clock rescues them before the start."""
    closures = Closure.objects.in_force().filter(Q(ends_at=None) | Q(ends_at__gt=now))
    for closure in closures.order_by("pk"):
        rows = Booking.objects.in_state(State.HELD, State.CONFIRMED).filter(
            lot=closure.lot_id, starts_at__gt=now, ends_at__gt=closure.starts_at
        )
        if closure.spot_id is not None:
            rows = rows.filter(spot=closure.spot_id)
        if closure.ends_at is not None:
            rows = rows.filter(starts_at__lt=closure.ends_at)
        told = Exists(TimelineEntry.objects.filter(booking=OuterRef("pk"), details__closure=closure.pk))
        for reference in rows.exclude(told).values_list("reference", flat=True):
            yield Finding("closed_spot", reference, "Its spot is out of service, and nobody told its driver.")


def holds_lapse(now: datetime) -> Iterator[Finding]:
    for booking in Booking.objects.holds_over(now - HOLD_GRACE):
        yield Finding(
            "hold_not_lapsed", booking.reference, f"Held until {booking.held_until}, and still held."
        )


def offers_are_holds(now: datetime) -> Iterator[Finding]:
    """Whoever is offered a spot on the waitlist has it held for them, and nothing else is."""
    offered = WaitlistEntry.objects.filter(state=WaitlistState.OFFERED)
    theirs = {name: F(name) for name in ("driver", "lot", "starts_at", "ends_at")}
    held = Q(offer__state=State.HELD, **{f"offer__{name}": column for name, column in theirs.items()})
    for entry in offered.exclude(held).order_by("pk"):
        yield Finding("offer_not_held", entry.reference, "It is offered a spot that is not held for it.")
    holds = Booking.objects.in_state(State.HELD).exclude(waitlist_entry=None)
    for booking in holds.exclude(waitlist_entry__state=WaitlistState.OFFERED).order_by("pk"):
        yield Finding("hold_not_offered", booking.reference, "It is held for the waitlist, and not offered.")


# --- One booking at a time: its timeline and its price ---


def bookings_add_up(now: datetime) -> Iterator[Finding]:
    yield from (finding for _booking, finding in faults(Booking.objects.filter(archived_at=None)))


def archived_bookings_add_up(now: datetime) -> Iterator[Finding]:
    yield from (finding for _booking, finding in faults(Booking.objects.archived()))


def faults(bookings: BookingQuerySet) -> Iterator[tuple[Booking, Finding]]:
    """Those of these bookings whose timeline, lines or price are not right."""
    timeline = Prefetch("timeline", TimelineEntry.objects.order_by("sequence"))
    rows = bookings.select_related("lot", "spot", "tariff").prefetch_related(timeline)
    for booking in rows.order_by("pk").iterator(CHUNK):
        booking.spot.lot = booking.lot
        entries = list(booking.timeline.all())
        for what in _timeline(booking, entries):
            yield booking, Finding("timeline", booking.reference, what)
        amounts = [Decimal(line["amount"]) for line in booking.price_lines]
        if sum(amounts, Decimal(0)) != booking.total:
            what = f"Lines sum to {sum(amounts)}, total is {booking.total}."
            yield booking, Finding("lines", booking.reference, what)
        elif what := _price(booking, entries):
            yield booking, Finding("price", booking.reference, what)


def _timeline(booking: Booking, entries: list[TimelineEntry]) -> Iterator[str]:
    if [entry.sequence for entry in entries] != list(range(1, len(entries) + 1)):
        yield "Entries are missing."
        return
    was = ""
    for entry in entries:
        is_late = (entry.action, was, entry.to_state) == (PAID_LATE, State.EXPIRED, State.CONFIRMED)
        stays = bool(was) and entry.to_state == was
        if entry.from_state != was or not (stays or is_late or entry.to_state in MOVES[was]):
            yield f"Entry {entry.sequence} goes from {was or 'nothing'} to {entry.to_state}."
            return
        was = entry.to_state
    if was != booking.state:
        yield f"It ends {was or 'nowhere'}, the booking is {booking.state}."


def _price(booking: Booking, entries: list[TimelineEntry]) -> str:
    """Recomputed with the tariff that was pinned and the policies that were copied."""
    wanted = []
    for kind in _spot_kinds(booking, entries):
        booking.spot.kind = kind
        wanted.append(_wanted_total(booking, entries))
        if wanted[-1] == booking.total:
            return ""
    return f"Total is {booking.total}, recomputed {wanted[0]}."


def _spot_kinds(booking: Booking, entries: list[TimelineEntry]) -> list[str]:
    """Who was moved pays for the spot they booked, which may have been of another kind."""
    kinds = [booking.spot.kind]
    if any(entry.action in ("moved", "no_show") for entry in entries):
        kinds += [kind for kind in Spot.Kind.values if kind not in kinds]
    return kinds


def _wanted_total(booking: Booking, entries: list[TimelineEntry]) -> Decimal:
    if booking.state == State.COMPLETED and booking.checked_out_at:
        return core.final_price(booking, booking.checked_out_at).total
    agreed = core.priced(booking, booking.tariff, booking.booked_from, booking.booked_until).total
    if booking.state == State.NO_SHOW:
        return money.quantise(agreed * booking.no_show_fee_percent / 100, booking.currency)
    if booking.state == State.CANCELLED:
        details = entries[-1].details if entries[-1].action == "cancelled" else _details(entries, "cancelled")
        kept = Decimal(details.get("kept", 0))
        return kept if Decimal(details.get("was", agreed)) == agreed else agreed
    return agreed


def _details(entries: list[TimelineEntry], action: str) -> dict[str, str]:
    return next((entry.details for entry in reversed(entries) if entry.action == action), {})


# --- Money ---


def ledger_matches_payments(now: datetime) -> Iterator[Finding]:
    """Every payment that succeeded is one charge, every refund one entry, and nothing else is."""
    for model, kind in ((Payment, "charge"), (Refund, "refund")):
        rows: QuerySet = model._default_manager.all()
        entries = Count("ledger", filter=Q(ledger__kind=kind))
        moved = rows.annotate(entries=entries).exclude(status=Status.SUCCEEDED, entries=1)
        for row in moved.exclude(Q(entries=0) & ~Q(status=Status.SUCCEEDED)):
            what = f"The {model._meta.verbose_name} {row.status}, with {row.entries} ledger entries."
            yield Finding("ledger_entries", str(row.pk), what)
        name = model._meta.model_name
        same = {
            "amount": F(f"{name}__amount"),
            "currency": F(f"{name}__currency"),
            "booking": F(f"{name}__booking"),
        }
        for entry in LedgerEntry.objects.filter(kind=kind).exclude(**same):
            yield Finding("ledger_entries", entry.reference, f"It is not what its {name} says.")


def currencies_agree(now: datetime) -> Iterator[Finding]:
    for entry in LedgerEntry.objects.exclude(currency=F("booking__currency")).select_related("booking"):
        what = f"In {entry.currency}, the booking is in {entry.booking.currency}."
        yield Finding("currency", entry.reference, what)


def no_more_goes_back(now: datetime) -> Iterator[Finding]:
    """Σ refunds ≤ Σ charges, of each payment and so of each booking."""
    went: dict[UUID, Decimal] = defaultdict(Decimal)
    for pk, amount in LedgerEntry.objects.refunds().values_list("payment", "amount"):
        went[pk] += amount
    refunded = LedgerEntry.objects.refunds().values("payment")
    came = dict(LedgerEntry.objects.charges().filter(payment__in=refunded).values_list("payment", "amount"))
    for pk, amount in went.items():
        if amount > came.get(pk, 0):
            yield Finding("refunds_exceed", str(pk), f"{came.get(pk, 0)} came in, {amount} went back.")


def accounts_settle(now: datetime) -> Iterator[Finding]:
    """A booking that is over keeps what it owes at most; one that is paid is not held."""
    # Somebody at the desk may still pay an archived one something back.
    changed = Q(archived_at=None) | Q(ledger__at__gt=F("archived_at"))
    rows = ledger.with_money(Booking.objects.filter(changed, ledger__isnull=False).distinct())
    for booking in rows.order_by("pk").iterator(CHUNK):
        account = ledger.account(booking)
        if booking.state in OVER and account.excess:
            yield Finding("not_settled", booking.reference, f"{account.excess} should go back.")
        if booking.state == State.HELD and account.paid and not account.due:
            yield Finding("paid_but_held", booking.reference, "It is paid and not confirmed.")


def nothing_stays_open(now: datetime) -> Iterator[Finding]:
    never_asked = Q(created_at__lt=now - NEVER_ASKED, asked_at=None)
    for payment in Payment.objects.pending().filter(Q(created_at__lt=now - TOO_LONG) | never_asked):
        yield Finding("payment_open", str(payment.pk), f"Pending since {payment.created_at}.")
    refunds = Refund.objects.pending().exclude(payment__provider=Provider.DESK)
    for refund in refunds.filter(Q(created_at__lt=now - TOO_LONG) | never_asked):
        yield Finding("refund_open", str(refund.pk), f"Pending since {refund.created_at}.")


def receipts_without_gaps(now: datetime) -> Iterator[Finding]:
    for number in receipts.gaps():
        yield Finding("receipt_gap", f"{number:06d}", "This number has no receipt, or was never given.")


CHECKS: list[Check] = [
    guards_in_place,
    no_overlap,
    spots_in_their_lots,
    nobody_is_sent_to_closed_spots,
    holds_lapse,
    offers_are_holds,
    bookings_add_up,
    ledger_matches_payments,
    currencies_agree,
    no_more_goes_back,
    accounts_settle,
    nothing_stays_open,
    receipts_without_gaps,
]
ARCHIVED: list[Check] = [archived_bookings_add_up]
