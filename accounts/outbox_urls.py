"""/outbox/: mails while DEBUG."""

from django.urls import path

from accounts import outbox_views

app_name = "outbox"
urlpatterns = [
    path("", outbox_views.mails, name="list"),
    path("<int:pk>/", outbox_views.mail, name="mail"),
    path("<int:pk>/html/", outbox_views.mail_html, name="html"),
]
