"""The schedules in the back office: when each ran and runs next, what it did, and whom it would write to."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _
from django_celery_beat.models import PeriodicTask
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.views import ChangeList as UnfoldChangeList

from bookings.admin.base import operator
from bookings.people import known_to
from reports import mail_admin, mails, periods, runs
from reports.jobs import JOBS, PeriodJob
from reports.models import JobRun

AHEAD = timedelta(days=62)  # a monthly job is due once in them
RECENT = timedelta(days=30)
MOST_SHOWN = 50
RUNS = "admin:reports_jobrun_changelist"
COLOURS = {"done": "success", "failed": "danger", "missed": "danger", "running": "info", "queued": "warning"}


def period_job(row: PeriodicTask) -> PeriodJob | None:
    return next((job for job in JOBS.values() if job.task == row.task), None)


def next_run(row: PeriodicTask, now: datetime) -> datetime | None:
    """When it is due next; None while it is paused."""
    if not row.enabled:
        return None
    if row.interval:
        every = row.interval.schedule.run_every
        return max(row.last_run_at + every, now) if row.last_run_at else now
    job = period_job(row)
    if not (job and row.crontab):
        return None
    zone = row.crontab.timezone
    due = periods.due_between(job.cadence, row.crontab.schedule, zone, now, now + AHEAD)
    return next((period.due_at for period in due), None)


class ScheduleList(UnfoldChangeList):
    """Adds each job's last run, and how many failed lately: two queries for the page."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        now = timezone.now()
        last = {run.job: run for run in JobRun.objects.last_of_each()}
        wrong = JobRun.objects.went_wrong().filter(due_at__gt=now - RECENT).values_list("job")
        failures = dict(wrong.annotate(count=Count("pk")).order_by())
        rows = list(self.result_list)
        for row in rows:
            job = period_job(row)
            row.now, row.last = now, last.get(job.name) if job else None
            row.failures = failures.get(job.name, 0) if job else None
        self.result_list = rows


class Cockpit(ModelAdmin):
    """Columns and buttons of the schedules' page."""

    list_display = ["name", "enabled", "scheduler", "ran", "due", "outcome", "did", "failed"]
    actions_detail = ["preview", "rehearse", "run"]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return ScheduleList

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        row = self.get_object(request, str(object_id))
        job = period_job(row) if row else None
        kept = ["preview", "rehearse", "run"] if job and job.mailing else ["run"] if job else []
        found = super().get_actions_detail(request, object_id)
        return [button for button in found if button.action_name.rpartition("_")[2] in kept]

    # --- Columns ---

    @display(description=_("last run"), ordering="last_run_at")
    def ran(self, row: Any) -> str:
        at = (row.last.finished_at or row.last.started_at) if row.last else row.last_run_at
        return _moment(at)

    @display(description=_("next run"))
    def due(self, row: Any) -> str:
        if not row.enabled:
            return __("paused")
        return __("all the time") if row.interval else _moment(next_run(row, row.now))

    @display(description=_("state"), label=COLOURS)
    def outcome(self, row: Any) -> Any:
        return (row.last.state, row.last.get_state_display()) if row.last else "–"

    @display(description=_("did"))
    def did(self, row: Any) -> str:
        return _counts(row.last.counts) if row.last and row.last.counts else "–"

    @display(description=_("failed or missed (30 days)"))
    def failed(self, row: Any) -> str:
        if row.failures is None:
            return "–"
        job = period_job(row)
        address = f"{reverse(RUNS)}?job__exact={job.name if job else ''}&state__in=failed,missed"
        return format_html('<a href="{}">{}</a>', address, row.failures) if row.failures else "0"

    # --- Pages ---

    @action(description=_("Preview its mail"), icon="visibility", url_path="preview", permissions=["view"])
    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """As it would come to whoever looks: nobody else's figures are shown."""
        _row, job = self._asked(request, object_id)
        return HttpResponseRedirect(mail_admin.address(job.mailing.template))  # type: ignore[union-attr]

    @action(description=_("Dry run"), icon="checklist", url_path="rehearse", permissions=["view"])
    def rehearse(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Whom it would write to now. Sends and writes nothing."""
        row, job = self._asked(request, object_id)
        now = timezone.now()
        zone = row.crontab.timezone if row.crontab else now.tzinfo
        coming = mails.new(job.mailing.mails(now.astimezone(zone).date(), now=now))  # type: ignore[union-attr]
        first = list(islice(coming, MOST_SHOWN))
        context: dict[str, Any] = {"count": len(first) + sum(1 for _mail in coming)}
        if request.user.has_perm("accounts.view_user"):  # type: ignore[union-attr]
            ids = [mail.user.pk for mail in first]
            seen = set(known_to(operator(request)).filter(pk__in=ids).values_list("pk", flat=True))
            context["mails"] = [
                (mail.user, _moment(mail.not_before)) for mail in first if mail.user.pk in seen
            ]
        return self._page(request, row, "admin/schedules/rehearsal.html", __("Dry run"), context)

    @action(description=_("Run now"), icon="play_arrow", url_path="run", permissions=["change"])
    def run(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks first; then a row that the clock does within seconds."""
        row, job = self._asked(request, object_id, mailing=False)
        back = reverse("admin:django_celery_beat_periodictask_change", args=[row.pk])
        if request.method == "POST":
            runs.ask(job.name, by=operator(request), now=timezone.now())
            self.log_change(request, row, "Run now.")
            messages.success(
                request, __("%(name)s will run within seconds; see Job runs.") % {"name": row.name}
            )
            return HttpResponseRedirect(f"{reverse(RUNS)}?job__exact={job.name}")
        context = {
            "facts": [job.about, __("Who has had theirs for this day or month gets no second one.")],
            "button": __("Run now"),
            "back": back,
        }
        return self._page(request, row, "admin/command.html", __("Run now"), context)

    def _asked(self, request: HttpRequest, object_id: str, *, mailing: bool = True) -> tuple[Any, PeriodJob]:
        row = self.get_object(request, object_id)
        job = period_job(row) if row else None
        if row is None or job is None or (mailing and job.mailing is None):
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return row, job

    def _page(
        self, request: HttpRequest, row: Any, template: str, title: str, context: dict[str, Any]
    ) -> TemplateResponse:
        known = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": row,
            "title": f"{title}: {row.name}",
            "back": reverse("admin:django_celery_beat_periodictask_change", args=[row.pk]),
            **context,
        }
        return TemplateResponse(request, template, known)


def _moment(at: datetime | None) -> str:
    return date_format(timezone.localtime(at), "D j M H:i") if at else "–"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
