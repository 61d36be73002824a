"""What a cancellation gives back. Arithmetic only: the policy copied onto the booking, and the moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

MISTAKE_WINDOW = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is given back and kept of the price, in the booking's currency, and the sentence that says why."""

    total: Decimal
    refund_percent: int
    refunded: Decimal
    retained: Decimal
    reason: str


def outcome(
    tiers: list[dict[str, int]],
    *,
    total: Decimal,
    cent: Decimal,
    starts_at: datetime,
    booked_at: datetime,
    now: datetime,
    by_operator: bool = False,
) -> Outcome:
    """The best tier whose notice is kept decides; `cent` is the currency's smallest amount.

    Cancelling with exactly the notice asked for counts. A mistake noticed within ten minutes of booking
    and before the start costs nothing, nor does a cancellation by the operator.
    """
    percent, reason = _percent(
        tiers, starts_at=starts_at, booked_at=booked_at, now=now, by_operator=by_operator
    )
    total = total.quantize(cent, ROUND_HALF_UP)
    refunded = (total * percent / 100).quantize(cent, ROUND_HALF_UP)
    return Outcome(total, percent, refunded, total - refunded, reason)


def _percent(
    tiers: list[dict[str, int]], *, starts_at: datetime, booked_at: datetime, now: datetime, by_operator: bool
) -> tuple[int, str]:
    if by_operator:
        return 100, "The operator cancels: nothing is charged."
    if now < starts_at and now - booked_at <= MISTAKE_WINDOW:
        return 100, "Cancelled within 10 minutes of booking: nothing is charged."
    notice = starts_at - now
    kept = [tier for tier in tiers if notice >= timedelta(minutes=tier["notice_minutes"])]
    if not kept:
        return 0, "Cancelled too late for a refund."
    best = max(kept, key=lambda tier: tier["refund_percent"])
    minutes = best["notice_minutes"]
    when = f"at least {_spoken(minutes)} before the start" if minutes else "before the start"
    return best["refund_percent"], f"Cancelled {when}: {best['refund_percent']} % comes back."


def _spoken(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{rest} min" if rest else "") if part)
