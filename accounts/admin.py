"""People, their vehicles and the outgoing mail in the back office."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts import grants, mail_preview, outbox, services, viewings
from accounts.models import Notice, NoticeQuerySet, User, Vehicle
from accounts.plates import normalise_plate

NAMED = 5  # people a question names
NOT_SHOWN = _("Not shown: it holds a code that is somebody else's.")

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        # Its name is saved already; what it was called, the form knows.
        before = grants.of_role(form.instance) | {"name": form.initial.get("name", "")} if change else None
        super().save_related(request, form, formsets, change)
        grants.role_changed(form.instance, before, by=_who(request), now=timezone.now())

    def delete_model(self, request: HttpRequest, obj: Group) -> None:
        grants.role_removed(obj, by=_who(request), now=timezone.now())
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Group]) -> None:
        for group in queryset:
            grants.role_removed(group, by=_who(request), now=timezone.now())
        super().delete_queryset(request, queryset)


def _who(request: HttpRequest) -> User:
    """The admin lets nobody else in."""
    assert isinstance(request.user, User)  # noqa: S101  for the type checker
    return request.user


class LowerEmail:
    """Addresses are kept in lower case: signing in looks for them so."""

    def clean_email(self) -> str:
        return self.cleaned_data["email"].lower()  # type: ignore[attr-defined]


class PersonForm(LowerEmail, forms.ModelForm):
    """Nobody's password, nor its hash: people choose theirs by a code to their mailbox."""

    class Meta:
        model = User
        exclude = ["password"]  # noqa: DJ006  the fieldsets name the fields
        # Django's field for usernames cannot be left empty where the column may be NULL.
        field_classes: dict[str, Any] = {}


class NewPersonForm(LowerEmail, forms.ModelForm):
    class Meta:
        model = User
        fields = ["email", "name"]

    def save(self, commit: bool = True) -> User:
        self.instance.set_unusable_password()
        return super().save(commit)


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("For the record of changes; the person may read it in their own data."),
    )


class VehicleInline(TabularInline):
    model = Vehicle
    extra = 0
    fields = ["plate", "country", "kind", "connector", "is_default"]
    readonly_fields = fields
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(User)
class UserAdmin(ModelAdmin):
    form = PersonForm
    inlines = [VehicleInline]
    list_display = ["email", "name", "username", "is_staff", "is_active", "date_joined", "last_login"]
    list_filter = ["is_staff", "is_active", "groups"]
    search_fields = ["email", "username", "name", "phone", "vehicles__plate_normalised"]
    ordering = ["-date_joined", "-id"]
    show_full_result_count = False
    readonly_fields = ["is_active", "date_joined", "last_login", "wrong_passwords"]
    fieldsets = [
        (None, {"fields": ["email"]}),
        (
            _("Profile"),
            {
                "fields": [
                    "name",
                    "username",
                    "phone",
                    "address",
                    "postcode",
                    "language",
                    "timezone",
                    "wants_reminders",
                ]
            },
        ),
        (_("Rights"), {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        (_("Dates"), {"fields": ["date_joined", "last_login", "wrong_passwords"]}),
    ]
    add_fieldsets = [
        (
            None,
            {
                "fields": ["email", "name"],
                "description": _("They sign in by a code to this address, and may choose a password there."),
            },
        )
    ]
    actions = ["disable", "enable"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_fieldsets(request, obj) if obj else self.add_fieldsets

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs |= {"form": NewPersonForm, "fields": NewPersonForm.Meta.fields}
        return super().get_form(request, obj, change=change, **kwargs)

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_inlines(request, obj) if obj else []

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Nor is a hash found out letter by letter."""
        return not lookup.startswith("password") and super().lookup_allowed(lookup, value, request)

    # --- Who may come in ---

    def has_disabling_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_user")

    @admin.action(description=_("Disable …"), permissions=["disabling"])
    def disable(self, request: HttpRequest, queryset: QuerySet[User]) -> TemplateResponse | None:
        facts = [_("They are signed out everywhere at once, programs included, and cannot sign in."),
                 _("Their bookings stay as they are.")]  # fmt: skip
        return self._set_active(request, queryset, False, _("Disable"), facts)

    @admin.action(description=_("Enable …"), permissions=["disabling"])
    def enable(self, request: HttpRequest, queryset: QuerySet[User]) -> TemplateResponse | None:
        return self._set_active(request, queryset, True, _("Enable"), [_("They may sign in again.")])

    def _set_active(
        self, request: HttpRequest, queryset: QuerySet[User], is_active: bool, button: Any, facts: list[Any]
    ) -> TemplateResponse | None:
        """Asks for the reason first; it is kept with who did it and when."""
        chosen = list(queryset.order_by("pk"))
        form = ReasonForm(request.POST if "reason" in request.POST else None)
        if form.is_valid():
            for user in chosen:
                self._set_one(request, user, is_active, form.cleaned_data["reason"])
            return None
        hidden: list[tuple[str, Any]] = [("action", "enable" if is_active else "disable")]
        hidden += [("_selected_action", user.pk) for user in chosen]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{button}: {', '.join(map(str, chosen[:NAMED]))}{' …' if len(chosen) > NAMED else ''}",
            "form": form,
            "facts": facts,
            "button": button,
            "is_danger": not is_active,
            "hidden": hidden,
            "back": request.get_full_path(),
        }
        return TemplateResponse(request, "admin/command.html", context)

    def _set_one(self, request: HttpRequest, user: User, is_active: bool, reason: str) -> None:
        by = _who(request)
        if user == by or not self.has_change_permission(request, user):
            messages.error(request, _("%(user)s: not yours to change.") % {"user": user})
            return
        services.set_active(user=user, is_active=is_active, reason=reason, by=by, now=timezone.now())
        told = _("%(user)s may sign in again.") if is_active else _("%(user)s is disabled and signed out.")
        messages.success(request, told % {"user": user})

    # --- Rights ---

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Only a superuser gives rights: whoever may edit people could make one of themselves."""
        fields = super().get_readonly_fields(request, obj)
        if request.user.is_superuser:
            return fields
        return [*fields, "is_staff", "is_superuser", "groups", "user_permissions"]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Nor may anybody else change a superuser's address or password and so become one."""
        if obj is not None and obj.is_staff and obj != request.user and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        # What may be done now, before the form writes: the record tells from what to what.
        form.rights_before = grants.of_user(User.objects.get(pk=form.instance.pk)) if change else None
        return super().save_form(request, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        grants.user_changed(form.instance, form.rights_before, by=_who(request), now=timezone.now())

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """People are erased (accounts.privacy), not deleted: their bookings and payments stay."""
        return False


@admin.register(Vehicle)
class VehicleAdmin(ModelAdmin):
    list_display = ["plate", "country", "kind", "connector", "driver", "is_default"]
    list_filter = ["kind", "country"]
    list_select_related = ["driver"]
    search_fields = ["plate", "plate_normalised", "driver__email"]
    autocomplete_fields = ["driver"]
    ordering = ["plate_normalised", "id"]
    show_full_result_count = False

    def save_model(self, request: HttpRequest, obj: Vehicle, form: Any, change: bool) -> None:
        obj.plate_normalised = normalise_plate(obj.plate)
        super().save_model(request, obj, form, change)


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("waiting", _("waiting")), ("sent", _("sent")), ("given up", _("given up"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Notice]) -> QuerySet[Notice]:
        if self.value() == "waiting":
            return queryset.filter(sent_at=None, failed_at=None)
        if self.value() == "sent":
            return queryset.exclude(sent_at=None)
        if self.value() == "given up":
            return queryset.exclude(failed_at=None)
        return queryset


@admin.register(Notice)
class NoticeAdmin(ModelAdmin):
    """Only read: a mail is what it was when it was owed. What was given up can be owed again."""

    list_display = ["recipient", "about", "state", "attempts", "created_at", "sent_at", "last_error"]
    list_filter = [StateFilter, "is_urgent"]
    search_fields = ["recipient", "event"]
    date_hierarchy = "created_at"
    ordering = ["-created_at", "-id"]
    show_full_result_count = False
    actions = ["owe_again"]
    fields = [
        "recipient", "about", "shown_text", "state", "attempts", "last_error", "event",
        "created_at", "not_before", "expires_at", "sent_at", "failed_at", "message_id",
    ]  # fmt: skip
    readonly_fields = fields
    actions_detail = ["preview"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_notice")

    @display(description=_("mail"))
    def about(self, notice: Notice) -> str:
        return notice.subject or notice.template

    @display(description=_("state"), label={"sent": "success", "given up": "danger", "waiting": "warning"})
    def state(self, notice: Notice) -> str:
        return "sent" if notice.sent_at else "given up" if notice.failed_at else "waiting"

    @display(description=_("text"))
    def shown_text(self, notice: Notice) -> str:
        if notice.is_urgent:
            return str(NOT_SHOWN)
        return str(outbox.to_message(notice).body)

    # --- As its reader gets it ---

    def get_urls(self) -> list[Any]:
        frame = self.admin_site.admin_view(require_safe(self.frame))
        return [path("<int:pk>/frame/", frame, name="accounts_notice_frame"), *super().get_urls()]

    @action(description=_("See it"), icon="visibility", url_path="preview", permissions=["view"])
    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        notice = self._seen(request, object_id)
        viewings.note(request, "accounts.notice", [notice.user_id], object_id=notice.pk)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Mail to %(who)s") % {"who": notice.recipient},
            "back": reverse("admin:accounts_notice_change", args=[notice.pk]),
        }
        if notice.is_urgent:
            context["reason"] = NOT_SHOWN
            return TemplateResponse(request, "admin/mails/notice.html", context)
        if notice.template:  # otherwise it was written when it was owed, in one language
            context |= {"languages": mail_preview.languages(), "language": notice.language}
        try:
            frame = reverse("admin:accounts_notice_frame", args=[notice.pk])
            context |= mail_preview.shown(
                outbox.to_message(notice), f"{frame}?{urlencode({'language': notice.language})}"
            )
        except outbox.NotWanted as reason:
            context["reason"] = str(reason)
        return TemplateResponse(request, "admin/mails/notice.html", context)

    def frame(self, request: HttpRequest, pk: int) -> HttpResponse:
        notice = self._seen(request, str(pk))
        if notice.is_urgent:
            raise Http404
        try:
            return mail_preview.framed(request, outbox.to_message(notice))
        except outbox.NotWanted as reason:
            raise Http404 from reason

    def _seen(self, request: HttpRequest, object_id: str) -> Notice:
        """In the language asked for, else its reader's."""
        # First: who may see none of them is not told which there are.
        if not self.has_view_permission(request):
            raise PermissionDenied
        notice = self.get_object(request, object_id)
        if notice is None or not self.has_view_permission(request, notice):
            raise Http404
        asked = request.GET.get("language", "")
        known = dict(settings.LANGUAGES)
        notice.language = asked if asked in known else notice.language or settings.LANGUAGE_CODE
        return notice

    @admin.action(description=_("Send again what was given up"), permissions=["resend"])
    def owe_again(self, request: HttpRequest, queryset: NoticeQuerySet) -> None:
        count = outbox.resend(queryset, now=timezone.now())
        told = ngettext("%(count)d mail is owed again.", "%(count)d mails are owed again.", count)
        messages.success(request, told % {"count": count})
