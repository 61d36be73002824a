"""How moments, lengths of time, money and states are written on pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from django import template
from django.utils import formats
from django.utils.dates import WEEKDAYS as DAY_NAMES
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from bookings import availability
from bookings.models import Booking, State, TimelineEntry
from bookings.plan import Floor, PlannedSpot
from bookings.sentences import said, said_in_parts
from bookings.words import spell
from lots import money as amounts
from lots.models import FEATURES, Spot
from lots.templatetags.icons import icon_address

register = template.Library()
register.filter("said", said)
register.filter("said_in_parts", said_in_parts)

SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$", "JPY": "¥"}

# How a state looks beside its word: colour is never the only sign.
TONES = {State.ACTIVE: "go", State.CONFIRMED: "go", State.HELD: "lamp", State.NO_SHOW: "stop"}
STATE_ICONS = {
    State.HELD: "hourglass",
    State.CONFIRMED: "calendar-event",
    State.ACTIVE: "parking",
    State.COMPLETED: "circle-check",
    State.CANCELLED: "ban",
    State.EXPIRED: "clock-stop",
    State.NO_SHOW: "alert-triangle",
}
FEATURE_ICONS = {
    "covered": "umbrella",
    "accessible": "wheelchair",
    "ev": "charging-pile",
    "family": "users",
    "guarded": "shield-check",
}
PLAN_SIGNS = ["accessible", "ev", "family"]
STATUS_WORDS = {
    "free": pgettext_lazy("spot", "free"),
    "taken": gettext_lazy("taken"),
    "closed": gettext_lazy("out of service"),
}
CONFIDENCE = {
    availability.CERTAIN: gettext_lazy("certain"),
    availability.LIKELY: gettext_lazy("likely"),
    availability.UNCERTAIN: gettext_lazy("uncertain"),
}
ACTIONS = {
    "held": gettext_lazy("Held for you"),
    "offered": gettext_lazy("Offered from the waitlist"),
    "booked": gettext_lazy("Booked"),
    "confirmed": gettext_lazy("Confirmed"),
    "started": gettext_lazy("The stay began"),
    "checked_in": gettext_lazy("Checked in"),
    "extended": gettext_lazy("Extended"),
    "moved": gettext_lazy("Moved to another spot"),
    "released": gettext_lazy("Released"),
    "ended": gettext_lazy("The stay ended"),
    "expired": gettext_lazy("The hold ran out"),
    "no_show": gettext_lazy("Not checked in in time"),
    "cancelled": gettext_lazy("Cancelled"),
    "paid": gettext_lazy("Paid"),
    "paid_late": gettext_lazy("Confirmed after all"),
    "refunded": gettext_lazy("Money sent back"),
}
METHODS = {"cash": gettext_lazy("cash"), "card": gettext_lazy("card")}
COUNTRIES = {
    "AT": gettext_lazy("Austria"),
    "AU": gettext_lazy("Australia"),
    "BE": gettext_lazy("Belgium"),
    "CA": gettext_lazy("Canada"),
    "CH": gettext_lazy("Switzerland"),
    "CZ": gettext_lazy("Czechia"),
    "DE": gettext_lazy("Germany"),
    "DK": gettext_lazy("Denmark"),
    "FR": gettext_lazy("France"),
    "GB": gettext_lazy("United Kingdom"),
    "IN": gettext_lazy("India"),
    "IT": gettext_lazy("Italy"),
    "NL": gettext_lazy("Netherlands"),
    "US": gettext_lazy("United States"),
}


@register.filter
def country_name(code: str) -> str:
    return str(COUNTRIES.get(code, code or _("Elsewhere")))


@register.filter
def money(amount: Decimal | str | None, currency: str) -> str:
    """As in "€3.50"; a currency without a sign of its own is spelled: "CHF 3.50"."""
    if amount is None or amount == "":
        return ""
    rounded = amounts.quantise(Decimal(amount), currency)
    digits = max(0, -int(rounded.as_tuple().exponent))
    figure = formats.number_format(rounded, digits, use_l10n=True, force_grouping=True)
    sign = SYMBOLS.get(currency)
    if sign:
        return _("%(sign)s%(figure)s") % {"sign": sign, "figure": figure}
    written = _("%(currency)s %(figure)s") % {"currency": currency, "figure": figure}
    return written.replace(" ", "\u00a0")


@register.filter
def method_word(method: str) -> str:
    """How it was paid; a provider's own words ("visa ••4242") stay as they are."""
    return str(METHODS.get(method, method))


@register.filter
def span(long: timedelta | None) -> str:
    return "" if long is None else spell(long)


@register.filter
def clock(at: datetime, zone: ZoneInfo) -> str:
    """The time of day on the lot's clock."""
    return formats.date_format(at.astimezone(zone), _("H:i"))


@register.filter
def written(at: datetime, zone: ZoneInfo) -> str:
    """Day and time as they are kept: no "today", which tomorrow is wrong."""
    return formats.date_format(at.astimezone(zone), _("j M Y, H:i"))


@register.simple_tag(takes_context=True)
def day(context: dict[str, Any], at: datetime, zone: ZoneInfo) -> str:
    """The day on the lot's clock, in words where it is near."""
    date = at.astimezone(zone).date()
    today = context["now"].astimezone(zone).date()
    words = {0: _("Today"), 1: _("Tomorrow"), -1: _("Yesterday")}
    near = words.get((date - today).days)
    if near:
        return near
    return formats.date_format(date, _("D j M") if date.year == today.year else _("D j M Y"))


@register.simple_tag(takes_context=True)
def moment(context: dict[str, Any], at: datetime, zone: ZoneInfo) -> SafeString:
    """Day and time on the lot's clock, readable by machines too."""
    return format_html(
        '<time datetime="{}">{}, {}</time>', at.isoformat(), day(context, at, zone), clock(at, zone)
    )


@register.simple_tag(takes_context=True)
def period(context: dict[str, Any], starts_at: datetime, ends_at: datetime, zone: ZoneInfo) -> str:
    """As in "Today, 10:00–12:00"; the second day is named only when it is another one."""
    first, last = starts_at.astimezone(zone), ends_at.astimezone(zone)
    until = clock(ends_at, zone)
    if first.date() != last.date():
        until = f"{day(context, ends_at, zone)}, {until}"
        return f"{day(context, starts_at, zone)}, {clock(starts_at, zone)} – {until}"
    return f"{day(context, starts_at, zone)}, {clock(starts_at, zone)}–{until}"


def place_of(zone: ZoneInfo) -> str:
    """The town a zone is named after."""
    return zone.key.rpartition("/")[2].replace("_", " ")


@register.simple_tag
def zone_note(at: datetime, zone: ZoneInfo) -> SafeString:
    """Names the lot's clock; the page's script hides it from visitors who live by the same one."""
    text = _("%(place)s time (%(zone)s)") % {"place": place_of(zone), "zone": at.astimezone(zone).tzname()}
    return format_html('<span class="pw-small pw-soft" data-zone="{}">{}</span>', zone.key, text)


@register.filter
def tone(booking: Booking) -> str:
    return TONES.get(State(booking.state), "")


@register.filter
def state_icon(booking: Booking) -> str:
    return STATE_ICONS[State(booking.state)]


@register.filter
def feature_icon(code: str) -> str:
    return FEATURE_ICONS.get(code, "check")


@register.filter
def place(spot: Any) -> str:
    """Building and floor, where there are any."""
    floor = _("floor %s") % spot.floor if spot.floor else ""
    return ", ".join(part for part in (spot.building, floor) if part)


@register.filter
def hours_word(count: Decimal) -> str:
    figure = formats.number_format(count, 1, use_l10n=True).rstrip("0").rstrip(".,")
    return ngettext("%s hour", "%s hours", 1 if count == 1 else 2) % figure


@register.filter
def lasting(starts_at: datetime, ends_at: datetime) -> str:
    return span(ends_at - starts_at)


@register.filter
def minutes(count: int) -> str:
    return span(timedelta(minutes=count))


@register.filter
def metres(centimetres: int) -> str:
    return f"{formats.number_format(Decimal(centimetres) / 100, 2, use_l10n=True)}\u00a0m"


@register.filter
def kilometres(distance: float) -> str:
    if distance < 1:
        return f"{round(distance * 20) * 50}\u00a0m"
    return f"{formats.number_format(Decimal(str(distance)), 1 if distance < 10 else 0)}\u00a0km"


@register.filter
def weekday(number: int) -> str:
    """Monday is 1, as in ISO."""
    return str(DAY_NAMES[number - 1])


@register.simple_tag
def plan_spots(floor: Floor, query: str) -> SafeString:
    """The spots of a drawing. Written here and not in a template: a garage has hundreds of them."""
    names = {code: str(name) for code, name in FEATURES}
    words = {status: str(word) for status, word in STATUS_WORDS.items()}
    icons = {code: icon_address(name) for code, name in FEATURE_ICONS.items()}
    before = escape(f"?{query}&spot=" if query else "?spot=")
    # Safe: every text from outside goes through escape() or quote() below.
    return mark_safe("".join(_drawn(planned, before, names, words, icons) for planned in floor.spots))


# A taken spot is hatched and has a car in it, one out of service is crossed out: never colour alone.
TAKEN = (
    '<path class="plan-hatch" d="M2 18 18 2M2 38 38 2M4 56 38 22M24 56 38 42"/>'
    '<rect class="plan-car" x="11" y="22" width="18" height="31" rx="6"/>'
)
CROSSED = '<path class="plan-cross" d="m4 20 32 34M36 20 4 54"/>'


def _drawn(
    planned: PlannedSpot, before: str, names: dict[str, str], words: dict[str, str], icons: dict[str, str]
) -> str:
    spot, status, number = planned.spot, planned.status, escape(planned.spot.number)
    codes = spot.features_set()
    said = [_("Spot %s") % spot.number, place(spot), words[status]]
    said += [names.get(code, code) for code in codes]
    sign = next((icons[code] for code in PLAN_SIGNS if code in codes), "")
    look = {"taken": TAKEN, "closed": CROSSED}.get(status, "")
    if sign and status != "taken":
        look += f'<use class="plan-sign" href="{sign}" x="10" y="27" width="20" height="20"/>'
    if status == "free":
        chosen = planned.is_chosen
        tag = f'a href="{before}{quote(spot.number)}#book" data-spot="{number}" id="spot-{spot.pk}"'
        if chosen:
            tag += ' aria-current="true"'
            said.append(_("chosen"))
        look_word, closing = ("chosen" if chosen else "free"), "a"
    else:
        tag, look_word, closing = 'g role="img"', status, "g"
    label = escape(", ".join(part for part in said if part))
    return (
        f'<{tag} class="plan-spot plan-spot--{look_word}" transform="translate({planned.x} {planned.y})"'
        f' aria-label="{label}"><rect class="plan-spot-box" width="40" height="58"/>{look}'
        f'<text x="20" y="16"{_squeezed(spot.number)}>{number}</text></{closing}>'
    )


def _squeezed(number: str) -> str:
    """A long number is drawn as wide as the spot, never wider."""
    return ' textLength="36" lengthAdjust="spacingAndGlyphs"' if len(number) > 4 else ""


@register.filter
def action_word(action: str) -> str:
    return str(ACTIONS.get(action, action))


@register.filter
def confidence_words(confidence: str) -> str:
    """How far to trust the time a spot comes free (availability.Opening)."""
    return str(CONFIDENCE[confidence])


@register.filter
def features_named(spot: Spot) -> str:
    names = dict(FEATURES)
    return ", ".join(str(names.get(code, code)) for code in spot.features_set())


@register.filter
def coordinate(degrees: Decimal) -> str:
    """For addresses: a dot in every language."""
    return str(degrees)


@register.simple_tag(takes_context=True)
def entry_note(context: dict[str, Any], entry: TimelineEntry, zone: ZoneInfo) -> str:
    """What a timeline entry adds to its word: the new end, the new spot, the reason."""
    details = entry.details
    if entry.action == "extended" and "to" in details:
        at = datetime.fromisoformat(details["to"])
        return _("until %s") % f"{day(context, at, zone)}, {clock(at, zone)}"
    if entry.action in ("paid", "refunded") and "amount" in details:
        return " · ".join(
            filter(None, [money(details["amount"], details.get("currency", "")), said(entry.reason)])
        )
    if entry.action == "moved" and "to" in details:
        return f"{details.get('from', '')} → {details['to']}"
    return said(str(entry.reason))
