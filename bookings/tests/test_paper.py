"""What is taken home on paper and into a calendar, in the language of whoever takes it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import translation

from bookings import paper, receipts, services
from bookings.calendar_feeds import content, make
from bookings.calendar_files import calendar_file
from bookings.paper import Lettering
from bookings.receipt_pdf import render
from bookings.tests.factories import HOUR, NOW, park

WORDS = {
    "en": ("Receipt", "Total", "2 h at"),
    "zh-hans": ("收据", "总计", "2 小时"),
    "ru": ("Квитанция", "Итого", "2 ч по"),
    "fa": ("رسید", "جمع", "2 ساعت"),
}
OFFERED = [code for code, _name in settings.LANGUAGES]


@pytest.fixture
def stay(lot: Any, alice: Any) -> Any:
    return services.release(park(lot, alice, now=NOW - 2 * HOUR, plate="B AB 12"), by=alice, now=NOW)


@pytest.mark.parametrize("language", OFFERED)
def test_a_receipt_is_in_the_readers_language_and_in_no_other(
    stay: Any, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = receipts.statement(stay, now=NOW)
    said: list[str] = []
    markup = Lettering.markup

    def spy(self: Lettering, text: str, *args: Any, **kwargs: Any) -> str:
        said.append(text)
        return markup(self, text, *args, **kwargs)

    monkeypatch.setattr(Lettering, "markup", spy)
    with translation.override(language):
        assert render(found, printed_at=NOW) == render(found, printed_at=NOW)

    whole = "\n".join(said)
    for code, words in WORDS.items():
        assert [word in whole for word in words] == [code == language] * len(words), code
    assert "B AB 12" in whole


def test_persian_letters_are_joined_and_run_from_right_to_left() -> None:
    with translation.override("fa"):
        runs = Lettering("").runs("جمع\u200cها 12 Parkhaus")

    assert "".join(part for _font, part in runs) == "Parkhaus 12 \ufe8e\ufeeb\ufeca\ufee4\ufe9f"
    assert {font for font, _part in runs} == {"Vazirmatn"}
    with translation.override("fa"):
        assert Lettering("").runs("جا (2)")[0][1].startswith("(2)")  # brackets are turned around too


def test_a_name_in_another_script_is_set_in_a_font_that_has_it() -> None:
    with translation.override("en"):
        assert Lettering("Zoo").runs("Zoo") == [("Helvetica", "Zoo")]
        letters = Lettering("Zoo 停车场 Парк")
        assert letters.runs("停车") == [("NotoSansSC", "停车")]
        assert letters.runs("Парк") == [("DejaVuSans", "Парк")]


def test_lines_from_right_to_left_are_cut_before_they_are_turned() -> None:
    with translation.override("fa"):
        letters = Lettering("")
        first, *rest = letters.markup("AA BB پنج CC", letters.width("AA BB", 10) + 2, 10).split("<br/>")

    assert "AA BB" in first
    assert "CC" in rest[-1]


@pytest.mark.parametrize("locale", ["zh_Hans", "ru", "fa"])
def test_every_letter_of_a_translation_is_in_the_fonts(locale: str) -> None:
    texts = (settings.BASE_DIR / "locale" / locale / "LC_MESSAGES" / "django.po").read_text()
    with translation.override(locale.replace("_", "-").lower()):
        runs = Lettering("").runs(texts.replace("\n", " "))

    known = {font: set(map(chr, paper._registered(font).face.charToGlyph)) for font, _part in runs}
    assert [(font, set(part) - known[font]) for font, part in runs if set(part) - known[font]] == []


def test_every_font_has_its_licence_beside_it() -> None:
    folder = Path(paper.__file__).parent / "fonts"
    assert {name.name for name in folder.glob("*.ttf")} == set(paper.FILES.values())
    assert all(len((folder / f"LICENSE-{name}").read_text()) > 1000 for name in paper.FILES)


@pytest.mark.parametrize(("language", "said"), [("en", "Parking: Alex"), ("ru", "Парковка: Alex")])
def test_a_calendar_speaks_the_drivers_language(stay: Any, alice: Any, language: str, said: str) -> None:
    with translation.override(language):
        assert said in calendar_file(stay).decode()
    alice.language = language
    alice.save()
    feed = make(alice, now=NOW)
    assert said in content(feed, now=NOW + timedelta(hours=1)).decode()
