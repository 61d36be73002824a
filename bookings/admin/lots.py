"""Lots in the back office."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, FieldTextFilter
from unfold.decorators import action, display
from unfold.views import ChangeList as UnfoldChangeList

from bookings import availability, offers, policies, services
from bookings.admin import labels
from bookings.admin.base import KeptHistory, OwnLots, ServiceAdmin, amount, operator, refusals
from bookings.admin.board import BoardPage
from bookings.admin.closures import close_page, may_close
from bookings.errors import BookingRefused
from lots.admin_forms import LotForm
from lots.models import Lot, Spot
from lots.services import create_lot, set_operators, update_lot


class LotList(UnfoldChangeList):
    """Adds each lot's capacity, price and what is free this minute: a few queries for the whole page."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        now = timezone.now()
        lots = list(self.result_list)
        ids = [lot.pk for lot in lots]
        free = availability.free_counts(ids, now, now + timedelta(minutes=1), now=now)
        capacity = Spot.objects.kept().counts(ids)
        hourly = offers.hourly(lots, now)
        for lot in lots:
            lot.free_now, lot.capacity = free[lot.pk], capacity.get(lot.pk, 0)
            lot.hourly = hourly[lot.pk]
        self.result_list = lots


class ArchivedFilter(admin.SimpleListFilter):
    title = _("archived")
    parameter_name = "archived"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("archived")), ("all", _("all"))]

    def choices(self, changelist: ChangeList) -> Any:
        first, *others = super().choices(changelist)
        return [{**first, "display": _("in use")}, *others]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "all":
            return queryset
        return queryset.exclude(archived_at=None) if self.value() == "yes" else queryset.kept()


@admin.register(Lot)
class LotAdmin(labels.LotLabels, BoardPage, KeptHistory, OwnLots, ServiceAdmin):
    form = LotForm
    lot_lookup = ""
    list_display = ["name", "city", "capacity_link", "free_now", "price", "is_active"]
    list_filter = [
        ArchivedFilter,
        "is_active",
        ("country", FieldTextFilter),
        ("city", FieldTextFilter),
        ("end_of_stay", ChoicesDropdownFilter),
    ]
    list_filter_submit = True
    list_per_page = 50
    search_fields = ["name", "city", "address_line1", "postcode", "region"]
    ordering = ["name", "id"]
    show_full_result_count = False
    actions = ["print_labels", "renew_labels", "remove_selected"]
    change_form_before_template = "admin/lots/_policies.html"
    compressed_fields = False  # names above their fields: the sentences stand beside them
    actions_detail = [
        "board",
        "bookings",
        "book",
        {"title": _("More"), "icon": "more_horiz", "items": ["spots", "tariff", "close"]},
    ]
    readonly_fields = ["archived_at", "source_id"]
    fieldsets = [
        (None, {"fields": ["name", "slug", "capacity", "is_active"]}),
        (
            _("Place"),
            {
                "fields": [
                    ("address_line1", "address_line2"),
                    ("postcode", "city"),
                    ("region", "country"),
                    ("latitude", "longitude"),
                    ("timezone", "phone"),
                    "max_height_cm",
                ]
            },
        ),
        (
            _("Prices"),
            {
                "fields": [
                    ("price_per_hour", "currency"),
                    ("payment_timing", "early_release"),
                    "overstay_percent",
                ],
                "description": _(
                    "A new price here is a new tariff version with that price and nothing else; whatever is "
                    "richer is made under Tariff. Bookings made keep theirs."
                ),
            },
        ),
        (_("Hours"), {"fields": ["weekly_hours", "openings", "closings"]}),
        (
            _("Booking rules"),
            {
                "fields": [
                    ("default_stay_minutes", "grid_minutes"),
                    ("min_stay_minutes", "max_stay_minutes"),
                    ("min_notice_minutes", "max_notice_days"),
                    "guests_may_book",
                ]
            },
        ),
        (
            _("End of stay and no-shows"),
            {"fields": ["end_of_stay", "needs_check_in", ("no_show_grace_minutes", "no_show_fee_percent")]},
        ),
        (
            _("Reminders"),
            {"fields": [("remind_before_start_minutes", "remind_before_end_minutes")]},
        ),
        (_("Cancellation"), {"fields": ["cancellation_tiers"]}),
        (_("Who runs it"), {"fields": ["operators"]}),
        (_("Origin"), {"fields": [("source_id", "archived_at")]}),
    ]
    autocomplete_fields = ["operators"]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LotList

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.policies)
        return [path("policies/", view, name="lots_lot_policies"), *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        # On a form that was refused, what was typed.
        context |= {"policies": policies.sentences(context["adminform"].form.instance)}
        return super().render_change_form(request, context, *args, **kwargs)

    @method_decorator(require_POST)
    def policies(self, request: HttpRequest) -> HttpResponse:
        """What the settings in the form mean as they stand there, saved or not."""
        if not (self.has_change_permission(request) or self.has_add_permission(request)):
            raise PermissionDenied
        form = self.get_form(request)(request.POST)
        form.full_clean()
        lot = Lot()
        for name in {field.name for field in Lot._meta.concrete_fields} & set(form.cleaned_data):
            setattr(lot, name, form.cleaned_data[name])
        return TemplateResponse(request, "admin/lots/_policies.html", {"policies": policies.sentences(lot)})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        # Only a superuser sets limits: who could lift their own would have none.
        sets: Any = self.fieldsets
        hidden: list[Any] = [] if operator(request).is_superuser else [["operators"]]
        hidden += [] if obj else [["operators"], [("source_id", "archived_at")]]
        return [part for part in sets if part[1]["fields"] not in hidden]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if "slug" in form.base_fields:
            form.base_fields["slug"].required = False
            form.base_fields["slug"].help_text = _("The lot's part of its address; made from the name.")
        return form

    # Not "bookings.view_booking" on the action itself: Unfold's check would look that up in the database,
    # and an empty one could never be migrated.
    def has_see_bookings_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("bookings.view_booking")  # type: ignore[union-attr]

    def has_book_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("bookings.add_booking")  # type: ignore[union-attr]

    def has_close_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_close(request)

    # --- Saving and removing, through the services ---

    def save_model(self, request: HttpRequest, obj: Lot, form: Any, change: bool) -> None:
        now, by = timezone.now(), operator(request)
        if not change:
            with refusals():
                lot = create_lot(by=by, now=now, **form.all_fields())
            obj.pk, obj.slug = lot.pk, lot.slug
            return
        with refusals("capacity"):
            if "capacity" in form.changed_data:
                services.set_capacity(lot_id=obj.pk, capacity=form.cleaned_data["capacity"], by=by, now=now)
        with refusals():
            update_lot(lot_id=obj.pk, by=by, now=now, **form.changed_fields())

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Not the form's own way of keeping operators: who got which limits is on record."""
        if "operators" in form.changed_data:
            users = form.cleaned_data["operators"]
            set_operators(lot=form.instance, users=users, by=operator(request), now=timezone.now())

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        lot = self.get_object(request, object_id)
        if lot is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.has_delete_permission(request, lot):
            return self.admin_site.login(request)
        if request.method == "POST":
            if self._remove(request, lot):
                return HttpResponseRedirect(reverse("admin:lots_lot_changelist"))
            return HttpResponseRedirect(reverse("admin:lots_lot_change", args=[lot.pk]))
        return self.command_page(
            request,
            f"Delete {lot.name}?",
            original=lot,
            back=reverse("admin:lots_lot_change", args=[lot.pk]),
            button=_("Yes, delete"),
            is_danger=True,
            facts=[
                _("Drivers no longer see it and nobody can book it."),
                _("Its bookings, receipts and figures are kept: the lot is archived."),
                _("It is refused while a spot is in use or booked later."),
            ],
        )

    @admin.action(description=_("Delete selected lots"), permissions=["delete"])
    def remove_selected(self, request: HttpRequest, queryset: QuerySet[Lot]) -> None:
        for lot in queryset.order_by("pk"):
            self._remove(request, lot)

    def get_actions(self, request: HttpRequest) -> Any:
        # Django's own would delete rows, and the history with them.
        return {
            name: found for name, found in super().get_actions(request).items() if name != "delete_selected"
        }

    def _remove(self, request: HttpRequest, lot: Lot) -> bool:
        try:
            services.remove_lot(lot_id=lot.pk, by=operator(request), now=timezone.now())
        except BookingRefused as refusal:
            messages.error(request, f"{lot.name}: {refusal}")
            return False
        self.log_change(request, lot, "Archived.")
        messages.success(request, f"{lot.name} was deleted; its history is kept.")
        return True

    # --- Columns and links ---

    @display(description=_("spots"))
    def capacity_link(self, lot: Lot) -> str:
        url = reverse("admin:lots_lot_board", args=[lot.pk])
        look = "font-semibold text-primary-600 dark:text-primary-500"
        return format_html('<a class="{}" href="{}">{}</a>', look, url, lot.capacity)  # type: ignore[attr-defined]

    @display(description=_("free now"), label={True: "success", False: "danger"})
    def free_now(self, lot: Lot) -> tuple[bool, str]:
        free = lot.free_now  # type: ignore[attr-defined]
        return bool(free), str(free)

    @display(description=_("per hour"), ordering="price_per_hour")
    def price(self, lot: Lot) -> str:
        hourly = lot.hourly  # type: ignore[attr-defined]
        if hourly is None:
            return "–"
        text = amount(hourly.amount, lot.currency)
        return f"from {text}" if hourly.is_from else text

    @action(description=_("Spots"), icon="local_parking", permissions=["view"])
    def spots(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(
            f"{reverse('admin:lots_spot_changelist')}?lot__id__exact={int(object_id)}"
        )

    @action(description=_("Bookings"), icon="event_available", permissions=["see_bookings"])
    def bookings(self, request: HttpRequest, object_id: str) -> HttpResponse:
        url = reverse("admin:bookings_booking_changelist")
        return HttpResponseRedirect(f"{url}?lot__id__exact={int(object_id)}")

    @action(description=_("Tariff"), icon="sell", permissions=["view"])
    def tariff(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:lots_tariff_versions", args=[int(object_id)]))

    @action(description=_("Book a spot"), icon="add_circle", permissions=["book"])
    def book(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(f"{reverse('admin:bookings_booking_add')}?lot={int(object_id)}")

    @action(description=_("Take out of service …"), icon="block", permissions=["close"], url_path="close")
    def close(self, request: HttpRequest, object_id: str) -> HttpResponse:
        lot = self.get_object(request, object_id)
        if lot is None:
            raise Http404
        return close_page(self, request, lot)
