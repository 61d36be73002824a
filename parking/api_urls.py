"""The API's addresses."""

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.db.models import QuerySet
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter

from accounts.api import MeView, UserViewSet, VehicleViewSet
from accounts.models import User
from bookings.api.bookings import BookingViewSet
from bookings.api.calendar import CalendarFeedView
from bookings.api.events import EventViewSet
from bookings.api.lots import LotViewSet
from bookings.api.open_data import ParkingSiteViewSet, PlaceViewSet
from bookings.api.payments import PaymentViewSet, PayView
from bookings.api.quotes import QuoteView
from bookings.api.receipts import CalendarView, ReceiptView
from bookings.api.reviews import OwnReviewViewSet, ReviewViewSet
from bookings.api.waitlist import WaitlistViewSet
from bookings.idempotency import Idempotent
from bookings.people import known_to
from parking.api import UnknownPath
from reports.api_jobs import JobView
from reports.api_stats import StatsView
from reports.export_api import ExportViewSet


class Vehicles(Idempotent, VehicleViewSet):
    """Accounts know nothing of idempotency keys; here the two meet."""


class Users(UserViewSet):
    """Nor do they know of lots: an operator limited to some sees the people who booked there."""

    def get_queryset(self) -> QuerySet[User]:
        user = self.request.user
        return known_to(user) if isinstance(user, User) else User.objects.none()


router = SimpleRouter()
router.register("lots", LotViewSet, "lot")
router.register("bookings", BookingViewSet, "booking")
router.register("payments", PaymentViewSet, "payment")
router.register("waitlist", WaitlistViewSet, "waitlist")
router.register("vehicles", Vehicles, "vehicle")
router.register("events", EventViewSet, "event")
router.register("users", Users, "user")
router.register("exports", ExportViewSet, "export")

_SLUG = r"(?P<slug>[-\w]{1,140})"
_REFERENCE = "(?P<reference>[0-9A-Za-z]{16})"

# Swagger UI writes its styles into the page; its script is a file of its own.
_docs_policy = csp_replace({"style-src": [SELF, UNSAFE_INLINE], "form-action": [NONE]})

urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/quotes/", QuoteView.as_view(), name="quotes"),
    re_path(rf"^v1/bookings/{_REFERENCE}/pay/\Z", PayView.as_view(), name="pay"),
    re_path(rf"^v1/bookings/{_REFERENCE}/receipt/\Z", ReceiptView.as_view(), name="receipt"),
    re_path(rf"^v1/bookings/{_REFERENCE}/calendar/\Z", CalendarView.as_view(), name="calendar"),
    re_path(
        rf"^v1/lots/{_SLUG}/reviews/\Z",
        ReviewViewSet.as_view({"get": "list", "post": "create"}),
        name="reviews",
    ),
    re_path(
        rf"^v1/lots/{_SLUG}/reviews/mine/\Z",
        OwnReviewViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="review-mine",
    ),
    path("v1/open/places/", PlaceViewSet.as_view({"get": "list"}), name="open-places"),
    path("v1/open/parking-sites/", ParkingSiteViewSet.as_view({"get": "list"}), name="open-parking-sites"),
    path("v1/me/calendar/", CalendarFeedView.as_view(), name="me-calendar"),
    path("v1/stats/", StatsView.as_view(), name="stats"),
    # A job's name to start it, a run's id to look at it.
    re_path(r"^v1/jobs/(?P<job>[0-9A-Za-z-]{1,40})/\Z", JobView.as_view(), name="job"),
    path("v1/me/", MeView.as_view(), name="me"),
    path("v1/", include(router.urls)),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", _docs_policy(SpectacularSwaggerSplitView.as_view(url_name="api:schema")), name="docs"),
    re_path("", UnknownPath.as_view()),
]
