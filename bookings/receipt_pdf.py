"""A receipt on paper. Every text goes through escape(): reportlab reads markup, pictures included."""

from __future__ import annotations

import io
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from django.utils import translation
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from bookings.receipts import Statement
from bookings.templatetags.booking import money

WIDTH = A4[0] - 40 * mm
PADDING = 6  # reportlab keeps that much inside the margins
FONT_FILE = Path(__file__).parent / "fonts" / "DejaVuSans.ttf"
SOFT_CODE = "#51625b"
SOFT, LINE = colors.HexColor(SOFT_CODE), colors.HexColor("#cfd8d2")


def render(statement: Statement, *, printed_at: datetime) -> bytes:
    """The same statement printed at the same moment is the same file, byte for byte."""
    page = _Page(statement, printed_at)
    file = io.BytesIO()
    number = str(statement.receipt)
    document = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=20 * mm - PADDING,
        rightMargin=20 * mm - PADDING,
        topMargin=20 * mm,
        bottomMargin=18 * mm,
        title=f"Receipt {number}",
        author=statement.document["operator"]["name"],
        invariant=1,
    )
    # The lines of a price are English; so is the rest of the paper, whatever the browser asked for.
    with translation.override("en"):
        document.build([*page.head(), *page.stay(), *page.lines(), *page.movements(), *page.foot()])
    return file.getvalue()


class _Page:
    def __init__(self, statement: Statement, printed_at: datetime):
        self.statement, self.printed_at = statement, printed_at
        self.document = statement.document
        self.currency = self.document["currency"]
        self.zone = ZoneInfo(self.document["lot"]["timezone"])
        self.text, self.bold, self.soft, self.title = _styles(
            fonts_for(repr((self.document, statement.booking.plate, statement.movements)))
        )

    def head(self) -> list[Any]:
        operator, receipt = self.document["operator"], self.statement.receipt
        lines = [*operator["address"], operator["email"]]
        if operator["tax_number"]:
            lines.append(f"Tax number: {operator['tax_number']}")
        left = [self._p(operator["name"], self.bold), *(self._p(line, self.soft) for line in lines if line)]
        right = [self._p(f"No. {receipt}", self.bold, right=True)]
        right.append(self._p(self._day(receipt.issued_at), self.soft, right=True))
        if receipt.corrects_id:
            right.append(self._p(f"corrects No. {receipt.corrects}", self.soft, right=True))
        frame = Table([[left, right]], colWidths=[WIDTH * 0.65, WIDTH * 0.35])
        frame.setStyle(
            TableStyle(
                [
                    ("VALIGN", (0, 0), (-1, -1), "TOP"),
                    ("LEFTPADDING", (0, 0), (0, 0), 0),
                    ("RIGHTPADDING", (1, 0), (1, 0), 0),
                ]
            )
        )
        name = "Receipt (correction)" if receipt.corrects_id else "Receipt"
        return [frame, Spacer(0, 10 * mm), self._p(name, self.title), Spacer(0, 4 * mm)]

    def stay(self) -> list[Any]:
        lot = self.document["lot"]
        plate = self.statement.booking.plate
        facts = [
            ("Parked at", ", ".join([lot["name"], *lot["address"]])),
            ("Spot", self.document["spot"]),
            ("From", self._moment(self.document["starts_at"])),
            ("Until", self._moment(self.document["ends_at"])),
            *([("Plate", plate)] if plate else []),
            ("Booking", self.document["reference"]),
        ]
        rows = [[self._p(name, self.soft), self._p(value)] for name, value in facts]
        table = Table(rows, colWidths=[28 * mm, WIDTH - 28 * mm])
        table.setStyle(
            TableStyle(
                [
                    ("VALIGN", (0, 0), (-1, -1), "TOP"),
                    ("LEFTPADDING", (0, 0), (0, -1), 0),
                    ("TOPPADDING", (0, 0), (-1, -1), 1),
                    ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
                ]
            )
        )
        return [table, Spacer(0, 8 * mm)]

    def lines(self) -> list[Any]:
        document = self.document
        rows = [[self._p("What", self.soft), self._p("Amount", self.soft, right=True)]]
        for line in document["lines"]:
            rows.append([self._two(line["label"], line["explanation"]), self._amount(line["amount"])])
        if Decimal(document["reduction"]):
            rows.append([self._p("Reduction"), self._amount(-Decimal(document["reduction"]))])
        sums = len(rows)
        rows.append([self._p("Total", self.bold), self._amount(document["owed"], self.bold)])
        rows.append([self._p("of which tax", self.soft), self._amount(document["tax"], self.soft)])
        rows.append([self._p("before tax", self.soft), self._amount(document["net"], self.soft)])
        return [self._table(rows, sums), Spacer(0, 8 * mm)]

    def movements(self) -> list[Any]:
        rows = [[self._p("Payments and refunds", self.soft), self._p("Amount", self.soft, right=True)]]
        for moved in self.statement.movements:
            kind = "Refunded" if moved.amount < 0 else "Paid"
            what = f"{kind} {self._day(moved.at)}, {moved.how}"
            rows.append([self._two(what, moved.reference), self._amount(moved.amount)])
        if not self.statement.movements:
            rows.append([self._p("Nothing was paid yet."), ""])
        sums = len(rows)
        rows.append([self._p("Paid in all", self.bold), self._amount(self.statement.paid, self.bold)])
        if self.statement.due:
            rows.append([self._p("Still to be paid", self.bold), self._amount(self.statement.due, self.bold)])
        return [self._table(rows, sums), Spacer(0, 8 * mm)]

    def foot(self) -> list[Any]:
        version, zone = self.document["tariff_version"], self.document["lot"]["timezone"]
        printed = f"{self.printed_at.astimezone(self.zone):%Y-%m-%d %H:%M}"
        words = f"Tariff version {version}. Times are {zone}. Payments as of {printed}."
        return [self._p(words, self.soft)]

    def _table(self, rows: list[Any], sums: int) -> Table:
        table = Table(rows, colWidths=[WIDTH - 38 * mm, 38 * mm], repeatRows=1)
        table.setStyle(TableStyle([
            ("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (0, -1), 0),
            ("RIGHTPADDING", (1, 0), (1, -1), 0), ("LINEBELOW", (0, 0), (-1, sums - 1), 0.5, LINE),
            ("LINEABOVE", (0, sums), (-1, sums), 1, colors.black),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3), ("TOPPADDING", (0, 0), (-1, -1), 3),
        ]))  # fmt: skip
        return table

    def _p(self, text: str, style: ParagraphStyle | None = None, *, right: bool = False) -> Paragraph:
        style = style or self.text
        return Paragraph(escape(str(text)), ParagraphStyle("", style, alignment=2) if right else style)

    def _two(self, first: str, second: str) -> Paragraph:
        small = f"<font size='8' color='{SOFT_CODE}'>{escape(second)}</font>"
        return Paragraph(f"{escape(first)}<br/>{small}", self.text)

    def _amount(self, value: Any, style: ParagraphStyle | None = None) -> Paragraph:
        return self._p(money(str(value), self.currency), style, right=True)

    def _moment(self, text: str) -> str:
        return f"{datetime.fromisoformat(text).astimezone(self.zone):%Y-%m-%d %H:%M}"

    def _day(self, at: datetime) -> str:
        return f"{at.astimezone(self.zone):%Y-%m-%d}"


def _styles(fonts: tuple[str, str]) -> tuple[ParagraphStyle, ...]:
    plain, strong = fonts
    text = ParagraphStyle("text", fontName=plain, fontSize=10, leading=13)
    return (
        text,
        ParagraphStyle("bold", text, fontName=strong),
        ParagraphStyle("soft", text, fontSize=9, leading=12, textColor=SOFT),
        ParagraphStyle("title", text, fontName=strong, fontSize=20, leading=24),
    )


def fonts_for(text: str) -> tuple[str, str]:
    """The fonts every reader has, unless a letter is not in them: then one is embedded."""
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        return (embedded_font(),) * 2
    return "Helvetica", "Helvetica-Bold"


@cache
def embedded_font() -> str:
    """The name of the font that knows most letters."""
    pdfmetrics.registerFont(TTFont("DejaVuSans", str(FONT_FILE)))
    return "DejaVuSans"
