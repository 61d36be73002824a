"""The pages of payments, below /payments/."""

from django.urls import path

from bookings import payment_views, stripe_webhook

app_name = "payments"

urlpatterns = [
    path("", payment_views.index, name="list"),
    path("stripe/webhook/", stripe_webhook.receive, name="stripe-webhook"),
    # /payments/<id>/…
    path("<uuid:pk>/", payment_views.detail, name="detail"),
    path("<uuid:pk>/demo/", payment_views.demo, name="demo"),
]
