"""Tariff versions in the back office. Lots and spots are in bookings.admin: who stands there decides."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from lots.models import Tariff


@admin.register(Tariff)
class TariffAdmin(ModelAdmin):
    """Only read: a version is never changed, a new price is a new one."""

    list_display = ["lot", "version", "first_price", "valid_from", "made_by"]
    list_select_related = ["lot", "made_by"]
    list_filter = [("lot", AutocompleteSelectFilter)]
    list_filter_submit = True
    search_fields = ["lot__name", "lot__city"]
    ordering = ["-valid_from", "-id"]
    show_full_result_count = False
    fields = ["lot", "version", "valid_from", "made_by", "made_at", "elements"]
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=_("price"))
    def first_price(self, tariff: Tariff) -> str:
        parts = [part for element in tariff.rates.elements for part in element.components]
        more = f" + {len(parts) - 1}" if len(parts) > 1 else ""
        return f"{parts[0].price:f} {tariff.rates.currency}{more}" if parts else ""

    @display(description=_("elements"))
    def elements(self, tariff: Tariff) -> str:
        text = json.dumps(tariff.document, indent=2, ensure_ascii=False)
        return format_html('<pre style="white-space: pre-wrap">{}</pre>', text)
