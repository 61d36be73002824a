"""The buttons of the lists: all rows or the chosen ones as a file, and a file in."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action

from accounts import csv_files, privacy, viewings
from bookings.admin.base import operator
from reports.sheets.kinds import SHEETS
from reports.sheets.sheet import CHUNK, Sheet

logger = logging.getLogger("parkwell.security")

BUTTONS = ["export_csv", "export_for_spreadsheets"]
IMPORT_BUTTON = "import_csv"
CHOSEN = ["export_chosen"]


class SheetAdmin(ModelAdmin):
    """Rows go out through get_queryset(): an operator limited to some lots gets theirs and no others."""

    sheet: ClassVar[type[Sheet]]

    def has_export_rows_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "export")

    def has_import_rows_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.sheet.kind in SHEETS and self._may(request, "import")

    def _may(self, request: HttpRequest, what: str) -> bool:
        return operator(request).has_perm(f"{self.opts.app_label}.{what}_{self.opts.model_name}")

    @action(description=_("Export CSV"), icon="download", url_path="export.csv", permissions=["export_rows"])
    def export_csv(self, request: HttpRequest) -> Any:
        return self._file(request, self.exported(self.get_queryset(request)))

    @action(
        description=_("Export for spreadsheets"),
        icon="table_view",
        url_path="export-for-spreadsheets.csv",
        permissions=["export_rows"],
    )
    def export_for_spreadsheets(self, request: HttpRequest) -> Any:
        return self._file(request, self.exported(self.get_queryset(request)), for_spreadsheets=True)

    @action(description=_("Import CSV"), icon="upload", url_path="import-file", permissions=["import_rows"])
    def import_csv(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:reports_importbatch_upload", args=[self.sheet.kind]))

    @admin.action(description=_("Export the chosen ones as CSV"), permissions=["export_rows"])
    def export_chosen(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        return self._file(request, queryset)

    def exported(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """All that is in use: what was archived or removed could not be imported again."""
        return rows.kept() if hasattr(rows, "kept") else rows

    def _file(
        self, request: HttpRequest, rows: QuerySet[Any], *, for_spreadsheets: bool = False
    ) -> StreamingHttpResponse:
        sheet = self.sheet(by=operator(request), now=timezone.now())
        logger.info("sheets.export", extra={"kind": sheet.kind, "user": operator(request).pk})
        if lookup := privacy.person_lookup(rows.model):
            viewings.note_rows(request, f"{sheet.kind}.csv", rows, lookup)
        found = rows.select_related(*sheet.related) if sheet.related else rows
        lines = sheet.lines(found.order_by("pk").iterator(chunk_size=CHUNK))
        content = csv_files.write(sheet.headings(), lines, for_spreadsheets=for_spreadsheets)
        response = StreamingHttpResponse(content, content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{sheet.kind}.csv"'
        response["Cache-Control"] = "no-store"
        response["X-Content-Type-Options"] = "nosniff"
        return response
