"""Labels to print and put up: QR code, where it hangs, and the address to type. A4, eight to a page."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass

import segno
from django.conf import settings
from django.urls import reverse
from django.utils import translation
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from bookings.paper import Lettering
from bookings.receipt_pdf import SOFT
from bookings.templatetags.booking import place
from lots.models import Lot, Spot

COLUMNS, ROWS = 2, 4
MARGIN = 10 * mm
WIDTH, HEIGHT = (A4[0] - 2 * MARGIN) / COLUMNS, (A4[1] - 2 * MARGIN) / ROWS
QR = 44 * mm  # read from two metres away
PADDING = 4 * mm
TEXT_LEFT = 2 * PADDING + QR
TEXT_WIDTH = WIDTH - TEXT_LEFT - PADDING


@dataclass(frozen=True, slots=True)
class Label:
    """What stands on one: `big` is read from a car, the rest from the pavement."""

    code: str
    lot: str
    big: str
    small: str


def labels_of_lot(lot: Lot, spots: Iterable[Spot]) -> list[Label]:
    """One for the entrance, one for each spot."""
    where = ", ".join(filter(None, [lot.address_line1, lot.city]))
    return [Label(lot.code, lot.name, "P", where), *map(label_of_spot, spots)]


def label_of_spot(spot: Spot) -> Label:
    return Label(spot.code, spot.lot.name, spot.number, place(spot))


def address(code: str) -> str:
    return settings.BASE_URL + reverse("guests:label", args=[code])


def sheet(labels: list[Label]) -> bytes:
    """The labels as a PDF. The same labels make the same file, byte for byte."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A4, invariant=1)
    canvas.setTitle("Parking labels")
    a_page = COLUMNS * ROWS
    # Whoever hangs them up reads the language of the place, not that of the browser.
    with translation.override(settings.LANGUAGE_CODE):
        letters = Lettering(repr(labels))
        for at, label in enumerate(labels):
            if at and at % a_page == 0:
                canvas.showPage()
            row, column = divmod(at % a_page, COLUMNS)
            _draw(canvas, label, MARGIN + column * WIDTH, A4[1] - MARGIN - (row + 1) * HEIGHT, letters)
    canvas.save()
    return file.getvalue()


def _draw(canvas: Canvas, label: Label, left: float, bottom: float, letters: Lettering) -> None:
    canvas.saveState()
    canvas.translate(left, bottom)
    # Where to cut.
    canvas.setStrokeColor(colors.HexColor("#cfd8d2"))
    canvas.setLineWidth(0.4)
    canvas.rect(0, 0, WIDTH, HEIGHT)
    _qr(canvas, address(label.code), PADDING, (HEIGHT - QR) / 2)
    canvas.setFillColor(colors.black)
    _line(canvas, letters, label.lot, True, 13, HEIGHT - 14 * mm)
    _line(canvas, letters, label.big, True, 40, HEIGHT - 31 * mm)
    _line(canvas, letters, label.small, False, 11, HEIGHT - 39 * mm)
    canvas.setFillColor(SOFT)
    _line(canvas, letters, "Scan to park. No app, no account.", False, 9, 19 * mm)
    typed = address(f"{label.code[:5]}-{label.code[5:]}").split("://", 1)[-1]
    before, _slash, code = typed.removesuffix("/").rpartition("/")
    _line(canvas, letters, f"{before}/", False, 8, 13 * mm)
    _line(canvas, letters, code, True, 10, 8 * mm)
    canvas.restoreState()


def _line(canvas: Canvas, letters: Lettering, text: str, is_bold: bool, size: float, y: float) -> None:
    """One line, set smaller where it would not fit."""
    width = letters.width(text, size, bold=is_bold)
    size = size if width <= TEXT_WIDTH else max(size * TEXT_WIDTH / width, 5)
    letters.draw(canvas, TEXT_LEFT, y, text, size, bold=is_bold)


def _qr(canvas: Canvas, text: str, left: float, bottom: float) -> None:
    """Drawn, not pasted as a picture: sharp at any size. One rectangle for each run of dark modules."""
    code = segno.make(text, error="m", micro=False)
    rows = [list(row) for row in code.matrix_iter(border=4)]
    size = QR / len(rows)
    path = canvas.beginPath()
    for y, row in enumerate(rows):
        x = 0
        while x < len(row):
            end = x
            while end < len(row) and row[end]:
                end += 1
            if end > x:
                path.rect(left + x * size, bottom + QR - (y + 1) * size, (end - x) * size, size)
            x = end + 1
    canvas.setFillColor(colors.black)
    canvas.drawPath(path, stroke=0, fill=1)
