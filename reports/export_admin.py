"""Exports in the back office: who asked for what, how far it is, and the button for all data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import flatten
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, MultipleChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from accounts import viewings
from accounts.models import User
from bookings.admin.base import operator
from bookings.people import known_to
from lots.models import Lot
from reports import exports
from reports.export_forms import ExportForm
from reports.export_models import Export, Kind

COLOURS = {"queued": "info", "running": "warning", "done": "success", "failed": "danger"}


class AllDataForm(ExportForm):
    """The same questions in the back office's look, and which lots."""

    lots = forms.ModelMultipleChoiceField(
        label=_("Only of these lots"),
        queryset=Lot.objects.none(),
        required=False,
        widget=UnfoldAdminSelectMultipleWidget(attrs={"size": 8}),
        help_text=_("None chosen: of all lots you run."),
    )

    def __init__(self, *args: Any, operator: User, **kwargs: Any):
        super().__init__(*args, kind=Kind.ALL_DATA, zone=ZoneInfo("UTC"), **kwargs)
        self.fields["lots"].queryset = Lot.objects.run_by(operator).order_by("name")  # type: ignore[attr-defined]
        choices = self.fields["format"].choices  # type: ignore[attr-defined]
        self.fields["format"].widget = UnfoldAdminSelectWidget(choices=choices)
        for name in ("first_day", "last_day"):
            self.fields[name].widget = UnfoldAdminTextInputWidget(attrs={"type": "date"})


@admin.register(Export)
class ExportAdmin(ModelAdmin):
    """One's own; a superuser sees everybody's, but fetches only what they asked for themselves."""

    list_display = ["created_at", "owner", "kind", "format", "state_label", "done_so_far", "rows"]
    list_select_related = ["owner"]
    list_filter = [("state", MultipleChoicesDropdownFilter), ("kind", ChoicesDropdownFilter)]
    list_filter_submit = True
    search_fields = ["owner__email"]
    ordering = ["-created_at"]
    show_full_result_count = False
    actions_list = ["export_all_data"]
    fields = [
        ("owner", "kind", "format"),
        ("period_from", "period_until"),
        "of_lots",
        ("state_label", "done_so_far", "rows"),
        ("file_size", "expires_at"),
        "why",
        ("created_at", "started_at", "finished_at"),
    ]
    readonly_fields = flatten(fields)  # type: ignore[arg-type]

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        return rows if operator(request).is_superuser else rows.of(operator(request))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_all_data_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return exports.may_export_all(operator(request))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Looks again by itself while one's own file is being made: how far it is, and then the link."""
        response = super().changelist_view(request, extra_context)
        if Export.objects.of(operator(request)).unfinished().exists():
            response["Refresh"] = "3"
        return response

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.ask_for_all)
        return [path("all-data/", view, name="reports_export_all_data"), *super().get_urls()]

    @action(description=_("Export all data"), icon="download", permissions=["all_data"])
    def export_all_data(self, request: HttpRequest) -> HttpResponse:
        return redirect("admin:reports_export_all_data")

    def ask_for_all(self, request: HttpRequest) -> HttpResponse:
        if not self.has_all_data_permission(request):
            raise PermissionDenied
        form = AllDataForm(request.POST or None, operator=operator(request))
        if form.is_valid():
            try:
                exports.ask(
                    owner=operator(request),
                    kind=Kind.ALL_DATA,
                    format=form.cleaned_data["format"],
                    period=form.period(),
                    lots=[lot.slug for lot in form.cleaned_data["lots"]],
                    now=timezone.now(),
                )
            except exports.ExportUnderWay as refusal:
                messages.error(request, str(refusal))
            else:
                viewings.note(request, "export of all data", [], count=known_to(operator(request)).count())
                messages.success(request, _("The file is being made. A mail tells you when it is done."))
            return redirect("admin:reports_export_changelist")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Export all data"),
            "facts": [
                _("A ZIP file with a table each: users, vehicles, lots, spots, bookings, payments."),
                _("Only of the lots you run, and only the tables your role lets you view."),
                _("Days are UTC and limit bookings and payments; without them you get all."),
            ],
            "form": form,
            "button": _("Make the file"),
            "back": reverse("admin:reports_export_changelist"),
        }
        status = 422 if form.is_bound else 200
        return TemplateResponse(request, "admin/command.html", context, status=status)

    def get_list_display(self, request: HttpRequest) -> Any:
        return [*super().get_list_display(request), self._file_for(operator(request))]

    def _file_for(self, asking: User) -> Callable[[Export], str]:
        """A column of links: a link opens without a session, so nobody is shown one to another's file."""

        @display(description=_("file"))
        def file(export: Export) -> str:
            link = exports.link(export, now=timezone.now()) if export.owner_id == asking.pk else None
            return format_html('<a href="{}">{}</a>', link, _("Download")) if link else "–"

        return file

    @display(description=_("state"), ordering="state", label=COLOURS)
    def state_label(self, export: Export) -> tuple[str, str]:
        return export.state, export.get_state_display()

    @display(description=_("progress"), ordering="progress")
    def done_so_far(self, export: Export) -> str:
        return f"{export.progress} %"

    @display(description=_("lots"))
    def of_lots(self, export: Export) -> str:
        return ", ".join(export.lots.order_by("name").values_list("name", flat=True)) or "–"

    @display(description=_("size"))
    def file_size(self, export: Export) -> str:
        return filesizeformat(export.size) if export.size else "–"

    @display(description=_("reason"))
    def why(self, export: Export) -> str:
        return exports.reason(export) or "–"
