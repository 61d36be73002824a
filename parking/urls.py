"""Every address, by who answers it."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from accounts.languages import choose
from parking import offline
from parking.metrics import metrics

urlpatterns: list[URLPattern | URLResolver] = [
    path("accounts/", include("allauth.urls")),
    path("accounts/", include("accounts.urls")),
    path("accounts/security/", include("accounts.staff_urls")),
    path("api/auth/", include("allauth.headless.urls")),
    path("api/", include(("parking.api_urls", "api"))),
    path("help/", include("bookings.urls_help")),
    path("i18n/language/", choose, name="set_language"),
    path("outbox/", include("accounts.outbox_urls")),
    path("bookings/", include("bookings.urls")),
    path("payments/", include("bookings.payment_urls")),
    path("exports/", include("reports.export_urls")),
    path("s/", include("bookings.urls_guests")),
    path("", include("bookings.urls_lots")),
    path("", include("reports.urls")),
    path("offline/", offline.page, name="offline"),
    path("worker.js", offline.worker, name="worker"),
    path("metrics", metrics),
    path("admin/", admin.site.urls),
]

handler400 = "parking.problems.bad_request"
handler403 = "parking.problems.permission_denied"
handler404 = "parking.problems.not_found"
handler500 = "parking.problems.server_error"
