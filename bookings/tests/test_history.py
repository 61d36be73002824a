"""The record of changes: whatever door a change comes by, it tells who, when, from what to what."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import changes, roles
from accounts.models import Change, User
from accounts.tests.staff import verify
from bookings import services
from bookings.services.closing import TELL, Closing
from bookings.tests.api_support import API, client_for
from bookings.tests.factories import NOW, make_lot, make_user
from lots import rates, undoing
from lots.models import Lot, Spot
from lots.services import create_lots, publish_tariff, renew_code, set_operators, update_lot


def told(kind: str, row: Any) -> list[tuple[Any, ...]]:
    found = Change.objects.filter(kind=kind, object_id=row.pk).order_by("pk")
    return [(change.by, change.action, change.fields) for change in found]


def test_a_lots_own_policies_and_hours_are_told_in_words(lot: Lot, olga: User):
    hours = {"twentyfourseven": False, "regular_hours": [
        {"weekday": 1, "period_begin": "08:00", "period_end": "20:00"}]}  # fmt: skip
    tiers = [{"notice_minutes": 60, "refund_percent": 50}]
    new = {"grid_minutes": 30, "opening_hours": hours, "cancellation_tiers": tiers}

    update_lot(lot_id=lot.pk, by=olga, now=NOW, **new)

    who, action, fields = told("lots.lot", lot)[-1]
    assert (who, action) == (olga, "changed")
    assert fields == [
        ["opening_hours", "", "Mo 08:00-20:00"],
        ["grid_minutes", "15", "30"],
        ["cancellation_tiers", "100 % from 0 min before", "50 % from 60 min before"],
    ]


def test_what_changes_nothing_is_not_told(lot: Lot, olga: User):
    before = Change.objects.count()

    update_lot(lot_id=lot.pk, by=olga, now=NOW, name=lot.name)
    services.update_spot(spot_id=lot.spots.first().pk, by=olga, now=NOW, floor="")

    assert Change.objects.count() == before


def test_capacity_is_one_line_and_names_the_spots(lot: Lot, olga: User):
    services.set_capacity(lot_id=lot.pk, capacity=5, by=olga, now=NOW)
    services.set_capacity(lot_id=lot.pk, capacity=2, by=olga, now=NOW)

    assert [fields for _by, _action, fields in told("lots.lot", lot)[1:]] == [
        [["capacity", "3", "5"], ["spots", "", "4, 5"]],
        [["capacity", "5", "2"], ["spots", "3, 4, 5", ""]],
    ]


def test_spots_tariffs_closures_and_labels_are_told(lot: Lot, olga: User):
    spot = lot.spots.get(number="2")
    services.update_spot(spot_id=spot.pk, by=olga, now=NOW, floor="P1")
    renew_code(spot, by=olga, now=NOW)
    tariff = publish_tariff(lot, rates.simple(Decimal("3"), "EUR"), by=olga, now=NOW)
    services.close(Closing(lot.pk, (spot.pk,), NOW, None, TELL, "Paint"), by=olga, now=NOW)
    closure = lot.closures.get()
    services.lift_closure(closure_id=closure.pk, by=None, now=NOW + timedelta(hours=1))

    assert told("lots.spot", spot) == [
        (olga, "changed", [["floor", "", "P1"]]),
        (olga, "changed", [["code", "", "a new one"]]),
    ]
    assert not Change.objects.filter(fields__icontains=spot.code).exists()
    [(_by, action, fields)] = told("lots.tariff", tariff)
    assert action == "made"
    assert fields[0] == ["document", "2.50 EUR per hour", "3.00 EUR per hour"]
    made, lifted = told("lots.closure", closure)
    assert ["spot", "", "2"] in made[2]
    assert ["reason", "", "Paint"] in made[2]
    assert lifted == (None, "changed", [["lifted_at", "", "2027-03-01 11:00 UTC"]])


def test_the_api_is_told_like_the_back_office(lot: Lot, olga: User):
    answer = client_for(olga).patch(f"{API}lots/{lot.slug}/", {"name": "Alex"}, format="json")

    assert answer.status_code == 200
    assert told("lots.lot", lot)[-1] == (olga, "changed", [["name", "Alexanderplatz", "Alex"]])


def test_many_lots_are_told_in_few_queries(db: None, django_assert_max_num_queries: Any):
    wanted = [(Lot(name=f"Lot {n}", price_per_hour=1, timezone="UTC"), 2) for n in range(400)]

    with django_assert_max_num_queries(60):
        create_lots(wanted, by=None, now=NOW)

    assert Change.objects.filter(kind="lots.lot").count() == 400
    assert Change.objects.filter(kind="lots.tariff").count() == 400


def test_what_is_taken_away_again_stays_told(db: None, olga: User):
    lot = make_lot(1)

    undoing.unmake_lot(lot.pk, by=olga, now=NOW)

    assert [told_so[:2] for told_so in told("lots.lot", lot)] == [(None, "made"), (olga, "removed")]


def test_a_lot_whose_spots_were_changed_is_not_taken_away(lot: Lot, olga: User):
    services.update_spot(spot_id=lot.spots.first().pk, by=olga, now=NOW, floor="1")

    with pytest.raises(Exception, match="changed since"):
        undoing.unmake_lot(lot.pk, by=olga, now=NOW)


def test_limits_and_rights_are_told_of_the_person_and_name_nobody(lot: Lot, olga: User):
    otto = make_user("otto", is_staff=True)
    group = Group.objects.create(name="keepers")
    office = verify(Client(), olga)
    url = reverse("admin:accounts_user_change", args=[otto.pk])
    form = {**_form(office, url), "is_active": "on", "is_staff": "on", "groups": [group.pk]}

    assert office.post(url, form).status_code == 302
    set_operators(lot=lot, users=[otto], by=olga, now=NOW)

    assert told("accounts.user", otto) == [
        (olga, "changed", [["groups", "", "keepers"]]),
        (olga, "changed", [["lots", "", "Alexanderplatz"]]),
    ]
    assert not Change.objects.filter(kind="accounts.user").exclude(name="").exists()
    shown = office.get(reverse("admin:accounts_user_history", args=[otto.pk]), follow=True)
    assert "otto@example.com" in shown.content.decode()


def test_a_role_tells_which_permissions_came_and_went(olga: User):
    roles.make_roles(now=NOW)
    group, office = Group.objects.get(name="viewer"), verify(Client(), olga)
    kept = group.permissions.exclude(codename="view_lot")
    more = Permission.objects.get(codename="change_lot")
    url = reverse("admin:auth_group_change", args=[group.pk])

    chosen = [*kept.values_list("pk", flat=True), more.pk]
    assert office.post(url, {"name": "viewer", "permissions": chosen}).status_code == 302

    assert told("auth.group", group)[-1] == (
        olga, "changed", [["permissions", "lots.view_lot", "lots.change_lot"]],
    )  # fmt: skip
    office.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"})
    assert Change.objects.filter(kind="auth.group", action="removed", name="viewer", by=olga).exists()


def test_old_lines_go_when_the_setting_says(lot: Lot, settings: Any):
    settings.KEEP_CHANGES_DAYS = 10
    assert changes.forget_old(now=NOW + timedelta(days=10)) == 0

    settings.KEEP_CHANGES_DAYS = 0
    assert changes.forget_old(now=NOW + timedelta(days=999)) == 0

    settings.KEEP_CHANGES_DAYS = 10
    assert changes.forget_old(now=NOW + timedelta(days=11)) == 2  # the lot and its first tariff
    assert not Change.objects.exists()


def test_nobody_writes_in_the_record(lot: Lot, olga: User):
    office, change = verify(Client(), olga), Change.objects.first()

    url = reverse("admin:accounts_change_change", args=[change.pk])
    assert office.get(url).status_code == 200
    assert office.post(url, {"reason": "Mine"}).status_code == 403
    assert office.get(reverse("admin:accounts_change_delete", args=[change.pk])).status_code == 403


def _form(office: Client, url: str) -> dict[str, Any]:
    form = office.get(url).context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    formsets = office.get(url).context["inline_admin_formsets"]
    inlines = {
        f"{shown.formset.prefix}-{name}_FORMS": 0 for shown in formsets for name in ("TOTAL", "INITIAL")
    }
    return {name: value for name, value in values.items() if value not in (None, False)} | inlines


def test_commands_say_their_name(db: None):
    @changes.through("manage.py something")
    def run() -> Spot:
        spot = make_lot(1).spots.get()
        services.update_spot(spot_id=spot.pk, by=None, now=timezone.now(), floor="1")
        return spot

    change = Change.objects.get(kind="lots.spot", object_id=run().pk)

    assert (change.by, change.through) == (None, "manage.py something")
