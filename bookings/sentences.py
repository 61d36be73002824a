"""Sentences that are kept or made in English, said in the reader's language.

Price lines, reasons and refusals of the arithmetic (line_texts, cancellation, lots.clock) are plain English:
rows keep them as they were agreed, and the API hands them out as they are. Pages and mails pass them
through `said`, which knows every such sentence as a template and translates that. What somebody typed in
matches none and stays as it is.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache

from django.utils import formats
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_noop as _

from bookings.words import exact

# What may stand in for a name in a template, and nothing else may.
VALUES = {
    "number": r"[\d.,]+",
    "money": r"[\d.]+ [A-Z]{3}",
    "time": r"[\d.]+ (?:d|h|min|s)(?: [\d.]+ (?:d|h|min|s))*",
    "moment": r"\d{4}-\d\d-\d\d \d\d:\d\d",
    "next": r"\d{4}-\d\d-\d\d \d\d:\d\d",
    "name": r".+",
    "rest": r".+",
    "hours": r"\d\d:\d\d–\d\d:\d\d",
    "clock": r"\d\d:\d\d",
    "date": r"\d{4}-\d\d-\d\d",
    "end_date": r"\d{4}-\d\d-\d\d",
    "day": r"Mo|Tu|We|Th|Fr|Sa|Su",
    "last_day": r"Mo|Tu|We|Th|Fr|Sa|Su",
    "first": r"\d\d:\d\d \(UTC.\d{4}\)",
    "second": r"\d\d:\d\d \(UTC.\d{4}\)",
}
UNITS = {
    "d": _("%(number)s d"),
    "h": _("%(number)s h"),
    "min": _("%(number)s min"),
    "s": _("%(number)s s"),
}

LABELS = [
    _("Parking"),
    _("Energy"),
    _("Start fee"),
    _("Reservation fee"),
    _("Reservation"),
    _("Charging time"),
    _("Free"),
    _("Maximum"),
    _("%(name)s: maximum"),
    _("Day cap"),
    _("Week cap"),
    _("Cap"),
    _("Minimum charge"),
    _("Maximum charge"),
    _("Overstay"),
    _("No-show fee"),
    _("Cancellation fee"),
]
PRICES = [
    # What follows a price comes first: the sentence before it is said by itself.
    _("%(rest)s, including %(number)s %% tax"),
    _("%(rest)s, plus %(number)s %% tax"),
    _("%(rest)s (%(time)s, rounded up)"),
    _("%(rest)s (%(number)s kWh, rounded up)"),
    _("%(number)s × %(time)s at %(money)s each"),
    _("%(number)s kWh at %(money)s per kWh"),
    _("%(time)s at %(money)s per hour"),
    _("%(money)s once"),
    _("%(money)s for the whole stay at these hours"),
    _("No charge applies to this stay."),
    _("The first %(number)s min are free."),
    _("At most %(money)s each time."),
    _("At most %(money)s before taxes each time."),
    _("Parking costs at most %(money)s per day."),
    _("Parking costs at most %(money)s per 24 hours."),
    _("Parking costs at most %(money)s per %(number)s days."),
    _("Parking costs at most %(money)s per %(number)s calendar days."),
    _("Parking costs at most %(money)s before taxes per day."),
    _("Parking costs at most %(money)s before taxes per 24 hours."),
    _("Parking costs at most %(money)s before taxes per %(number)s days."),
    _("Parking costs at most %(money)s before taxes per %(number)s calendar days."),
    _("A stay costs at least %(money)s."),
    _("A stay costs at most %(money)s."),
    _("A stay costs at least %(money)s before taxes."),
    _("A stay costs at most %(money)s before taxes."),
    _("Time past the agreed end costs %(number)s %% of the tariff."),
    _("Not checked in in time: %(number)s %% of the price."),
    _("This tariff has no price for a stay at these hours."),
]
REASONS = [
    _("The operator cancels: nothing is charged."),
    _("Cancelled within 10 minutes of booking: nothing is charged."),
    _("Cancelled too late for a refund."),
    _("Cancelled before the start: %(number)s %% comes back."),
    _("Cancelled at least %(time)s before the start: %(number)s %% comes back."),
    _("Less was due than was paid."),
    _("More was paid than was due."),
    _("The offer was declined."),
    _("You have another running stay."),
    _("The payment came after the hold had ended, and the spot was given away."),
    _("Somebody still stands on the spot."),
    _("The spot is out of service."),
]
CLOCK = [
    _("%(moment)s does not exist: the clocks go forward. The next time that does is %(next)s."),
    _("%(moment)s comes twice: the clocks go back. Choose %(first)s or %(second)s."),
]
TARIFFS = [
    _("%(money)s per hour"),
    _("%(money)s per hour after charging"),
    _("%(money)s per kWh"),
    _("free"),
    _("free after charging"),
    _("rounded up to %(time)s"),
    _("at most %(money)s each time"),
    _("each started %(time)s %(money)s"),
    _("%(number)s × %(time)s %(money)s each"),
    _("%(time)s %(money)s"),
    _("%(money)s in all"),
    _("arriving %(hours)s"),
    _("leaving by %(clock)s"),
    _("Free up to %(time)s"),
    _("The first %(time)s are free"),
    _("At most %(money)s per day"),
    _("At most %(money)s per %(number)s hours"),
    _("At most %(money)s per %(number)s days"),
    _("At most %(money)s per day from %(clock)s"),
    _("At most %(money)s per %(number)s days from %(clock)s"),
    _("At least %(money)s a stay"),
    _("At least %(money)s before taxes a stay"),
    _("At most %(money)s a stay"),
    _("At most %(money)s before taxes a stay"),
    _("Including %(number)s %% tax"),
    _("Plus %(number)s %% tax"),
    _("Before taxes"),
    _("from %(date)s"),
    _("before %(date)s"),
    _("from %(date)s before %(end_date)s"),
    _("after %(time)s"),
    _("up to %(time)s"),
    _("reservation"),
    _("reservation not used"),
    _("Mo"),
    _("Tu"),
    _("We"),
    _("Th"),
    _("Fr"),
    _("Sa"),
    _("Su"),
    "%(day)s-%(last_day)s",
    # Opening hours (lots.hours.describe).
    _("closed"),
    "%(time)s",
]
JOINTS = ("; ", ", ", ": ")


def said(text: str) -> str:
    """The sentence in the language that is active; unknown ones come back as they are."""
    if not text or (get_language() or "en").startswith("en"):
        return text
    for template, pattern in _patterns():
        if found := pattern.fullmatch(text):
            values = {name: _value(name, value) for name, value in found.groupdict().items()}
            return gettext(template) % values
    return text


def said_in_parts(text: str) -> str:
    """The same for a line of lots.tariff_words, which strings several phrases together."""
    return "".join(part if part in JOINTS else said(part) for part in re.split("(; |, |: )", text))


def _value(name: str, value: str) -> str:
    if name in ("rest", "day", "last_day"):
        return said(value)
    if name == "time":
        return re.sub(
            r"([\d.]+) (d|h|min|s)\b", lambda unit: gettext(UNITS[unit[2]]) % {"number": unit[1]}, value
        )
    if name in ("moment", "next"):
        return exact(datetime.fromisoformat(value))
    if name in ("number", "money"):
        return value.replace(".", str(formats.get_format("DECIMAL_SEPARATOR")))
    return value


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [(template, _pattern(template)) for template in [*PRICES, *REASONS, *CLOCK, *TARIFFS, *LABELS]]


def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"%\((\w+)\)s", template)
    parts[::2] = [re.escape(words.replace("%%", "%")) for words in parts[::2]]
    parts[1::2] = [f"(?P<{name}>{VALUES[name]})" for name in parts[1::2]]
    return re.compile("".join(parts), re.DOTALL)
