"""The pages of a driver's own bookings, below /bookings/."""

from django.urls import path

from bookings import (
    feed_views,
    pass_views,
    payment_views,
    problem_views,
    receipt_views,
    views,
    waitlist_views,
)

app_name = "bookings"

urlpatterns = [
    path("", views.index, name="list"),
    # /bookings/waitlist/<reference of a place in line>/…
    path("waitlist/<slug:reference>/", waitlist_views.detail, name="waiting"),
    path("waitlist/<slug:reference>/accept/", waitlist_views.accept, name="waitlist-accept"),
    path("waitlist/<slug:reference>/snooze/", waitlist_views.snooze, name="waitlist-snooze"),
    path("waitlist/<slug:reference>/leave/", waitlist_views.leave, name="waitlist-leave"),
    path("calendar/", feed_views.page, name="calendar-feed"),
    path("calendar/<str:key>.ics", feed_views.feed, name="feed"),
    # /bookings/<reference>/…
    path("<slug:reference>/", views.detail, name="detail"),
    path("<slug:reference>/live/", views.live, name="live"),
    path("<slug:reference>/check-in/", views.check_in, name="check-in"),
    path("<slug:reference>/extend/", views.extend, name="extend"),
    path("<slug:reference>/release/", views.release, name="release"),
    path("<slug:reference>/cancel/", views.cancel, name="cancel"),
    path("<slug:reference>/move/", views.move, name="move"),
    path("<slug:reference>/problem/", problem_views.problem, name="problem"),
    path("<slug:reference>/pass/", pass_views.page, name="pass"),
    path("<slug:reference>/pass.png", pass_views.picture, name="pass-picture"),
    path("<slug:reference>/pay/", payment_views.pay, name="pay"),
    path("<slug:reference>/receipt/", receipt_views.receipt, name="receipt"),
    path("<slug:reference>/receipt.pdf", receipt_views.receipt_pdf, name="receipt-pdf"),
    path("<slug:reference>/calendar/", receipt_views.calendar, name="calendar"),
]
