"""The pages of exports, below /exports/."""

from django.urls import path

from reports import export_views

app_name = "exports"

urlpatterns = [
    path("", export_views.index, name="list"),
    # /exports/<id>/…
    path("<uuid:pk>/", export_views.detail, name="detail"),
    path("<uuid:pk>/file/", export_views.file, name="file"),
]
