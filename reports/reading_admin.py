"""Files of readings in the back office: load one, and see row by row what of it was left out."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminFileFieldWidget

from accounts import csv_files, limits
from accounts.csv_files import CsvRefused, Problem
from accounts.limits import Limit
from bookings.admin.base import operator
from lots.models import Lot
from reports import reading_files
from reports.models import OccupancyImport

LOADS = Limit("readings", 30, limits.HOUR)
LARGEST_FILE = 4 * 1024 * 1024  # bytes; what is larger is loaded by the command


class ReadingsForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("File"),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"}),
        help_text=gettext_lazy("CSV with headings, up to 4 MB."),
    )


@admin.register(OccupancyImport)
class OccupancyImportAdmin(ModelAdmin):
    """Everybody sees their own; superusers see all."""

    list_display = [
        "file_name",
        "by",
        "imported_at",
        "row_count",
        "new_count",
        "known_count",
        "refused_count",
    ]
    list_select_related = ["by"]
    search_fields = ["file_name"]
    ordering = ["-imported_at", "-id"]
    show_full_result_count = False
    fields = [*list_display, "refusals"]
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> Any:
        return OccupancyImport.objects.of(operator(request))

    def has_add_permission(self, request: HttpRequest) -> bool:
        # What is counted at a lot is imported by whoever may import lots.
        return operator(request).has_perm("lots.import_lot")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=gettext_lazy("rows that were left out"))
    def refusals(self, batch: OccupancyImport) -> str:
        if not batch.refused:
            return _("none")
        address = reverse("admin:reports_occupancyimport_refused", args=[batch.pk])
        return format_html('<a href="{}">{}</a>', address, _("each with its reason, as CSV"))

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/refused.csv", view(self.refused), name="reports_occupancyimport_refused"),
            *super().get_urls(),
        ]

    @method_decorator(require_http_methods(["GET", "POST"]))
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ReadingsForm(request.POST or None, request.FILES or None)
        problems: list[Problem] = []
        status = 200 if request.method == "GET" else 422
        if request.method == "POST" and form.is_valid():
            user, file = operator(request), form.cleaned_data["file"]
            limits.take((LOADS, f"user {user.pk}"))
            try:
                batch = reading_files.load(
                    csv_files.content(file, LARGEST_FILE),
                    Lot.objects.run_by(user).kept(),
                    file_name="".join(letter for letter in file.name if letter.isprintable()),
                    by=user,
                    now=timezone.now(),
                )
                return HttpResponseRedirect(reverse("admin:reports_occupancyimport_change", args=[batch.pk]))
            except CsvRefused as refused:
                problems, status = refused.problems, 413 if refused.is_too_large else 422
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Load readings"),
            "form": form,
            "problems": problems,
            "headings": reading_files.COLUMNS,
            "back": reverse("admin:reports_occupancyimport_changelist"),
        }
        return TemplateResponse(request, "admin/reports/readings.html", context, status=status)

    @method_decorator(require_GET)
    def refused(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        batch = self.get_queryset(request).filter(pk=pk).first()
        if batch is None:
            raise Http404
        if not self.has_view_permission(request, batch):
            raise PermissionDenied
        content = reading_files.refusals_csv(batch)
        answer = StreamingHttpResponse(content, content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = 'attachment; filename="refused.csv"'
        return answer
