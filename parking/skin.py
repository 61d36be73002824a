"""How the back office looks: Unfold with the site's own colours, and what its menu offers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _


def _may_view(app: str, model: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(f"{app}.view_{model}")  # type: ignore[union-attr]


def _page(title: Any, icon: str, app: str, model: str) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{model}_changelist"),
        "permission": _may_view(app, model),
    }


UNFOLD = {
    "SITE_TITLE": "Parkwell",
    "SITE_HEADER": "Parkwell",
    "SITE_SUBHEADER": _("Back office"),
    "SITE_SYMBOL": "local_parking",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("favicon.svg")},
    ],
    "STYLES": [lambda request: static("office.css")],
    "SHOW_BACK_BUTTON": True,
    "DASHBOARD_CALLBACK": "parking.dashboard.context",
    "COLORS": {
        # static/site.css calls 600 --pw-brand.
        "primary": {
            "50": "#eef8f5",
            "100": "#d6eee7",
            "200": "#aedccf",
            "300": "#7fc7b4",
            "400": "#4cc2a9",
            "500": "#1f9a83",
            "600": "#0c6b5c",
            "700": "#0a594d",
            "800": "#0a473e",
            "900": "#083a33",
            "950": "#04211b",
        },
    },
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": True,
        "navigation": [
            {
                "title": _("Parking"),
                "items": [
                    _page(_("Bookings"), "event_available", "bookings", "booking"),
                    _page(_("Waitlist"), "hourglass_top", "bookings", "waitlistentry"),
                    _page(_("Problems"), "report", "bookings", "problem"),
                    _page(_("Lots"), "garage", "lots", "lot"),
                    _page(_("Spots"), "local_parking", "lots", "spot"),
                    _page(_("Closures"), "block", "lots", "closure"),
                    _page(_("Reviews"), "reviews", "lots", "review"),
                    _page(_("Tariff versions"), "sell", "lots", "tariff"),
                    _page(_("Imports"), "upload_file", "reports", "importbatch"),
                    _page(_("Readings"), "sensors", "reports", "occupancyimport"),
                ],
            },
            {
                "title": _("Money"),
                "items": [
                    _page(_("Payments"), "payments", "bookings", "payment"),
                    _page(_("Refunds"), "undo", "bookings", "refund"),
                    _page(_("Ledger"), "menu_book", "bookings", "ledgerentry"),
                    _page(_("Receipts"), "receipt_long", "bookings", "receipt"),
                ],
            },
            {
                "title": _("People"),
                "items": [
                    _page(_("Users"), "group", "accounts", "user"),
                    _page(_("Roles"), "badge", "auth", "group"),
                    _page(_("Changes"), "history", "accounts", "change"),
                    _page(_("Who saw whose data"), "visibility", "accounts", "viewing"),
                ],
            },
            {
                "title": _("Reports"),
                "items": [
                    {
                        "title": _("Figures"),
                        "icon": "monitoring",
                        "link": reverse_lazy("admin:reports_figures"),
                        "permission": lambda request: request.user.has_perms(
                            ["bookings.view_booking", "bookings.view_ledgerentry"]
                        ),
                    },
                    _page(_("Exports"), "download", "reports", "export"),
                ],
            },
            {
                "title": _("Clock"),
                "items": [
                    _page(_("Schedules"), "schedule", "django_celery_beat", "periodictask"),
                    _page(_("Webhooks"), "webhook", "bookings", "webhookendpoint"),
                    _page(_("Webhook deliveries"), "outbox", "bookings", "webhookdelivery"),
                    _page(_("Job runs"), "task_alt", "reports", "jobrun"),
                    {
                        "title": _("Mails"),
                        "icon": "mail",
                        "link": reverse_lazy("admin:reports_mails"),
                        "permission": lambda request: (
                            request.user.has_perm("accounts.view_notice")
                            or request.user.has_perm("django_celery_beat.view_periodictask")
                        ),
                    },
                ],
            },
        ],
    },
}
