"""What stands in the exported files: columns, and the rows in chunks, so that memory stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from accounts.models import User, Vehicle
from accounts.replica import may_lag
from bookings.models import Booking
from bookings.payments import ledger
from bookings.payments.models import Payment, Refund
from bookings.people import known_to
from lots import money
from lots.fields import read_codes
from lots.models import Lot, Spot
from reports.export_models import Export, Kind

CHUNK = 2000  # rows in memory at a time
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table of a file. `by` is the column its rows are read along; its index makes that cheap."""

    name: str
    fields: Sequence[str]
    rows: QuerySet[Any]
    values: Callable[[Any], list[Any]]
    by: str = "pk"


def sheets(export: Export) -> list[Sheet]:
    """What belongs into this export, as far as its owner may see it now."""
    if export.kind == Kind.OWN_BOOKINGS:
        return [own_bookings(export)]
    return all_data(export)


def own_bookings(export: Export) -> Sheet:
    mine = within(Booking.objects.of(export.owner), export)
    rows = ledger.with_money(mine).select_related("lot", "spot")
    return Sheet("bookings", OWN_FIELDS, rows, _own_booking, by="starts_at")


def all_data(export: Export) -> list[Sheet]:
    """Of the lots the owner runs, or those named; and only the tables their role lets them view."""
    owner = export.owner
    run, people = Lot.objects.run_by(owner), known_to(owner)
    if named := list(export.lots.values_list("pk", flat=True)):
        run = run.filter(pk__in=named)
        people = people.filter(Exists(Booking.objects.filter(driver=OuterRef("pk"), lot__in=named)))
    lots = run.values("pk")
    bookings = within(Booking.objects.filter(lot__in=lots), export)
    payments = Payment.objects.filter(booking__lot__in=lots)
    if export.period_from:
        payments = payments.filter(created_at__gte=export.period_from)
    if export.period_until:
        payments = payments.filter(created_at__lt=export.period_until)
    refunds = Prefetch("refunds", Refund.objects.order_by("created_at", "pk"))
    found = {
        "accounts.view_user": Sheet("users", USER_FIELDS, people, _user),
        "accounts.view_vehicle": Sheet(
            "vehicles",
            VEHICLE_FIELDS,
            Vehicle.objects.filter(driver__in=people.values("pk")).select_related("driver"),
            _vehicle,
        ),
        "lots.view_lot": Sheet("lots", LOT_FIELDS, run, _lot),
        "lots.view_spot": Sheet(
            "spots", SPOT_FIELDS, Spot.objects.filter(lot__in=lots).select_related("lot"), _spot
        ),
        "bookings.view_booking": Sheet(
            "bookings",
            BOOKING_FIELDS,
            ledger.with_money(bookings).select_related("lot", "spot", "driver"),
            _booking,
        ),
        "bookings.view_payment": Sheet(
            "payments", PAYMENT_FIELDS, payments.select_related("booking").prefetch_related(refunds), _payment
        ),
    }
    return [sheet for right, sheet in found.items() if owner.has_perm(right)]


def within(bookings: Any, export: Export) -> Any:
    """Those that touch the period: the same as the API's `from` and `to`."""
    if export.period_from:
        bookings = bookings.filter(ends_at__gt=export.period_from)
    if export.period_until:
        bookings = bookings.filter(starts_at__lt=export.period_until)
    return bookings


def in_chunks(sheet: Sheet) -> Iterator[list[Any]]:
    """All rows, some at a time, each chunk a query of its own.

    No query lasts (statement_timeout), no transaction stays open meanwhile, and a row that is there all the
    while is read once. What is written while a file is made may be in it or not.
    """
    behind = Q()
    while True:
        rows = sheet.rows.filter(behind) if behind else sheet.rows
        with may_lag():
            chunk = list(rows.order_by(*dict.fromkeys([sheet.by, "pk"]))[:CHUNK])
        if chunk:
            yield chunk
        if len(chunk) < CHUNK:
            return
        last = chunk[-1]
        if sheet.by == "pk":
            behind = Q(pk__gt=last.pk)
        else:
            value = getattr(last, sheet.by)
            # The first condition says nothing new, but an index can be entered by it.
            behind = Q(**{f"{sheet.by}__gte": value}) & (
                Q(**{f"{sheet.by}__gt": value}) | Q(**{sheet.by: value, "pk__gt": last.pk})
            )


OWN_FIELDS = [
    *("reference", "kind", "state", "lot", "address", "city", "spot", "plate"),
    *("starts_at", "ends_at", "minutes", "timezone", "checked_in_at", "checked_out_at"),
    *("currency", "total", "paid", "refunded", "due", "booked_at"),
]


def _own_booking(booking: Booking) -> list[Any]:
    lot, account = booking.lot, ledger.account(booking)

    def there(at: datetime | None) -> datetime | None:
        return at.astimezone(lot.zone) if at else None

    return [
        *(booking.reference, booking.kind, booking.state, lot.name, lot.address_line1, lot.city),
        *(booking.spot.number, booking.plate, there(booking.starts_at), there(booking.ends_at)),
        *(booking.duration // MINUTE, lot.timezone),
        *(there(booking.checked_in_at), there(booking.checked_out_at)),
        *(booking.currency, account.owed, account.paid, account.refunded, account.due),
        there(booking.created_at),
    ]


BOOKING_FIELDS = [
    *("reference", "kind", "state", "lot", "spot", "driver", "plate", "starts_at", "ends_at"),
    *("booked_from", "booked_until", "checked_in_at", "checked_out_at", "minutes"),
    *("currency", "total", "paid", "refunded", "due", "booked_at"),
]


def _booking(booking: Booking) -> list[Any]:
    account = ledger.account(booking)
    return [
        *(booking.reference, booking.kind, booking.state, booking.lot.slug, booking.spot.number),
        *(booking.driver.email if booking.driver else "", booking.plate),
        *(_utc(booking.starts_at), _utc(booking.ends_at)),
        *(_utc(booking.booked_from), _utc(booking.booked_until)),
        *(_utc(booking.checked_in_at), _utc(booking.checked_out_at), booking.duration // MINUTE),
        *(booking.currency, account.owed, account.paid, account.refunded, account.due),
        _utc(booking.created_at),
    ]


USER_FIELDS = [
    *("email", "username", "name", "phone", "address", "postcode", "language", "timezone"),
    *("is_staff", "is_active", "date_joined"),
]


def _user(user: User) -> list[Any]:
    return [
        *(user.email, user.username, user.name, user.phone, user.address, user.postcode),
        *(user.language, user.timezone, user.is_staff, user.is_active, _utc(user.date_joined)),
    ]


VEHICLE_FIELDS = ["driver", "plate", "country", "kind", "connector", "is_default"]


def _vehicle(vehicle: Vehicle) -> list[Any]:
    return [
        *(vehicle.driver.email, vehicle.plate, vehicle.country, vehicle.kind),
        *(vehicle.connector, vehicle.is_default),
    ]


LOT_FIELDS = [
    *("slug", "name", "address_line1", "address_line2", "city", "region", "postcode", "country", "phone"),
    *("latitude", "longitude", "timezone", "currency", "price_per_hour", "is_active", "archived_at"),
]


def _lot(lot: Lot) -> list[Any]:
    return [
        *(lot.slug, lot.name, lot.address_line1, lot.address_line2, lot.city, lot.region, lot.postcode),
        *(lot.country, lot.phone, lot.latitude, lot.longitude, lot.timezone, lot.currency),
        *(lot.price_per_hour, lot.is_active, _utc(lot.archived_at)),
    ]


SPOT_FIELDS = [
    *("lot", "number", "building", "floor", "kind", "vehicle_kinds", "features", "connector", "power_kw"),
    *("is_in_service", "retired_at"),
]


def _spot(spot: Spot) -> list[Any]:
    return [
        *(spot.lot.slug, spot.number, spot.building, spot.floor, spot.kind),
        *(" ".join(read_codes(spot.vehicle_kinds)), " ".join(spot.features_set()), spot.connector),
        *(spot.power_kw, spot.is_in_service, _utc(spot.retired_at)),
    ]


PAYMENT_FIELDS = [
    *("id", "booking", "provider", "method", "status", "amount", "refunded", "currency"),
    *("transaction_id", "note", "created_at", "settled_at"),
]


def _payment(payment: Payment) -> list[Any]:
    def amount(value: Decimal) -> Decimal:
        return money.quantise(value, payment.currency)

    return [
        *(str(payment.pk), payment.booking.reference, payment.provider, payment.method, payment.status),
        *(amount(payment.amount), amount(payment.refunded()), payment.currency),
        *(payment.transaction_id, payment.note, _utc(payment.created_at), _utc(payment.settled_at)),
    ]


def _utc(at: datetime | None) -> datetime | None:
    return at.astimezone(UTC) if at else None
