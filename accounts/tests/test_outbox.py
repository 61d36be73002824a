from __future__ import annotations

import smtplib
import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage, EmailMultiAlternatives, send_mail
from django.db import connection, transaction
from django.utils import timezone

from accounts import outbox, tasks
from accounts.models import Notice
from lots.models import Lot

MINUTE = timedelta(minutes=1)


class Transport:
    """A mail server that does what a test tells it to."""

    trouble: Exception | None = None
    tried: list[EmailMessage] = []

    def __init__(self, **_options: Any):
        pass

    def send_messages(self, messages: list[EmailMessage]) -> int:
        Transport.tried += messages
        if Transport.trouble and messages[0].subject != "fine":
            raise Transport.trouble
        return len(messages)


@pytest.fixture
def server(settings: Any) -> type[Transport]:
    settings.EMAIL_TRANSPORT = f"{__name__}.Transport"
    Transport.trouble, Transport.tried = None, []
    return Transport


@pytest.fixture(autouse=True)
def _importable(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "get_connection", lambda path: _transport(path))


def _transport(path: str) -> Any:
    from django.core.mail import get_connection

    return Transport() if path.endswith(".Transport") else get_connection(path)


def owed(subject: str = "hello", **fields: Any) -> Notice:
    return Notice.objects.create(recipient="ada@example.com", subject=subject, text="…", **fields)


@pytest.mark.promise("S4-32")
@pytest.mark.django_db
def test_a_mail_is_a_row_until_the_sweep_hands_it_over():
    message = EmailMultiAlternatives("A\nsubject", "text", "us@example.com", ["ada@example.com"])
    message.attach_alternative("<b>html</b>", "text/html")
    message.attach("figures.csv", "a,b\n1,2\n", "text/csv")
    message.send()

    assert mail.outbox == []
    assert tasks.deliver_notices() == 1
    (sent,) = mail.outbox
    assert (sent.subject, sent.body, sent.to) == ("A subject", "text", ["ada@example.com"])
    assert sent.alternatives[0][0] == "<b>html</b>"
    assert sent.attachments[0][:2] == ("figures.csv", "a,b\n1,2\n")
    assert tasks.deliver_notices() == 0


@pytest.mark.django_db
def test_a_mail_to_two_people_is_two_rows_and_neither_sees_the_other():
    EmailMessage("s", "b", None, ["a@example.com"], bcc=["b@example.com"]).send()

    assert [notice.recipient for notice in Notice.objects.order_by("pk")] == [
        "a@example.com",
        "b@example.com",
    ]


@pytest.mark.django_db
def test_a_mail_owed_in_a_transaction_that_fails_is_not_owed():
    with transaction.atomic():
        send_mail("s", "b", None, ["a@example.com"])
        transaction.set_rollback(True)

    assert not Notice.objects.exists()


@pytest.mark.django_db
def test_the_same_event_is_owed_once(now: datetime):
    for _again in range(2):
        outbox.owe(template="x", recipient="a@example.com", context={}, event="booking:1", now=now)

    assert Notice.objects.count() == 1


@pytest.mark.django_db
def test_the_message_id_stays_when_a_mail_is_sent_again(server: type[Transport]):
    notice = owed()
    server.trouble = smtplib.SMTPServerDisconnected("gone")
    outbox.deliver_due(now=timezone.now())
    server.trouble = None
    outbox.deliver_due(now=timezone.now() + MINUTE)

    first, second = (str(message.message()["Message-ID"]) for message in server.tried)
    assert first == second
    assert str(notice.message_id) in first


@pytest.mark.django_db
def test_a_mail_that_fails_waits_twice_as_long_each_time(server: type[Transport]):
    notice = owed()
    server.trouble = smtplib.SMTPDataError(451, b"try later")
    now = timezone.now()
    waits = []
    for _try in range(4):
        outbox.deliver_due(now=now)
        notice.refresh_from_db()
        waits.append((notice.not_before - now).total_seconds())
        now = notice.not_before + timedelta(seconds=1)

    expected = [10, 20, 40, 80]
    assert all(0.79 * want <= wait <= 1.21 * want for want, wait in zip(expected, waits, strict=True)), waits
    assert notice.last_error == "SMTPDataError 451"
    assert outbox.deliver_due(now=notice.not_before - timedelta(seconds=1)) == 0
    assert len(server.tried) == 4


@pytest.mark.django_db
def test_a_mail_the_server_refuses_for_good_is_given_up_at_once(server: type[Transport]):
    notice = owed()
    server.trouble = smtplib.SMTPRecipientsRefused({"ada@example.com": (550, b"no such ada@example.com")})

    outbox.deliver_due(now=timezone.now())

    notice.refresh_from_db()
    assert notice.failed_at
    assert notice.last_error == "SMTPRecipientsRefused 550"


@pytest.mark.django_db
def test_a_poison_row_is_parked_after_ten_tries_and_holds_nobody_up(server: type[Transport]):
    poison = owed(subject="poison")
    server.trouble = ValueError("a header that cannot be")
    now = timezone.now()
    for number in range(12):
        Notice.objects.create(recipient=f"{number}@example.com", subject="fine", text="…", not_before=now)
        assert outbox.deliver_due(now=now) == 1
        now += timedelta(hours=2)

    poison.refresh_from_db()
    assert poison.failed_at
    assert [message.subject for message in server.tried].count("poison") == outbox.ATTEMPTS


@pytest.mark.django_db
def test_a_row_that_kills_its_worker_is_parked_too(monkeypatch: pytest.MonkeyPatch):
    class Killed(BaseException):
        pass

    def die(notice: Notice) -> None:
        raise Killed

    poison = owed()
    now = timezone.now()
    with monkeypatch.context() as patched:
        patched.setattr(outbox, "to_message", die)
        for _try in range(outbox.ATTEMPTS):
            with pytest.raises(Killed):
                outbox.deliver_due(now=now)
            now += outbox.LEASE + MINUTE
    outbox.deliver_due(now=now)

    poison.refresh_from_db()
    assert poison.failed_at
    assert mail.outbox == []


@pytest.mark.django_db
def test_a_server_that_is_away_is_left_alone_and_costs_no_mail_its_tries(server: type[Transport]):
    rows = [owed() for _row in range(5)]
    server.trouble = ConnectionRefusedError()
    now = timezone.now()
    for _hour in range(30):
        outbox.deliver_due(now=now)
        now += timedelta(hours=2)
    assert len(server.tried) <= 30 * outbox.ENOUGH_AWAY
    server.trouble = None

    assert outbox.deliver_due(now=now) == len(rows)


@pytest.mark.django_db
def test_a_mail_whose_moment_has_passed_is_not_sent(now: datetime):
    notice = owed(not_before=now, expires_at=now + MINUTE)

    assert outbox.deliver_due(now=now + MINUTE) == 0
    notice.refresh_from_db()
    assert notice.failed_at
    assert mail.outbox == []


@pytest.mark.django_db
def test_codes_go_first(now: datetime, server: type[Transport]):
    owed(subject="news", not_before=now)
    owed(subject="code", not_before=now, is_urgent=True)

    outbox.deliver_due(now=now)

    assert [message.subject for message in server.tried] == ["code", "news"]


@pytest.mark.django_db
def test_a_code_does_not_stay_in_the_database_once_sent(settings: Any, now: datetime):
    settings.DEBUG = False
    notice = owed(not_before=now, is_urgent=True, html="<b>123456</b>")

    outbox.deliver_due(now=now)

    notice.refresh_from_db()
    assert (notice.text, notice.html) == ("", "")
    assert mail.outbox[0].body == "…"


@pytest.mark.django_db
def test_what_was_given_up_can_be_owed_again_and_nothing_else(now: datetime):
    failed, sent = owed(failed_at=now, attempts=10), owed(sent_at=now)

    assert outbox.resend(Notice.objects.all(), now=now) == 1
    assert outbox.deliver_due(now=now) == 1
    failed.refresh_from_db()
    sent.refresh_from_db()
    assert failed.sent_at
    assert sent.sent_at == now


@pytest.mark.django_db
def test_old_mails_are_forgotten_and_what_is_owed_is_not(now: datetime):
    month = timedelta(days=30)
    owed(created_at=now - 2 * month, subject="still owed")
    owed(sent_at=now - month, subject="fresh")
    owed(sent_at=now - month - MINUTE)
    owed(failed_at=now - month - MINUTE)

    assert outbox.forget_old(now=now) == 2
    assert {notice.subject for notice in Notice.objects.all()} == {"still owed", "fresh"}


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_guarded", [True, False], ids=["claimed", "canary"])
def test_two_workers_after_the_same_rows_send_each_once(
    is_guarded: bool, server: type[Transport], monkeypatch: pytest.MonkeyPatch
):
    if not is_guarded:
        monkeypatch.setattr(outbox, "_claim", lambda pk, now: Notice.objects.get(pk=pk))
    Notice.objects.bulk_create(
        Notice(recipient=f"{number}@example.com", subject="fine") for number in range(20)
    )
    # Both have looked before either takes a row.
    both = threading.Barrier(2)
    due = list(Notice.objects.due(timezone.now()).values_list("pk", flat=True))

    def work() -> None:
        now = timezone.now()
        both.wait()
        for pk in due:
            notice = outbox._claim(pk, now)
            if notice:
                outbox._deliver(notice, now)
        connection.close()

    workers = [threading.Thread(target=work) for _worker in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    recipients = [message.to[0] for message in server.tried]
    assert set(recipients) == {f"{number}@example.com" for number in range(20)}
    assert (len(recipients) == 20) is is_guarded


@pytest.mark.promise("S2-20")
@pytest.mark.django_db
def test_the_development_outbox_shows_a_mail_nobody_sent_yet(client: Any, settings: Any):
    settings.DEBUG = True
    notice = owed(subject="Your <code>", html="<p>Hi</p>")

    page = client.get("/outbox/")
    one = client.get(f"/outbox/{notice.pk}/")
    frame = client.get(f"/outbox/{notice.pk}/html/")

    assert "Your &lt;code&gt;" in page.content.decode()
    assert f'src="/outbox/{notice.pk}/html/"' in one.content.decode()
    assert "frame-src 'self'" in one["Content-Security-Policy"]
    assert frame.content == b'<base target="_blank"><p>Hi</p>'
    assert "sandbox" in frame["Content-Security-Policy"]
    assert "script-src" not in frame["Content-Security-Policy"]
    assert frame["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.django_db
def test_the_outbox_is_no_page_in_production(client: Any, settings: Any):
    settings.DEBUG = False
    notice = owed()

    for path in ["/outbox/", f"/outbox/{notice.pk}/", f"/outbox/{notice.pk}/html/"]:
        assert client.get(path).status_code == 404


@pytest.mark.promise("S4-25")
@pytest.mark.django_db
def test_every_booking_mail_renders_and_escapes_only_its_html(lot: Lot, alice: Any, now: datetime):
    from bookings import notices
    from bookings.tests.factories import reserve

    lot.name = "Tom & <Jerry>"
    lot.save()
    booking = reserve(lot, alice, now=now)
    Notice.objects.all().delete()
    kinds = {"confirmed", "extended", "completed", "cancelled", "moved", "expired", "no_show"}
    for kind in kinds:
        notices.owe(booking, kind, now=now)

    for notice in Notice.objects.all():
        message = outbox.to_message(notice)
        html = message.alternatives[0][0]
        assert "Tom & <Jerry>" in message.subject + message.body, notice.template
        assert "&amp;" not in message.subject + message.body
        assert "<Jerry>" not in html
        assert "Tom &amp; &lt;Jerry&gt;" in html
        assert "2027, 12:00–14:00" in html  # 10:00 UTC + 1 h, on Berlin's clock
        assert html.count("<a ") == 2  # the name above, and one thing to do
        assert "style" in html
        assert "<style" not in html
        if "expired" not in notice.template:
            assert "€5.00" in html, notice.template
    owed_kinds = {
        template.rsplit("/", 1)[-1] for template in Notice.objects.values_list("template", flat=True)
    }
    assert owed_kinds == kinds | {"ends_soon"}  # the confirmation brings its reminder along
