"""A person at the screen: sign up by code, find a lot, book, extend, leave, and see what it cost."""

import re
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone

from accounts.models import Notice
from bookings import services
from bookings.models import Booking
from bookings.receipt_models import Receipt
from bookings.tests.factories import make_lot, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "correct horse battery"


@pytest.fixture
def alexanderplatz():
    return make_lot(6, name="Alexanderplatz", city="Berlin", country="DE", now=timezone.now())


@pytest.fixture
def prepaid(alexanderplatz, settings):
    settings.DEBUG = True  # the demo's card page is nowhere else
    alexanderplatz.payment_timing = "prepaid"
    alexanderplatz.save()
    return alexanderplatz


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
def test_from_sign_up_by_code_to_the_receipt(new_page, screen, prepaid):
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
    assert (booking.state, booking.plate, booking.spot.number) == ("held", "B AB 123", "1")

    page.get_by_role("button", name="Pay with the demo card").click()
    page.get_by_role("button", name=re.compile(r"^Pay €")).click()
    page.wait_for_url(re.compile(r"/(payments|bookings)/"))
    settle(page)
    booking.refresh_from_db()
    assert booking.state == "active"

    page.goto(f"/bookings/{booking.reference}/")
    page.get_by_role("link", name="Extend").click()
    page.locator("#dialog-body button[name=ends]").first.click()
    page.locator(".pw-message", has_text="Extended.").wait_for()
    before = booking.ends_at
    booking.refresh_from_db()
    assert booking.ends_at > before

    page.get_by_role("link", name="Leave").click()
    page.get_by_role("button", name="Leave and free the spot").click()
    page.locator("#booking", has_text="completed").wait_for()
    page.get_by_role("link", name="Receipt").click()
    page.get_by_role("heading", name="Receipt").wait_for()
    booking.refresh_from_db()
    assert (booking.state, Receipt.objects.get().booking) == ("completed", booking)
    assert page.locator("main").get_by_text(f"€{booking.total:.2f}").first.is_visible()


def test_everything_works_without_javascript(new_page, prepaid, driver):
    page = new_page(java_script_enabled=False)
    sign_in(page, driver)

    page.goto("/?q=Alexander")
    page.get_by_role("link", name=re.compile("Alexanderplatz")).first.click()
    page.get_by_role("button", name="Book now").click()
    page.get_by_role("button", name="Pay with the demo card").click()
    page.get_by_role("button", name=re.compile(r"^Pay €")).click()
    booking = Booking.objects.get()
    page.goto(f"/bookings/{booking.reference}/")
    page.get_by_role("link", name="Extend").click()
    page.locator("button[name=ends]").first.click()
    page.get_by_text("Extended.").wait_for()
    page.get_by_role("link", name="Leave").click()
    page.get_by_role("button", name="Leave and free the spot").click()
    page.get_by_role("link", name="Receipt").click()
    page.get_by_role("heading", name="Receipt").wait_for()

    actions = set(booking.timeline.values_list("action", flat=True))
    assert {"held", "paid", "extended", "released"} <= actions


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
