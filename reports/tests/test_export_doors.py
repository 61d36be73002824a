"""Links, mails, pages and the back office of exports."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core.files.storage import storages
from django.test import Client
from django.utils import timezone

from accounts import outbox, privacy
from accounts.models import Notice
from accounts.roles import make_roles
from accounts.tests.staff import verify
from bookings.tests.api_support import API
from bookings.tests.factories import NOW, make_user
from reports import exports
from reports.export_models import Export, State
from reports.tests import snapshots
from reports.tests.export_support import content, fetched, made


@pytest.mark.promise("S4-40")
@pytest.mark.django_db
def test_a_link_opens_its_file_and_no_other_and_ends(alice, bob, stays, clock):
    hers, his = made(alice), made(bob)
    path = exports.link(hers, now=NOW)
    key = path.partition("key=")[2]
    last = key[:-1] + ("A" if key[-1] != "A" else "B")

    def status(url, after=timedelta()):
        clock.move_to(NOW + after)
        return fetched(url)[0]

    assert status(path) == 200
    answer = Client().get(path)
    assert len(b"".join(answer.streaming_content)) == hers.size
    assert answer["Content-Disposition"] == 'attachment; filename="parkwell-own-bookings.csv"'
    assert (answer["Cache-Control"], answer["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert status(f"/exports/{his.pk}/file/?key={key}") == 404
    assert status(f"/exports/{hers.pk}/file/?key={last}") == 404
    assert status(f"/exports/{hers.pk}/file/") == 404
    assert status(path, exports.LINK_LIFE - timedelta(seconds=1)) == 200
    assert status(path, exports.LINK_LIFE) == 410
    assert exports.link(hers, now=hers.expires_at) is None
    by_mail = exports.path(hers, until=hers.expires_at)
    assert status(by_mail, exports.KEPT - timedelta(minutes=1)) == 200
    alice.is_active = False
    alice.save()
    assert status(by_mail, exports.KEPT - timedelta(minutes=1)) == 404


@pytest.mark.django_db
def test_another_persons_export_is_as_if_absent(as_bob, alice, stays):
    export = made(alice)

    assert as_bob.get(f"{API}exports/{export.pk}/").status_code == 404
    assert as_bob.get(f"{API}exports/").json()["results"] == []


@pytest.mark.django_db
def test_files_go_when_their_time_is_over_and_strays_as_well(alice, stays, exports_folder, monkeypatch):
    export = made(alice)
    file = exports_folder / export.file_name
    assert (file.stat().st_mode & 0o777, exports_folder.stat().st_mode & 0o777) == (0o600, 0o700)
    (exports_folder / "stray.csv").write_text("x")
    young = exports.STRAY - timedelta(minutes=1)
    monkeypatch.setattr(type(storages["exports"]), "get_modified_time", lambda *_a: export.expires_at - young)

    assert exports.tidy_up(now=export.expires_at - timedelta(seconds=1)) == 0
    assert file.exists()
    assert exports.tidy_up(now=export.expires_at) == 1
    assert [path.name for path in exports_folder.iterdir()] == ["stray.csv"]
    assert exports.tidy_up(now=export.expires_at + timedelta(minutes=5)) == 1
    assert list(exports_folder.iterdir()) == []
    export.refresh_from_db()
    assert export.state == State.EXPIRED
    exports.tidy_up(now=NOW + exports.ROW_KEPT + timedelta(days=1))
    assert Export.objects.count() == 0


@pytest.mark.django_db
def test_whoever_erases_themselves_takes_their_exports_along(alice, exports_folder):
    path = exports.link(made(alice), now=NOW)
    assert "reports.Export" in privacy.everything_about(alice)

    privacy.erase(user=alice, now=NOW)

    assert Export.objects.count() == 0
    assert Client().get(path).status_code == 404
    exports.tidy_up(now=NOW + timedelta(days=3650))
    assert list(exports_folder.iterdir()) == []


@pytest.mark.promise("S1-15")
@pytest.mark.promise("S2-07")
@pytest.mark.promise("S4-30")
@pytest.mark.django_db
def test_the_mail_has_the_link_and_the_small_file(alice, stays, mailoutbox, clock):
    export = made(alice)

    outbox.deliver_due(now=NOW + timedelta(minutes=1))

    mail = mailoutbox[-1]
    assert (mail.to, mail.subject) == ([alice.email], "Your bookings as a file")
    for text in (mail.body, mail.alternatives[0][0].replace("&amp;", "&")):
        url = re.search(r"http://localhost:8000(/exports/\S+?key=[\w:%-]+)", text)
        clock.move_to(NOW + timedelta(hours=23))
        assert fetched(url[1]) == (200, content(export))
        assert "It has 2 rows." in text
    (name, attached, kind) = mail.attachments[0]
    assert (name, kind) == ("parkwell-own-bookings.csv", "text/csv")
    assert (attached.encode() if isinstance(attached, str) else attached) == content(export)


@pytest.mark.django_db
def test_large_files_pdfs_and_other_peoples_data_are_only_linked(alice, bob, olga, stays, monkeypatch):
    made(alice, format="pdf")
    made(olga, kind="all-data")
    monkeypatch.setattr(exports, "LARGEST_ATTACHMENT", 10)
    made(bob)

    assert [notice.attachments for notice in Notice.objects.filter(event__startswith="export:")] == [[]] * 3


@pytest.mark.promise("S4-30", "S4-31")
@pytest.mark.django_db
@pytest.mark.parametrize(("kind", "name"), [("own-bookings", ""), ("all-data", "_all_data")])
def test_the_mail_of_a_finished_export(kind, name, olga, stays, clock):
    export = made(olga, kind=kind)

    notice = Notice.objects.get(event=f"export:{export.pk}:ready")
    snapshots.check(f"export_ready{name}", outbox.to_message(notice))


@pytest.mark.promise("S4-31")
@pytest.mark.django_db
def test_the_mail_about_all_data_opens_nothing_by_itself(client, olga):
    made(olga, kind="all-data")

    mail = outbox.to_message(Notice.objects.get(event__startswith="export:"))
    assert "key=" not in mail.body
    assert "key=" not in mail.alternatives[0][0]
    assert "http://localhost:8000/admin/reports/export/" in mail.body
    assert client.get("/admin/reports/export/").status_code == 302


@pytest.mark.django_db
def test_the_page_asks_shows_progress_and_fetches(alice_client, alice, stays):
    assert "/exports/" in alice_client.get("/bookings/").content.decode()
    page = alice_client.get("/exports/")
    assert "Europe/Berlin" in page.content.decode()

    answer = alice_client.post("/exports/", {"format": "csv", "first_day": "2027-02-01", "last_day": ""})

    export = Export.objects.get()
    assert answer["Location"] == f"/exports/{export.pk}/"
    assert export.period_from.isoformat() == "2027-01-31T23:00:00+00:00"
    waiting = alice_client.get(answer["Location"]).content.decode()
    assert 'hx-trigger="every 2s"' in waiting
    assert '<meta http-equiv="refresh"' in waiting
    part = alice_client.get(answer["Location"], headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith('<div id="export"')
    again = alice_client.post("/exports/", {"format": "csv"}, follow=True)
    assert "yours is being made" in again.content.decode()

    exports.make_due(now=timezone.now())
    done = alice_client.get(answer["Location"]).content.decode()
    assert "every 2s" not in done
    href = re.search(r'href="(/exports/[^"]+key=[^"]+)"', done)[1]
    assert fetched(href, alice_client)[0] == 200


@pytest.mark.parametrize(
    "data",
    [
        {"format": "zip"},
        {"format": "csv", "first_day": "9999-12-31", "last_day": "9999-12-31"},
        {"format": "csv", "first_day": "2027-02-02", "last_day": "2027-02-01"},
        {"format": "csv", "first_day": "x"},
    ],
)
@pytest.mark.django_db
def test_bad_input_on_the_page_is_422(alice_client, data):
    assert alice_client.post("/exports/", data).status_code == 422
    assert Export.objects.count() == 0


@pytest.mark.django_db
def test_all_data_is_not_on_the_drivers_pages(client, olga):
    client.force_login(olga)
    export = made(olga, kind="all-data")

    assert client.get(f"/exports/{export.pk}/").status_code == 404
    assert str(export.pk) not in client.get("/exports/").content.decode()


@pytest.mark.django_db
def test_the_back_office_starts_and_lists_exports(client, olga, alice, lot):
    verify(client, olga)
    made(alice)
    assert "/admin/reports/export/export_all_data" in client.get("/admin/reports/export/").content.decode()

    assert client.get("/admin/reports/export/all-data/").status_code == 200
    assert client.post("/admin/reports/export/all-data/", {"format": "pdf"}).status_code == 422
    answer = client.post("/admin/reports/export/all-data/", {"format": "zip", "lots": [lot.pk]}, follow=True)

    assert "The file is being made" in answer.content.decode()
    assert answer["Refresh"] == "3"
    exports.make_due(now=timezone.now())
    later = client.get("/admin/reports/export/")
    assert "Refresh" not in later
    page = later.content.decode()
    links = re.findall(r'href="(/exports/[^"]+)"', page)
    mine = Export.objects.get(kind="all-data")
    # A superuser sees that Alice exported, but is given no link to it.
    assert [link.partition("?")[0] for link in links] == [f"/exports/{mine.pk}/file/"]
    assert lot.name in client.get(f"/admin/reports/export/{mine.pk}/change/").content.decode()


@pytest.mark.django_db
def test_the_back_office_asks_for_the_right_to_all_data(client):
    make_roles()
    cashier = make_user("carl", is_staff=True)
    cashier.groups.add(Group.objects.get(name="cashier"))
    verify(client, cashier)

    assert client.post("/admin/reports/export/all-data/", {"format": "zip"}).status_code == 403
    assert Export.objects.count() == 0
