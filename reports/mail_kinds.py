"""Every kind of mail there is, and each as a sample: for looking at in the back office, and for tests.

A sample is about a real booking, or about one that exists nowhere. It goes to whoever looks, is written down
nowhere and sent to nobody; codes in it are dots.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from accounts import outbox
from accounts.models import Notice, User
from bookings import notices
from bookings.models import Booking, State
from lots.models import Lot, Spot
from reports import jobs
from reports.days import zone_of
from reports.export_models import Kind

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CODE = "••••••"
REFERENCE = "SAMPLE0000000000"  # L is no sign of real ones


@dataclass(frozen=True, slots=True)
class Asked:
    """Who looks, in which language, at which booking; without one at a sample."""

    user: User
    language: str
    now: datetime
    booking: Booking


@dataclass(frozen=True, slots=True)
class MailKind:
    template: str  # without its ending; names the kind
    label: Any
    sample: Callable[[Asked], Notice]
    is_about_booking: bool = False

    def notice(self, asked: Asked) -> Notice:
        """Raises outbox.NotWanted when it is rendered, where whoever looks would get none."""
        notice = self.sample(asked)
        notice.language = asked.language
        return notice


def sample_booking(now: datetime) -> Booking:
    """Two hours tomorrow, on a spot and in a lot that are nowhere."""
    lot = Lot(
        name="Alexanderplatz",
        slug="alexanderplatz",
        timezone="Europe/Berlin",
        address_line1="Alexanderplatz 1",
        postcode="10178",
        city="Berlin",
        currency="EUR",
    )
    starts_at = now.replace(minute=0, second=0, microsecond=0) + DAY
    ends_at = starts_at + 2 * HOUR
    line = {
        "label": "Parking",
        "kind": "time",
        "quantity": "120",
        "unit": "min",
        "rate": "2.50",
        "amount": "5.00",
        "tax": "0",
        "explanation": "2 h at 2.50 EUR per hour",
    }
    return Booking(
        reference=REFERENCE,
        kind=Booking.Kind.RESERVED,
        state=State.CONFIRMED,
        lot=lot,
        spot=Spot(lot=lot, number="12", floor="-1"),
        plate="B-PW 2027",
        starts_at=starts_at,
        ends_at=ends_at,
        booked_from=starts_at,
        booked_until=ends_at,
        currency="EUR",
        total=Decimal("5.00"),
        price_lines=[line],
        created_at=now,
    )


# --- The kinds ---


def _of_booking(kind: str, label: Any, more: Callable[[Asked], dict[str, Any]] | None = None) -> MailKind:
    def sample(asked: Asked) -> Notice:
        added = more(asked) if more else {}
        return notices.sample(asked.booking, kind, recipient=asked.user, now=asked.now, **added)

    return MailKind(f"bookings/email/{kind}", label, sample, is_about_booking=True)


def _amount(asked: Asked) -> dict[str, Any]:
    return {"amount": str(asked.booking.total), "is_desk": False}


def _closed(asked: Asked) -> dict[str, Any]:
    zone = asked.booking.lot.zone
    begin, end = (at.astimezone(zone).isoformat() for at in (asked.booking.starts_at, asked.booking.ends_at))
    return {"from": begin, "until": end}


def _offer(asked: Asked) -> dict[str, Any]:
    until = (asked.now + HOUR / 6).astimezone(asked.booking.lot.zone)
    return {"entry": REFERENCE, "offered_until": until.isoformat()}


def _problem(asked: Asked) -> Notice:
    spot = asked.booking.spot
    context = {
        "kind": "blocked",
        "lot": asked.booking.lot.name,
        "spot": spot.number,
        "building": spot.building,
        "floor": spot.floor,
        "path": reverse("admin:bookings_problem_changelist"),
    }
    return _owed("bookings/email/problem", context, asked)


def _export(asked: Asked) -> Notice:
    zone = zone_of(asked.user)
    context = {
        "kind": Kind.OWN_BOOKINGS,
        "rows": 12,
        "path": reverse("exports:list"),
        "expires_at": (asked.now + 7 * DAY).astimezone(zone).isoformat(),
        "timezone": zone.key,
        "is_attached": True,
    }
    return _owed("reports/email/export_ready", context, asked)


def _export_failed(asked: Asked) -> Notice:
    context = {"kind": Kind.OWN_BOOKINGS, "code": "gave_up", "path": reverse("exports:list")}
    return _owed("reports/email/export_failed", context, asked)


def _owed(template: str, context: dict[str, Any], asked: Asked) -> Notice:
    return outbox.owed(
        template=template, context=context, now=asked.now, recipient=asked.user.email, user=asked.user
    )


def _report(job: str, label: Any) -> MailKind:
    mailing = jobs.JOBS[job].mailing
    assert mailing is not None  # noqa: S101  for the type checker
    return MailKind(
        mailing.template, label, lambda asked: mailing.sample(asked.user, asked.now.date(), now=asked.now)
    )


def _of_account(name: str, label: Any) -> MailKind:
    """Mails of signing in are rendered when they are owed, so that no row keeps what a code was made from."""

    def sample(asked: Asked) -> Notice:
        context = {
            "base_url": settings.BASE_URL,
            "signup_url": settings.BASE_URL + reverse("account_signup"),
            "password_reset_url": settings.BASE_URL + reverse("account_reset_password"),
            "email": asked.user.email,
            "code": CODE,
            "from_email": asked.user.email,
            "to_email": "new@example.com",
            "deleted_email": asked.user.email,
        }
        with override(asked.language):
            subject = render_to_string(f"account/email/{name}_subject.txt", context)
            text = render_to_string(f"account/email/{name}_message.txt", context)
            html = render_to_string(f"account/email/{name}_message.html", context)
        return Notice(
            recipient=asked.user.email, subject=" ".join(subject.split()), text=text, html=html,
            created_at=asked.now,
        )  # fmt: skip

    return MailKind(f"account/email/{name}", label, sample)


KINDS = {
    kind.template: kind
    for kind in [
        _of_booking("confirmed", _("Booking confirmed")),
        _of_booking("starts_soon", _("Reminder before the start")),
        _of_booking("ends_soon", _("Reminder before the end")),
        _of_booking("extended", _("Booking extended")),
        _of_booking("moved", _("Moved to another spot"), lambda _asked: {"was": "7", "cause": "overstay"}),
        _of_booking("paid", _("Payment received"), _amount),
        _of_booking("refunded", _("Refund on its way"), _amount),
        _of_booking("completed", _("Stay over")),
        _of_booking("cancelled", _("Booking cancelled")),
        _of_booking("expired", _("Hold ran out")),
        _of_booking("no_show", _("No-show")),
        _of_booking(
            "called_off", _("Called off by the house"), lambda _asked: {"cause": "closure", "instead": []}
        ),
        _of_booking("closing", _("Spot out of service"), _closed),
        _of_booking("waitlist_offer", _("Offer from the waitlist"), _offer),
        MailKind("bookings/email/problem", _("Problem reported, to operators"), _problem, True),
        _report("daily-reminder", _("Reminder to inactive drivers")),
        _report("monthly-report", _("Monthly report to drivers")),
        _report("daily-admin-report", _("Daily report to operators")),
        _report("monthly-admin-report", _("Monthly report to operators")),
        MailKind("reports/email/export_ready", _("Export ready"), _export),
        MailKind("reports/email/export_failed", _("Export failed"), _export_failed),
        _of_account("email_confirmation_signup", _("Code for signing up")),
        _of_account("email_confirmation", _("Code to confirm an address")),
        _of_account("email_confirm", _("Address confirmed")),
        _of_account("login_code", _("Code to sign in")),
        _of_account("staff_code", _("Code for the back office")),
        _of_account("password_reset_code", _("Code for a new password")),
        _of_account("password_reset", _("Password reset")),
        _of_account("password_changed", _("Password changed")),
        _of_account("password_set", _("Password set")),
        _of_account("email_changed", _("Address changed")),
        _of_account("email_deleted", _("Address removed")),
        _of_account("account_already_exists", _("Account exists already")),
        _of_account("unknown_account", _("No such account")),
    ]
}
