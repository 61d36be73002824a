"""People, vehicles and mails in the back office, for operators limited to some lots: only their drivers'."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from accounts import admin as accounts_admin
from accounts.models import Notice, User, Vehicle
from bookings.admin.base import KeptHistory, operator
from bookings.people import known_to


class OwnDrivers(ModelAdmin):
    # From a row to its person.
    person_lookup = "pk"

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        if operator(request).is_superuser:
            return rows
        return rows.filter(**{f"{self.person_lookup}__in": known_to(operator(request)).values("pk")})


for model in (Group, User, Vehicle, Notice):
    admin.site.unregister(model)


@admin.register(User)
class UserAdmin(KeptHistory, OwnDrivers, accounts_admin.UserAdmin):
    pass


@admin.register(Group)
class GroupAdmin(KeptHistory, accounts_admin.GroupAdmin):
    pass


@admin.register(Vehicle)
class VehicleAdmin(OwnDrivers, accounts_admin.VehicleAdmin):
    person_lookup = "driver"


@admin.register(Notice)
class NoticeAdmin(OwnDrivers, accounts_admin.NoticeAdmin):
    person_lookup = "user"
