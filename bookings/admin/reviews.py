"""Reviews in the back office: read, hidden with a reason, shown again. What drivers wrote is not edited."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextInputWidget

from bookings.admin.base import OwnLots, operator
from lots import reviews
from lots.models import Review


class ReasonForm(ActionForm):
    reason = forms.CharField(
        required=False,
        max_length=200,
        label=_("Why hidden"),
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": _("Why hidden")}),
    )


class HiddenFilter(admin.SimpleListFilter):
    title = _("hidden")
    parameter_name = "hidden"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("hidden")), ("no", _("shown"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "yes":
            return queryset.exclude(hidden_at=None)
        return queryset.shown() if self.value() == "no" else queryset


@admin.register(Review)
class ReviewAdmin(OwnLots):
    action_form = ReasonForm
    list_display = ["lot", "rating", "begins", "created_at", "is_shown"]
    list_filter = [HiddenFilter, "rating"]
    list_select_related = ["lot"]
    list_per_page = 50
    show_full_result_count = False
    search_fields = ["lot__name", "text"]
    ordering = ["-created_at", "-id"]
    actions = ["hide", "show"]
    fields = [
        *("lot", "author", "rating", "text", "created_at", "changed_at"),
        *("hidden_at", "hidden_by", "hidden_reason"),
    ]
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_moderate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("lots.change_review")  # type: ignore[union-attr]

    @display(description=_("text"))
    def begins(self, review: Review) -> str:
        return review.text if len(review.text) < 80 else f"{review.text[:79]}…"

    @display(description=_("shown"), boolean=True)
    def is_shown(self, review: Review) -> bool:
        return not review.is_hidden

    @admin.action(description=_("Hide, for the reason beside"), permissions=["moderate"])
    def hide(self, request: HttpRequest, queryset: Any) -> None:
        reason = request.POST.get("reason", "")
        try:
            count = reviews.hide(queryset, reason=reason, by=operator(request), now=timezone.now())
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
            return
        told = ngettext("%(count)d review is hidden.", "%(count)d reviews are hidden.", count)
        messages.success(request, told % {"count": count})

    @admin.action(description=_("Show again"), permissions=["moderate"])
    def show(self, request: HttpRequest, queryset: Any) -> None:
        count = reviews.show(queryset)
        told = ngettext("%(count)d review is shown again.", "%(count)d reviews are shown again.", count)
        messages.success(request, told % {"count": count})
