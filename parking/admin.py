"""The back office's site: for staff who have shown a second factor in this session, and nobody else."""

from __future__ import annotations

from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import ModelAdmin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django_otp.admin import OTPAdminSite
from unfold.sites import UnfoldAdminSite

from accounts import second_factor
from accounts.models import User
from parking import shown


class ParkwellAdminSite(OTPAdminSite, UnfoldAdminSite):
    """Signing in happens in one place, allauth's; here only the second factor is asked for."""

    site_header = "Parkwell"
    site_title = "Parkwell"
    index_title = "Overview"

    def __init__(self, name: str = "admin"):
        # django-otp would call it "otpadmin", and reverse("admin:…") would find nothing.
        super().__init__(name)

    def has_permission(self, request: HttpRequest) -> bool:
        if not super().has_permission(request) or not isinstance(request.user, User):
            return False
        return not request.user.password_is_temporary and second_factor.is_fresh(request)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        model_admin = getattr(view, "__self__", None)
        if isinstance(model_admin, ModelAdmin):
            view = _with_some_right(view, model_admin)
        return super().admin_view(shown.told(view), cacheable)

    def get_urls(self) -> list[Any]:
        from reports import mail_admin, report_admin  # they register with this site, so cannot come first

        return [*report_admin.urls(self), *mail_admin.urls(self), *super().get_urls()]

    @method_decorator(never_cache)
    @method_decorator(login_not_required)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Where the admin sends whoever may not see a page; takes no password itself."""
        wanted = self._wanted(request)
        if not request.user.is_authenticated:
            return redirect_to_login(wanted, reverse("account_login"))
        if not (request.user.is_staff and request.user.is_active):
            raise PermissionDenied
        if self.has_permission(request):
            return redirect(wanted)
        return redirect(f"{reverse('staff:step-up')}?{urlencode({REDIRECT_FIELD_NAME: wanted})}")

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The back office knows no passwords; one's own is changed where everybody changes theirs."""
        return redirect("account_change_password")

    def _wanted(self, request: HttpRequest) -> str:
        wanted = request.GET.get(REDIRECT_FIELD_NAME, "")
        is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure())
        return wanted if is_ours else reverse(f"{self.name}:index")


def _with_some_right(view: Any, model_admin: ModelAdmin) -> Any:
    """Some of Django's pages look for the row first, and so tell staff without any right which ids exist."""

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not any(model_admin.get_model_perms(request).values()):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return checked
