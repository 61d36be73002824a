"""Spots in the back office, with who stands there now."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import display
from unfold.views import ChangeList as UnfoldChangeList
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from bookings import services
from bookings.admin import labels
from bookings.admin.base import KeptHistory, OwnLots, ServiceAdmin, amount, local_short, operator, refusals
from bookings.admin.closures import closing_address, may_close
from bookings.admin.now import SpotStateFilter
from bookings.board import Look, SpotNow, spots_now
from bookings.errors import BookingRefused
from lots.fields import CodeSetField
from lots.models import Spot


class SpotList(UnfoldChangeList):
    """Adds what the page's spots are now: a few queries, however many there are."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        now = timezone.now()
        spots = list(self.result_list)
        for spot, found in zip(spots, spots_now(spots, now=now), strict=True):
            # Who comes next is the board's business; the list tells who is there.
            spot.now, spot.found, spot.booking = now, found, found.booking if found.is_there else None
        self.result_list = spots


class SpotForm(forms.ModelForm):
    refused: ValidationError | None = None

    class Meta:
        model = Spot
        fields = "__all__"  # noqa: DJ007  the fieldsets name the fields

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.label = capfirst(str(field.label))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.refused:
            raise self.refused
        return data


class KeptFilter(admin.SimpleListFilter):
    title = _("removed")
    parameter_name = "removed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("removed by lowering the capacity"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.exclude(retired_at=None) if self.value() else queryset.kept()


@admin.register(Spot)
class SpotAdmin(labels.SpotLabels, KeptHistory, OwnLots, ServiceAdmin):
    form = SpotForm
    list_display = ["number", "lot", "place", "offer", "state", "who", "plate", "since", "cost_so_far"]
    list_select_related = ["lot"]
    list_filter = [
        ("lot", AutocompleteSelectFilter),
        SpotStateFilter,
        "is_in_service",
        ("kind", ChoicesDropdownFilter),
        KeptFilter,
    ]
    list_filter_submit = True
    list_per_page = 100
    search_fields = ["number", "lot__name", "lot__city", "building"]
    ordering = ["lot__name", "lot_id", "number_key", "id"]
    show_full_result_count = False
    actions = ["print_labels", "renew_labels", "close_selected", "take_out_of_service", "put_in_service"]
    formfield_overrides = {CodeSetField: {"widget": UnfoldAdminCheckboxSelectMultipleWidget}}
    readonly_fields = ["lot", "retired_at"]
    fieldsets = [
        (None, {"fields": ["lot", "number", ("building", "floor"), "is_in_service"]}),
        (_("What it offers"), {"fields": ["kind", "vehicle_kinds", "features", ("connector", "power_kw")]}),
        (_("History"), {"fields": ["retired_at"]}),
    ]

    # Spots come and go with the lot's capacity.
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return SpotList

    def save_model(self, request: HttpRequest, obj: Spot, form: Any, change: bool) -> None:
        fields = {name: form.cleaned_data[name] for name in form.changed_data}
        with refusals():
            services.update_spot(spot_id=obj.pk, by=operator(request), now=timezone.now(), **fields)

    def has_close_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_close(request)

    @admin.action(description=_("Take out of service for a while …"), permissions=["close"])
    def close_selected(self, request: HttpRequest, queryset: QuerySet[Spot]) -> HttpResponse | None:
        chosen = list(queryset.values_list("pk", "lot"))
        lots = {lot for _pk, lot in chosen}
        if len(lots) != 1:
            messages.error(request, _("Choose spots of one lot."))
            return None
        return HttpResponseRedirect(closing_address(lots.pop(), [pk for pk, _lot in chosen]))

    @admin.action(description=_("Take out of service for good"), permissions=["change"])
    def take_out_of_service(self, request: HttpRequest, queryset: QuerySet[Spot]) -> None:
        self._set_in_service(request, queryset, False)

    @admin.action(description=_("Put in service"), permissions=["change"])
    def put_in_service(self, request: HttpRequest, queryset: QuerySet[Spot]) -> None:
        self._set_in_service(request, queryset, True)

    def _set_in_service(self, request: HttpRequest, queryset: QuerySet[Spot], is_in_service: bool) -> None:
        done = 0
        for spot in queryset.order_by("pk"):
            try:
                services.set_spot_in_service(
                    spot_id=spot.pk,
                    is_in_service=is_in_service,
                    by=operator(request),
                    now=timezone.now(),
                )
            except BookingRefused as refusal:
                messages.error(request, str(refusal))
            else:
                done += 1
        if done:
            word = "in" if is_in_service else "out of"
            messages.success(request, f"{done} spot{'s' if done != 1 else ''} put {word} service.")

    # --- Columns ---

    @display(description=_("place"), ordering="building")
    def place(self, spot: Spot) -> str:
        return ", ".join(filter(None, [spot.building, spot.floor])) or "–"

    @display(description=_("offers"))
    def offer(self, spot: Spot) -> str:
        power = f"{spot.power_kw.normalize():f} kW" if spot.power_kw else ""
        kind = "" if spot.kind == Spot.Kind.STANDARD else spot.get_kind_display()
        return ", ".join(filter(None, [kind, *spot.features_set(), power])) or "–"

    @display(
        description=_("state"),
        label={
            Look.FREE: "success",
            Look.SOON: "info",
            Look.OCCUPIED: "info",
            Look.DUE: "warning",
            Look.HELD: "warning",
            Look.OVERSTAYING: "danger",
            Look.CLOSED: "danger",
        },
    )
    def state(self, spot: Any) -> tuple[str, str]:
        found: SpotNow = spot.found
        word = str(found.look.label)
        if found.look == Look.OVERSTAYING:
            return found.look, f"{word} since {local_short(spot.booking.booked_until, spot.lot, spot.now)}"
        until = spot.booking.ends_at if spot.booking else found.next_start
        if until is None or found.look == Look.CLOSED:
            return found.look, word
        if found.look == Look.SOON:
            return found.look, f"free until {local_short(until, spot.lot, spot.now)}"
        return found.look, f"{word} until {local_short(until, spot.lot, spot.now)}"

    @display(description=_("who"))
    def who(self, spot: Any) -> str:
        if spot.booking is None:
            return "–"
        url = reverse("admin:bookings_booking_change", args=[spot.booking.pk])
        return format_html('<a href="{}">{}</a>', url, spot.booking.actor_name())

    @display(description=_("plate"))
    def plate(self, spot: Any) -> str:
        return (spot.booking and spot.booking.plate) or "–"

    @display(description=_("since"))
    def since(self, spot: Any) -> str:
        return local_short(spot.booking.starts_at, spot.lot, spot.now) if spot.booking else "–"

    @display(description=_("cost so far"))
    def cost_so_far(self, spot: Any) -> str:
        if spot.booking is None or spot.booking.state == "held":
            return "–"
        price = services.price_so_far(spot.booking, now=spot.now)
        return amount(price.total, price.currency)
