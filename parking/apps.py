from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class ParkingConfig(AppConfig):
    name = "parking"


class ParkwellAdminConfig(AdminConfig):
    default_site = "parking.admin.ParkwellAdminSite"

    def ready(self) -> None:
        super().ready()
        from django.contrib import admin

        from parking.admin_restyle import restyle

        restyle(admin.site)
