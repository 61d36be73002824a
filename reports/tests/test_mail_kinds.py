"""Every kind of mail: each is known, kept as a snapshot, and can be looked at in the back office."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts import outbox
from accounts.models import Notice
from accounts.tests.staff import verify
from bookings.tests.factories import NOW, make_lot, make_user, reserve
from reports import mail_kinds
from reports.mail_kinds import CODE, KINDS, Asked, sample_booking
from reports.tests import snapshots

pytestmark = pytest.mark.django_db
PAGE, FRAME = reverse("admin:reports_mails"), reverse("admin:reports_mail_frame")
OF_ACCOUNTS = [name for name in KINDS if name.startswith("account/")]


@pytest.fixture
def office(olga):
    return verify(Client(), olga)


def sample(template, user, language="en"):
    asked = Asked(user, language, NOW, sample_booking(NOW))
    return outbox.to_message(KINDS[template].notice(asked))


def snapshot_of(template):
    app, _email, name = template.split("/")
    return {"bookings": f"booking_{name}", "account": f"account_{name}"}.get(app, name)


def templates():
    folder = Path(settings.BASE_DIR) / "templates"
    found = folder.glob("*/email/*_subject.txt")
    return {str(path.relative_to(folder)).removesuffix("_subject.txt") for path in found}


@pytest.mark.promise("S4-25")
def test_every_kind_of_mail_is_known_and_has_a_snapshot():
    assert set(KINDS) == templates()

    wanted = {f"{snapshot_of(name)}.{ending}" for name in KINDS for ending in ("html", "txt")}
    assert wanted - {path.name for path in snapshots.FOLDER.iterdir()} == set()


@pytest.mark.parametrize("template", [*OF_ACCOUNTS, "bookings/email/problem"])
def test_the_mails_of_an_account(template, alice):
    snapshots.check(snapshot_of(template), sample(template, alice))


@pytest.mark.parametrize("language", [code for code, _name in settings.LANGUAGES])
def test_every_mail_can_be_looked_at_in_every_language(language, office, olga):
    make_lot(1, now=NOW)
    texts = {}
    for template in KINDS:
        asked = {"kind": template, "language": language}
        page, frame = office.get(PAGE, asked), office.get(FRAME, asked)
        assert (page.status_code, frame.status_code) == (200, 200), template
        assert f'lang="{"zh-hans" if language == "zh-hans" else language}"' in frame.content.decode()
        texts[template] = page.context["mail"].body
    if language != "en":
        assert all(texts[name] != sample(name, olga).body for name in KINDS if name.startswith("bookings/"))
    assert Notice.objects.count() == 0


def test_a_frame_runs_nothing_and_is_framed_by_us_alone(office):
    policy = office.get(FRAME)["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "sandbox allow-popups" in policy
    assert "frame-ancestors 'self'" in policy
    assert "script-src" not in policy
    assert "frame-src 'self'" in office.get(PAGE)["Content-Security-Policy"]


def test_a_mail_about_a_real_booking_says_what_was_booked(office, alice):
    booking = reserve(make_lot(2, name="Ostkreuz"), alice, plate="B-AL 77")

    shown = office.get(PAGE, {"kind": "bookings/email/moved", "booking": f" {booking.reference.lower()} "})

    assert "B-AL 77" in shown.context["mail"].body
    assert booking.reference in shown.context["mail"].body


def test_bookings_of_other_lots_are_as_if_absent(alice):
    ours, theirs = make_lot(1), make_lot(1)
    booking = reserve(theirs, alice)
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_booking", "view_notice"]))
    ours.operators.add(clerk)

    refused = verify(Client(), clerk).get(PAGE, {"booking": booking.reference})

    assert refused.status_code == 422
    assert "no such booking" in refused.content.decode()
    assert verify(Client(), clerk).get(FRAME, {"booking": booking.reference}).status_code == 404


def test_who_may_see_neither_mails_nor_schedules_sees_no_samples():
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_booking"))

    assert verify(Client(), clerk).get(PAGE).status_code == 403
    assert verify(Client(), clerk).get(FRAME).status_code == 403


# --- One that is owed ---


def looked_at(notice, client, **language):
    page = client.get(reverse("admin:accounts_notice_preview", args=[notice.pk]), language)
    return page, client.get(reverse("admin:accounts_notice_frame", args=[notice.pk]), language)


def test_an_owed_mail_is_seen_as_it_goes_out_and_in_the_other_languages(office, alice, lot):
    reserve(lot, alice)
    notice = Notice.objects.get(template="bookings/email/confirmed")

    page, frame = looked_at(notice, office)
    assert page.context["mail"].subject.startswith("Booked: spot 1")
    assert "Alexanderplatz" in frame.content.decode()

    page, frame = looked_at(notice, office, language="fa")
    assert 'dir="rtl"' in frame.content.decode()
    notice.refresh_from_db()
    assert (notice.language, notice.sent_at) == ("", None)


def test_a_code_is_shown_to_nobody(office, olga):
    notice = Notice.objects.create(
        recipient="alice@example.com",
        subject="Your code",
        text="482913",
        html="<b>482913</b>",
        is_urgent=True,
    )

    page, frame = looked_at(notice, office)

    assert "482913" not in page.content.decode()
    assert frame.status_code == 404
    for name in OF_ACCOUNTS:
        if name.endswith("_code"):
            assert CODE in sample(name, olga).body


def test_the_samples_lie_ahead():
    assert sample_booking(NOW).starts_at - NOW == timedelta(days=1)
    assert mail_kinds.REFERENCE in str(sample_booking(NOW))
