"""A receipt on paper, in the active language. Texts go through paper.markup(), which escapes them."""

from __future__ import annotations

import io
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from bookings.paper import Lettering
from bookings.receipts import Statement
from bookings.sentences import said
from bookings.templatetags.booking import method_word, money, place_of, written

WIDTH = A4[0] - 40 * mm
PADDING = 6  # reportlab keeps that much inside the margins
SOFT, LINE = colors.HexColor("#51625b"), colors.HexColor("#cfd8d2")
NAMES, AMOUNTS = 28 * mm, 38 * mm  # the narrow columns: names of facts, and money
TEXT = ParagraphStyle("text", fontSize=10, leading=14)
SOFT_TEXT = ParagraphStyle("soft", TEXT, fontSize=9, leading=13, textColor=SOFT)
TITLE = ParagraphStyle("title", TEXT, fontSize=20, leading=26)


def render(statement: Statement, *, printed_at: datetime) -> bytes:
    """The same statement printed at the same moment in the same language is the same file, byte for byte."""
    page = _Page(statement, printed_at)
    file = io.BytesIO()
    document = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=20 * mm - PADDING,
        rightMargin=20 * mm - PADDING,
        topMargin=20 * mm,
        bottomMargin=18 * mm,
        title=_("Receipt %(number)s") % {"number": statement.receipt},
        author=statement.document["operator"]["name"],
        invariant=1,
    )
    document.build([*page.head(), *page.stay(), *page.lines(), *page.movements(), *page.foot()])
    return file.getvalue()


class _Page:
    """Columns are named in the order they are read; a language from right to left turns them around."""

    def __init__(self, statement: Statement, printed_at: datetime):
        self.statement, self.printed_at = statement, printed_at
        self.document = statement.document
        self.currency = self.document["currency"]
        self.zone = ZoneInfo(self.document["lot"]["timezone"])
        texts = (self.document, statement.booking.plate, statement.movements, _("Receipt"), _("Total"))
        self.letters = Lettering("".join(str(part) for part in texts))

    def head(self) -> list[Any]:
        operator, receipt = self.document["operator"], self.statement.receipt
        lines = [*operator["address"], operator["email"]]
        if operator["tax_number"]:
            lines.append(f"{_('Tax number:')} {operator['tax_number']}")
        wide, narrow = WIDTH * 0.65, WIDTH * 0.35
        left = [self._p(operator["name"], wide, bold=True)]
        left += [self._p(line, wide, SOFT_TEXT) for line in lines if line]
        right = [self._p(f"{_('No.')} {receipt}", narrow, bold=True, at_end=True)]
        right.append(self._p(written(receipt.issued_at, self.zone), narrow, SOFT_TEXT, at_end=True))
        if receipt.corrects_id:
            corrects = _("corrects No. %(number)s") % {"number": receipt.corrects}
            right.append(self._p(corrects, narrow, SOFT_TEXT, at_end=True))
        name = _("Receipt (correction)") if receipt.corrects_id else _("Receipt")
        frame = self._table([[left, right]], [wide, narrow])
        return [frame, Spacer(0, 10 * mm), self._p(name, WIDTH, TITLE, bold=True), Spacer(0, 4 * mm)]

    def stay(self) -> list[Any]:
        lot = self.document["lot"]
        plate = self.statement.booking.plate
        facts = [
            (_("Parked at"), ", ".join([lot["name"], *lot["address"]])),
            (_("Spot"), self.document["spot"]),
            (_("From"), self._moment(self.document["starts_at"])),
            (_("Until"), self._moment(self.document["ends_at"])),
            *([(_("Plate"), plate)] if plate else []),
            (_("Booking"), self.document["reference"]),
        ]
        rest = WIDTH - NAMES
        rows = [[self._p(name, NAMES, SOFT_TEXT), self._p(value, rest)] for name, value in facts]
        return [self._table(rows, [NAMES, rest], space=1), Spacer(0, 8 * mm)]

    def lines(self) -> list[Any]:
        document = self.document
        rows = [self._titles(_("What"))]
        for line in document["lines"]:
            rows.append(
                [self._two(said(line["label"]), said(line["explanation"])), self._amount(line["amount"])]
            )
        if not document["lines"]:
            rows.append([self._text(_("Nothing is charged.")), self._amount(0)])
        if Decimal(document["reduction"]):
            rows.append([self._text(_("Reduction")), self._amount(-Decimal(document["reduction"]))])
        sums = len(rows)
        rows.append([self._text(_("Total"), bold=True), self._amount(document["owed"], bold=True)])
        for name, amount in ((_("of which tax"), document["tax"]), (_("before tax"), document["net"])):
            rows.append([self._text(name, SOFT_TEXT), self._amount(amount, SOFT_TEXT)])
        return [self._sums(rows, sums), Spacer(0, 8 * mm)]

    def movements(self) -> list[Any]:
        rows = [self._titles(_("Payments and refunds"))]
        for moved in self.statement.movements:
            kind = _("Refunded") if moved.amount < 0 else _("Paid")
            what = f"{kind} · {method_word(moved.how)}"
            how = f"{written(moved.at, self.zone)} · {moved.reference}"
            rows.append([self._two(what, how), self._amount(moved.amount)])
        if not self.statement.movements:
            rows.append([self._text(_("Nothing was paid yet.")), ""])
        sums = len(rows)
        rows.append([self._text(_("Paid in all"), bold=True), self._amount(self.statement.paid, bold=True)])
        if self.statement.due:
            rows.append(
                [self._text(_("Still to be paid"), bold=True), self._amount(self.statement.due, bold=True)]
            )
        return [self._sums(rows, sums), Spacer(0, 8 * mm)]

    def foot(self) -> list[Any]:
        words = _("Tariff version %(version)s.") % {"version": self.document["tariff_version"]}
        when = {"place": place_of(self.zone), "printed": written(self.printed_at, self.zone)}
        more = _("Times are those of %(place)s. Payments as of %(printed)s.") % when
        return [self._p(f"{words} {more}", WIDTH, SOFT_TEXT)]

    def _titles(self, name: str) -> list[Any]:
        amount = self._p(_("Amount"), AMOUNTS, SOFT_TEXT, at_end=True)
        return [self._text(name, SOFT_TEXT), amount]

    def _sums(self, rows: list[Any], sums: int) -> Table:
        """Lines with an amount each, and from row `sums` on what they come to."""
        lines = [
            ("LINEBELOW", (0, 0), (-1, sums - 1), 0.5, LINE),
            ("LINEABOVE", (0, sums), (-1, sums), 1, colors.black),
        ]
        return self._table(rows, [WIDTH - AMOUNTS, AMOUNTS], lines, head=1)

    def _table(
        self,
        rows: list[Any],
        widths: list[float],
        lines: list[Any] | None = None,
        *,
        space: float = 3,
        head: int = 0,
    ) -> Table:
        if self.letters.is_rtl:
            rows, widths = [row[::-1] for row in rows], widths[::-1]
        table = Table(rows, colWidths=widths, repeatRows=head)
        table.setStyle(TableStyle([
            ("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (0, -1), 0),
            ("RIGHTPADDING", (-1, 0), (-1, -1), 0), ("BOTTOMPADDING", (0, 0), (-1, -1), space),
            ("TOPPADDING", (0, 0), (-1, -1), space), *(lines or []),
        ]))  # fmt: skip
        return table

    def _p(
        self,
        text: str,
        width: float,
        style: ParagraphStyle = TEXT,
        *,
        bold: bool = False,
        at_end: bool = False,
    ) -> Paragraph:
        """`at_end`: on the side where a line ends."""
        markup = self.letters.markup(str(text), width - 2 * PADDING, style.fontSize, bold=bold)
        return self._paragraph(markup, style, at_end=at_end)

    def _paragraph(self, markup: str, style: ParagraphStyle, *, at_end: bool = False) -> Paragraph:
        is_right = at_end != self.letters.is_rtl
        wrap = "CJK" if self.letters.is_unspaced else None
        return Paragraph(markup, ParagraphStyle("", style, alignment=2 if is_right else 0, wordWrap=wrap))

    def _text(self, text: str, style: ParagraphStyle = TEXT, *, bold: bool = False) -> Paragraph:
        return self._p(text, WIDTH - AMOUNTS, style, bold=bold)

    def _two(self, first: str, second: str) -> Paragraph:
        width = WIDTH - AMOUNTS - 2 * PADDING
        small = f'<font color="#{SOFT.hexval()[2:]}">{self.letters.markup(second, width, 8)}</font>'
        return self._paragraph(f"{self.letters.markup(first, width, 10)}<br/>{small}", TEXT)

    def _amount(self, value: Any, style: ParagraphStyle = TEXT, *, bold: bool = False) -> Paragraph:
        return self._p(money(str(value), self.currency), AMOUNTS, style, bold=bold, at_end=True)

    def _moment(self, text: str) -> str:
        return written(datetime.fromisoformat(text), self.zone)
