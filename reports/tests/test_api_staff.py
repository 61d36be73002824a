"""What staff get through the API: jobs they start, and the figures."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from accounts import limits
from accounts.models import Notice, User
from accounts.roles import make_roles
from bookings import services
from bookings.tests.api_support import API, client_for, post
from bookings.tests.factories import HOUR, NOW, make_lot, make_user, park
from lots.models import Lot
from reports import api_jobs, exports, figures, runs
from reports.days import Days
from reports.jobs import JOBS
from reports.models import Export, JobRun
from reports.scope import Scope
from reports.tests.export_support import fetched

pytestmark = pytest.mark.django_db


@pytest.fixture
def olaf(db: None) -> User:
    """Runs one lot of two."""
    make_roles()
    olaf = make_user("olaf", is_staff=True)
    olaf.groups.add(Group.objects.get(name="operator"))
    make_lot(2, name="Olaf's").operators.add(olaf)
    return olaf


@pytest.fixture
def member(alice: User) -> User:
    """Joined a month ago, and has not booked since."""
    User.objects.filter(pk=alice.pk).update(date_joined=NOW - timedelta(days=30))
    return alice


# --- Jobs ---


@pytest.mark.promise("S4-35")
def test_a_job_is_a_row_at_once_and_done_by_the_clock(as_olga, member):
    answer = post(as_olga, "jobs/daily-reminder/")

    assert answer.status_code == 202
    first = answer.json()
    assert (first["name"], first["status"], first["progress"]) == ("daily-reminder", "queued", 0)
    assert answer["Location"].endswith(f"/api/v1/jobs/{first['id']}/")
    assert not Notice.objects.exists()
    assert post(as_olga, "jobs/daily-reminder/").json()["id"] == first["id"]
    runs.run_due(now=NOW)
    done = as_olga.get(answer["Location"]).json()
    assert (done["status"], done["progress"], done["counts"]) == ("done", 100, {"mails": 1})
    assert Notice.objects.get().recipient == member.email


@pytest.mark.promise("S4-36")
@pytest.mark.parametrize("name", ["monthly-report", "daily-admin-report", "monthly-admin-report"])
def test_reports_are_started_likewise_and_owed_once(as_olga, member, name):
    for _time in range(2):
        started = post(as_olga, f"jobs/{name}/").json()
        runs.run_due(now=NOW)
        assert as_olga.get(f"{API}jobs/{started['id']}/").json()["status"] == "done"

    assert JobRun.objects.filter(job=name, asked_by__isnull=False).count() == 2
    events = list(Notice.objects.values_list("event", "recipient"))
    assert len(events) == len(set(events))


@pytest.mark.promise("S4-37")
def test_all_data_is_a_job_with_progress_and_a_file(as_olga, lot):
    started = post(as_olga, "jobs/export-all-data/")

    assert (started.status_code, started.json()["name"]) == (202, "export-all-data")
    again = post(as_olga, "jobs/export-all-data/")
    assert (again.status_code, again.json()["code"]) == (409, "export_under_way")
    exports.make_due(now=NOW)
    done = as_olga.get(started["Location"]).json()
    assert (done["status"], done["progress"]) == ("done", 100)
    assert done["counts"]["rows"] == Export.objects.get().rows > 0
    assert fetched(done["url"])[1].startswith(b"PK")


def test_a_job_that_failed_says_so(as_olga, monkeypatch):
    started = post(as_olga, "jobs/monthly-report/").json()
    JobRun.objects.update(state="failed", error="OperationalError", finished_at=NOW)

    found = as_olga.get(f"{API}jobs/{started['id']}/").json()

    assert found["error"] == {"code": "failed", "detail": "OperationalError"}
    assert found["status"] == "failed"


def test_every_job_there_is_a_name_for_exists():
    assert set(api_jobs.BY_HAND) - {"export-all-data"} <= JOBS.keys()


def test_the_same_key_starts_a_job_once(as_olga, member):
    first = post(as_olga, "jobs/daily-reminder/", key="k")
    runs.run_due(now=NOW)

    assert post(as_olga, "jobs/daily-reminder/", key="k").json() == first.json()
    assert JobRun.objects.filter(asked_by__isnull=False).count() == 1


@pytest.mark.promise("S4-04")
def test_jobs_are_for_staff_whose_role_allows_them_each_their_own(as_olga, as_alice, as_anyone, olaf):
    clerk = client_for(make_user("clerk", is_staff=True))
    mine = post(as_olga, "jobs/daily-reminder/").json()["id"]

    assert post(as_anyone, "jobs/daily-reminder/").status_code == 401
    assert post(as_alice, "jobs/daily-reminder/").status_code == 403
    assert post(clerk, "jobs/daily-reminder/").status_code == 403
    assert post(client_for(olaf), "jobs/daily-reminder/").status_code == 202
    assert client_for(olaf).get(f"{API}jobs/{mine}/").status_code == 404
    assert as_alice.get(f"{API}jobs/{mine}/").status_code == 403
    for name in ("clear-sessions", "no-such-job", mine):
        assert post(as_olga, f"jobs/{name}/").status_code == 404
    assert as_olga.get(f"{API}jobs/daily-reminder/").status_code == 404
    assert post(as_olga, "jobs/daily-reminder/", {"to": "everybody"}).status_code == 400


def test_jobs_by_hand_have_a_limit(as_olga, monkeypatch):
    monkeypatch.setattr(limits, "JOB", limits.Limit("job, tested", 1, 3600))

    statuses = [post(as_olga, "jobs/daily-reminder/").status_code for _time in range(2)]

    assert statuses == [202, 429]


# --- Figures ---


@pytest.fixture
def paid(lot, alice, olga, olaf):
    """Two hours of Alice's at Alexanderplatz, paid; one hour of Bob's at Olaf's, not."""
    stay = services.release(park(lot, alice, now=NOW - 3 * HOUR), by=alice, now=NOW - HOUR)
    services.record_desk_payment(stay, method="cash", by=olga, now=NOW - HOUR)
    bob, his = make_user("bob"), Lot.objects.get(name="Olaf's")
    services.release(park(his, bob, now=NOW - 2 * HOUR), by=bob, now=NOW - HOUR)


@pytest.mark.promise("S3-12")
@pytest.mark.promise("S2-13")
def test_stats_are_the_figures_of_every_lot_together_and_each(as_olga, paid):
    found = as_olga.get(f"{API}stats/").json()

    assert (found["from"], found["to"], found["timezone"]) == ("2027-01-31", "2027-03-01", "UTC")
    euros = {"captured": "5.00", "refunded": "0.00", "revenue": "5.00", "payments": 1, "refunds": 0}
    assert found["money"] == [{"currency": "EUR", **euros}]
    assert found["money_by_provider"] == [{"provider": "desk", "currency": "EUR", **euros}]
    assert found["charged"] == {"EUR": "7.50"}
    assert (found["bookings"]["made"], found["bookings"]["dwell_minutes"]) == (2, 90)
    assert found["occupancy"]["parked_minutes"] == 180
    assert [row["name"] for row in found["lots"]] == ["Alexanderplatz", "Olaf's"]
    assert sum(row["occupancy"]["parked_minutes"] for row in found["lots"]) == 180
    assert found["users"]["active"] == 2
    period = Days.chosen(date(2027, 1, 31), date(2027, 3, 1), ZoneInfo("UTC"))
    assert (
        found["busiest_lot"]
        == figures.busiest(figures.by_lot(Lot.objects.all(), period, now=timezone.now())).slug
    )
    assert figures.money(Scope(), period)[0].revenue == 5


def test_stats_of_an_operator_of_some_lots_are_theirs(api, olaf, paid):
    client = client_for(olaf)

    found = client.get(f"{API}stats/").json()

    assert [row["name"] for row in found["lots"]] == ["Olaf's"]
    assert found["money"] == []
    assert found["charged"] == {"EUR": "2.50"}
    assert (found["bookings"]["made"], found["users"]["total"], found["users"]["active"]) == (1, 1, 1)
    foreign = client.get(f"{API}stats/?lot=alexanderplatz")
    unknown = client.get(f"{API}stats/?lot=no-such-lot")
    assert (foreign.status_code, foreign.json()["codes"]) == (400, {"lot": ["does_not_exist"]})
    assert unknown.json()["codes"] == foreign.json()["codes"]


def test_a_period_and_a_lot_narrow_the_figures(as_olga, paid):
    assert as_olga.get(f"{API}stats/?to=2027-02-27").json()["bookings"]["made"] == 0
    assert as_olga.get(f"{API}stats/?from=2027-03-01&lot=alexanderplatz").json()["bookings"]["made"] == 1


@pytest.mark.parametrize(
    "query", ["from=x", "from=2027-03-02&to=2027-03-01", "to=0001-01-01", "from=1900-01-01"]
)
def test_bad_days_are_said(as_olga, query):
    assert as_olga.get(f"{API}stats/?{query}").status_code == 400


def test_stats_are_for_staff_who_may_see_money(as_alice, as_anyone, api):
    clerk = client_for(make_user("clerk", is_staff=True))

    assert as_anyone.get(f"{API}stats/").status_code == 401
    assert as_alice.get(f"{API}stats/").status_code == 403
    assert clerk.get(f"{API}stats/").status_code == 403
