"""Imports in the back office: upload, say which column is which, see what would change, confirm, undo."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import display

from accounts import csv_files, limits
from accounts.csv_files import CsvRefused
from accounts.limits import Limit
from bookings.admin.base import operator
from reports.sheets import batches
from reports.sheets import reading as readings
from reports.sheets.batches import ImportRefused
from reports.sheets.forms import ColumnsForm, UploadForm
from reports.sheets.kinds import MODELS, SHEETS
from reports.sheets.models import ImportBatch
from reports.sheets.reading import Reading

IMPORTS = Limit("imports", 60, limits.HOUR)
SALT = "reports.sheets.confirm"
ROWS_A_PAGE = 100
SAMPLE = 5  # rows shown beside the columns
LONGEST_CELL = 80  # letters of a cell a page shows

State = ImportBatch.State


@admin.register(ImportBatch)
class ImportBatchAdmin(ModelAdmin):
    """Everybody sees their own imports; superusers see all."""

    list_display = ["file_name", "kind", "shown_state", "by", "row_count", "new_count", "changed_count",
                    "uploaded_at"]  # fmt: skip
    list_filter = ["kind", "state"]
    list_select_related = ["by"]
    search_fields = ["file_name", "by__email"]
    ordering = ["-uploaded_at", "-id"]
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> Any:
        return ImportBatch.objects.of(operator(request)).defer("content")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # an import begins at the list of what it is about

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(
        description=gettext_lazy("state"),
        label={State.DONE: "success", State.REFUSED: "danger", State.READY: "warning", State.UNDONE: "info"},
    )
    def shown_state(self, batch: ImportBatch) -> tuple[str, str]:
        return batch.state, batch.get_state_display()

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("upload/<slug:kind>/", view(self.upload), name="reports_importbatch_upload"),
            path("<int:pk>/columns/", view(self.columns), name="reports_importbatch_columns"),
            path("<int:pk>/confirm/", view(self.confirm), name="reports_importbatch_confirm"),
            path("<int:pk>/undo/", view(self.undo), name="reports_importbatch_undo"),
            path("<int:pk>/errors.csv", view(self.errors), name="reports_importbatch_errors"),
            *super().get_urls(),
        ]

    # --- The steps ---

    @method_decorator(require_http_methods(["GET", "POST"]))
    def upload(self, request: HttpRequest, kind: str) -> HttpResponse:
        if kind not in SHEETS:
            raise Http404
        self._check_may(request, kind)
        form = UploadForm(request.POST or None, request.FILES or None)
        problems: list[Any] = []
        status = 200 if request.method == "GET" else 422
        if request.method == "POST" and form.is_valid():
            limits.take((IMPORTS, f"user {operator(request).pk}"))
            file, now = form.cleaned_data["file"], timezone.now()
            try:
                batch = batches.upload(
                    kind=kind,
                    file_name=_printable(file.name),
                    content=csv_files.content(file),
                    by=operator(request),
                    now=now,
                )
                return self._go_on(batch)
            except CsvRefused as refused:
                problems, status = refused.problems, 413 if refused.is_too_large else 422
        title = _("Import %(kind)s") % {"kind": ImportBatch.Kind(kind).label}
        app, model = MODELS[kind]
        context: dict[str, Any] = {
            "form": form,
            "problems": problems,
            "headings": SHEETS[kind].headings(),
            "back": reverse(f"admin:{app}_{model}_changelist"),
        }
        return self._page(request, "upload", title, status=status, **context)

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        batch: ImportBatch | None = self.get_object(request, object_id) if object_id else None
        if batch is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(object_id))
        self._check_may(request, batch.kind)
        if batch.state == State.MAPPING:
            return HttpResponseRedirect(reverse("admin:reports_importbatch_columns", args=[batch.pk]))
        rows = Paginator(batch.rows.order_by("line"), ROWS_A_PAGE).get_page(request.GET.get("page"))
        shown = [{"row": row, "cells": _differences(row.before, row.after)} for row in rows]
        token = signing.dumps([batch.pk, batch.sha256, batch.plan_sha256, operator(request).pk], salt=SALT)
        context: dict[str, Any] = {"batch": batch, "rows": rows, "shown": shown, "token": token}
        context["unchanged_count"] = batch.row_count - batch.new_count - batch.changed_count
        return self._page(request, "batch", str(batch), original=batch, **context)

    @method_decorator(require_http_methods(["GET", "POST"]))
    def columns(self, request: HttpRequest, pk: int) -> HttpResponse:
        batch = self._batch(request, pk)
        sheet, opened = SHEETS[batch.kind], readings.open_file(bytes(batch.content))
        headings = opened.table.headings
        form = ColumnsForm(
            request.POST or None, sheet=sheet, headings=headings, reading=Reading(**batch.reading)
        )
        if form.is_valid():
            try:
                batches.set_reading(batch, form.said())
                return self._go_on(batch)
            except ImportRefused as refusal:
                messages.error(request, str(refusal))
                return self._to(batch)
        sample = [[cell[:LONGEST_CELL] for cell in cells] for _line, cells in opened.table.rows[:SAMPLE]]
        context = {"batch": batch, "form": form, "headings": headings, "sample": sample, "opened": opened}
        status = 422 if form.is_bound else 200
        return self._page(request, "columns", str(batch), status=status, original=batch, **context)

    @method_decorator(require_POST)
    def confirm(self, request: HttpRequest, pk: int) -> HttpResponse:
        batch = self._batch(request, pk)
        try:
            said = signing.loads(request.POST.get("token", ""), salt=SALT)
        except signing.BadSignature:
            said = None
        if said is None or [said[0], said[1], said[3]] != [batch.pk, batch.sha256, operator(request).pk]:
            messages.error(request, _("What you confirmed is not what was checked last. Look at it again."))
            return self._to(batch)
        return self._step(request, batch, lambda: batches.confirm(batch, said[2]))

    @method_decorator(require_POST)
    def undo(self, request: HttpRequest, pk: int) -> HttpResponse:
        batch = self._batch(request, pk)
        return self._step(request, batch, lambda: batches.undo(batch))

    @method_decorator(require_GET)
    def errors(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What is wrong, as a file to work through beside the other one."""
        batch = self._batch(request, pk)
        rows = [[p["line"] or None, p["column"], p["sentence"]] for p in batch.problems]
        content = b"".join(csv_files.write(["line", "column", "problem"], rows))
        response = HttpResponse(content, content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="errors.csv"'
        return response

    # --- What they share ---

    def _check_may(self, request: HttpRequest, kind: str) -> None:
        app, model = MODELS[kind]
        if not operator(request).has_perm(f"{app}.import_{model}"):
            raise PermissionDenied

    def _batch(self, request: HttpRequest, pk: int) -> ImportBatch:
        batch = self.get_queryset(request).filter(pk=pk).first()
        if batch is None:
            raise Http404
        self._check_may(request, batch.kind)
        return batch

    def _step(self, request: HttpRequest, batch: ImportBatch, move: Any) -> HttpResponse:
        try:
            move()
        except ImportRefused as refusal:
            messages.error(request, str(refusal))
            return self._to(batch)
        return self._go_on(batch)

    def _go_on(self, batch: ImportBatch) -> HttpResponse:
        """Small files are worked on at once; what is large, or must wait for another, a sweep does."""
        if batch.is_at_work and batches.is_for_waiting(batch):
            batches.work_on(batch, now=timezone.now())
        return self._to(batch)

    def _to(self, batch: ImportBatch) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse("admin:reports_importbatch_change", args=[batch.pk]))

    def _page(
        self, request: HttpRequest, name: str, title: str, *, status: int = 200, **context: Any
    ) -> TemplateResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": title, **context}
        return TemplateResponse(request, f"admin/sheets/{name}.html", context, status=status)


def _differences(before: dict[str, str], after: dict[str, str]) -> list[dict[str, str]]:
    return [
        {"name": name, "before": before.get(name, "")[:LONGEST_CELL], "after": value[:LONGEST_CELL]}
        for name, value in after.items()
    ]


def _printable(name: str) -> str:
    return "".join(char for char in name if char.isprintable())[:120] or "import.csv"
