"""A booking as a file for the driver's calendar, on the lot's own clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from icalendar import Calendar, Event

from bookings.models import Booking, State

GONE = (State.CANCELLED, State.EXPIRED, State.NO_SHOW)


def calendar_file(booking: Booking) -> bytes:
    return calendar_of([booking])


def calendar_of(bookings: Iterable[Booking], *, name: str = "") -> bytes:
    """A calendar of these bookings, with the clocks of their lots, in the language that is active."""
    calendar = Calendar()
    calendar.add("prodid", "-//Parkwell//Bookings//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    if name:
        calendar.add("x-wr-calname", name)
    days: list[date] = []
    for booking in bookings:
        calendar.add_component(_event(booking))
        days += [booking.starts_at.date(), booking.ends_at.date()]
    if days:
        # Not the zones' whole history: a year around the stays says when the clocks change.
        year = timedelta(days=366)
        calendar.add_missing_timezones(first_date=min(days) - year, last_date=max(days) + year)
    return calendar.to_ical()


def _event(booking: Booking) -> Event:
    """The same booking is always the same event: a second file moves the first one's entry."""
    lot, zone = booking.lot, booking.lot.zone
    # Picked here, so that a prefetched timeline is used.
    last = max(booking.timeline.all(), key=lambda entry: entry.sequence, default=None)
    event = Event()
    event.add("uid", f"{booking.reference}@{urlsplit(settings.BASE_URL).hostname}")
    event.add("sequence", last.sequence if last else 0)
    event.add("dtstamp", last.at if last else booking.created_at)
    event.add("dtstart", booking.starts_at.astimezone(zone))
    event.add("dtend", booking.ends_at.astimezone(zone))
    facts = {"lot": lot.name, "number": booking.spot.number}
    event.add("summary", _("Parking: %(lot)s, spot %(number)s") % facts)
    place = [lot.name, lot.address_line1, f"{lot.postcode} {lot.city}".strip()]
    event.add("location", ", ".join(filter(None, place)))
    if lot.latitude is not None and lot.longitude is not None:
        event.add("geo", (float(lot.latitude), float(lot.longitude)))
    url = f"{settings.BASE_URL}{reverse('bookings:detail', args=[booking.reference])}"
    event.add("url", url)
    event.add("description", "\n".join(filter(None, [
        _("Spot %s") % booking.spot.number,
        f"{_('Plate')} {booking.plate}" if booking.plate else "",
        f"{_('Booking')} {booking.reference}",
        url,
    ])))  # fmt: skip
    event.add("status", "CANCELLED" if booking.state in GONE else "CONFIRMED")
    event.add("transp", "TRANSPARENT")
    return event
