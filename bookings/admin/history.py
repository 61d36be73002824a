"""What was changed by whom, and who of the staff was shown whose data: two lists nobody can write in."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import FieldDoesNotExist
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    RangeDateFilter,
)
from unfold.decorators import display
from unfold.views import ChangeList as UnfoldChangeList

from accounts.models import Change, User, Viewing
from bookings.admin.base import operator
from bookings.admin.search import CountsToALimit
from lots.models import Lot

SHOWN = 160  # letters of a value in the list; the row's own page has all
NAMED = 5  # people a line names


class ReadOnly(ModelAdmin):
    """Only grows, and not from here."""

    list_per_page = 50
    list_filter_submit = True
    paginator = CountsToALimit
    show_full_result_count = False
    ordering = ["-at", "-id"]

    class Media:
        css = {"all": ["office.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class NamedPeople(UnfoldChangeList):
    """Adds the people a page's rows are about, in one query."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(self.result_list)
        people = User.objects.in_bulk({pk for row in rows for pk in _people_of(row)[:NAMED]})
        for row in rows:
            row.named = [people[pk] for pk in _people_of(row)[:NAMED] if pk in people]
        self.result_list = rows


def _people_of(row: Any) -> list[int]:
    if isinstance(row, Viewing):
        return row.ids()
    return [row.object_id] if row.kind == Change.Kind.USER else []


@admin.register(Change)
class ChangeAdmin(ReadOnly):
    """Of the lots an operator runs; what rights people have is told to superusers."""

    list_display = ["at", "who", "about", "done", "lines"]
    list_select_related = ["by"]
    list_filter = [
        ("kind", ChoicesDropdownFilter),
        ("by", AutocompleteSelectFilter),
        ("at", RangeDateFilter),
    ]
    search_fields = ["name", "through", "reason"]
    search_help_text = gettext_lazy("Name of the lot, command or file, reason")
    fields = ["at", "who", "about", "done", "all_lines", "reason"]
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> Any:
        rows, user = super().get_queryset(request), operator(request)
        if user.is_superuser:
            return rows
        return rows.filter(lot_id__in=Lot.objects.run_by(user).values("pk"))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NamedPeople

    @display(description=gettext_lazy("who"), ordering="by__email", header=True)
    def who(self, change: Change) -> list[str]:
        if change.by is None:
            return [change.through or _("the clock"), ""]
        return [str(change.by), change.through]

    @display(description=gettext_lazy("what"))
    def about(self, change: Any) -> str:
        people = getattr(change, "named", None)
        if people is None:
            people = User.objects.filter(pk__in=_people_of(change))
        name = change.name or ", ".join(map(str, people)) or str(change.object_id)
        text = f"{change.get_kind_display()}: {name}"
        link = _page_of(change)
        return format_html('<a href="{}">{}</a>', link, text) if link else text

    @display(
        description=gettext_lazy("done"),
        ordering="action",
        label={"made": "success", "changed": "info", "removed": "danger"},
    )
    def done(self, change: Change) -> tuple[str, str]:
        return change.action, change.get_action_display()

    @display(description=gettext_lazy("from → to"))
    def lines(self, change: Change) -> str:
        return _drawn(change, SHOWN)

    @display(description=gettext_lazy("from → to"))
    def all_lines(self, change: Change) -> str:
        return _drawn(change, None)


def _page_of(change: Change) -> str:
    if change.action == Change.Action.REMOVED:
        return ""
    try:
        return reverse(f"admin:{change.kind.replace('.', '_')}_change", args=[change.object_id])
    except NoReverseMatch:
        return ""


def _drawn(change: Change, longest: int | None) -> str:
    reason = [] if not change.reason else [(_("Reason"), "", change.reason)]
    rows = [
        (_label(change.kind, field), _short(_word(change.kind, field, was), longest),
         _short(_word(change.kind, field, is_now), longest))
        for field, was, is_now in change.fields
    ]  # fmt: skip
    told = format_html_join("", "<li><b>{}</b> {}{}{}</li>", map(_cells, [*rows, *reason]))
    return format_html('<ul class="pw-changes">{}</ul>', told) if told else "–"


def _cells(row: tuple[str, str, str]) -> tuple[Any, ...]:
    label, was, is_now = row
    if was:
        return label, format_html("<del>{}</del>", was), " → ", format_html("<ins>{}</ins>", is_now or "–")
    return label, "", "", format_html("<ins>{}</ins>", is_now)


def _label(kind: str, name: str) -> str:
    """The column's own name; the record's own words (capacity, spots, lots) are what they are."""
    try:
        field = apps.get_model(kind)._meta.get_field(name)
    except (FieldDoesNotExist, LookupError):
        return capfirst(name.replace("_", " "))
    return capfirst(str(getattr(field, "verbose_name", name)))


def _word(kind: str, name: str, value: str) -> str:
    """A choice as it is called now."""
    try:
        choices = apps.get_model(kind)._meta.get_field(name).flatchoices  # type: ignore[union-attr]
    except (FieldDoesNotExist, LookupError, AttributeError):
        return value
    return str(dict(choices).get(value, value))


def _short(text: str, longest: int | None) -> str:
    return text if longest is None or len(text) <= longest else f"{text[:longest]}…"


@admin.register(Viewing)
class ViewingAdmin(ReadOnly):
    """For superusers: whose data was shown, at whichever lot."""

    list_display = ["at", "who", "page", "whose", "address"]
    list_select_related = ["viewer"]
    list_filter = [("viewer", AutocompleteSelectFilter), ("at", RangeDateFilter)]
    search_fields = ["what"]  # and people, in get_search_results()
    search_help_text = gettext_lazy("Page, or the e-mail of whose data was shown")
    fields = ["at", "viewer", "page", "everybody", "address"]
    readonly_fields = fields

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return operator(request).is_superuser

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        person = User.objects.filter(email=search_term.strip().lower()).first()
        if person:
            return queryset.naming(person), False
        return super().get_search_results(request, queryset, search_term)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NamedPeople

    @display(description=gettext_lazy("who"), ordering="viewer__email")
    def who(self, viewing: Viewing) -> str:
        return str(viewing.viewer)

    @display(description=gettext_lazy("what"), ordering="what")
    def page(self, viewing: Viewing) -> str:
        """A page's own name where it is a row's, and a link to it."""
        model, _space, form = viewing.what.partition(" ")
        try:
            name = capfirst(str(apps.get_model(model)._meta.verbose_name))
        except (LookupError, ValueError):
            return viewing.what
        if form:
            return _("%(name)s: list") % {"name": name}
        if not viewing.object_id:
            return name
        link = reverse(f"admin:{model.replace('.', '_')}_change", args=[viewing.object_id])
        return format_html('<a href="{}">{} {}</a>', link, name, viewing.object_id)

    @display(description=gettext_lazy("whose"))
    def whose(self, viewing: Any) -> str:
        return _people(viewing.named, viewing.count)

    @display(description=gettext_lazy("whose"))
    def everybody(self, viewing: Viewing) -> str:
        return _people(User.objects.filter(pk__in=viewing.ids()).order_by("email"), viewing.count)


def _people(named: Any, count: int) -> str:
    """Guests and whoever is not named are counted."""
    names = [str(person) for person in named]
    more = count - len(names)
    told = ", ".join(names)
    return told + (_(" and %(count)d more") % {"count": more} if more > 0 and names else "") or str(count)
