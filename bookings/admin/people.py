"""People, vehicles and mails in the back office, for operators limited to some lots: only their drivers'."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.models import Group
from django.db.models import Count, Exists, Max, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display
from unfold.views import ChangeList as UnfoldChangeList

from accounts import admin as accounts_admin
from accounts.models import Notice, User, Vehicle
from bookings.admin.base import KeptHistory, amount, operator
from bookings.models import Booking, LedgerEntry
from bookings.people import known_to
from lots import history
from lots.models import Lot


class OwnDrivers(ModelAdmin):
    # From a row to its person.
    person_lookup = "pk"

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        if operator(request).is_superuser:
            return rows
        return rows.filter(**{f"{self.person_lookup}__in": known_to(operator(request)).values("pk")})


for model in (Group, User, Vehicle, Notice):
    admin.site.unregister(model)


def bookings_seen_by(user: User) -> QuerySet[Booking]:
    """What is told about a person is told of the lots one runs."""
    rows = Booking.objects.all()
    return rows if user.is_superuser else rows.filter(lot__in=Lot.objects.run_by(user).values("pk"))


class UserList(UnfoldChangeList):
    """Adds what the page's people did: a few queries for all of them, and none for anybody else.

    Only a list sorted by bookings asks for everybody's, and only then.
    """

    result_list: Any

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any):
        self.seen = bookings_seen_by(operator(request))
        super().__init__(request, *args, **kwargs)

    def get_ordering_field(self, field_name: str) -> Any:
        theirs = self.seen.filter(driver=OuterRef("pk")).order_by().values("driver")
        if field_name == "booked":
            return Coalesce(Subquery(theirs.annotate(count=Count("pk")).values("count")), 0)
        if field_name == "last_booking":
            return Subquery(theirs.annotate(last=Max("created_at")).values("last"))
        return super().get_ordering_field(field_name)

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        people = list(self.result_list.prefetch_related("groups", "lots_limited_to"))
        theirs = self.seen.filter(driver__in=[user.pk for user in people])
        done: dict[int | None, Any] = {
            row["driver"]: row
            for row in theirs.order_by().values("driver").annotate(count=Count("pk"), last=Max("created_at"))
        }
        spent = _spent(theirs)
        for user in people:
            found = done.get(user.pk, {})
            user.booked_count, user.booked_last = found.get("count", 0), found.get("last")
            user.spent_in = spent.get(user.pk, [])
        self.result_list = people


def _spent(bookings: QuerySet[Booking]) -> dict[int, list[str]]:
    """Paid less sent back, by the ledger; money of two currencies is never added up."""
    moved = LedgerEntry.objects.filter(booking__in=bookings.values("pk")).order_by()
    rows = moved.values_list("booking__driver", "currency", "kind").annotate(sum=Sum("amount"))
    sums: dict[int, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for driver, currency, kind, total in rows:
        sums[driver][currency] += total if kind == LedgerEntry.Kind.CHARGE else -total
    return {
        driver: [amount(total, currency) for currency, total in sorted(found.items())]
        for driver, found in sums.items()
    }


class SeenFilter(admin.SimpleListFilter):
    title = gettext_lazy("last sign-in")
    parameter_name = "seen"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("7", _("in the last 7 days")), ("30", _("in the last 30 days")),
                ("longer", _("longer ago")), ("never", _("never"))]  # fmt: skip

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        now = timezone.now()
        if self.value() in ("7", "30"):
            return queryset.filter(last_login__gte=now - timedelta(days=int(str(self.value()))))
        if self.value() == "longer":
            return queryset.filter(last_login__lt=now - timedelta(days=30))
        return queryset.filter(last_login=None) if self.value() == "never" else queryset


class BookedFilter(admin.SimpleListFilter):
    title = gettext_lazy("booked")
    parameter_name = "booked"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("30", _("in the last 30 days")), ("ever", _("ever")), ("never", _("never"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        theirs = bookings_seen_by(operator(request)).filter(driver=OuterRef("pk"))
        if self.value() == "30":
            return queryset.filter(Exists(theirs.filter(created_at__gte=timezone.now() - timedelta(days=30))))
        if self.value() == "ever":
            return queryset.filter(Exists(theirs))
        return queryset.filter(~Exists(theirs)) if self.value() == "never" else queryset


class LimitedFilter(admin.SimpleListFilter):
    title = gettext_lazy("limited to some lots")
    parameter_name = "limited"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("yes")), ("no", _("no"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        limits = Exists(Lot.operators.through.objects.filter(user=OuterRef("pk")))
        if self.value() == "yes":
            return queryset.filter(limits)
        return queryset.filter(~limits, is_staff=True) if self.value() == "no" else queryset


class LimitInline(TabularInline):
    """The lots an operator is limited to; only superusers set limits: who could lift their own has none."""

    model = Lot.operators.through
    verbose_name = gettext_lazy("lot they are limited to")
    verbose_name_plural = gettext_lazy("lots they are limited to (none: all)")
    autocomplete_fields = ["lot"]
    extra = 0

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("accounts.view_user")  # type: ignore[union-attr]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return operator(request).is_superuser

    has_change_permission = has_delete_permission = has_add_permission

    def get_queryset(self, request: HttpRequest) -> Any:
        return (
            super().get_queryset(request).filter(lot__in=Lot.objects.run_by(operator(request)).values("pk"))
        )


@admin.register(User)
class UserAdmin(KeptHistory, OwnDrivers, accounts_admin.UserAdmin):
    list_display = [
        *("person", "roles", "last_sign_in", "last_booking"),
        *("booked", "spent", "joined", "is_active"),
    ]
    list_filter = [
        "is_staff",
        "is_active",
        ("groups", RelatedDropdownFilter),  # type: ignore[list-item]
        LimitedFilter,  # type: ignore[list-item]
        SeenFilter,  # type: ignore[list-item]
        BookedFilter,  # type: ignore[list-item]
    ]
    list_filter_submit = True
    list_per_page = 50

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return UserList

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        limits = [LimitInline] if obj is not None and obj.is_staff else []
        return [*super().get_inlines(request, obj), *limits]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        before = history.of_limits(form.instance)
        super().save_related(request, form, formsets, change)
        history.limits_changed(form.instance, before, by=operator(request), now=timezone.now())

    # --- Columns ---

    @display(description=gettext_lazy("who"), ordering="email", header=True)
    def person(self, user: User) -> list[str]:
        return [user.email, user.name]

    @display(description=gettext_lazy("roles"))
    def roles(self, user: User) -> str:
        """With the lots a role is limited to."""
        if not user.is_staff:
            return _("driver")
        names = [_("superuser")] if user.is_superuser else [group.name for group in user.groups.all()]
        lots = [] if user.is_superuser else [lot.name for lot in user.lots_limited_to.all()]
        told = ", ".join(names) or _("staff without a role")
        shown = ", ".join(lots[:3]) + (" …" if len(lots) > 3 else "")
        return _("%(roles)s at %(lots)s") % {"roles": told, "lots": shown} if lots else told

    @display(description=gettext_lazy("last sign-in"), ordering="last_login")
    def last_sign_in(self, user: User) -> str:
        return _day(user.last_login)

    @display(description=gettext_lazy("last booking"), ordering="last_booking")
    def last_booking(self, user: Any) -> str:
        return _day(user.booked_last)

    @display(description=gettext_lazy("bookings"), ordering="booked")
    def booked(self, user: Any) -> str:
        if not user.booked_count:
            return "–"
        url = f"{reverse('admin:bookings_booking_changelist')}?q={user.email}"
        return format_html('<a href="{}">{}</a>', url, user.booked_count)

    @display(description=gettext_lazy("spent"))
    def spent(self, user: Any) -> str:
        return " · ".join(user.spent_in) or "–"

    @display(description=gettext_lazy("joined"), ordering="date_joined")
    def joined(self, user: User) -> str:
        return _day(user.date_joined)


def _day(at: Any) -> str:
    return date_format(timezone.localtime(at), "j M Y").replace(" ", "\u00a0") if at else "–"


@admin.register(Group)
class GroupAdmin(KeptHistory, accounts_admin.GroupAdmin):
    pass


@admin.register(Vehicle)
class VehicleAdmin(OwnDrivers, accounts_admin.VehicleAdmin):
    person_lookup = "driver"


@admin.register(Notice)
class NoticeAdmin(OwnDrivers, accounts_admin.NoticeAdmin):
    person_lookup = "user"
