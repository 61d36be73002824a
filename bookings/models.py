"""The heart's shape: bookings, their states and their timeline."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import User, Vehicle
from accounts.plates import normalise_plate as normalise_plate
from lots.fields import CodeSetField
from lots.labels import random_code
from lots.models import FEATURES, Closure, Lot, Spot, Tariff


def new_reference() -> str:
    """16 signs of 5 bits each: beyond guessing."""
    return random_code(16)


class State(models.TextChoices):
    HELD = "held", _("held")
    CONFIRMED = "confirmed", _("confirmed")
    ACTIVE = "active", _("active")
    COMPLETED = "completed", _("completed")
    CANCELLED = "cancelled", _("cancelled")
    EXPIRED = "expired", _("expired")
    NO_SHOW = "no_show", _("no-show")


# These keep others off the spot. The database's own guard (bookings.guards) says the same list.
OCCUPYING = [State.HELD, State.CONFIRMED, State.ACTIVE]
OVER = [State.COMPLETED, State.CANCELLED, State.EXPIRED, State.NO_SHOW]

# The only moves there are; "" is a booking that does not exist yet.
MOVES: dict[str, frozenset[str]] = {
    "": frozenset({State.HELD, State.CONFIRMED, State.ACTIVE}),
    State.HELD: frozenset({State.CONFIRMED, State.EXPIRED, State.CANCELLED}),
    State.CONFIRMED: frozenset({State.ACTIVE, State.CANCELLED, State.NO_SHOW}),
    State.ACTIVE: frozenset({State.COMPLETED}),
    State.NO_SHOW: frozenset({State.ACTIVE}),
    State.COMPLETED: frozenset(),
    State.CANCELLED: frozenset(),
    State.EXPIRED: frozenset(),
}
# So long before its start it is decided whether a booking's spot can be had.
SOON = timedelta(minutes=10)
# One thing only moves an expired booking: its payment, come late and its spot still free (services.payments).
PAID_LATE = "paid_late"


class BookingQuerySet(models.QuerySet["Booking"]):
    def of(self, driver: User) -> BookingQuerySet:
        return self.filter(driver=driver)

    def of_guest(self, guest: Guest) -> BookingQuerySet:
        return self.filter(guest=guest)

    def in_state(self, *states: str) -> BookingQuerySet:
        return self.filter(state__in=states)

    def occupying(self) -> BookingQuerySet:
        return self.filter(state__in=OCCUPYING)

    def blocking(self, now: datetime) -> BookingQuerySet:
        """Occupying, but for dead holds and no-shows: the next command on the lot sweeps those away."""
        return (
            self.occupying()
            .exclude(state=State.HELD, held_until__lte=now)
            .exclude(state=State.CONFIRMED, no_show_at__lte=now)
        )

    def overlapping(self, starts_at: datetime, ends_at: datetime) -> BookingQuerySet:
        """Periods are half-open: one stay may end the minute the next begins."""
        return self.filter(starts_at__lt=ends_at, ends_at__gt=starts_at)

    def upcoming(self) -> BookingQuerySet:
        return self.in_state(State.HELD, State.CONFIRMED)

    def running(self) -> BookingQuerySet:
        return self.in_state(State.ACTIVE)

    def over(self) -> BookingQuerySet:
        return self.in_state(*OVER)

    def archived(self) -> BookingQuerySet:
        return self.exclude(archived_at=None)

    # What the clock looks for

    def holds_over(self, now: datetime) -> BookingQuerySet:
        return self.filter(state=State.HELD, held_until__lte=now)

    def to_start(self, now: datetime) -> BookingQuerySet:
        """Promised, begun, and on a lot where nobody checks in. See also Booking.starts_by_itself()."""
        return self.filter(state=State.CONFIRMED, starts_at__lte=now, no_show_at=None)

    def missed(self, now: datetime) -> BookingQuerySet:
        """Not checked in by start + grace. See also Booking.is_missed()."""
        return self.filter(state=State.CONFIRMED, no_show_at__lte=now)

    def to_end(self, now: datetime) -> BookingQuerySet:
        """Stays that end by themselves and have. See also Booking.has_ended()."""
        return self.filter(state=State.ACTIVE, ends_at__lte=now, is_open_ended=False)

    def overstaying(self, now: datetime) -> BookingQuerySet:
        """Past their end, and there until somebody releases them."""
        return self.filter(state=State.ACTIVE, ends_at__lte=now, is_open_ended=True)

    def staying_on(self, now: datetime) -> BookingQuerySet:
        """Past the end that was agreed, however often they rolled on since, and there until released."""
        return self.filter(state=State.ACTIVE, booked_until__lte=now, is_open_ended=True)

    def to_rescue(self, now: datetime) -> BookingQuerySet:
        """Begins soon, or has and nobody is there, on a spot that cannot be had.

        Either somebody stays on there, or the spot or its lot is out of service.
        """
        there = Booking.objects.staying_on(now).filter(spot=OuterRef("spot"))
        return (
            self.in_state(State.HELD, State.CONFIRMED)
            .exclude(state=State.HELD, held_until__lte=now)
            .filter(starts_at__lte=now + SOON)
            .filter(Exists(there) | Exists(closures_of_booking()))
        )

    def on_closed_spots(self) -> BookingQuerySet:
        return self.filter(Exists(closures_of_booking()))


def closures_of_booking() -> QuerySet[Closure]:
    """For a subquery on bookings: what is out of service for a part of their period."""
    closures = Closure.objects.in_force().overlapping(OuterRef("starts_at"), OuterRef("ends_at"))
    return closures.of_spot(OuterRef("spot"), OuterRef("lot"))


class Booking(models.Model):
    """A promise of one spot for one period, and what became of it."""

    class Kind(models.TextChoices):
        INSTANT = "instant", _("instant")
        RESERVED = "reserved", _("reserved")

    reference = models.CharField(
        _("reference"), max_length=16, unique=True, default=new_reference, editable=False
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    state = models.CharField(_("state"), max_length=9, choices=State)
    lot = models.ForeignKey(Lot, models.PROTECT, related_name="bookings", verbose_name=_("lot"))
    spot = models.ForeignKey(
        Spot, models.PROTECT, related_name="bookings", verbose_name=_("spot"), db_index=False
    )
    # Nobody: a guest (below), a walk-in the operator booked, or history that was replayed.
    driver = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="bookings",
        verbose_name=_("driver"),
        db_index=False,
    )
    guest = models.ForeignKey(
        "bookings.Guest",
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="bookings",
        verbose_name=_("guest"),
        db_index=False,
    )
    plate = models.CharField(_("plate"), max_length=20, blank=True)
    plate_normalised = models.CharField(max_length=20, blank=True, editable=False)
    vehicle_kind = models.CharField(_("vehicle kind"), max_length=16, choices=Vehicle.Kind, blank=True)
    features = CodeSetField(_("features asked for"), codes=FEATURES)

    # The period that keeps others off the spot, half-open [starts_at, ends_at).
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    # The period that was agreed; a reserved booking is priced by it.
    booked_from = models.DateTimeField(_("booked from"))
    booked_until = models.DateTimeField(_("booked until"))
    checked_in_at = models.DateTimeField(_("checked in"), null=True, blank=True)
    checked_out_at = models.DateTimeField(_("checked out"), null=True, blank=True)
    held_until = models.DateTimeField(_("held until"), null=True, blank=True)
    # Start + grace on lots with check-in; None where nobody checks in.
    no_show_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Goes on until it is released (the lot's end-of-stay policy when it was booked).
    is_open_ended = models.BooleanField(default=False, editable=False)

    # What was agreed when booking: later changes of the lot do not touch it.
    tariff = models.ForeignKey(Tariff, models.PROTECT, related_name="+", verbose_name=_("tariff"))
    cancellation_tiers = models.JSONField(default=list, editable=False)
    no_show_fee_percent = models.PositiveSmallIntegerField(default=100, editable=False)
    early_release = models.CharField(
        max_length=4, choices=Lot.EarlyRelease, default=Lot.EarlyRelease.KEEP, editable=False
    )
    overstay_percent = models.PositiveSmallIntegerField(default=100, editable=False)
    currency = models.CharField(_("currency"), max_length=3)
    total = models.DecimalField(_("total"), max_digits=12, decimal_places=3, default=Decimal(0))
    # [pricing.Line as JSON]; they sum to the total.
    price_lines = models.JSONField(default=list, editable=False)

    # Where it was imported or replayed from; the same source makes no second booking.
    source_id = models.CharField(max_length=160, unique=True, null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("made"))
    # Proven once more and frozen since (bookings.archive); the database refuses changes (archive_guards).
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)

    # The first row of the timeline, on the very object services.book() gave back.
    beginning: TimelineEntry

    objects = BookingQuerySet.as_manager()

    class Meta:
        verbose_name = _("booking")
        permissions = [("export_booking", "Can export bookings")]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="booking_ends_after_start"),
            models.CheckConstraint(condition=Q(total__gte=0), name="booking_total_not_negative"),
            models.CheckConstraint(
                condition=~Q(state=State.HELD) | Q(held_until__isnull=False), name="booking_hold_has_an_end"
            ),
            models.UniqueConstraint(
                fields=["driver"],
                condition=Q(kind="instant", state="active"),
                name="booking_one_instant_stay_a_driver",
            ),
            models.UniqueConstraint(
                fields=["guest"],
                condition=Q(state__in=["held", "confirmed", "active"]),
                name="booking_one_stay_a_guest",
            ),
            models.CheckConstraint(
                condition=Q(driver__isnull=True) | Q(guest__isnull=True), name="booking_driver_or_guest"
            ),
            # booking_spot_once_at_a_time, the last word on double booking, is written by
            # migration 0002 (bookings.guards): an exclusion constraint or a trigger.
        ]
        indexes = [
            # Availability asks each spot for its last occupying booking before a moment: one probe a spot,
            # whatever the history, and all that blocking() wants to know stands in the index.
            models.Index(
                fields=["spot", "starts_at"],
                include=["ends_at", "state", "held_until", "no_show_at"],
                condition=Q(state__in=["held", "confirmed", "active"]),
                name="booking_blocking",
            ),
            models.Index(fields=["spot", "-starts_at"], name="booking_spot_history"),
            models.Index(fields=["driver", "-starts_at"], name="booking_driver_history"),
            models.Index(fields=["guest"], condition=Q(guest__isnull=False), name="booking_guest"),
            models.Index(fields=["held_until"], condition=Q(state="held"), name="booking_holds"),
            models.Index(fields=["ends_at"], condition=Q(state="active"), name="booking_running"),
            models.Index(fields=["starts_at"], condition=Q(state="confirmed"), name="booking_promised"),
            # Found by the beginning of the plate, whatever the database's collation.
            models.Index(
                fields=["plate_normalised"], opclasses=["varchar_pattern_ops"], name="booking_plate_begins"
            ),
            # The back office's lists, newest first, and the moments figures count by (reports.figures). What
            # is counted stands in the index: a year of a million bookings is read from it alone.
            models.Index(
                fields=["-starts_at", "-id"],
                include=["ends_at", "state", "kind", "lot", "driver"],
                name="booking_newest",
            ),
            models.Index(fields=["created_at"], include=["kind", "lot", "driver"], name="booking_made"),
            models.Index(
                fields=["ends_at"],
                include=["starts_at", "booked_until", "lot"],
                condition=Q(state="completed"),
                name="booking_ended",
            ),
            # What the nightly proof goes through, and the archive takes from.
            models.Index(fields=["id"], condition=Q(archived_at__isnull=True), name="booking_not_archived"),
        ]

    def __str__(self) -> str:
        return self.reference

    def may_become(self, state: str) -> bool:
        return state in MOVES[self.state]

    @property
    def is_occupying(self) -> bool:
        """See also BookingQuerySet.occupying()."""
        return self.state in OCCUPYING

    @property
    def is_over(self) -> bool:
        return self.state in OVER

    def hold_is_over(self, now: datetime) -> bool:
        """See also BookingQuerySet.holds_over()."""
        return self.state == State.HELD and self.held_until is not None and self.held_until <= now

    def starts_by_itself(self, now: datetime) -> bool:
        """See also BookingQuerySet.to_start()."""
        return self.state == State.CONFIRMED and self.no_show_at is None and self.starts_at <= now

    def is_missed(self, now: datetime) -> bool:
        """See also BookingQuerySet.missed()."""
        return self.state == State.CONFIRMED and self.no_show_at is not None and self.no_show_at <= now

    def has_ended(self, now: datetime) -> bool:
        """See also BookingQuerySet.to_end()."""
        return self.state == State.ACTIVE and not self.is_open_ended and self.ends_at <= now

    def is_overstaying(self, now: datetime) -> bool:
        """See also BookingQuerySet.overstaying()."""
        return self.state == State.ACTIVE and self.is_open_ended and self.ends_at <= now

    def stays_on(self, now: datetime) -> bool:
        """See also BookingQuerySet.staying_on()."""
        return self.state == State.ACTIVE and self.is_open_ended and self.booked_until <= now

    @property
    def duration(self) -> timedelta:
        return self.ends_at - self.starts_at

    def actor_name(self) -> str:
        return str(self.driver) if self.driver_id else str(_("guest"))


class TimelineEntry(models.Model):
    """One thing that happened to a booking: who, when, why. Only ever appended."""

    booking = models.ForeignKey(Booking, models.CASCADE, related_name="timeline")
    sequence = models.PositiveIntegerField()
    at = models.DateTimeField()
    action = models.CharField(max_length=20)
    from_state = models.CharField(max_length=9, blank=True)
    to_state = models.CharField(max_length=9)
    # None: the clock did it, or a guest.
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    actor = models.CharField(max_length=10)
    reason = models.CharField(max_length=200, blank=True)
    details: Any = models.JSONField(default=dict)
    # Its place in the stream of events (bookings.events); given a moment after the row was written.
    position = models.BigIntegerField(null=True, unique=True, editable=False)

    class Meta:
        verbose_name = _("timeline entry")
        constraints = [
            models.UniqueConstraint(fields=["booking", "sequence"], name="timeline_in_sequence"),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(position=None), name="timeline_without_position"),
        ]

    def __str__(self) -> str:
        return f"{self.booking_id}#{self.sequence} {self.action}"


# These have files of their own; Django finds models through this module only.
from bookings.feed_models import CalendarFeed  # noqa: E402, F401
from bookings.guest_models import Actor as Actor  # noqa: E402
from bookings.guest_models import Guest as Guest  # noqa: E402
from bookings.keys import IdempotencyKey as IdempotencyKey  # noqa: E402
from bookings.payments.models import LedgerEntry, Payment, ProviderEvent, Refund  # noqa: E402, F401
from bookings.problem_models import Problem as Problem  # noqa: E402
from bookings.receipt_models import Receipt, ReceiptCounter  # noqa: E402, F401
from bookings.waitlist_models import WaitlistEntry, WaitlistState  # noqa: E402, F401
from bookings.webhooks.models import EventStream, WebhookDelivery, WebhookEndpoint  # noqa: E402, F401
