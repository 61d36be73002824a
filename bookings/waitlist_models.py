"""Who waits for a spot of a full lot, in which order, and what became of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Count, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from accounts.models import User, Vehicle
from bookings.models import Booking, State, new_reference
from lots.fields import CodeSetField, read_codes
from lots.models import FEATURES, Lot

SNOOZE = timedelta(minutes=30)  # so long whoever snoozes, or lets an offer run out, is passed over
MOST_MISSED = 3  # offers that ran out unanswered, and nobody is asked again
SHORTEST_OFFER = timedelta(minutes=2)  # nobody reads a mail and decides in less


class WaitlistState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    OFFERED = "offered", _("offered")
    ACCEPTED = "accepted", _("accepted")
    LEFT = "left", _("left")
    PASSED = "passed", _("passed")


LIVE = [WaitlistState.WAITING, WaitlistState.OFFERED]


class WaitlistQuerySet(models.QuerySet["WaitlistEntry"]):
    def of(self, driver: User) -> WaitlistQuerySet:
        return self.filter(driver=driver)

    def live(self) -> WaitlistQuerySet:
        return self.filter(state__in=LIVE)

    def overlapping(self, starts_at: datetime, ends_at: datetime) -> WaitlistQuerySet:
        return self.filter(starts_at__lt=ends_at, ends_at__gt=starts_at)

    def waiting(self, now: datetime) -> WaitlistQuerySet:
        """Who may be made an offer at this moment. See also WaitlistEntry.is_snoozed()."""
        return self.filter(
            Q(snoozed_until=None) | Q(snoozed_until__lte=now),
            state=WaitlistState.WAITING,
            starts_at__gt=now,
            driver__is_active=True,
        )

    def over(self, now: datetime) -> WaitlistQuerySet:
        """Still waiting when the time they waited for has begun."""
        return self.filter(state=WaitlistState.WAITING, starts_at__lte=now)

    def in_line(self) -> WaitlistQuerySet:
        return self.order_by("joined_at", "pk")

    def with_positions(self, now: datetime) -> WaitlistQuerySet:
        """Adds `position`: one more than those who wait for overlapping time and came before."""
        before = (
            WaitlistEntry.objects.waiting(now)
            .filter(lot=OuterRef("lot"), starts_at__lt=OuterRef("ends_at"), ends_at__gt=OuterRef("starts_at"))
            .filter(
                Q(joined_at__lt=OuterRef("joined_at"))
                | Q(joined_at=OuterRef("joined_at"), pk__lt=OuterRef("pk"))
            )
        )
        counted = before.order_by().values("lot").annotate(count=Count("pk")).values("count")
        return self.annotate(position=Coalesce(Subquery(counted), 0) + 1)

    def follow(self, booking: Booking, *, by: User | None, now: datetime) -> None:
        """What the end of a hold does to the entry it was offered to, if it was."""
        entry = self.filter(offer=booking, state=WaitlistState.OFFERED).first()
        if entry is None:
            return
        if booking.state == State.CONFIRMED:
            entry.state = WaitlistState.ACCEPTED
        elif booking.state == State.EXPIRED:
            entry.miss(now)
        elif by is not None and by.pk == entry.driver_id:
            entry.state = WaitlistState.LEFT
        else:
            entry.state = WaitlistState.WAITING
        entry.save()

    def follow_late_payment(self, booking: Booking) -> None:
        """The offer had run out, its payment came all the same, and a spot was still free."""
        self.filter(offer=booking).update(state=WaitlistState.ACCEPTED, snoozed_until=None)


class WaitlistEntry(models.Model):
    """A driver in line for one window [starts_at, ends_at) of a lot. An offer is a held booking."""

    reference = models.CharField(
        _("reference"), max_length=16, unique=True, default=new_reference, editable=False
    )
    driver = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="waitlist",
        verbose_name=_("driver"),
        db_index=False,
    )
    lot = models.ForeignKey(
        Lot, models.PROTECT, related_name="waitlist", verbose_name=_("lot"), db_index=False
    )
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    plate = models.CharField(_("plate"), max_length=20, blank=True)
    vehicle_kind = models.CharField(_("vehicle kind"), max_length=16, choices=Vehicle.Kind, blank=True)
    features = CodeSetField(_("features asked for"), codes=FEATURES)
    state = models.CharField(_("state"), max_length=8, choices=WaitlistState, default=WaitlistState.WAITING)
    # The last booking held for them; while the state is "offered", it still is.
    offer = models.OneToOneField(
        Booking,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="waitlist_entry",
        verbose_name=_("offer"),
    )
    joined_at = models.DateTimeField(_("joined"))
    snoozed_until = models.DateTimeField(_("snoozed until"), null=True, blank=True)
    missed_offers = models.PositiveSmallIntegerField(_("offers not answered"), default=0)
    # The code of the rule for which the last look passed them over: lot_closed, too_soon, no_price …
    passed_over = models.CharField(_("passed over because"), max_length=30, blank=True)

    objects = WaitlistQuerySet.as_manager()

    class Meta:
        verbose_name = _("waitlist entry")
        verbose_name_plural = _("waitlist")
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="waitlist_ends_after_start"),
            models.CheckConstraint(
                condition=~Q(state="offered") | Q(offer__isnull=False), name="waitlist_offer_is_a_booking"
            ),
            # The same driver twice for overlapping time of a lot is refused under the lot's lock; this
            # is the database's own word on the same window twice.
            models.UniqueConstraint(
                fields=["driver", "lot", "starts_at", "ends_at"],
                condition=Q(state__in=["waiting", "offered"]),
                name="waitlist_once_a_window",
            ),
        ]
        indexes = [
            models.Index(fields=["lot", "joined_at"], condition=Q(state="waiting"), name="waitlist_in_line"),
            models.Index(fields=["driver", "-joined_at"], name="waitlist_of_driver"),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def is_live(self) -> bool:
        """See also WaitlistQuerySet.live()."""
        return self.state in LIVE

    def features_set(self) -> tuple[str, ...]:
        return read_codes(self.features)

    def is_snoozed(self, now: datetime) -> bool:
        return self.is_live and self.snoozed_until is not None and self.snoozed_until > now

    def live_offer(self, now: datetime) -> Booking | None:
        """The booking that waits for an answer; None once its time is over, swept or not."""
        if self.state != WaitlistState.OFFERED or self.offer is None or self.offer.hold_is_over(now):
            return None
        return self.offer

    def snooze(self, now: datetime) -> None:
        self.state, self.snoozed_until = WaitlistState.WAITING, now + SNOOZE

    def miss(self, now: datetime) -> None:
        """An offer ran out: the place in line stays, for some more times."""
        self.missed_offers += 1
        if self.missed_offers >= MOST_MISSED or self.starts_at <= now:
            self.state = WaitlistState.PASSED
        else:
            self.snooze(now)
