"""Receipts in the back office: found and read, never changed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import display

from bookings import receipts
from bookings.admin.base import OwnLots, amount
from bookings.models import Receipt
from bookings.receipt_views import pdf_answer


@admin.register(Receipt)
class ReceiptAdmin(OwnLots):
    lot_lookup = "booking__lot"
    list_display = ["shown_number", "issued_at", "booking", "lot", "sum", "corrects", "pdf"]
    list_select_related = ["booking__lot", "corrects"]
    list_filter = [("issued_at", RangeDateFilter)]
    list_filter_submit = True
    search_fields = ["number", "booking__reference", "booking__lot__name"]
    ordering = ["-number"]
    show_full_result_count = False
    fields = ["shown_number", "issued_at", "booking", "lot", "sum", "corrects", "pdf"]
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[Any]:
        own = path("<int:pk>/pdf/", self.admin_site.admin_view(self.print), name="bookings_receipt_pdf")
        return [own, *super().get_urls()]

    def print(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return pdf_answer(receipts.printed(row), timezone.now())

    @display(description=_("number"), ordering="number")
    def shown_number(self, receipt: Receipt) -> str:
        return str(receipt)

    @display(description=_("lot"))
    def lot(self, receipt: Receipt) -> str:
        return receipt.booking.lot.name

    @display(description=_("total"), ordering="total")
    def sum(self, receipt: Receipt) -> str:
        return amount(receipt.total, receipt.currency)

    @display(description=_("file"))
    def pdf(self, receipt: Receipt) -> str:
        return format_html('<a href="{}">PDF</a>', reverse("admin:bookings_receipt_pdf", args=[receipt.pk]))
