"""Lists in pages. A page begins behind a row, not at a number, so nothing is skipped or seen twice."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import FieldError, ValidationError
from django.db import DataError
from django.db.models import Q, QuerySet
from rest_framework import serializers
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

LONGEST_CURSOR = 1000


@dataclass(frozen=True, slots=True)
class Place:
    """Behind (or, backwards, before) the row with this value and id."""

    ordering: str
    value: Any
    pk: int | str
    is_backwards: bool = False

    def encode(self) -> str:
        text = json.dumps([self.ordering, self.value, self.pk, self.is_backwards], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Place:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        ordering, value, pk, is_backwards = json.loads(raw)
        fits = isinstance(ordering, str) and isinstance(value, str | int | float)
        # A row's id is a number, or a UUID as text.
        is_id = abs(pk) < 2**63 if isinstance(pk, int) else isinstance(pk, str) and "\0" not in pk
        if not fits or not is_id or isinstance(pk, bool) or (isinstance(value, str) and "\0" in value):
            raise ValueError
        return cls(ordering, value, pk, bool(is_backwards))


class CursorPage(CursorPagination):
    """Ordered by one column and the id.

    DRF's own cursor counts rows of equal value by an offset with a ceiling, and loses its place in
    a thousand lots at one price.
    """

    page_size = 50
    max_page_size = 200
    page_size_query_param = "page_size"
    ordering = "-id"
    base_url: str

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.base_url = request.build_absolute_uri()
        self.ordering = getattr(view, "page_ordering", None) or self._asked(request, view)
        self.page_size = getattr(view, "page_size", self.page_size)
        size = self.get_page_size(request)
        place = self._place(request)
        rows = self._rows(queryset, place, size + 1)
        page, has_more = rows[:size], len(rows) > size
        if place and place.is_backwards:
            page.reverse()
        self._set_links(page, place, has_more)
        return page

    def get_page_size(self, request: Request) -> int:
        text = request.query_params.get("page_size")
        if text is None:
            return self.page_size
        if not (text.isascii() and text.isdecimal() and 1 <= len(text) <= 9 and int(text)):
            raise _bad("page_size", f"A page has 1 to {self.max_page_size} rows.")
        return min(int(text), self.max_page_size)

    def get_next_link(self) -> str | None:
        return self._link(self.next_place)

    def get_previous_link(self) -> str | None:
        return self._link(self.previous_place)

    def _asked(self, request: Request, view: Any) -> str:
        # A whitelist of the view's filter has let it through.
        asked = request.query_params.get("ordering") if hasattr(view, "default_ordering") else None
        return asked or str(getattr(view, "default_ordering", type(self).ordering))

    def _place(self, request: Request) -> Place | None:
        text = request.query_params.get("cursor")
        if not text:
            return None
        try:
            place = Place.decode(text[:LONGEST_CURSOR])
        except (ValueError, TypeError, RecursionError, binascii.Error) as error:
            raise _bad("cursor", "This is no cursor of ours. Take it from `next` or `previous`.") from error
        if place.ordering != self.ordering:
            raise _bad("cursor", "This cursor belongs to another ordering.")
        return place

    def _rows(self, rows: QuerySet[Any], place: Place | None, count: int) -> list[Any]:
        name, down = self.ordering.lstrip("-"), self.ordering.startswith("-")
        if place and place.is_backwards:
            down = not down
        side, sign = ("lt", "-") if down else ("gt", "")
        try:
            # Whatever a forged cursor holds meets the column's own type here.
            if place:
                behind = Q(**{f"{name}__{side}": place.value})
                equal = Q(**{name: place.value, f"pk__{side}": place.pk})
                rows = rows.filter(behind | equal)
            return list(rows.order_by(f"{sign}{name}", f"{sign}pk")[:count])
        except (ValueError, TypeError, ValidationError, FieldError, DataError, ArithmeticError) as error:
            raise _bad("cursor", "This is no cursor of ours. Take it from `next` or `previous`.") from error

    def _set_links(self, page: list[Any], place: Place | None, has_more: bool) -> None:
        backwards = bool(place and place.is_backwards)
        has_next = backwards or has_more
        has_previous = has_more if backwards else place is not None
        self.next_place = self._behind(page[-1], False) if page and has_next else None
        self.previous_place = self._behind(page[0], True) if page and has_previous else None

    def _behind(self, row: Any, is_backwards: bool) -> Place:
        value = getattr(row, self.ordering.lstrip("-"))
        if isinstance(value, datetime):
            value = value.isoformat()
        elif isinstance(value, Decimal):
            value = str(value)
        pk = row.pk if isinstance(row.pk, int) else str(row.pk)
        return Place(self.ordering, value, pk, is_backwards)

    def _link(self, place: Place | None) -> str | None:
        return replace_query_param(self.base_url, "cursor", place.encode()) if place else None


def _bad(name: str, sentence: str) -> serializers.ValidationError:
    return serializers.ValidationError({name: [sentence]}, code=f"bad_{name}")
