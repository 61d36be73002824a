"""The waitlist in the back office: who waits where, and since when; staff take somebody out of a line."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display

from bookings import services
from bookings.admin.base import OwnLots, local, operator
from bookings.errors import BookingRefused
from bookings.models import WaitlistEntry, WaitlistState

COLOURS = {
    WaitlistState.WAITING.value: "info",
    WaitlistState.OFFERED.value: "warning",
    WaitlistState.ACCEPTED.value: "success",
}


@admin.register(WaitlistEntry)
class WaitlistAdmin(OwnLots):
    list_display = ["reference", "lot", "driver", "shown_state", "begins", "ends", "joined_at", "passed_over"]
    list_select_related = ["lot", "driver"]
    list_filter = ["state"]
    list_per_page = 50
    show_full_result_count = False
    search_fields = ["reference", "lot__name", "driver__email", "plate"]
    ordering = ["-joined_at", "-pk"]
    actions = ["take_out"]
    fields = [
        *("reference", "lot", "driver", "shown_state", "begins", "ends", "plate", "vehicle_kind"),
        *("joined_at", "offer", "snoozed_until", "missed_offers", "passed_over"),
    ]
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_serve_permission(self, request: HttpRequest) -> bool:
        return operator(request).has_perm("bookings.change_waitlistentry")

    @display(description=_("state"), ordering="state", label=COLOURS)
    def shown_state(self, entry: WaitlistEntry) -> tuple[str, str]:
        return entry.state, entry.get_state_display()

    @display(description=_("from"), ordering="starts_at")
    def begins(self, entry: WaitlistEntry) -> str:
        return local(entry.starts_at, entry.lot)

    @display(description=_("until"), ordering="ends_at")
    def ends(self, entry: WaitlistEntry) -> str:
        return local(entry.ends_at, entry.lot)

    @admin.action(description=_("Take out of the line"), permissions=["serve"])
    def take_out(self, request: HttpRequest, queryset: Any) -> None:
        count = 0
        for entry in queryset.order_by("lot_id", "pk"):
            try:
                services.leave(entry, by=operator(request), now=timezone.now())
            except BookingRefused as refusal:
                messages.error(request, f"{entry}: {refusal}")
            else:
                count += 1
        if count:
            told = ngettext("%(count)d does not wait any more.", "%(count)d do not wait any more.", count)
            messages.success(request, told % {"count": count})
