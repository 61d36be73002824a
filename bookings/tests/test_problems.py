"""A driver tells that the spot is blocked or broken; the operator hears of it once and deals with it."""

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from accounts import outbox
from accounts.models import Notice
from accounts.roles import make_roles
from accounts.tests.staff import verify
from bookings import problems, services
from bookings.errors import InvalidTransition
from bookings.models import Problem
from bookings.tests.factories import HOUR, make_lot, make_user, park, reserve
from bookings.tests.test_lot_views import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def at_ten_on_monday(monkeypatch, now):
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)


def page(booking):
    return reverse("bookings:problem", args=[booking.reference])


def operator_of(*lots, name="otto"):
    make_roles()
    user = make_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    for lot in lots:
        lot.operators.add(user)
    return user


def test_a_blocked_spot_leads_to_the_other_free_ones(alice_client, alice, lot):
    booking = park(lot, alice)
    assert "Somebody else stands there" in text_of(alice_client.get(page(booking)))

    answer = alice_client.post(page(booking), {"kind": "blocked", "text": "A white van"})

    assert answer.url == reverse("bookings:move", args=[booking.reference])
    problem = Problem.objects.get()
    assert (problem.spot, problem.kind, problem.text) == (booking.spot, "blocked", "A white van")


def test_nothing_chosen_is_said_beside_the_field(alice_client, alice, lot):
    answer = alice_client.post(page(park(lot, alice)), {"kind": ""})

    assert answer.status_code == 422
    assert "This field is required." in text_of(answer)
    assert not Problem.objects.exists()


def test_whoever_runs_the_lot_hears_of_it_once(alice, lot, now, mailoutbox):
    otto = operator_of(lot)
    operator_of(make_lot(name="Elsewhere"), name="elsa")
    make_user("clerk", is_staff=True)
    booking = park(lot, alice, plate="B AB 123")

    problems.tell(booking, kind="broken", text="My number is 0170", now=now)
    problems.tell(booking, kind="broken", text="Again", now=now)

    mails = Notice.objects.filter(template="bookings/email/problem")
    assert [mail.recipient for mail in mails] == [otto.email]
    outbox.deliver_due(now=now)
    sent = next(mail for mail in mailoutbox if mail.to == [otto.email])
    assert sent.subject == "Problem at Alexanderplatz, spot 1"
    assert "Something is broken" in sent.body
    assert reverse("admin:bookings_problem_change", args=[Problem.objects.get().pk]) in sent.body
    # What the driver wrote can be erased where it stands, not in somebody's mailbox.
    assert "0170" not in sent.body
    assert "B AB 123" not in sent.body


def test_only_who_should_stand_there_now_can_tell(alice, lot, now):
    coming = reserve(lot, alice)
    gone = services.release(park(lot, alice, now=now - HOUR), by=alice, now=now)

    for booking in (coming, gone):
        with pytest.raises(InvalidTransition):
            problems.tell(booking, kind="blocked", now=now)
    assert not Problem.objects.exists()


def test_the_page_says_why_it_cannot_be_told(alice_client, alice, lot):
    answer = alice_client.post(page(reserve(lot, alice)), {"kind": "blocked"})

    assert answer.status_code == 409
    assert "there is no spot to tell of" in text_of(answer)


def test_staff_deal_with_it_and_it_can_be_told_anew(alice, lot, now):
    otto, booking = operator_of(lot), park(lot, alice)
    problem = problems.tell(booking, kind="blocked", now=now)
    client = verify(Client(), otto)
    listed = reverse("admin:bookings_problem_changelist")
    assert "Alexanderplatz, spot 1" in text_of(client.get(listed))

    client.post(listed, {"action": "deal_with", "_selected_action": [problem.pk]})

    problem.refresh_from_db()
    assert (problem.dealt_with_at, problem.dealt_with_by) == (now, otto)
    assert problems.tell(booking, kind="blocked", now=now).pk != problem.pk
