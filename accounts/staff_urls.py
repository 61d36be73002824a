"""/accounts/security/: staff's second factor."""

from django.urls import path

from accounts import staff_views

app_name = "staff"
urlpatterns = [
    path("", staff_views.security, name="security"),
    path("code/", staff_views.step_up, name="step-up"),
    path("app/", staff_views.add_app, name="add-app"),
    path("app/remove/", staff_views.remove_app, name="remove-app"),
    path("backup-codes/", staff_views.backup_codes, name="backup-codes"),
]
