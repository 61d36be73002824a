"""Whom a page of the back office shows, for the record of who was shown whose data (accounts.viewings).

Pages are not asked one by one: the list or the row in their context says whom they are about, by the same
inventory that says what we know about people (accounts.privacy).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.apps import apps
from django.http import HttpRequest, HttpResponse, JsonResponse

from accounts import viewings
from accounts.models import Change, User, Viewing
from accounts.privacy import person_lookup
from lots.models import Spot

People = Iterable[int | None]
# About rights, and about looking: whoever reads these has not been shown what anybody did.
NOT_TOLD = (Change, Viewing)


def told(view: Callable[..., Any]) -> Callable[..., Any]:
    """The view, which now leaves a row behind whenever it shows people: one, however many they are."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        answer = view(request, *args, **kwargs)
        if answer.status_code == 200:
            _note(request, answer)
        return answer

    return wrapped


def _note(request: HttpRequest, answer: HttpResponse) -> None:
    context: dict[str, Any] = getattr(answer, "context_data", None) or {}
    if "cl" in context:
        model = context["cl"].model
        people = _people_of(model, list(context["cl"].result_list))
        viewings.note(request, f"{model._meta.label_lower} list", people)
    elif row := context.get("original") or context.get("object"):
        people = [*_people_of(type(row), [row]), *context.get("people_named", [])]
        viewings.note(request, type(row)._meta.label_lower, people, object_id=row.pk)
    elif drawn := context.get("drawn"):
        viewings.note(request, "dashboard", [top.pk for top in drawn.drivers])
    elif isinstance(answer, JsonResponse) and "field_name" in request.GET:
        viewings.note(request, "search for people", _found(request, answer))


def _people_of(model: Any, rows: list[Any]) -> People:
    if model in NOT_TOLD:
        return []
    if model is Spot:  # the board shows who stands there
        there = [getattr(row, "booking", None) for row in rows]
        return [booking.driver_id for booking in there if booking]
    lookup = person_lookup(model)
    if lookup == "pk":
        return [row.pk for row in rows]
    if lookup and "__" not in lookup:
        return [getattr(row, f"{lookup}_id") for row in rows]
    if not lookup or not rows:
        return []
    # Rows may not have their bookings at hand: one query for all.
    return list(model._base_manager.filter(pk__in=[row.pk for row in rows]).values_list(lookup, flat=True))


def _found(request: HttpRequest, answer: JsonResponse) -> People:
    """Of the choices a field offers, those that are people."""
    asked = [request.GET.get(name, "") for name in ("app_label", "model_name", "field_name")]
    field = apps.get_model(asked[0], asked[1])._meta.get_field(asked[2])
    if field.related_model is not User:
        return []
    return [int(row["id"]) for row in json.loads(answer.content)["results"]]
