"""All lists of the back office at once: what they cost."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from accounts.tests.staff import verify
from lots.models import Lot
from tests.office import make_operator, make_world

MOST_QUERIES = 30  # for one list, whatever is in it
FEW, MANY = 1, 4
MOST_PAGES = 220


def models() -> list[Any]:
    return sorted(admin.site._registry, key=lambda model: model._meta.label)


def list_of(model: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def costs(clients: dict[str, Client]) -> dict[str, int]:
    """Queries of every list, for each who asks."""
    found = {}
    for who, client in clients.items():
        for model in models():
            ContentType.objects.clear_cache()
            with CaptureQueriesContext(connection) as queries:
                assert client.get(list_of(model)).status_code in (200, 403), (who, model)
            # Once a minute a session is written, on whichever page that falls.
            asked_for = [query for query in queries if query["sql"].startswith("SELECT")]
            found[f"{model._meta.label} as {who}"] = len(asked_for)
    return found


def test_every_list_costs_the_same_queries_whatever_is_in_it(olga: User):
    """One walk instead of a test a model: making the rows is what takes long."""
    lot = make_world("First", FEW)
    clients = {"superuser": verify(Client(), olga), "operator": verify(Client(), make_operator("olaf", lot))}
    costs(clients)  # what is only ever asked once
    few = costs(clients)
    make_more(lot)

    many = costs(clients)

    assert {name: (few[name], many[name]) for name in many if many[name] > few[name]} == {}
    assert {name: count for name, count in many.items() if count > MOST_QUERIES} == {}


def make_more(lot: Lot) -> None:
    """At another lot, whose rows the operator is then given as well."""
    other = make_world("Second", MANY)
    User.objects.get(name="Olaf").lots_limited_to.add(other)
