"""The pages of figures, and the link in report mails."""

from django.urls import path

from reports import outlook_views, unsubscribe_views, views

app_name = "reports"

urlpatterns = [
    path("lots/<slug:slug>/usually/", outlook_views.usually, name="usually"),
    path("dashboard/", views.dashboard, name="dashboard"),
    path("unsubscribe/<str:token>/", unsubscribe_views.unsubscribe_page, name="unsubscribe"),
]
