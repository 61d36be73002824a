"""All of the back office at once: what its lists cost, and what an operator of one lot finds of another's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse

from accounts.models import User
from accounts.tests.staff import verify
from bookings.models import Booking
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


# --- What is not theirs ---


@pytest.fixture
def worlds(db: None) -> tuple[Lot, Lot]:
    return make_world("Ours", 2), make_world("Bravo", 2)


def secrets(foreign: Lot) -> re.Pattern[str]:
    """Names, plates, addresses and references of the other lot's world."""
    references = Booking.objects.filter(lot=foreign).values_list("reference", flat=True)
    return re.compile("|".join(["bravo", *references]), re.IGNORECASE)


def pages(client: Client) -> Iterator[tuple[str, str]]:
    """Whatever links of the back office lead to, each address once, and each list also by a search."""
    waiting, known = [reverse("admin:index"), *map(list_of, models())], set()
    while waiting and len(known) < MOST_PAGES:
        url = waiting.pop(0)
        path, _mark, query = url.partition("?")
        # Of the ways to sort and filter a list, two each.
        if (path, query) in known or sum(path == one for one, _query in known) > 2 or _leaves(path):
            continue
        known.add((path, query))
        answer = client.get(url)
        content = b"".join(answer) if answer.streaming else answer.content
        text = "" if b"%PDF" in content[:8] else content.decode(errors="replace")
        if answer.status_code == 200:
            yield url, text
        links = [unescape(link) for link in re.findall(r'href="([^"#]+)"', text)]
        waiting += [path + link if link.startswith("?") else link for link in links if _is_ours(link)]
        if answer.status_code == 302:
            waiting.append(answer["Location"])


def _is_ours(link: str) -> bool:
    return link.startswith(("/admin/", "?"))


def _leaves(path: str) -> bool:
    return not path.startswith("/admin/") or "logout" in path or "jsi18n" in path


def asked(client: Client) -> Iterator[tuple[str, str]]:
    """What no link leads to: searches, choices of fields, files."""
    for model in models():
        yield f"{list_of(model)}?q=", client.get(list_of(model), {"q": "bravo"}).content.decode()
        for field in [*model._meta.fields, *model._meta.many_to_many]:
            if not field.remote_field:
                continue
            query = {"app_label": model._meta.app_label, "model_name": model._meta.model_name,
                     "field_name": field.name}  # fmt: skip
            answer = client.get(reverse("admin:autocomplete"), query)
            yield f"choices of {model._meta.label}.{field.name}", answer.content.decode()
        for file in ("export_csv", "export_for_spreadsheets"):
            try:
                url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{file}")
            except NoReverseMatch:
                continue
            yield url, b"".join(client.get(url)).decode()
    for file in ("reports_lots_csv", "reports_bookings_csv"):
        yield file, b"".join(client.get(reverse(f"admin:{file}"))).decode()


def test_an_operator_of_one_lot_finds_nothing_of_another_anywhere(worlds: tuple[Lot, Lot], olga: User):
    own, foreign = worlds
    secret = secrets(foreign)
    limited, everybody = verify(Client(), make_operator("olaf", own)), verify(Client(), olga)
    cache.clear()

    found = {}
    walked = 0
    for url, text in [*pages(limited), *asked(limited)]:
        walked += 1
        text = re.sub(r'value="bravo"|q(=|%3D)bravo', "", text)
        if leak := secret.search(text):
            found[url] = text[max(leak.start() - 80, 0) : leak.end() + 40]

    assert found == {}
    assert walked > 150, "a walk that goes nowhere proves nothing"
    told = sum(bool(secret.search(everybody.get(list_of(model)).content.decode())) for model in models())
    assert told > 20, "there is something to find"
