"""What a driver may want to look up."""

from django.urls import path

from bookings import help_views

app_name = "help"
urlpatterns = [path("rules/", help_views.rules, name="rules")]
