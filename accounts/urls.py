"""A person's own pages, below /accounts/. Signing in and up is allauth's."""

from django.urls import path

from accounts import privacy_views, session_views, views

app_name = "accounts"
urlpatterns = [
    path("profile/", views.profile, name="profile"),
    # /accounts/vehicles/…
    path("vehicles/", views.vehicles, name="vehicles"),
    path("vehicles/add/", views.add_vehicle, name="vehicle-add"),
    path("vehicles/<int:pk>/", views.edit_vehicle, name="vehicle"),
    path("vehicles/<int:pk>/remove/", views.remove_vehicle, name="vehicle-remove"),
    # /accounts/sessions/ is allauth's.
    path("sessions/<int:pk>/end/", session_views.end, name="session-end"),
    # /accounts/privacy/…
    path("privacy/", privacy_views.privacy, name="privacy"),
    path("privacy/download/", privacy_views.download, name="download"),
    path("privacy/erase/", privacy_views.erase, name="erase"),
]
