"""Every address that names a row, taken from the URL patterns themselves, and how each may be asked.

A new route is on one of these lists, or tests/test_matrix.py fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, get_resolver

# Nothing of one person is behind these, or the id itself is the key.
PUBLIC = {
    "lots/<slug:slug>/": "everybody sees a lot",
    "lots/<slug:slug>/live/": "everybody sees a lot",
    "lots/<slug:slug>/usually/": "everybody sees a lot",
    "lots/<slug:slug>/rules/": "everybody sees a lot",
    "lots/<slug:slug>/quote/": "everybody sees a lot",
    "lots/<slug:slug>/book/": "everybody may book",
    "lots/<slug:slug>/wait/": "everybody may wait",
    "api/v1/lots/SLUG/soonest/": "everybody sees a lot",
    "api/v1/lots/SLUG/spots/": "everybody sees a lot",
    "bookings/calendar/<str:key>.ics": "the key is the proof",
    "lots/<slug:slug>/review/": "one's own review of a lot everybody sees",
    "api/v1/lots/SLUG/reviews/": "everybody sees a lot",
    "api/v1/lots/SLUG/reviews/mine/": "one's own review of a lot everybody sees",
    "s/<slug:code>/": "who has the code stands at the label",
    "s/<slug:code>/live/": "who has the code stands at the label",
    "s/<slug:code>/book/": "who has the code stands at the label, and may book",
    "payments/<uuid:pk>/demo/": "the pretended card page, as a real provider's: who has the id may pay",
    **{
        f"admin/reports/jobrun/<path:object_id>/{page}/": "whoever may see one run of a job may see all"
        for page in ("change", "history", "delete")
    },
    "admin/reports/jobrun/<path:object_id>/": "leads to the page above",
    "unsubscribe/<str:token>/": "the link in a mail: signed, and the key itself",
    "admin/APP/": "an app's name, no row",
    "admin/reports/importbatch/upload/<slug:kind>/": "a kind of file, no row",
    "admin/URL": "the back office's own answer to unknown addresses",
}

READ, WRITE, BOTH = ("GET",), ("POST",), ("GET", "POST")
# Route → (which row of the world, methods).
ROUTES: dict[str, tuple[str, tuple[str, ...]]] = {
    "bookings/<slug:reference>/": ("reference", READ),
    "bookings/<slug:reference>/live/": ("reference", READ),
    "bookings/<slug:reference>/check-in/": ("reference", WRITE),
    "bookings/<slug:reference>/extend/": ("reference", BOTH),
    "bookings/<slug:reference>/release/": ("reference", BOTH),
    "bookings/<slug:reference>/cancel/": ("reference", BOTH),
    "bookings/<slug:reference>/move/": ("reference", BOTH),
    "bookings/<slug:reference>/problem/": ("reference", BOTH),
    "bookings/<slug:reference>/pass/": ("reference", READ),
    "bookings/<slug:reference>/pass.png": ("reference", READ),
    "admin/bookings/booking/pass/<slug:reference>/": ("reference", READ),
    "bookings/<slug:reference>/pay/": ("reference", BOTH),
    "bookings/<slug:reference>/receipt/": ("reference", READ),
    "bookings/<slug:reference>/receipt.pdf": ("reference", READ),
    "bookings/<slug:reference>/calendar/": ("reference", READ),
    "bookings/waitlist/<slug:reference>/": ("place in line", READ),
    "bookings/waitlist/<slug:reference>/accept/": ("place in line", WRITE),
    "bookings/waitlist/<slug:reference>/snooze/": ("place in line", WRITE),
    "bookings/waitlist/<slug:reference>/leave/": ("place in line", WRITE),
    "payments/<uuid:pk>/": ("payment", READ),
    "exports/<uuid:pk>/": ("export", READ),
    "admin/reports/importbatch/<int:pk>/columns/": ("reports.importbatch", BOTH),
    "admin/reports/importbatch/<int:pk>/confirm/": ("reports.importbatch", WRITE),
    "admin/reports/importbatch/<int:pk>/undo/": ("reports.importbatch", WRITE),
    "admin/reports/importbatch/<int:pk>/errors.csv": ("reports.importbatch", READ),
    "admin/reports/occupancyimport/<int:pk>/refused.csv": ("reports.occupancyimport", READ),
    "exports/<uuid:pk>/file/": ("export", READ),
    "accounts/vehicles/<int:pk>/": ("vehicle", BOTH),
    "accounts/vehicles/<int:pk>/remove/": ("vehicle", WRITE),
    "accounts/sessions/<int:pk>/end/": ("session", WRITE),
    "admin/accounts/notice/<path:object_id>/preview/": ("notice", READ),
    "admin/accounts/notice/<int:pk>/frame/": ("notice", READ),
    "outbox/<int:pk>/": ("notice", READ),
    "outbox/<int:pk>/html/": ("notice", READ),
    "api/v1/lots/SLUG/": ("slug", ("PATCH", "DELETE")),
    "api/v1/bookings/REFERENCE/": ("reference", READ),
    "api/v1/bookings/REFERENCE/cancellation/": ("reference", READ),
    "api/v1/bookings/REFERENCE/cancel/": ("reference", WRITE),
    "api/v1/bookings/REFERENCE/check-in/": ("reference", WRITE),
    "api/v1/bookings/REFERENCE/extend/": ("reference", WRITE),
    "api/v1/bookings/REFERENCE/release/": ("reference", WRITE),
    "api/v1/bookings/REFERENCE/pay/": ("reference", WRITE),
    "api/v1/bookings/REFERENCE/receipt/": ("reference", READ),
    "api/v1/bookings/REFERENCE/calendar/": ("reference", READ),
    "api/v1/payments/PK/": ("payment", READ),
    "api/v1/waitlist/REFERENCE/": ("place in line", READ),
    "api/v1/waitlist/REFERENCE/accept/": ("place in line", WRITE),
    "api/v1/waitlist/REFERENCE/snooze/": ("place in line", WRITE),
    "api/v1/waitlist/REFERENCE/leave/": ("place in line", WRITE),
    "api/v1/exports/PK/": ("export", READ),
    "api/v1/jobs/JOB/": ("job", READ),
    "api/v1/vehicles/PK/": ("vehicle", ("GET", "PATCH", "DELETE")),
    "admin/r/<path:content_type_id>/<path:object_id>/": ("any row", READ),
    "admin/bookings/booking/<path:object_id>/check-in/": ("bookings.booking", BOTH),
    "admin/bookings/booking/<path:object_id>/release/": ("bookings.booking", BOTH),
    "admin/bookings/booking/<path:object_id>/extend/": ("bookings.booking", BOTH),
    "admin/bookings/booking/<path:object_id>/move/": ("bookings.booking", BOTH),
    "admin/bookings/booking/<path:object_id>/cancel/": ("bookings.booking", BOTH),
    "admin/bookings/booking/<path:object_id>/record-payment/": ("bookings.booking", BOTH),
    "admin/bookings/booking/<path:object_id>/refund/": ("bookings.booking", BOTH),
    "admin/bookings/receipt/<int:pk>/pdf/": ("bookings.receipt", READ),
    "admin/django_celery_beat/periodictask/<path:object_id>/preview/": (
        "django_celery_beat.periodictask",
        READ,
    ),
    "admin/django_celery_beat/periodictask/<path:object_id>/rehearse/": (
        "django_celery_beat.periodictask",
        READ,
    ),
    "admin/django_celery_beat/periodictask/<path:object_id>/run/": ("django_celery_beat.periodictask", BOTH),
    "admin/lots/lot/<path:object_id>/board/": ("lots.lot", READ),
    "admin/lots/lot/<path:object_id>/spots/": ("lots.lot", READ),
    "admin/lots/lot/<path:object_id>/bookings/": ("lots.lot", READ),
    "admin/lots/lot/<path:object_id>/tariff/": ("lots.lot", READ),
    "admin/lots/lot/<path:object_id>/book/": ("lots.lot", READ),
    "admin/lots/lot/<path:object_id>/close/": ("lots.lot", BOTH),
    "admin/lots/closure/<path:object_id>/lift/": ("lots.closure", BOTH),
    "admin/lots/closure/<path:object_id>/shorten/": ("lots.closure", BOTH),
    "admin/lots/tariff/of/<int:lot_id>/": ("lots.lot", READ),
    "admin/lots/tariff/of/<int:lot_id>/new/": ("lots.lot", BOTH),
    "admin/lots/tariff/of/<int:lot_id>/example/": ("lots.lot", WRITE),
    "admin/lots/tariff/of/<int:lot_id>/import/": ("lots.lot", BOTH),
    "admin/lots/tariff/<int:pk>/<slug:shape>.json": ("tariff file", READ),
    "admin/lots/tariff/<path:object_id>/all_versions/": ("lots.tariff", READ),
    "admin/lots/tariff/<path:object_id>/start_from_this/": ("lots.tariff", READ),
    "admin/lots/tariff/<path:object_id>/as_ocpi/": ("lots.tariff", READ),
    "admin/otp_totp/totpdevice/<int:pk>/config/": ("otp_totp.totpdevice", READ),
    "admin/otp_totp/totpdevice/<int:pk>/qrcode/": ("otp_totp.totpdevice", READ),
}
# The four pages the admin makes for each model: the row's name is the model's.
_MODEL = re.compile(r"^admin/(\w+)/(\w+)/<path:object_id>/(?:history/|delete/|change/)?$")


def collected() -> set[str]:
    """All routes with a parameter, named or not, written as in the tables above."""
    return {route for route, groups in _walk(get_resolver().url_patterns, "", 0) if groups}


def asked(route: str) -> tuple[str, tuple[str, ...]] | None:
    model = _MODEL.match(route)
    return ROUTES.get(route) or ((f"{model[1]}.{model[2]}", BOTH) if model else None)


def address(route: str, values: tuple[Any, ...]) -> str:
    """The route with its parameters filled in, one after the other."""
    left = iter(values)
    return "/" + re.sub(r"<[^>]+>|\b[A-Z]{2,}\b", lambda _found: str(next(left)), route)


def _walk(patterns: Any, before: str, groups: int) -> Iterator[tuple[str, int]]:
    for pattern in patterns:
        route, count = before + _readable(str(pattern.pattern)), groups + pattern.pattern.regex.groups
        if isinstance(pattern, URLPattern):
            yield route, count
        else:
            yield from _walk(pattern.url_patterns, route, count)


def _readable(route: str) -> str:
    """A regular expression as a route with capitals for its groups."""
    if "(" not in route:
        return route
    named = re.sub(r"\(\?P<(\w+)>[^()]*\)", lambda found: found[1].split("_")[0].upper(), route)
    return re.sub(r"\([^()]*\)", "ID", named).removeprefix("^").removesuffix(r"\Z").removesuffix("$")
