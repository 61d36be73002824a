"""Webhooks in the back office: register, see what was told, tell it once more."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import display

from bookings import events
from bookings.admin.base import local, operator
from bookings.models import WebhookDelivery, WebhookEndpoint
from bookings.webhooks import services

ABOUT = _(
    "Every event is sent as JSON in a POST, signed in the header Parkwell-Signature, for three days until "
    "the answer's status is 2xx, and in order for each booking. What was missed can be fetched at "
    "/api/v1/events/."
)


class OwnEndpoints(ModelAdmin):
    """Operators see the webhooks they registered; superusers all."""

    operator_lookup = "operator"
    list_per_page = 50
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows if operator(request).is_superuser else rows.filter(**{self.operator_lookup: request.user})


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(OwnEndpoints):
    list_display = ["url", "operator", "is_active", "switched_off", "waiting"]
    list_filter = ["is_active"]
    search_fields = ["url"]
    ordering = ["url", "id"]
    list_select_related = ["operator"]
    readonly_fields = ["operator", "switched_off", "created_at"]
    fieldsets = [
        (None, {"fields": ["url", ("wants_bookings", "wants_payments"), "is_active"], "description": ABOUT}),
        (_("Origin"), {"fields": [("operator", "created_at"), "switched_off"]}),
    ]
    actions = ["new_secret"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        sets: Any = self.fieldsets
        return sets if obj else sets[:1]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        open_ones = WebhookDelivery.objects.open().filter(endpoint=OuterRef("pk")).order_by()
        counts = open_ones.values("endpoint").annotate(count=Count("pk")).values("count")
        return super().get_queryset(request).annotate(open_count=Subquery(counts))

    @display(description=_("to deliver"))
    def waiting(self, endpoint: Any) -> int:
        return endpoint.open_count or 0

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: ModelForm, change: bool) -> None:
        if change:
            services.change(obj)
            return
        services.register(obj, by=operator(request), now=timezone.now())
        self._show(request, obj.secret)

    def has_rotate_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    @admin.action(description=_("Make a new secret"), permissions=["rotate"])
    def new_secret(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        for endpoint in queryset:
            self._show(request, services.rotate(endpoint, now=timezone.now()))

    def _show(self, request: HttpRequest, secret: str) -> None:
        told = _("The secret its signatures are made with, shown this once: %(secret)s")
        messages.warning(request, told % {"secret": secret})


class DeliveryFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("waiting", _("waiting")), ("delivered", _("delivered")), ("given up", _("given up"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "waiting":
            return queryset.open()
        if self.value() == "delivered":
            return queryset.exclude(delivered_at=None)
        return queryset.exclude(failed_at=None) if self.value() == "given up" else queryset


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(OwnEndpoints):
    """The log: only read, but what is in it can be sent once more."""

    operator_lookup = "endpoint__operator"
    list_display = [
        "happened",
        "event",
        "booking",
        "endpoint",
        "state",
        "attempts",
        "last_status",
        "last_error",
    ]
    list_filter = [DeliveryFilter, ("created_at", RangeDateFilter)]
    list_filter_submit = True
    list_select_related = ["endpoint", "entry__booking__lot"]
    search_fields = ["entry__booking__reference"]
    search_help_text = _("Booking's reference")
    ordering = ["-id"]
    actions = ["send_again"]
    fields = [
        *("happened", "event", "booking", "endpoint", "state", "attempts", "last_status", "last_error"),
        *("created_at", "not_before", "delivered_at", "failed_at"),
    ]
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("bookings.change_webhookdelivery")  # type: ignore[union-attr]

    @display(description=_("happened"), ordering="id")
    def happened(self, delivery: WebhookDelivery) -> str:
        return local(delivery.entry.at, delivery.entry.booking.lot)

    @display(description=_("event"))
    def event(self, delivery: WebhookDelivery) -> str:
        return events.kind(delivery.entry)

    @display(description=_("booking"))
    def booking(self, delivery: WebhookDelivery) -> str:
        return events.event_id(delivery.entry)

    @display(
        description=_("state"), label={"delivered": "success", "given up": "danger", "waiting": "warning"}
    )
    def state(self, delivery: WebhookDelivery) -> str:
        if delivery.delivered_at:
            return "delivered"
        return "given up" if delivery.failed_at else "waiting"

    @admin.action(description=_("Send again"), permissions=["replay"])
    def send_again(self, request: HttpRequest, queryset: Any) -> None:
        count = services.replay(queryset, now=timezone.now())
        told = ngettext("%(count)d event is owed again.", "%(count)d events are owed again.", count)
        messages.success(request, told % {"count": count})
