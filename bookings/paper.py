"""Letters on paper: which font has them, and in which direction they run. reportlab itself knows neither.

Persian is joined by arabic-reshaper and put into visual order by python-bidi; Chinese comes from a font that
is embedded, because few readers bring one. Only the letters used end up in the file.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from arabic_reshaper import ArabicReshaper
from bidi.algorithm import get_display  # this one mirrors brackets, the package's own does not
from django.utils import translation
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

FILES = {
    "DejaVuSans": "DejaVuSans.ttf",
    "Vazirmatn": "Vazirmatn-Regular.ttf",
    "NotoSansSC": "NotoSansSC-Regular-GB2312.ttf",
}
# What a language is written in; a letter it lacks is looked for in the others.
OF_LANGUAGE = {"fa": "Vazirmatn", "zh-hans": "NotoSansSC"}
# The fonts every reader has, for what they can write.
PLAIN, BOLD = "Helvetica", "Helvetica-Bold"
# They steer shaping and are drawn by no font: the non-joiner and the marks of direction.
INVISIBLE = dict.fromkeys([0x200C, 0x200D, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])

Runs = list[tuple[str, str]]  # (font, letters), as they stand from left to right


class Lettering:
    """How the texts of one document are set, in the language that is active while it is made."""

    def __init__(self, texts: str):
        """`texts`: everything that may stand in it; fonts are embedded only where they are needed."""
        self.is_rtl = translation.get_language_bidi()
        language = translation.get_language() or ""
        self.is_unspaced = language == "zh-hans"
        self._is_plain = language not in OF_LANGUAGE and _fits_latin(texts)
        self._first = OF_LANGUAGE.get(language, "DejaVuSans")

    def runs(self, text: str, *, bold: bool = False) -> Runs:
        """One line of text, ready to be drawn from left to right."""
        if self._is_plain and _fits_latin(text):
            return [(BOLD if bold else PLAIN, text)]
        found: Runs = []
        for letter in self._in_order(text):
            font = _font_of(letter, self._first)
            if found and found[-1][0] == font:
                found[-1] = (font, found[-1][1] + letter)
            else:
                found.append((font, letter))
        return found

    def width(self, text: str, size: float, *, bold: bool = False) -> float:
        return float(
            sum(pdfmetrics.stringWidth(part, font, size) for font, part in self.runs(text, bold=bold))
        )

    def draw(self, canvas: Canvas, x: float, y: float, text: str, size: float, *, bold: bool = False) -> None:
        """From `x` to the right, whatever the direction of the text."""
        for font, part in self.runs(text, bold=bold):
            canvas.setFont(font, size)
            canvas.drawString(x, y, part)
            x += pdfmetrics.stringWidth(part, font, size)

    def markup(self, text: str, width: float, size: float, *, bold: bool = False) -> str:
        """For a Paragraph of that width in points. What runs from right to left is broken into lines here."""
        lines = self._broken(text, width, size) if self.is_rtl else [text]
        return "<br/>".join(
            "".join(
                f'<font face="{font}" size="{size}">{escape(part)}</font>'
                for font, part in self.runs(line, bold=bold)
            )
            for line in lines
        )

    def _broken(self, text: str, width: float, size: float) -> list[str]:
        """In logical order: a line is turned around after it is cut, or its end would come first."""
        lines: list[str] = []
        for word in text.split(" "):
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self.width(longer, size) <= width - 1:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines

    def _in_order(self, text: str) -> str:
        if self.is_rtl or _joins(text):
            text = get_display(_reshaper().reshape(text), base_dir="R" if self.is_rtl else "L")
        return str(text).translate(INVISIBLE)


def _fits_latin(text: str) -> bool:
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


def _joins(text: str) -> bool:
    """Whether any letter is of a script that is written from right to left."""
    return any("\u0590" <= letter <= "\u08ff" for letter in text)


@cache
def _reshaper() -> Any:
    return ArabicReshaper({"delete_harakat": False, "support_zwj": True})


@cache
def _font_of(letter: str, first: str) -> str:
    names = [first, *(name for name in FILES if name != first)]
    return next((name for name in names if ord(letter) in _registered(name).face.charToGlyph), first)


@cache
def _registered(name: str) -> Any:
    font = TTFont(name, str(Path(__file__).parent / "fonts" / FILES[name]))
    pdfmetrics.registerFont(font)
    return font
