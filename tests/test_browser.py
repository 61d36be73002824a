"""A person at the screen: sign up by code, find a lot, book, extend, leave, and see what it cost."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone

from accounts.models import Notice
from bookings import services
from bookings.models import Booking
from bookings.tests.factories import make_lot, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "correct horse battery"


@pytest.fixture
def alexanderplatz():
    return make_lot(6, name="Alexanderplatz", city="Berlin", country="DE", now=timezone.now())


@pytest.fixture
def driver():
    user = make_user("dora")
    user.set_password(PASSWORD)
    user.save()
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def sign_in(page, user):
    page.goto("/accounts/login/")
    page.fill("input[name=login]", user.email)
    page.fill("input[name=password]", PASSWORD)
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url("**/bookings/")


def settle(page):
    page.wait_for_load_state("networkidle")


@pytest.mark.promise("S1-08")
@pytest.mark.promise("S3-01")
@pytest.mark.promise("S4-47")
def test_from_sign_up_by_code_to_the_price_of_the_stay(new_page, screen, alexanderplatz):
    page = new_page(**screen)

    page.goto("/accounts/signup/")
    page.fill("input[name=email]", "new@example.com")
    page.fill("input[name=password1]", PASSWORD)
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_selector("input[name=code]")
    code = re.search(r"\b\d{6}\b", Notice.objects.get(recipient="new@example.com").text).group()
    page.fill("input[name=code]", code)
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url("**/bookings/")

    page.goto("/?q=Alexander")
    page.get_by_role("link", name=re.compile("Alexanderplatz")).first.click()
    page.wait_for_url("**/lots/alexanderplatz/**")
    page.fill("input[name=plate]", "B AB 123")
    page.get_by_role("button", name="Book now").click()
    page.wait_for_url(re.compile(r"/bookings/[0-9A-Z]{16}/"))
    booking = Booking.objects.get()
    assert (booking.state, booking.plate, booking.spot.number) == ("active", "B AB 123", "1")

    page.get_by_role("link", name=re.compile("Extend")).first.click()
    page.locator("form[action$='/extend/'] button[type=submit]").first.click()
    settle(page)
    page.goto(f"/bookings/{booking.reference}/")
    before = booking.ends_at
    booking.refresh_from_db()
    assert booking.ends_at > before

    page.get_by_role("link", name=re.compile("Leave|Release")).first.click()
    page.locator("form[action$='/release/'] button[type=submit]").first.click()
    settle(page)
    booking.refresh_from_db()
    assert booking.state == "completed"
    page.goto(f"/bookings/{booking.reference}/")
    assert page.get_by_text(re.compile("completed", re.I)).first.is_visible()


def test_everything_works_without_javascript(new_page, alexanderplatz, driver):
    page = new_page(java_script_enabled=False)
    sign_in(page, driver)

    page.goto("/lots/alexanderplatz/")
    page.get_by_role("button", name="Book now").click()
    page.wait_for_url(re.compile(r"/bookings/[0-9A-Z]{16}/"))
    booking = Booking.objects.get()
    page.goto(f"/bookings/{booking.reference}/release/")
    page.locator("form[action$='/release/'] button[type=submit]").first.click()
    page.wait_for_url(re.compile(r"/bookings/[0-9A-Z]{16}/"))

    booking.refresh_from_db()
    assert (booking.state, booking.total) == ("completed", Decimal(booking.total))


def test_a_guest_is_asked_to_sign_in_and_comes_back(new_page, alexanderplatz, driver):
    page = new_page()
    page.goto("/lots/alexanderplatz/")
    page.fill("input[name=plate]", "B XY 9")
    page.get_by_role("button", name="Sign in and book").click()
    page.wait_for_url("**/accounts/login/**")

    page.fill("input[name=login]", driver.email)
    page.fill("input[name=password]", PASSWORD)
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url("**/lots/alexanderplatz/**")

    assert page.input_value("input[name=plate]") == "B XY 9"


def test_a_refusal_shows_its_sentence_and_a_way_out(new_page, driver):
    now = timezone.now()
    lot = make_lot(1, name="Small", now=now)
    services.book(lot_id=lot.pk, kind="instant", driver=None, now=now, ends_at=now + timedelta(hours=1))
    page = new_page()
    sign_in(page, driver)

    page.goto("/lots/small/")
    page.get_by_role("button", name="Book now").click()
    settle(page)

    assert page.get_by_text("No spot of this lot is free for the whole time.").first.is_visible()
    assert Booking.objects.of(driver).count() == 0


def test_a_double_click_books_once(new_page, alexanderplatz, driver):
    page = new_page()
    sign_in(page, driver)
    page.goto("/lots/alexanderplatz/")

    page.get_by_role("button", name="Book now").dblclick()
    page.wait_for_url(re.compile(r"/bookings/[0-9A-Z]{16}/"))
    settle(page)

    assert Booking.objects.of(driver).count() == 1


def test_the_free_count_moves_by_itself(new_page, alexanderplatz):
    page = new_page()
    page.goto("/lots/alexanderplatz/")
    assert page.get_by_text("6 of 6 free").first.is_visible()

    services.book(lot_id=alexanderplatz.pk, kind="instant", driver=None, now=timezone.now())

    page.get_by_text("5 of 6 free").first.wait_for(timeout=12_000)
