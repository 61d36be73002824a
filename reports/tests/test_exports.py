"""Exports: asked for at once, one at a time, and made by a sweep that a killed worker does not stop."""

from __future__ import annotations

import io

import pytest
from django.core.files.storage import storages
from django.db import OperationalError, connection

from accounts import limits, outbox
from accounts.models import Notice
from bookings.errors import BadBooking
from bookings.tests.api_support import client_for, post
from bookings.tests.factories import HOUR, NOW, make_user
from bookings.tests.test_race import at_once, tally
from reports import export_files, export_tables, exports
from reports.export_models import Export, State
from reports.tests import snapshots
from reports.tests.export_support import asked, fetched, made, rows_of


@pytest.mark.promise("S1-13")
@pytest.mark.promise("S1-14")
@pytest.mark.django_db
def test_from_asked_for_to_fetched(as_alice, alice, stays):
    answer = post(as_alice, "exports/", {"kind": "own-bookings", "format": "csv"})

    assert answer.status_code == 202
    first = answer.json()
    assert (first["status"], first["progress"], first["url"], first["error"]) == ("queued", 0, None, None)
    assert answer["Location"].endswith(f"/api/v1/exports/{first['id']}/")
    exports.make_due(now=NOW)
    poll = as_alice.get(answer["Location"])
    done = poll.json()
    assert (done["status"], done["progress"], done["rows"]) == ("done", 100, 2)
    assert poll["Cache-Control"] == "no-store"
    status, data = fetched(done["url"])
    assert (status, len(rows_of(data))) == (200, 2)


@pytest.mark.django_db
def test_progress_is_told_while_it_runs_and_is_only_100_with_the_file(alice, stays, monkeypatch):
    monkeypatch.setattr(export_tables, "CHUNK", 1)
    monkeypatch.setattr(exports, "TOLD_EVERY", 0)
    seen = []
    renew = exports._renew

    def watched(export, now, **facts):
        renew(export, now, **facts)
        row = Export.objects.get(pk=export.pk)
        seen.append((row.state, row.progress, row.rows))

    monkeypatch.setattr(exports, "_renew", watched)

    export = made(alice)

    assert seen == [("running", 50, 1), ("running", 99, 2), ("running", 99, 2)]
    assert (export.state, export.progress, export.rows) == ("done", 100, 2)


@pytest.mark.django_db
def test_a_killed_workers_export_is_taken_up_again(alice, stays, monkeypatch):
    export = asked(alice)
    killed = exports._claim(export.pk, NOW)
    assert killed is not None

    assert exports.make_due(now=NOW + exports.LEASE / 2) == 0
    assert exports.make_due(now=NOW + exports.LEASE) == 1

    export.refresh_from_db()
    assert (export.state, export.attempts) == (State.DONE, 2)
    # The first one was only slow: it is fenced off, and its file is not left behind.
    with pytest.raises(exports._LeaseLost):
        exports._keep(killed, io.BytesIO(b"old"), 1, lambda: NOW)
    with pytest.raises(exports._LeaseLost):
        exports._renew(killed, NOW)
    assert storages["exports"].listdir("")[1] == [export.file_name]


@pytest.mark.django_db
def test_a_worker_that_dies_each_time_is_not_asked_for_ever(alice, stays):
    export = asked(alice)
    for number in range(exports.ATTEMPTS):
        assert exports._claim(export.pk, NOW + number * exports.LEASE)

    exports.make_due(now=NOW + exports.ATTEMPTS * exports.LEASE)

    export.refresh_from_db()
    assert (export.state, export.error_code) == (State.FAILED, "gave_up")
    assert asked(alice).state == State.QUEUED


@pytest.mark.django_db
def test_a_fault_is_tried_again_and_then_told(alice, stays, monkeypatch, caplog):
    def broken(*_args, **_more):
        raise OperationalError("gone")

    monkeypatch.setattr(export_files, "sheets", broken)
    export = asked(alice)
    states = []
    for number in range(exports.ATTEMPTS):
        exports.make_due(now=NOW + number * HOUR)
        export.refresh_from_db()
        states.append(export.state)

    assert states == [State.QUEUED, State.QUEUED, State.FAILED]
    assert exports.link(export, now=NOW) is None
    assert export.error_code == "gave_up"
    snapshots.check("export_failed", outbox.to_message(Notice.objects.get(event__startswith="export:")))


@pytest.mark.django_db
def test_what_somebody_may_not_see_any_more_is_not_made(olga):
    export = asked(olga, kind="all-data")
    olga.is_superuser = False
    olga.save()

    exports.make_due(now=NOW)

    export.refresh_from_db()
    assert (export.state, export.error_code) == (State.FAILED, "not_allowed")
    told = outbox.to_message(Notice.objects.get(event__startswith="export:"))
    assert told.subject == "The data export failed"
    assert "http://localhost:8000/admin/reports/export/" in told.body


@pytest.mark.django_db
def test_a_few_at_a_time_leave_the_clock_its_threads(monkeypatch):
    for _number in range(exports.AT_A_TIME + 1):
        asked(make_user())
    ids = list(Export.objects.values_list("pk", flat=True))

    claimed = [exports._claim(pk, NOW) is not None for pk in ids]

    assert claimed.count(True) == exports.AT_A_TIME


@pytest.mark.django_db
def test_a_second_one_is_refused_while_the_first_is_made(as_alice, stays):
    first = post(as_alice, "exports/", {}).json()

    refusal = post(as_alice, "exports/", {"format": "pdf"})

    assert (refusal.status_code, refusal.json()["code"]) == (409, "export_under_way")
    assert refusal.json()["export"] == first["id"]
    exports.make_due(now=NOW)
    assert post(as_alice, "exports/", {}).status_code == 202


@pytest.mark.django_db
def test_the_same_key_is_one_export(as_alice, stays):
    first, second = (post(as_alice, "exports/", {}, key="k") for _time in range(2))

    assert (second.status_code, second.json()) == (202, first.json())
    assert Export.objects.count() == 1


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_ten_at_once_one_is_made():
    driver = make_user()

    outcomes = at_once([lambda: asked(driver)] * 10)

    assert tally(outcomes) == {"Export": 1, "ExportUnderWay": 9}
    assert Export.objects.count() == 1


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_the_canary_without_the_constraint_many_are_made():
    driver = make_user()
    once = next(c for c in Export._meta.constraints if c.name == "export_one_at_a_time_a_person")
    with connection.schema_editor() as editor:
        editor.remove_constraint(Export, once)
    try:
        outcomes = at_once([lambda: asked(driver)] * 10)
        assert tally(outcomes)["Export"] > 1
    finally:
        Export.objects.all().delete()
        with connection.schema_editor() as editor:
            editor.add_constraint(Export, once)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_ten_workers_one_makes_it():
    export = asked(make_user())

    outcomes = at_once([lambda: exports._claim(export.pk, NOW)] * 10)

    assert tally(outcomes) == {"Export": 1, "NoneType": 9}


@pytest.mark.django_db
def test_so_many_an_hour_and_refusals_are_not_counted(alice):
    for _number in range(limits.EXPORT.burst):
        asked(alice)
        with pytest.raises(exports.ExportUnderWay):
            asked(alice)
        Export.objects.update(state=State.DONE)

    with pytest.raises(limits.TooOften):
        asked(alice)


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"kind": "everything"}, "kind", "invalid_choice"),
        ({"format": "xls"}, "format", "invalid_choice"),
        ({"format": "zip"}, "format", "invalid_choice"),
        ({"owner": 1}, "owner", "unknown_field"),
        ({"from": "2027-01-01T00:00"}, "from", "naive_time"),
        ({"lots": ["alexanderplatz"]}, "lots", "invalid_choice"),
        ({"from": "2027-01-02T00:00Z", "to": "2027-01-01T00:00Z"}, "to", "end_before_start"),
    ],
)
@pytest.mark.django_db
def test_what_cannot_be_had_is_said(as_alice, body, field, code):
    answer = post(as_alice, "exports/", body)

    assert answer.status_code == 400
    assert answer.json()["codes"] == {field: [code]}
    assert Export.objects.count() == 0


@pytest.mark.promise("S4-37")
@pytest.mark.django_db
def test_all_data_is_for_staff_whose_role_allows_it(as_alice, as_olga, api):
    clerk = client_for(make_user("clerk", is_staff=True))
    everything = {"kind": "all-data"}

    assert post(as_alice, "exports/", everything).status_code == 403
    assert post(clerk, "exports/", everything).status_code == 403
    answer = post(as_olga, "exports/", everything)
    assert (answer.status_code, answer.json()["format"]) == (202, "zip")
    with pytest.raises(BadBooking):
        asked(as_olga.handler._force_user, kind="all-data", format="pdf")


@pytest.mark.django_db
def test_lots_that_are_named_are_ones_own(as_olga, lot):
    clerk = make_user("clerk", is_staff=True, is_superuser=True)
    unknown = post(as_olga, "exports/", {"kind": "all-data", "lots": [lot.slug, "nowhere"]})
    mine = post(as_olga, "exports/", {"kind": "all-data", "lots": [lot.slug]})

    assert (unknown.status_code, unknown.json()["codes"]) == (400, {"lots": ["does_not_exist"]})
    assert (mine.status_code, mine.json()["lots"]) == (202, [lot.slug])
    assert asked(clerk, kind="all-data").lots.count() == 0
