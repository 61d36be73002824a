"""Drivers' vehicles as a file: whose plate may do what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts.models import User, Vehicle
from accounts.plates import normalise_plate
from accounts.services import MOST_VEHICLES, add_vehicle, remove_vehicle, update_vehicle
from bookings.people import known_to
from reports.sheets.cells import Choice, Column, Text
from reports.sheets.models import ImportRow
from reports.sheets.sheet import Change, Sheet


class Plate(Text):
    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        return " ".join(value.split())


class Vehicles(Sheet):
    """Found again by their driver's address and their plate, however it is spaced."""

    kind = "vehicles"
    required = ("email", "plate")
    related = ("driver",)

    email = Column("email", attribute="driver__email")
    plate = Column("plate", Plate())
    country = Column("country", empty="")
    vehicle_kind = Column("kind", Choice(Vehicle.Kind.choices))
    connector = Column("connector", empty="")

    def load(self, rows: list[dict[str, str]]) -> None:
        emails = {_email(row) for row in rows}
        self.drivers = {user.email: user for user in known_to(self.by).filter(email__in=emails)}
        ids = {user.pk: user for user in self.drivers.values()}
        self.vehicles: dict[tuple[int, str], Vehicle] = {}
        self.counts: Counter[int] = Counter()
        for vehicle in Vehicle.objects.filter(driver__in=ids):
            vehicle.driver = ids[vehicle.driver_id]
            self.vehicles[vehicle.driver_id, vehicle.plate_normalised] = vehicle
            self.counts[vehicle.driver_id] += 1

    def key(self, row: dict[str, str]) -> tuple[Any, ...]:
        return (_email(row), normalise_plate(row.get("plate", "")))

    def find(self, row: dict[str, str]) -> Vehicle | None:
        missing = [name for name in self.required if not (row.get(name) or "").strip()]
        if missing:
            raise ValidationError({name: _("A vehicle needs this.") for name in missing})
        driver = self._driver(row)
        return self.vehicles.get((driver.pk, normalise_plate(row["plate"])))

    def _driver(self, row: dict[str, str]) -> User:
        driver = self.drivers.get(_email(row))
        if driver is None:
            raise ValidationError({"email": _("You have no driver with this address.")})
        return driver

    def make(self, row: dict[str, str]) -> Vehicle:
        return Vehicle(driver=self._driver(row))

    def import_field(self, field: Any, instance: Any, row: Any, is_m2m: bool = False, **kwargs: Any) -> None:
        if field.column_name != "email":  # it found the driver
            super().import_field(field, instance, row, is_m2m, **kwargs)

    def check(self, instance: Any, is_new: bool, changed: set[str]) -> None:
        if not normalise_plate(instance.plate):
            raise ValidationError({"plate": _("A plate has letters or digits.")})
        self.counts[instance.driver_id] += is_new
        if is_new and self.counts[instance.driver_id] > MOST_VEHICLES:
            raise ValidationError(
                {"email": _("A driver has at most %(most)d vehicles.") % {"most": MOST_VEHICLES}}
            )

    def write(self, change: Change, changed: set[str]) -> None:
        vehicle = change.instance
        fields = {name: getattr(vehicle, name) for name in changed - {"email"}}
        if change.action == ImportRow.Action.NEW:
            change.instance = add_vehicle(driver=vehicle.driver, **fields)
        else:
            change.instance = update_vehicle(vehicle=vehicle, **fields)

    def fetch(self, ids: Sequence[int]) -> dict[int, Any]:
        known = known_to(self.by).values("pk")
        rows = Vehicle.objects.filter(pk__in=ids, driver__in=known).select_related("driver")
        return {vehicle.pk: vehicle for vehicle in rows}

    def put_back(self, row: ImportRow, instance: Any, values: dict[str, Any]) -> None:
        update_vehicle(vehicle=instance, **values)

    def unmake(self, instance: Any) -> None:
        remove_vehicle(vehicle=instance)


def _email(row: dict[str, str]) -> str:
    return (row.get("email") or "").strip().lower()
