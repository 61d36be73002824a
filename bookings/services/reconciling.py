"""Asking the providers what became of what we do not know, and sending off the refunds we owe.

A sweep: each row is taken by one worker at a time, asked about outside any transaction, and what comes
back is written down as if the provider had told us by itself. One that does not answer holds up nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import OperationalError
from django.db.models import Q, QuerySet

from bookings.errors import BookingRefused
from bookings.payments import ledger
from bookings.payments.models import Payment, Provider, Refund, Status
from bookings.payments.providers import provider
from bookings.payments.providers.base import ProviderAway
from bookings.services.payments import apply_provider_state, apply_refund_state

logger = logging.getLogger(__name__)
BATCH = 200
ASK_AGAIN = timedelta(seconds=50)  # a little less than the sweep's own minute
# The driver is on the provider's page, or our own request is still on its way: no need to ask yet.
FIRST_ASKED = timedelta(seconds=60)
KEY_LIVES = timedelta(hours=23)  # they promise 24
FLAG_AFTER = timedelta(hours=24)
ENOUGH_AWAY = 3  # in a row; the rest of this sweep would only wait as well


def reconcile_payments(*, now: datetime) -> int:
    """Settle what is open. Safe to run at any time, any number of times; returns how many were settled."""
    done = _each(_open_payments(now), now, lambda payment: _payment(payment, now))
    done += _each(_open_refunds(now), now, lambda refund: _refund(refund, now))
    for model in (Payment, Refund):
        model._default_manager.filter(
            status=Status.PENDING, flagged_at=None, created_at__lte=now - FLAG_AFTER
        ).update(flagged_at=now)
    return done


def _open_payments(now: datetime) -> QuerySet[Payment]:
    begun = Q(created_at__lte=now - FIRST_ASKED)
    rows = Payment.objects.pending().exclude(provider=Provider.DESK).filter(begun & _not_asked_since(now))
    return rows.select_related("booking").order_by("asked_at", "created_at")


def _open_refunds(now: datetime) -> QuerySet[Refund]:
    rows = Refund.objects.pending().exclude(payment__provider=Provider.DESK).filter(_not_asked_since(now))
    # A key too old is forgotten, and what was asked with it and never answered would be sent twice.
    rows = rows.exclude(asked_at__isnull=False, created_at__lte=now - KEY_LIVES, transaction_id=None)
    return rows.select_related("payment", "booking").order_by("asked_at", "created_at")


def _not_asked_since(now: datetime) -> Q:
    return Q(asked_at=None) | Q(asked_at__lte=now - ASK_AGAIN)


def _each(rows: QuerySet, now: datetime, settle: Callable[..., bool]) -> int:
    done = away = 0
    for row in list(rows[:BATCH]):
        # Compare and set: of two workers after one row, one gets it.
        if not rows.model._default_manager.filter(_not_asked_since(now), pk=row.pk).update(asked_at=now):
            continue
        try:
            done += settle(row)
            away = 0
        except ProviderAway as error:
            logger.warning("%s %s: the provider does not answer (%s)", row._meta.model_name, row.pk, error)
            away += 1
        except (BookingRefused, OperationalError):
            # Busy or in a race; the next sweep comes by again.
            logger.warning("%s %s: not settled this time", row._meta.model_name, row.pk, exc_info=True)
        except Exception:  # one bad row must not stop the rows behind it
            logger.exception("%s %s: cannot be settled", row._meta.model_name, row.pk)
        if away == ENOUGH_AWAY:
            break
    return done


def _payment(payment: Payment, now: datetime) -> bool:
    bank = provider(payment.provider)
    is_wanted = ledger.account(payment.booking).due == payment.amount
    outcome = bank.ask(payment) if is_wanted and payment.page_is_open(now) else bank.close(payment)
    return not apply_provider_state(payment, outcome, now=now).is_pending


def _refund(refund: Refund, now: datetime) -> bool:
    outcome = provider(refund.payment.provider).refund(refund)
    return apply_refund_state(refund, outcome, now=now).status != Status.PENDING
