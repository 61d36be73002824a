"""Money in the back office: payments, refunds and the ledger are found and read, never typed over.

What moves money is on the booking's page (bookings.admin.money); here the desk only says what it handed over.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import flatten
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, MultipleChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import display

from bookings import services
from bookings.admin.base import OwnLots, amount, local, operator
from bookings.errors import BookingRefused
from bookings.models import LedgerEntry, Payment, Refund
from bookings.payments.models import Provider, Status

STATUS_COLOURS = {"pending": "warning", "succeeded": "success", "failed": "default", "review": "danger"}


class NeedsLook(admin.SimpleListFilter):
    """What a person must look at: the provider's answer did not fit, or the reconciler gave the case up."""

    title = _("needs a look")
    parameter_name = "look"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("review", _("Needs review")), ("flagged", _("Flagged"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "review":
            return queryset.filter(status=Status.REVIEW)
        if self.value() == "flagged":
            return queryset.filter(flagged_at__isnull=False).exclude(status=Status.SUCCEEDED)
        return queryset


class Waiting(admin.SimpleListFilter):
    title = _("desk")
    parameter_name = "desk"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("waiting", _("To hand over"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = Q(status=Status.PENDING, payment__provider=Provider.DESK)
        return queryset.filter(wanted) if self.value() == "waiting" else queryset


class MoneyAdmin(OwnLots):
    """Rows that only services write."""

    lot_lookup = "booking__lot"
    list_filter_submit = True
    list_per_page = 50
    show_full_result_count = False
    search_help_text = _("Booking's reference, transaction or e-mail")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=_("begun"), ordering="created_at")
    def begun(self, row: Any) -> str:
        return local(row.created_at, row.booking.lot)

    @display(description=_("settled"), ordering="settled_at")
    def settled(self, row: Any) -> str:
        return local(row.settled_at, row.booking.lot)

    @display(description=_("flagged"), ordering="flagged_at")
    def flagged(self, row: Any) -> str:
        return local(row.flagged_at, row.booking.lot)

    @display(description=_("booking"), ordering="booking__reference")
    def of_booking(self, row: Any) -> str:
        url = reverse("admin:bookings_booking_change", args=[row.booking_id])
        return format_html('<a href="{}">{}</a>', url, row.booking.reference)

    @display(description=_("status"), ordering="status", label=STATUS_COLOURS)
    def status_label(self, row: Any) -> tuple[str, str]:
        return row.status, row.get_status_display()

    @display(description=_("amount"), ordering="amount")
    def sum(self, row: Any) -> str:
        return amount(row.amount, row.currency)

    @display(description=_("transaction"), ordering="transaction_id")
    def transaction(self, row: Any) -> str:
        return row.transaction_id or "–"

    @display(description=_("by"))
    def staff(self, row: Any) -> str:
        return str(row.by) if row.by else "–"


@admin.register(Payment)
class PaymentAdmin(MoneyAdmin):
    list_display = ["begun", "of_booking", "status_label", "provider", "method", "sum", "transaction"]
    list_select_related = ["booking__lot"]
    list_filter = [
        ("status", MultipleChoicesDropdownFilter),
        ("provider", ChoicesDropdownFilter),
        NeedsLook,
        ("created_at", RangeDateFilter),
    ]
    search_fields = ["booking__reference", "transaction_id", "booking__driver__email"]
    ordering = ["-created_at", "-pk"]
    fields = [
        ("of_booking", "status_label"),
        ("provider", "method"),
        ("sum", "transaction"),
        ("begun", "settled", "flagged"),
        ("staff", "note"),
    ]
    readonly_fields = flatten(fields)  # type: ignore[arg-type]


@admin.register(Refund)
class RefundAdmin(MoneyAdmin):
    list_display = ["begun", "of_booking", "status_label", "way", "sum", "reason", "staff", "transaction"]
    list_select_related = ["booking__lot", "payment", "by"]
    list_filter = [
        ("status", MultipleChoicesDropdownFilter),
        ("payment__provider", ChoicesDropdownFilter),
        NeedsLook,
        Waiting,
        ("created_at", RangeDateFilter),
    ]
    search_fields = ["booking__reference", "transaction_id", "booking__driver__email"]
    ordering = ["-created_at", "-pk"]
    actions = ["handed_over"]
    fields = [
        ("of_booking", "status_label"),
        ("way", "sum"),
        "reason",
        ("begun", "settled", "flagged"),
        ("staff", "note"),
        "transaction",
    ]
    readonly_fields = flatten(fields)  # type: ignore[arg-type]

    def has_hand_over_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("bookings.change_refund")  # type: ignore[union-attr]

    @admin.action(description=_("Handed over"), permissions=["hand_over"])
    def handed_over(self, request: HttpRequest, queryset: QuerySet[Refund]) -> None:
        for refund in queryset.select_related("payment", "booking__lot").order_by("created_at", "pk"):
            name = f"{refund.booking.reference}: {amount(refund.amount, refund.currency)}"
            if refund.has_succeeded:
                messages.warning(request, f"{name} went back already.")
                continue
            try:
                services.pay_out(refund, by=operator(request), now=timezone.now())
            except BookingRefused as refusal:
                messages.error(request, f"{name}: {refusal}")
            else:
                self.log_change(request, refund, "Handed over.")
                messages.success(request, f"{name} handed over.")

    @display(description=_("goes back by"), ordering="payment__provider")
    def way(self, refund: Refund) -> str:
        return refund.payment.method or refund.payment.get_provider_display()


@admin.register(LedgerEntry)
class LedgerAdmin(MoneyAdmin):
    list_display = ["when", "of_booking", "kind", "provider", "sum", "reference", "reason", "staff"]
    list_select_related = ["booking__lot", "by"]
    list_filter = [
        ("kind", ChoicesDropdownFilter),
        ("provider", ChoicesDropdownFilter),
        ("at", RangeDateFilter),
    ]
    search_fields = ["booking__reference", "reference", "booking__driver__email"]
    ordering = ["-at", "-pk"]
    fields = [("when", "of_booking"), ("kind", "provider"), ("sum", "reference"), ("reason", "staff")]
    readonly_fields = flatten(fields)  # type: ignore[arg-type]

    @display(description=_("at"), ordering="at")
    def when(self, entry: LedgerEntry) -> str:
        return local(entry.at, entry.booking.lot)
