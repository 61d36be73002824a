"""Who gets which language, and that pages and mails then keep to it."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts import outbox
from accounts.models import Notice, User
from accounts.tests.staff import verify
from bookings import notices
from bookings.models import Booking
from bookings.tests.factories import reserve
from lots.models import Lot

pytestmark = pytest.mark.django_db

LANGUAGES = {"zh-hans": "ltr", "ru": "ltr", "fa": "rtl"}
NAMES = {
    *("Parkwell", "English", "Harbour", "Alexanderplatz", "Europe", "Berlin", "alice", "Alice", "example"),
    *("com", "CET", "UTC", "CSV", "PDF", "EUR", "Type", "CCS", "CHAdeMO", "NACS", "Schuko"),
}


class Text(HTMLParser):
    """What is to be read on a page: text, and the words of attributes that are read out."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.skipping = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.skipping = self.skipping or (tag if tag in ("script", "style") else "")
        spoken = ("aria-label", "alt", "title", "placeholder")
        self.found += [value or "" for name, value in attrs if name in spoken]

    def handle_endtag(self, tag: str) -> None:
        self.skipping = "" if tag == self.skipping else self.skipping

    def handle_data(self, data: str) -> None:
        if not self.skipping:
            self.found.append(data)


def english(page: str, booking: Booking | None = None) -> set[str]:
    """The words in Latin letters that are no name and not the booking's own."""
    words = set(re.findall(r"[A-Za-z]{3,}", " ".join(Text(page).found)))
    return words - NAMES - set(re.findall(r"[A-Z]+", booking.reference if booking else ""))


def shown(lot: Lot, booking: Booking) -> list[str]:
    return [
        reverse("lots:search"),
        reverse("lots:places"),
        reverse("lots:detail", args=[lot.slug]),
        reverse("lots:rules", args=[lot.slug]),
        reverse("help:rules"),
        reverse("bookings:list"),
        reverse("bookings:detail", args=[booking.reference]),
        reverse("bookings:extend", args=[booking.reference]),
        reverse("bookings:cancel", args=[booking.reference]),
        reverse("bookings:pay", args=[booking.reference]),
        reverse("payments:list"),
        reverse("reports:dashboard"),
        reverse("accounts:profile"),
        reverse("accounts:vehicles"),
        reverse("accounts:vehicle-add"),
        reverse("accounts:privacy"),
        reverse("accounts:erase"),
        reverse("usersessions_list"),
    ]


@pytest.fixture(autouse=True)
def at_ten_on_monday(monkeypatch: pytest.MonkeyPatch, now: Any) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)


@pytest.mark.promise("S0-16")
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_drivers_pages_are_in_their_language(
    language: str, lot: Lot, alice: User, alice_client: Client, now: Any
):
    User.objects.filter(pk=alice.pk).update(language=language)
    booking = reserve(lot, alice, now=now)

    left = {}
    for address in shown(lot, booking):
        answer = alice_client.get(address)
        page = answer.content.decode()
        assert answer.status_code == 200, address
        assert f'lang="{language}" dir="{LANGUAGES[language]}"' in page, address
        if words := english(page, booking):
            left[address] = words
    assert left == {}


@pytest.mark.promise("S0-16")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["account_login", "account_signup", "account_reset_password", "lots:search"])
def test_visitors_get_what_their_browser_says(language: str, name: str, client: Client, lot: Lot):
    page = client.get(reverse(name), headers={"accept-language": f"{language},en;q=0.5"}).content.decode()

    assert f'lang="{language}" dir="{LANGUAGES[language]}"' in page
    assert english(page) == set()


def test_the_switch_is_a_cookie_for_visitors_and_kept_for_drivers(alice: User, client: Client, lot: Lot):
    choice = {"language": "fa", "next": reverse("lots:search")}
    client.post(reverse("set_language"), choice)
    assert 'dir="rtl"' in client.get(reverse("lots:search")).content.decode()

    driver = Client()
    driver.force_login(alice)
    driver.post(reverse("set_language"), choice)
    alice.refresh_from_db()
    assert alice.language == "fa"
    # On another device, whatever that one's browser or cookie says.
    other = Client(headers={"accept-language": "ru"})
    other.cookies["django_language"] = "ru"
    other.force_login(alice)
    assert 'lang="fa"' in other.get(reverse("lots:search")).content.decode()


def test_an_unknown_language_changes_nothing(alice: User, alice_client: Client):
    alice_client.post(reverse("set_language"), {"language": "xx", "next": "/"})
    alice.refresh_from_db()
    assert alice.language == ""


def test_whoever_signs_up_gets_mail_in_the_language_of_the_page(client: Client):
    form = {"email": "new@example.com", "password1": "a long enough one"}
    client.post(reverse("account_signup"), form, headers={"accept-language": "ru"})

    assert User.objects.get(email="new@example.com").language == "ru"
    assert "Ваш код для регистрации" in Notice.objects.get(recipient="new@example.com").subject


@pytest.mark.parametrize("language", LANGUAGES)
def test_mails_are_in_the_drivers_language(language: str, lot: Lot, alice: User, now: Any):
    alice.language = language
    alice.save()
    booking = reserve(lot, alice, now=now)
    Notice.objects.all().delete()
    for kind in ["confirmed", "extended", "completed", "cancelled", "moved", "expired", "no_show"]:
        notices.owe(booking, kind, now=now)

    assert Notice.objects.exists()
    for notice in Notice.objects.all():
        message = outbox.to_message(notice)
        html = message.alternatives[0][0]
        assert f'dir="{LANGUAGES[language]}"' in html, notice.template
        assert english(f"{message.subject} {html}", booking) == set(), notice.template


def test_the_api_speaks_english_unless_asked_otherwise(lot: Lot, alice: User, alice_client: Client, now: Any):
    User.objects.filter(pk=alice.pk).update(language="fa")
    wish = {"lot": lot.slug, "kind": "reserved", "starts_at": (now - timedelta(hours=1)).isoformat()}
    body = json.dumps({**wish, "ends_at": now.isoformat()})
    address = "/api/v1/quotes/"

    plain = alice_client.post(address, body, content_type="application/json")
    asked = alice_client.post(
        address, body, content_type="application/json", headers={"accept-language": "ru"}
    )
    assert (plain.status_code, asked.status_code) == (400, 400)
    assert "The start must lie in the future." in plain.content.decode()
    assert "Начало должно быть в будущем." in json.dumps(asked.json(), ensure_ascii=False)
    assert "start_in_the_past" in plain.content.decode()
    assert "start_in_the_past" in asked.content.decode()


def test_the_back_office_stays_in_its_own_language(olga: User, client: Client):
    User.objects.filter(pk=olga.pk).update(language="fa")
    client.force_login(olga)
    verify(client, olga)
    answer = client.get(reverse("admin:index"))
    assert answer.status_code == 200
    assert '<html lang="en' in answer.content.decode()
