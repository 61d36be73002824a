"""Filters for what is so at this moment (bookings.situations)."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from bookings.situations import SITUATIONS, SPOT_STATES


class SituationFilter(admin.SimpleListFilter):
    title = _("now")
    parameter_name = "now"
    meanings: dict[str, tuple[Any, Any]] = SITUATIONS

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(name, label) for name, (label, _rows) in self.meanings.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.meanings.get(str(self.value()))
        return chosen[1](queryset, timezone.now()) if chosen else queryset


class SpotStateFilter(SituationFilter):
    meanings = SPOT_STATES
