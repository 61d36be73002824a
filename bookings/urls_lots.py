"""The pages everybody may see. They show free counts, so they live here and not in lots."""

from django.urls import path

from bookings import help_views, lot_views, review_views

app_name = "lots"

urlpatterns = [
    path("", lot_views.search, name="search"),
    path("places/", lot_views.places, name="places"),
    path("results/", lot_views.results, name="results"),
    # /lots/<slug>/…
    path("lots/<slug:slug>/", lot_views.detail, name="detail"),
    path("lots/<slug:slug>/rules/", help_views.lot_rules, name="rules"),
    path("lots/<slug:slug>/live/", lot_views.live, name="live"),
    path("lots/<slug:slug>/quote/", lot_views.quote, name="quote"),
    path("lots/<slug:slug>/book/", lot_views.book, name="book"),
    path("lots/<slug:slug>/wait/", lot_views.wait, name="wait"),
    path("lots/<slug:slug>/review/", review_views.review, name="review"),
]
