"""The labels of lots and spots in the back office: printing them, and making old ones worthless."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from bookings import label_sheet
from bookings.admin.base import operator
from lots.models import Lot, Spot
from lots.services import renew_code

MOST = 2000  # labels in one file: 250 pages


class Labels(admin.ModelAdmin):
    """Actions on whatever has a code; `labels_for` says what is printed for the rows ticked."""

    def labels_for(self, rows: QuerySet[Any]) -> list[label_sheet.Label]:
        raise NotImplementedError

    @admin.action(description=_("Print QR labels"), permissions=["view"])
    def print_labels(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        labels = self.labels_for(queryset)
        if not 0 < len(labels) <= MOST:
            text = _("That would be %(count)s labels; a file has 1 to %(most)s.")
            messages.error(request, text % {"count": len(labels), "most": MOST})
            return None
        response = HttpResponse(label_sheet.sheet(labels), content_type="application/pdf")
        response["Content-Disposition"] = 'attachment; filename="labels.pdf"'
        return response

    @admin.action(description=_("Give new QR codes (printed labels stop working)"), permissions=["change"])
    def renew_labels(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        rows = list(queryset)
        with transaction.atomic():
            for row in rows:
                renew_code(row, by=operator(request), now=timezone.now())
                self.log_change(request, row, "New label code.")
        messages.success(request, _("New codes: %(count)s. Print the labels again.") % {"count": len(rows)})


class LotLabels(Labels):
    def labels_for(self, rows: QuerySet[Lot]) -> list[label_sheet.Label]:
        """Of each lot the one for the entrance, and all its spots'."""
        found: list[label_sheet.Label] = []
        for lot in rows.kept():  # type: ignore[attr-defined]
            spots = lot.spots.kept().select_related("lot").order_by("building", "floor", "number_key")
            found += label_sheet.labels_of_lot(lot, spots[: MOST + 1])
            if len(found) > MOST:
                break
        return found


class SpotLabels(Labels):
    def labels_for(self, rows: QuerySet[Spot]) -> list[label_sheet.Label]:
        kept = rows.filter(retired_at=None).select_related("lot")
        ordered = kept.order_by("lot__name", "lot_id", "building", "floor", "number_key")
        return [label_sheet.label_of_spot(spot) for spot in ordered[: MOST + 1]]
