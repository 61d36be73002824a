from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class ParkingConfig(AppConfig):
    name = "parking"

    def ready(self) -> None:
        from django.conf import settings

        from parking import metrics, sentry, slow_queries

        metrics.listen()
        slow_queries.watch()
        if settings.SENTRY_DSN:
            sentry.start(settings.SENTRY_DSN)


class ParkwellAdminConfig(AdminConfig):
    default_site = "parking.admin.ParkwellAdminSite"

    def ready(self) -> None:
        super().ready()
        from django.contrib import admin

        from parking.admin_restyle import restyle

        restyle(admin.site)
