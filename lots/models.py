"""What can be booked: lots, their spots and tariffs. Knows nothing of bookings."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Count, Exists, F, Q
from django.utils.translation import gettext_lazy as _

from accounts.connectors import CONNECTORS
from accounts.models import User, Vehicle
from lots import clock, rates
from lots.fields import CodeSetField, NumberKeyField, ScarcityField, code_filter, read_codes
from lots.hours import HoursError, OpeningHours
from lots.labels import LENGTH, new_code

FEATURES = [
    ("covered", _("covered")),
    ("accessible", _("accessible")),
    ("ev", _("EV charging")),
    ("family", _("family")),
    ("guarded", _("guarded")),
]


def full_refund_before_start() -> list[dict[str, int]]:
    """Notice in minutes before the start, and what part of the price comes back."""
    return [{"notice_minutes": 0, "refund_percent": 100}]


def check_timezone(name: str) -> None:
    if not clock.fits_zone(name):
        raise ValidationError(
            _("%(name)s is no time zone. Use a name such as Europe/Berlin."), params={"name": name}
        )


def check_hours(document: Any) -> None:
    try:
        OpeningHours.from_json(document)
    except HoursError as error:
        raise ValidationError(str(error)) from error


def check_tiers(tiers: Any) -> None:
    whole = isinstance(tiers, list) and all(
        isinstance(tier, dict)
        and set(tier) == {"notice_minutes", "refund_percent"}
        and all(
            isinstance(value, int) and not isinstance(value, bool) and value >= 0 for value in tier.values()
        )
        and tier["refund_percent"] <= 100
        for tier in tiers
    )
    if not whole:
        raise ValidationError(
            _('Write tiers as [{"notice_minutes": 1440, "refund_percent": 100}, …], percents from 0 to 100.')
        )


class LotQuerySet(models.QuerySet["Lot"]):
    def listed(self) -> LotQuerySet:
        """What drivers see: neither switched off nor archived."""
        return self.filter(is_active=True, archived_at=None)

    def kept(self) -> LotQuerySet:
        """What operators work with: everything not archived."""
        return self.filter(archived_at=None)

    def run_by(self, user: User) -> LotQuerySet:
        """What this operator works with: the lots they are limited to, or all when they are limited to none.

        Drivers run nothing. What an operator may do with these lots, their permissions say.
        """
        if not (user.is_active and user.is_staff):
            return self.none()
        if user.is_superuser:
            return self.all()
        limits = Lot.operators.through.objects.filter(user=user)
        return self.filter(Q(pk__in=limits.values("lot")) | ~Exists(limits))

    def search(self, text: str) -> LotQuerySet:
        """Every word must appear in the name or the place."""
        lots = self
        for word in text.split()[:8]:
            lots = lots.filter(
                Q(name__icontains=word)
                | Q(city__icontains=word)
                | Q(address_line1__icontains=word)
                | Q(postcode__istartswith=word)
                | Q(region__icontains=word)
            )
        return lots


class Lot(models.Model):
    """A place with spots, at one address, in one time zone and one currency."""

    class EndOfStay(models.TextChoices):
        ENDS_ITSELF = "ends_itself", _("ends at its planned end")
        UNTIL_RELEASED = "until_released", _("goes on until the driver releases it")

    class PaymentTiming(models.TextChoices):
        ON_RELEASE = "on_release", _("when leaving")
        PREPAID = "prepaid", _("before the booking is confirmed")

    class EarlyRelease(models.TextChoices):
        KEEP = "keep", _("the reserved time is paid for, also by who leaves early")
        USED = "used", _("only the time used is paid for")

    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("slug"), max_length=140, unique=True)
    # Where it was imported from, e.g. "parkapi:dresdenaltmarkt"; a second import finds it again.
    source_id = models.CharField(_("source id"), max_length=120, unique=True, null=True, blank=True)
    address_line1 = models.CharField(_("address"), max_length=200, blank=True)
    address_line2 = models.CharField(_("address, second line"), max_length=200, blank=True)
    city = models.CharField(_("city"), max_length=100, blank=True, db_index=True)
    region = models.CharField(_("region or state"), max_length=100, blank=True)
    postcode = models.CharField(_("postcode"), max_length=16, blank=True)
    country = models.CharField(
        _("country"),
        max_length=2,
        blank=True,
        validators=[RegexValidator(r"^[A-Z]{2}\Z", _("Two capital letters, as in ISO 3166: DE, CH, CA."))],
    )
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    latitude = models.DecimalField(
        _("latitude"),
        max_digits=9,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(-90), MaxValueValidator(90)],
    )
    longitude = models.DecimalField(
        _("longitude"),
        max_digits=9,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(-180), MaxValueValidator(180)],
    )
    timezone = models.CharField(_("time zone"), max_length=64, default="UTC", validators=[check_timezone])
    currency = models.CharField(
        _("currency"),
        max_length=3,
        default="EUR",
        validators=[
            RegexValidator(r"^[A-Z]{3}\Z", _("Three capital letters, as in ISO 4217: EUR, CHF, CAD."))
        ],
    )
    price_per_hour = models.DecimalField(
        _("price per hour"), max_digits=10, decimal_places=3, validators=[MinValueValidator(Decimal(0))]
    )
    opening_hours = models.JSONField(_("opening hours"), default=dict, blank=True, validators=[check_hours])
    max_height_cm = models.PositiveSmallIntegerField(_("height limit (cm)"), null=True, blank=True)

    default_stay_minutes = models.PositiveIntegerField(
        _("default stay (minutes)"), default=120, validators=[MinValueValidator(1)]
    )
    min_stay_minutes = models.PositiveIntegerField(_("shortest stay (minutes)"), default=1)
    max_stay_minutes = models.PositiveIntegerField(_("longest stay (minutes)"), null=True, blank=True)
    min_notice_minutes = models.PositiveIntegerField(_("book at least this early (minutes)"), default=0)
    max_notice_days = models.PositiveIntegerField(_("book at most this early (days)"), default=365)
    grid_minutes = models.PositiveSmallIntegerField(
        _("grid (minutes)"), default=15, validators=[MinValueValidator(1), MaxValueValidator(1440)]
    )
    end_of_stay = models.CharField(
        _("end of stay"), max_length=16, choices=EndOfStay, default=EndOfStay.ENDS_ITSELF
    )
    payment_timing = models.CharField(
        _("payment"), max_length=10, choices=PaymentTiming, default=PaymentTiming.ON_RELEASE
    )
    early_release = models.CharField(
        _("reserved, left early"), max_length=4, choices=EarlyRelease, default=EarlyRelease.KEEP
    )
    overstay_percent = models.PositiveSmallIntegerField(
        # xgettext:no-python-format
        _("price past the agreed end (% of the tariff)"),
        default=100,
        validators=[MinValueValidator(100), MaxValueValidator(1000)],
    )
    needs_check_in = models.BooleanField(
        _("needs check-in"),
        default=False,
        help_text=_("Who has not checked in by start + grace is a no-show."),
    )
    no_show_grace_minutes = models.PositiveIntegerField(_("no-show grace (minutes)"), default=30)
    no_show_fee_percent = models.PositiveSmallIntegerField(
        # xgettext:no-python-format
        _("no-show fee (% of the price)"),
        default=100,
        validators=[MaxValueValidator(100)],
    )
    cancellation_tiers = models.JSONField(
        _("cancellation policy"), default=full_refund_before_start, blank=True, validators=[check_tiers]
    )
    remind_before_start_minutes = models.PositiveIntegerField(
        _("remind before the start (minutes)"), default=60, help_text=_("0: no reminder.")
    )
    remind_before_end_minutes = models.PositiveIntegerField(
        _("remind before the end (minutes)"),
        default=15,
        help_text=_("0: no reminder. Stays shorter than twice this get none."),
    )
    is_active = models.BooleanField(_("open for booking"), default=True)
    # On by default: without a printed label no guest finds the way here.
    guests_may_book = models.BooleanField(
        _("guests may book"),
        default=True,
        help_text=_("Whoever scans a label here parks without an account."),
    )
    # What the label at the entrance says (lots.labels).
    code = models.CharField(_("label code"), max_length=LENGTH, unique=True, default=new_code, editable=False)
    operators = models.ManyToManyField(
        User,
        blank=True,
        related_name="lots_limited_to",
        verbose_name=_("operators limited to it"),
        help_text=_("Staff named at any lot work with those lots only; staff named at none, with all."),
    )
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True, editable=False)

    objects = LotQuerySet.as_manager()

    class Meta:
        verbose_name = _("lot")
        permissions = [("import_lot", "Can import lots"), ("export_lot", "Can export lots")]
        indexes = [models.Index(fields=["country", "region", "city"], name="lot_place")]
        constraints = [
            models.CheckConstraint(condition=Q(price_per_hour__gte=0), name="lot_price_not_negative"),
            models.CheckConstraint(condition=Q(grid_minutes__gte=1), name="lot_grid_at_least_a_minute"),
            models.CheckConstraint(
                condition=Q(default_stay_minutes__gte=1), name="lot_default_stay_positive"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @cached_property
    def hours(self) -> OpeningHours:
        return OpeningHours.from_json(self.opening_hours)

    @property
    def is_listed(self) -> bool:
        """See also LotQuerySet.listed()."""
        return self.is_active and self.archived_at is None

    def simple_rates(self) -> rates.Tariff:
        """The tariff of a lot that has nothing but a price per hour."""
        return rates.simple(self.price_per_hour, self.currency)


class SpotQuerySet(models.QuerySet["Spot"]):
    def in_service(self) -> SpotQuerySet:
        """Whatever closures say: those have a period."""
        return self.filter(is_in_service=True, retired_at=None)

    def open_throughout(self, starts_at: datetime, ends_at: datetime) -> SpotQuerySet:
        """Neither closed nor on a closed lot at any moment of the window."""
        return self.exclude(shut(starts_at, ends_at))

    def kept(self) -> SpotQuerySet:
        """Not retired: the lot's capacity counts these."""
        return self.filter(retired_at=None)

    def counts(self, lot_ids: Iterable[int]) -> dict[int, int]:
        """How many of these spots each lot has, by lot, in one query."""
        rows = self.filter(lot__in=list(lot_ids)).order_by().values_list("lot")
        return dict(rows.annotate(count=Count("pk")))

    def offering(self, *, features: tuple[str, ...] = (), vehicle_kind: str = "") -> SpotQuerySet:
        """Adequate for what was asked: every feature, and a kind of vehicle that may stand there."""
        spots = self
        for code in features:
            spots = spots.filter(features__contains=code_filter(code))
        if vehicle_kind:
            spots = spots.filter(Q(vehicle_kinds="") | Q(vehicle_kinds__contains=code_filter(vehicle_kind)))
        return spots

    def charging(self, *, connector: str = "", min_kw: int | None = None) -> SpotQuerySet:
        """With this plug, and at least so much power."""
        spots = self.filter(connector=connector) if connector else self
        return spots.filter(power_kw__gte=min_kw) if min_kw else spots

    def cheapest_first(self) -> SpotQuerySet:
        """The order spots are given away in: plain before special, then by number."""
        return self.order_by("scarcity", "number_key", "id")

    def by_number(self) -> SpotQuerySet:
        return self.order_by("number_key", "id")


class Spot(models.Model):
    """One place for one vehicle."""

    class Kind(models.TextChoices):
        STANDARD = "standard", _("standard")
        COMPACT = "compact", _("compact")
        LARGE = "large", _("large")
        MOTORCYCLE = "motorcycle", _("motorcycle")
        BICYCLE = "bicycle", _("bicycle")

    lot = models.ForeignKey(Lot, models.PROTECT, related_name="spots", verbose_name=_("lot"))
    number = models.CharField(
        _("number"), max_length=20, validators=[RegexValidator(r"^\S+( \S+)*\Z", _("No blanks around it."))]
    )
    number_key = NumberKeyField()
    building = models.CharField(_("building"), max_length=60, blank=True)
    floor = models.CharField(_("floor"), max_length=20, blank=True)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind, default=Kind.STANDARD)
    vehicle_kinds = CodeSetField(
        _("vehicle kinds"), codes=Vehicle.Kind.choices, help_text=_("None ticked: every kind may stand here.")
    )
    features = CodeSetField(_("features"), codes=FEATURES)
    scarcity = ScarcityField()
    connector = models.CharField(_("connector"), max_length=32, choices=CONNECTORS, blank=True)
    power_kw = models.DecimalField(_("power (kW)"), max_digits=6, decimal_places=1, null=True, blank=True)
    is_in_service = models.BooleanField(_("in service"), default=True)
    # Capacity was lowered past it, or its lot is gone: kept for the history, never offered again.
    retired_at = models.DateTimeField(_("retired"), null=True, blank=True, editable=False)
    # What the label beside it says (lots.labels).
    code = models.CharField(_("label code"), max_length=LENGTH, unique=True, default=new_code, editable=False)

    objects = SpotQuerySet.as_manager()

    class Meta:
        verbose_name = _("spot")
        permissions = [("import_spot", "Can import spots"), ("export_spot", "Can export spots")]
        constraints = [
            models.UniqueConstraint(fields=["lot", "number"], name="spot_number_once_a_lot"),
            models.CheckConstraint(condition=~Q(number=""), name="spot_has_a_number"),
        ]
        indexes = [
            models.Index(
                F("lot"),
                F("scarcity"),
                F("number_key"),
                name="spot_given_away_in_order",
                condition=Q(is_in_service=True, retired_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lot_id}/{self.number}"

    def features_set(self) -> tuple[str, ...]:
        return read_codes(self.features)

    def offers(self, features: tuple[str, ...], vehicle_kind: str = "") -> bool:
        """See also SpotQuerySet.offering()."""
        kinds = read_codes(self.vehicle_kinds)
        return set(features) <= set(self.features_set()) and (
            not vehicle_kind or not kinds or vehicle_kind in kinds
        )


class Tariff(models.Model):
    """One version of a lot's prices. Never changed once made: a new price is a new version."""

    lot = models.ForeignKey(Lot, models.PROTECT, related_name="tariffs", verbose_name=_("lot"))
    version = models.PositiveIntegerField(_("version"))
    # A lots.rates.Tariff as JSON.
    document = models.JSONField(_("elements"))
    valid_from = models.DateTimeField(_("valid from"))
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    made_at = models.DateTimeField(_("made"))

    class Meta:
        verbose_name = _("tariff")
        permissions = [("import_tariff", "Can import tariffs"), ("export_tariff", "Can export tariffs")]
        constraints = [
            models.UniqueConstraint(fields=["lot", "version"], name="tariff_version_once_a_lot"),
        ]

    def __str__(self) -> str:
        return f"{self.lot_id} v{self.version}"

    @cached_property
    def rates(self) -> rates.Tariff:
        return rates.Tariff.from_json(self.document)


# These have files of their own; Django finds models through this module only.
from lots.closures import Closure as Closure  # noqa: E402
from lots.closures import shut as shut  # noqa: E402
from lots.review_models import Review as Review  # noqa: E402
from lots.review_models import ReviewQuerySet as ReviewQuerySet  # noqa: E402
