"""The lists of the back office once more, now with files out and in."""

from __future__ import annotations

from django.contrib import admin

from accounts.models import User, Vehicle
from bookings.admin import bookings, lots, payments, people, spots, tariffs
from bookings.models import Booking, Payment
from lots.models import Lot, Spot, Tariff
from reports.sheets.exporting import BUTTONS, CHOSEN, IMPORT_BUTTON, SheetAdmin
from reports.sheets.lots import Lots
from reports.sheets.people import Bookings, Payments, Users
from reports.sheets.spots import Spots
from reports.sheets.tariffs import Tariffs
from reports.sheets.vehicles import Vehicles

for model in (Lot, Spot, Tariff, User, Vehicle, Booking, Payment):
    admin.site.unregister(model)


@admin.register(Lot)
class LotAdmin(SheetAdmin, lots.LotAdmin):
    sheet = Lots
    actions = [*lots.LotAdmin.actions, *CHOSEN]
    actions_list = [*lots.LotAdmin.actions_list, *BUTTONS, IMPORT_BUTTON]


@admin.register(Spot)
class SpotAdmin(SheetAdmin, spots.SpotAdmin):
    sheet = Spots
    actions = [*spots.SpotAdmin.actions, *CHOSEN]
    actions_list = [*spots.SpotAdmin.actions_list, *BUTTONS, IMPORT_BUTTON]


@admin.register(Tariff)
class TariffAdmin(SheetAdmin, tariffs.TariffAdmin):
    sheet = Tariffs
    actions = [*tariffs.TariffAdmin.actions, *CHOSEN]
    actions_list = [*tariffs.TariffAdmin.actions_list, *BUTTONS, IMPORT_BUTTON]


@admin.register(User)
class UserAdmin(SheetAdmin, people.UserAdmin):
    sheet = Users
    actions = [*people.UserAdmin.actions, *CHOSEN]  # type: ignore[misc]
    actions_list = [*people.UserAdmin.actions_list, *BUTTONS]


@admin.register(Vehicle)
class VehicleAdmin(SheetAdmin, people.VehicleAdmin):
    sheet = Vehicles
    actions = [*people.VehicleAdmin.actions, *CHOSEN]
    actions_list = [*people.VehicleAdmin.actions_list, *BUTTONS, IMPORT_BUTTON]


@admin.register(Booking)
class BookingAdmin(SheetAdmin, bookings.BookingAdmin):
    sheet = Bookings
    actions = [*bookings.BookingAdmin.actions, *CHOSEN]
    actions_list = [*bookings.BookingAdmin.actions_list, *BUTTONS]


@admin.register(Payment)
class PaymentAdmin(SheetAdmin, payments.PaymentAdmin):
    sheet = Payments
    actions = [*payments.PaymentAdmin.actions, *CHOSEN]
    actions_list = [*payments.PaymentAdmin.actions_list, *BUTTONS]
