from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class ParkingConfig(AppConfig):
    name = "parking"


class ParkwellAdminConfig(AdminConfig):
    default_site = "parking.admin.ParkwellAdminSite"
