"""A driver's bookings on paper, month by month with totals. Drawn line by line as the rows come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import IO, Any
from zoneinfo import ZoneInfo

from django.utils import formats, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from bookings.models import Booking, State
from bookings.paper import Lettering
from bookings.payments import ledger
from bookings.receipt_pdf import LINE, SOFT
from bookings.templatetags.booking import clock, money, place_of, span, written
from lots.clock import fits_zone
from reports.export_models import Export

# reportlab keeps the pages of a file in memory until it is closed.
MOST_ROWS = 20_000
LEFT, RIGHT, TOP, BOTTOM = 20 * mm, A4[0] - 20 * mm, A4[1] - 20 * mm, 20 * mm
SIZE, STEP = 9, 5.2 * mm
NOT_LATIN = "…\u0416"
# Where each column begins, and how wide it is; the last ends at the right margin.
COLUMNS = [(LEFT, 52 * mm), (LEFT + 54 * mm, 60 * mm), (LEFT + 116 * mm, 26 * mm)]
AMOUNT_WIDTH = RIGHT - LEFT - 144 * mm


class TooManyForPaper(Exception):
    """More rows than anybody prints."""


@dataclass
class Sums:
    """A month's, or all: stays that happened, their time, and money by currency, never mixed."""

    bookings: int = 0
    time: timedelta = timedelta()
    owed: dict[str, Decimal] = field(default_factory=dict)
    paid: dict[str, Decimal] = field(default_factory=dict)

    def add(self, booking: Booking, account: ledger.Account) -> None:
        self.bookings += 1
        if booking.state in (State.ACTIVE, State.COMPLETED):
            self.time += booking.duration
        for sums, amount in ((self.owed, account.owed), (self.paid, account.paid - account.refunded)):
            sums[booking.currency] = sums.get(booking.currency, Decimal(0)) + amount


def write(
    export: Export, rows: Iterator[Booking], file: IO[bytes], *, count: int, printed_at: datetime
) -> None:
    """`rows` by their start, read with the ledger's sums. Raises TooManyForPaper."""
    if count > MOST_ROWS:
        raise TooManyForPaper
    with translation.override(export.owner.language or "en"):
        paper = _Paper(export, file, printed_at)
        for booking in rows:
            paper.booking(booking)
        paper.end()


class _Paper:
    def __init__(self, export: Export, file: IO[bytes], printed_at: datetime):
        self.export, self.printed_at = export, printed_at
        # What will stand in it is not known yet: nothing is left to the reader's own fonts.
        self.letters = Lettering(NOT_LATIN)
        self.canvas = Canvas(file, pagesize=A4, pageCompression=1)
        self.canvas.setTitle(_("My bookings"))
        self.canvas.setAuthor("Parkwell")
        self.zone: ZoneInfo | None = None
        self.month: tuple[int, int] | None = None
        self.of_month, self.in_all = Sums(), Sums()
        self.page = 0
        self._new_page()

    def booking(self, booking: Booking) -> None:
        # One clock for the whole paper, or a month could begin twice.
        self.zone = self.zone or _zone(self.export) or booking.lot.zone
        starts_at = booking.starts_at.astimezone(self.zone)
        if (starts_at.year, starts_at.month) != self.month:
            self._month_ends()
            self._month_begins(starts_at)
        account = ledger.account(booking)
        self.of_month.add(booking, account)
        self.in_all.add(booking, account)
        self._room(STEP)
        spot = _("%(lot)s, spot %(spot)s") % {"lot": booking.lot.name, "spot": booking.spot.number}
        self._cells([self._period(booking), spot, str(booking.get_state_display())])
        self._at_end(money(account.owed, booking.currency))
        self.y -= STEP

    def end(self) -> None:
        self._month_ends()
        if self.in_all.bookings:
            self._room(4 * STEP)
            self.y -= STEP
            self._sums(_("In all"), self.in_all, colors.black)
        else:
            self._text(LEFT, _("No bookings in this time."))
        self._foot()
        self.canvas.save()

    def _month_begins(self, day: datetime) -> None:
        self.month = day.year, day.month
        self.of_month = Sums()
        self._room(5 * STEP)  # no heading alone at the foot of a page
        self.y -= STEP
        self._text(LEFT, formats.date_format(day.date(), "YEAR_MONTH_FORMAT"), size=13)
        self.y -= STEP * 1.3

    def _month_ends(self) -> None:
        if self.month:
            self._room(3 * STEP)
            self._sums(_("Total of the month"), self.of_month, LINE)

    def _sums(self, title: str, sums: Sums, colour: Any) -> None:
        self.canvas.setStrokeColor(colour)
        self.canvas.line(LEFT, self.y + STEP * 0.75, RIGHT, self.y + STEP * 0.75)
        many = ngettext("%(count)d booking", "%(count)d bookings", sums.bookings) % {"count": sums.bookings}
        self._text(LEFT, f"{title}: {many}, {span(sums.time)}")
        for currency, owed in sorted(sums.owed.items()):
            self._room(STEP)
            amounts = {"owed": money(owed, currency), "paid": money(sums.paid[currency], currency)}
            self._at_end(_("%(owed)s (paid %(paid)s)") % amounts, width=90 * mm)
            self.y -= STEP

    def _period(self, booking: Booking) -> str:
        zone = booking.lot.zone
        starts_at, ends_at = (at.astimezone(zone) for at in (booking.starts_at, booking.ends_at))
        # The month above says of which year.
        first, last = (formats.date_format(at, _("D j M")) for at in (starts_at, ends_at))
        until = clock(ends_at, zone) if first == last else f"{last}, {clock(ends_at, zone)}"
        return f"{first}, {clock(starts_at, zone)} – {until}"

    def _new_page(self) -> None:
        if self.page:
            self._foot()
            self.canvas.showPage()
        self.page += 1
        self.y = TOP
        if self.page == 1:
            self._text(LEFT, _("My bookings"), size=20)
            self.y -= STEP * 1.6
            self._text(LEFT, self.export.owner.get_full_name(), colour=SOFT)
            self.y -= STEP

    def _foot(self) -> None:
        zone = self.zone or ZoneInfo("UTC")
        words = _("Page %(page)d. Times are each lot's own; months and this page are %(zone)s, %(printed)s.")
        facts = {"page": self.page, "zone": place_of(zone), "printed": written(self.printed_at, zone)}
        self.y = BOTTOM - STEP
        self._text(LEFT, words % facts, size=8, colour=SOFT)

    def _room(self, height: float) -> None:
        if self.y - height < BOTTOM:
            self._new_page()

    def _cells(self, texts: list[str]) -> None:
        for (x, width), text in zip(COLUMNS, texts, strict=True):
            self._text(x, self._cut(text, width))

    def _cut(self, text: str, width: float) -> str:
        """As much of it as fits on the line."""
        if self.letters.width(text, SIZE) <= width:
            return text
        while text and self.letters.width(f"{text}…", SIZE) > width:
            text = text[:-1]
        return f"{text}…"

    def _at_end(self, text: str, width: float = AMOUNT_WIDTH) -> None:
        """At the end of the line."""
        text = self._cut(text, width)
        self._text(RIGHT - self.letters.width(text, SIZE), text)

    def _text(self, x: float, text: str, *, size: float = SIZE, colour: Any = colors.black) -> None:
        """`x` is counted from where lines begin: in a language from right to left, the page is mirrored."""
        if self.letters.is_rtl:
            x = A4[0] - x - self.letters.width(text, size)
        self.canvas.setFillColor(colour)
        self.letters.draw(self.canvas, x, self.y, text, size)


def _zone(export: Export) -> ZoneInfo | None:
    name = export.owner.timezone
    return ZoneInfo(name) if name and fits_zone(name) else None
