"""What labels lead to. A label's code has ten signs, so no word below can be one."""

from django.urls import path

from bookings import guest_stay_views, guest_views

app_name = "guests"

urlpatterns = [
    path("stay/", guest_stay_views.stay, name="stay"),
    path("stay/live/", guest_stay_views.live, name="stay-live"),
    path("stay/extend/", guest_stay_views.extend, name="extend"),
    path("stay/change/", guest_stay_views.move, name="move"),
    path("stay/stop/", guest_stay_views.stop, name="stop"),
    path("stay/pay/", guest_stay_views.pay, name="pay"),
    path("stay/receipt.pdf", guest_stay_views.receipt, name="receipt"),
    path("stay/forget/", guest_stay_views.forget, name="forget"),
    # /s/<code>/…
    path("<slug:code>/", guest_views.label, name="label"),
    path("<slug:code>/live/", guest_views.live, name="live"),
    path("<slug:code>/book/", guest_views.book, name="book"),
]
