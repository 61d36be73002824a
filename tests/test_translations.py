"""The catalogues are whole: every text marked, gathered, translated, and compiled."""

from __future__ import annotations

import gettext
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils.translation import override

from bookings import sentences
from scripts import messages

ROOT = Path(settings.BASE_DIR)
PLACES = re.compile(r"%\(\w+\)[sd]|%[sd]")
# Left of a template when markup and translated parts are gone; these are the same in every language.
# The addresses of pages, in mails.
PATHS = re.compile(r"/[\w/-]+")
ALIKE = {"Parkwell", "CSV", "PDF", "ZIP", "UTC", "QR", "min", "px"}
IN_ENGLISH = ("admin", "receipts/pdf", "accounts/outbox", "accounts/_mail_state", "swagger")
MARKED = re.compile(
    r"\{%\s*block main_class.*?endblock\s*%\}|"
    r"\{%\s*comment.*?endcomment\s*%\}|\{%\s*blocktranslate.*?endblocktranslate\s*%\}"
    r"|\{\{ ?base_url ?\}\}[\w/-]*|\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}",
    re.DOTALL,
)
SPOKEN = re.compile(r'\b(?:aria-label|alt|title|placeholder)="([^"]*)"')
MARKUP = re.compile(r"<(script|style)\b.*?</\1>|<!--.*?-->|<[^>]*>|&\w+;|&#\d+;", re.DOTALL)


def po(name: str) -> Path:
    return ROOT / "locale" / name / "LC_MESSAGES" / "django.po"


def catalogue(path: Path) -> dict[Any, str]:
    with path.open("rb") as file:
        return dict(gettext.GNUTranslations(file)._catalog)  # type: ignore[attr-defined]


def tool(name: str) -> str:
    """gettext's own, which `.ci/run` installs."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"There is no {name} on this machine.")
    return found


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources whose .po files have just been brought up to date."""
    tool("xgettext")
    copy = tmp_path_factory.mktemp("sources")
    for name in ("accounts", "bookings", "lots", "reports", "parking", "templates", "locale"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("tests", "*.pyc"))
    for name in ("manage.py", "CHANGELOG.md"):
        shutil.copy(ROOT / name, copy / name)
    messages.gather(copy)
    return copy


@pytest.mark.promise("S0-16")
@pytest.mark.parametrize("name", messages.LOCALES)
def test_every_text_is_translated(gathered: Path, name: str):
    path = gathered / "locale" / name / "LC_MESSAGES" / "django.po"
    left = ""
    for kind in ("--untranslated", "--only-fuzzy"):
        command = [tool("msgattrib"), "--no-wrap", kind, str(path)]
        left += subprocess.run(command, capture_output=True, text=True, check=True).stdout

    found = re.findall(r'^msgid "(.+)"$', left, re.MULTILINE)
    assert found == [], "run scripts/messages.py and translate these"


@pytest.mark.parametrize("name", messages.LOCALES)
def test_what_is_compiled_is_what_is_written(name: str, tmp_path: Path):
    fresh = tmp_path / "fresh.mo"
    subprocess.run([tool("msgfmt"), "--check-format", "-o", fresh, po(name)], check=True)

    assert catalogue(po(name).with_suffix(".mo")) == catalogue(fresh), "run scripts/messages.py --compile"


@pytest.mark.parametrize("name", messages.LOCALES)
def test_translations_name_the_same_values(name: str):
    words = catalogue(po(name).with_suffix(".mo"))
    assert len(words) > 1000
    for key, text in words.items():
        english = key[0] if isinstance(key, tuple) else key.rpartition("\x04")[2]
        if english and "(% of" not in english:
            assert sorted(PLACES.findall(text)) == sorted(PLACES.findall(english)), english


def unmarked(source: str) -> list[str]:
    """Words a reader would see in English whatever the language."""
    plain = MARKED.sub(" ", source)
    text = " ".join([MARKUP.sub(" ", plain), *SPOKEN.findall(plain)])
    return [word for word in re.findall(r"[A-Za-z]{2,}", PATHS.sub(" ", text)) if word not in ALIKE]


def test_templates_say_nothing_unmarked():
    found = {}
    for path in sorted((ROOT / "templates").rglob("*")):
        name = path.relative_to(ROOT / "templates").as_posix()
        if path.suffix not in (".html", ".txt") or name.startswith(IN_ENGLISH):
            continue
        if words := unmarked(path.read_text(encoding="utf-8")):
            found[name] = words
    assert found == {}


def test_the_search_for_unmarked_words_finds_them():
    assert unmarked('<p title="Hello there">{% translate "Fine" %} Not <b>marked</b></p>') == [
        *("Not", "marked", "Hello", "there")
    ]


@pytest.mark.promise("S0-16")
@pytest.mark.parametrize(
    ("language", "english", "expected"),
    [
        ("ru", "1 h 30 min at 2.00 EUR per hour", "1 ч 30 мин по 2,00 EUR в час"),
        (
            "ru",
            "2 h at 2.00 EUR per hour (1 h 50 min, rounded up), including 19 % tax",
            "2 ч по 2,00 EUR в час (1 ч 50 мин, округлено вверх), включая 19 % налога",
        ),
        ("zh-hans", "Parking", "停车"),
        ("zh-hans", "Night: maximum", "Night：封顶"),
        ("fa", "Cancelled too late for a refund.", "برای برگشت پول دیر لغو شد."),
        ("fa", "What somebody typed in", "What somebody typed in"),
        ("en", "1 h at 2.00 EUR per hour", "1 h at 2.00 EUR per hour"),
    ],
)
def test_sentences_kept_in_english_are_said_in_the_readers_language(
    language: str, english: str, expected: str
):
    with override(language):
        assert sentences.said(english) == expected
