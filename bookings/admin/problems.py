"""Problems drivers report, in the back office: what is open, where, and that it is dealt with."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display

from bookings import problems
from bookings.admin.base import OwnLots, local, operator
from bookings.models import Problem


class OpenFilter(admin.SimpleListFilter):
    title = _("open")
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("open")), ("no", _("dealt with"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "no":
            return queryset.exclude(dealt_with_at=None)
        return queryset.open() if self.value() == "yes" else queryset


@admin.register(Problem)
class ProblemAdmin(OwnLots):
    lot_lookup = "spot__lot"
    list_display = ["place", "kind", "reported", "is_open"]
    list_select_related = ["spot__lot", "booking"]
    list_filter = [OpenFilter, "kind"]
    list_per_page = 50
    show_full_result_count = False
    search_fields = ["spot__lot__name", "spot__number", "booking__reference"]
    ordering = ["-reported_at", "-pk"]
    actions = ["deal_with"]
    fields = ["place", "booking", "kind", "text", "reported", "dealt_with_at", "dealt_with_by"]
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_dealing_permission(self, request: HttpRequest) -> bool:
        return operator(request).has_perm("bookings.change_problem")

    @display(description=_("where"), ordering="spot__lot__name")
    def place(self, problem: Problem) -> str:
        return _("%(lot)s, spot %(number)s") % {
            "lot": problem.spot.lot.name,
            "number": problem.spot.number,
        }

    @display(description=_("reported"), ordering="reported_at")
    def reported(self, problem: Problem) -> str:
        return local(problem.reported_at, problem.spot.lot)

    @display(description=_("open"), boolean=True)
    def is_open(self, problem: Problem) -> bool:
        return problem.dealt_with_at is None

    @admin.action(description=_("Dealt with"), permissions=["dealing"])
    def deal_with(self, request: HttpRequest, queryset: Any) -> None:
        count = problems.deal_with(queryset, by=operator(request), now=timezone.now())
        told = ngettext("%(count)d problem is dealt with.", "%(count)d problems are dealt with.", count)
        messages.success(request, told % {"count": count})
