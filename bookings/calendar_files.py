"""A booking as a file for the driver's calendar, on the lot's own clock."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse
from icalendar import Calendar, Event

from bookings.models import Booking, State

GONE = (State.CANCELLED, State.EXPIRED, State.NO_SHOW)


def calendar_file(booking: Booking) -> bytes:
    """The same booking is always the same event: a second file moves the first one's entry."""
    lot, zone = booking.lot, booking.lot.zone
    last = booking.timeline.order_by("-sequence").first()
    event = Event()
    event.add("uid", f"{booking.reference}@{urlsplit(settings.BASE_URL).hostname}")
    event.add("sequence", last.sequence if last else 0)
    event.add("dtstamp", last.at if last else booking.created_at)
    event.add("dtstart", booking.starts_at.astimezone(zone))
    event.add("dtend", booking.ends_at.astimezone(zone))
    event.add("summary", f"Parking: {lot.name}, spot {booking.spot.number}")
    place = [lot.name, lot.address_line1, f"{lot.postcode} {lot.city}".strip()]
    event.add("location", ", ".join(filter(None, place)))
    if lot.latitude is not None and lot.longitude is not None:
        event.add("geo", (float(lot.latitude), float(lot.longitude)))
    url = f"{settings.BASE_URL}{reverse('bookings:detail', args=[booking.reference])}"
    event.add("url", url)
    event.add("description", "\n".join(filter(None, [
        f"Spot {booking.spot.number}",
        f"Plate {booking.plate}" if booking.plate else "",
        f"Booking {booking.reference}",
        url,
    ])))  # fmt: skip
    event.add("status", "CANCELLED" if booking.state in GONE else "CONFIRMED")
    event.add("transp", "TRANSPARENT")

    calendar = Calendar()
    calendar.add("prodid", "-//Parkwell//Bookings//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add_component(event)
    # Not the zone's whole history: a year around the stay says when the clocks change.
    year = timedelta(days=366)
    first, last_day = booking.starts_at.date() - year, booking.ends_at.date() + year
    calendar.add_missing_timezones(first_date=first, last_date=last_day)
    return calendar.to_ical()
