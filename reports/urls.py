"""The pages of figures, and the link in report mails."""

from django.urls import path

from reports import unsubscribe_views

app_name = "reports"

urlpatterns = [
    path("unsubscribe/<str:token>/", unsubscribe_views.unsubscribe_page, name="unsubscribe"),
]
