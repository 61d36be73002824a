"""What was asked for, and the signed promise of a price for it. No state: the token is all there is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

from django.core import signing
from django.utils.translation import gettext as _

from bookings.errors import BadBooking
from bookings.models import Booking
from lots.models import Lot, Tariff

SALT = "bookings.quote"
LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for; the period is filled in once the lot is known."""

    kind: str
    spot_number: str
    features: tuple[str, ...]
    vehicle_kind: str
    starts_at: datetime | None
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Promise:
    """A price that holds until `expires_at`, for one wish at one lot by one tariff version."""

    lot_id: int
    tariff_id: int
    kind: str
    spot_number: str
    features: list[str]
    vehicle_kind: str
    starts_at: str
    ends_at: str
    # Of the spot that was priced: tariffs may charge kinds differently.
    spot_kind: str
    total: str
    expires_at: str

    def is_for(self, lot_id: int, wish: Wish) -> bool:
        return (lot_id, *_asked(wish)) == (
            self.lot_id, self.kind, self.spot_number, self.features, self.vehicle_kind,
            self.starts_at, self.ends_at,
        )  # fmt: skip

    def check(self, lot_id: int, wish: Wish) -> None:
        """Raises BadBooking where something else is to be booked than was priced."""
        if not self.is_for(lot_id, wish):
            raise BadBooking(
                "quote", _("This quote is for something else: ask for a new one."), code="quote_mismatch"
            )

    def tariff(self, lot: Lot) -> Tariff:
        return lot.tariffs.get(pk=self.tariff_id)

    def check_price(self, booking: Booking) -> None:
        """An instant stay is priced when it ends, so for that one the tariff is what was promised."""
        if booking.kind == Booking.Kind.RESERVED and booking.total != Decimal(self.total):
            sentence = _("This quote does not hold any more: ask for a new one.")
            raise BadBooking("quote", sentence, code="quote_expired")


def promise(
    wish: Wish, *, lot: Lot, tariff: Tariff, spot_kind: str, total: Decimal, expires_at: datetime
) -> str:
    """The token that books at this price."""
    kind, spot_number, features, vehicle_kind, starts_at, ends_at = _asked(wish)
    promised = Promise(
        lot_id=lot.pk,
        tariff_id=tariff.pk,
        kind=kind,
        spot_number=spot_number,
        features=features,
        vehicle_kind=vehicle_kind,
        starts_at=starts_at,
        ends_at=ends_at,
        spot_kind=spot_kind,
        total=str(total),
        expires_at=expires_at.isoformat(),
    )
    return signing.dumps(asdict(promised), salt=SALT, compress=True)


def shown(token: str) -> Promise | None:
    """What was promised once, expired or not; None where it is no promise of ours."""
    try:
        return Promise(**signing.loads(token, salt=SALT)) if len(token) <= LONGEST else None
    except (signing.BadSignature, TypeError, ValueError):
        return None


def read(token: str, *, now: datetime) -> Promise:
    promised = shown(token)
    if promised is None:
        raise BadBooking("quote", _("This is no quote of ours."), code="quote_invalid")
    if datetime.fromisoformat(promised.expires_at) <= now:
        raise BadBooking("quote", _("This quote has expired: ask for a new one."), code="quote_expired")
    return promised


def _asked(wish: Wish) -> tuple[str, str, list[str], str, str, str]:
    """As it is signed and compared. An instant stay starts when it is booked, and is priced when it ends."""

    def moment(at: datetime | None) -> str:
        return str(at.timestamp()) if at else ""

    return (
        wish.kind,
        wish.spot_number.strip().casefold(),
        sorted(wish.features),
        wish.vehicle_kind,
        moment(wish.starts_at),
        moment(wish.ends_at) if wish.kind == Booking.Kind.RESERVED else "",
    )
