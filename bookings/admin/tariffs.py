"""Tariff versions in the back office: see them, try a new one, publish it. Versions are never changed."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action, display

from bookings import price_falls, replays, tariff_examples, what_if
from bookings.admin.base import KeptHistory, OwnLots, local, operator
from bookings.admin.tariff_editor import DOCUMENT, FORM, Editor, fits_form, with_row, written
from bookings.admin.tariff_forms import ImportForm
from bookings.models import Booking
from lots import ocpi, rates, tariff_files
from lots.models import Lot, LotQuerySet, Tariff
from lots.money import quantise
from lots.presets import PRESETS
from lots.rates import RatesError
from lots.services import publish_tariff, tariff_at
from lots.tariff_words import sentences

VERSIONS_SHOWN = 100
WHOSE = ("XX", "PKW")  # country and party of an operator who is no member of an OCPI network


@admin.register(Tariff)
class TariffAdmin(KeptHistory, OwnLots, ModelAdmin):
    list_display = ["__str__", "lot", "version", "price", "begins", "made_by"]
    list_select_related = ["lot", "made_by"]
    list_filter = [("lot", AutocompleteSelectFilter)]
    list_filter_submit = True
    search_fields = ["lot__name", "lot__city"]
    ordering = ["-valid_from", "-id"]
    show_full_result_count = False
    fields = ["lot", "version", "begins", "made_by", "made_at", "in_words", "elements"]
    readonly_fields = fields
    actions_detail = ["all_versions", "start_from_this", "as_ocpi"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # a new version begins at its lot

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_publish_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("lots.add_tariff")  # type: ignore[union-attr]

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        own = [
            path("of/<int:lot_id>/", view(self.versions), name="lots_tariff_versions"),
            path("of/<int:lot_id>/new/", view(self.new), name="lots_tariff_new"),
            path("of/<int:lot_id>/example/", view(self.example), name="lots_tariff_example"),
            path("of/<int:lot_id>/import/", view(self.import_file), name="lots_tariff_import"),
            path("<int:pk>/<slug:shape>.json", view(self.download), name="lots_tariff_download"),
        ]
        return own + super().get_urls()

    # --- All versions of a lot ---

    def versions(self, request: HttpRequest, lot_id: int) -> HttpResponse:
        self._check(request, self.has_view_permission)
        lot, now = get_object_or_404(self._lots(request), pk=lot_id), timezone.now()
        rows = lot.tariffs.select_related("made_by").order_by("-valid_from", "-version")[:VERSIONS_SHOWN]
        in_force = tariff_at(lot, now).pk if rows else None
        counts = dict(
            Booking.objects.filter(tariff__in=[row.pk for row in rows])
            .values_list("tariff").annotate(count=Count("pk")).order_by()
        )  # fmt: skip
        shown = [
            {
                "tariff": row,
                "begins": local(row.valid_from, lot),
                "status": "now" if row.pk == in_force else "later" if row.valid_from > now else "past",
                "sentences": sentences(row.rates),
                "bookings": counts.get(row.pk, 0),
            }
            for row in rows
        ]
        may_publish = self.has_publish_permission(request)
        return self._page(
            request,
            "versions",
            lot,
            _("Tariff"),
            versions=shown,
            may_publish=may_publish,
            presets=PRESETS.values(),
        )

    # --- The editor ---

    def new(self, request: HttpRequest, lot_id: int) -> HttpResponse:
        self._check(request, self.has_publish_permission)
        lot, now = get_object_or_404(self._lots(request).kept(), pk=lot_id), timezone.now()
        if request.method != "POST":
            return self._editor(request, Editor.of(self._start(request, lot, now), lot, now), now)
        asked = request.POST.get("do", "preview")
        if asked == "add_row":
            return self._editor(request, Editor.posted(with_row(request.POST), lot), now)
        editor = Editor.posted(request.POST, lot)
        tariff = editor.tariff()
        if asked in (FORM, DOCUMENT) and tariff is not None:
            if asked == FORM and not fits_form(tariff):
                editor.error = str(_("The form cannot say all of this; it stays a document."))
            else:
                posted = editor
                editor = Editor.of(tariff, lot, now, mode=asked)
                editor.when, editor.example, editor.what_if = posted.when, posted.example, posted.what_if
        elif asked == "publish" and tariff is not None:
            return self._publish(request, editor, tariff, now)
        elif asked == "what_if" and tariff is not None:
            return self._editor(request, editor, now, **self._what_if(editor, tariff, now))
        return self._editor(request, editor, now)

    def _start(self, request: HttpRequest, lot: Lot, now: datetime) -> rates.Tariff:
        preset = PRESETS.get(request.GET.get("preset", ""))
        if preset:
            rounded = quantise(lot.price_per_hour, lot.currency)
            price = rounded if rounded == lot.price_per_hour else lot.price_per_hour
            return preset.make(price, lot.currency)
        number = request.GET.get("from", "")
        row = lot.tariffs.filter(version=number).first() if number.isdecimal() and len(number) < 9 else None
        return (row or tariff_at(lot, now)).rates

    def _publish(
        self, request: HttpRequest, editor: Editor, tariff: rates.Tariff, now: datetime
    ) -> HttpResponse:
        valid_from = editor.when.moment("valid_from") if editor.when.is_valid() else None
        if editor.when.errors:
            return self._editor(request, editor, now)
        doubts, seal = _doubts(tariff, editor.lot), _seal(tariff)
        if doubts and request.POST.get("sure") != seal:
            return self._editor(request, editor, now, doubts=doubts, seal=seal)
        try:
            made = publish_tariff(editor.lot, tariff, by=request.user, now=now, valid_from=valid_from)  # type: ignore[arg-type]
        except ValidationError as error:
            editor.when.add_error("valid_from", error)
            return self._editor(request, editor, now)
        self.log_addition(request, made, "Published.")
        begins = local(made.valid_from, editor.lot)
        messages.success(request, f"Version {made.version} of {editor.lot.name} counts from {begins}.")
        return HttpResponseRedirect(reverse("admin:lots_tariff_versions", args=[editor.lot.pk]))

    def _editor(self, request: HttpRequest, editor: Editor, now: datetime, **more: Any) -> HttpResponse:
        tariff = editor.tariff() if editor.common.is_bound else None
        if tariff is None and not editor.common.is_bound:
            tariff = _as_shown(editor)
        context = {"editor": editor, "presets": PRESETS.values(), **_examples(editor, tariff, now), **more}
        status = 200 if tariff is not None and not editor.when.errors else 422
        return self._page(request, "editor", editor.lot, _("New tariff"), status=status, **context)

    def example(self, request: HttpRequest, lot_id: int) -> HttpResponse:
        """The prices beside the form, asked for while it is being filled in."""
        self._check(request, self.has_publish_permission)
        editor = Editor.posted(request.POST, get_object_or_404(self._lots(request), pk=lot_id))
        context = {"editor": editor, **_examples(editor, editor.tariff(), timezone.now())}
        return TemplateResponse(request, "admin/tariffs/_example.html", context)

    def _what_if(self, editor: Editor, tariff: rates.Tariff, now: datetime) -> dict[str, Any]:
        weeks = editor.what_if.cleaned_data["weeks"] if editor.what_if.is_valid() else 4
        stays = replays.replayed(editor.lot, tariff, now - timedelta(weeks=weeks), now)
        found = what_if.compare(stays)
        return {
            "comparison": found,
            "weeks": weeks,
            "most": what_if.MOST,
            "bars": _bars(found),
            "biggest": [
                {
                    "stay": stay,
                    "begins": local(stay.starts_at, editor.lot),
                    "url": f"{reverse('admin:bookings_booking_changelist')}?q={stay.reference}",
                }
                for stay in found.biggest
            ],
        }

    # --- Files ---

    def import_file(self, request: HttpRequest, lot_id: int) -> HttpResponse:
        """Shows what a file says, in the editor; publishing is the editor's button."""
        self._check(request, self.has_publish_permission)
        lot, now = get_object_or_404(self._lots(request).kept(), pk=lot_id), timezone.now()
        form = ImportForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                upload = form.cleaned_data["file"]
                tariff = tariff_files.read(upload.read(tariff_files.LARGEST + 1))
                if tariff.currency != lot.currency:
                    raise RatesError("currency", f"The lot's currency is {lot.currency}.")
                editor = Editor.of(tariff, lot, now)
                return self._editor(request, editor, now, imported=upload.name, read=sentences(tariff))
            except RatesError as error:
                form.add_error("file", str(error))
        return self._page(
            request, "import", lot, _("Import a tariff"), form=form, status=422 if form.errors else 200
        )

    def download(self, request: HttpRequest, pk: int, shape: str) -> HttpResponse:
        """Our document, or OCPI's; `shape` is "document" or "ocpi-2-2-1" or "ocpi-2-3-0"."""
        self._check(request, self.has_view_permission)
        row = get_object_or_404(self.get_queryset(request).select_related("lot"), pk=pk)
        try:
            document = row.document if shape == "document" else _as_ocpi(row, shape)
        except RatesError as error:
            messages.error(request, f"Version {row.version} cannot be written as OCPI: {error}")
            return HttpResponseRedirect(reverse("admin:lots_tariff_versions", args=[row.lot_id]))
        text = json.dumps(document, indent=2, ensure_ascii=False, cls=Numbers)
        response = HttpResponse(text, content_type="application/json")
        name = f"tariff-{slugify(row.lot.slug)}-v{row.version}.json"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    # --- Pages, columns, links ---

    def _lots(self, request: HttpRequest) -> LotQuerySet:
        return Lot.objects.run_by(operator(request))

    def _check(self, request: HttpRequest, allowed: Any) -> None:
        if not allowed(request):
            raise PermissionDenied

    def _page(
        self, request: HttpRequest, name: str, lot: Lot, title: Any, *, status: int = 200, **context: Any
    ) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{title}: {lot.name}",
            "lot": lot,
            "has_view_permission": True,
            **context,
        }
        return TemplateResponse(request, f"admin/tariffs/{name}.html", context, status=status)

    @display(description=_("price"))
    def price(self, tariff: Tariff) -> str:
        return sentences(tariff.rates)[0]

    @display(description=_("valid from"), ordering="valid_from")
    def begins(self, tariff: Tariff) -> str:
        return local(tariff.valid_from, tariff.lot)

    @display(description=_("in words"))
    def in_words(self, tariff: Tariff) -> str:
        return " · ".join(sentences(tariff.rates))

    @display(description=_("document"))
    def elements(self, tariff: Tariff) -> str:
        return format_html('<pre class="tar-document">{}</pre>', written(tariff.rates))

    @action(description=_("All versions of this lot"), icon="history", permissions=["view"])
    def all_versions(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = get_object_or_404(self.get_queryset(request), pk=object_id)
        return HttpResponseRedirect(reverse("admin:lots_tariff_versions", args=[row.lot_id]))

    @action(description=_("Start a new version from this"), icon="edit", permissions=["publish"])
    def start_from_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = get_object_or_404(self.get_queryset(request), pk=object_id)
        url = reverse("admin:lots_tariff_new", args=[row.lot_id])
        return HttpResponseRedirect(f"{url}?from={row.version}")

    @action(description=_("Download as OCPI"), icon="download", permissions=["view"])
    def as_ocpi(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:lots_tariff_download", args=[object_id, "ocpi-2-3-0"]))


class Numbers(DjangoJSONEncoder):
    """OCPI's amounts are JSON numbers."""

    def default(self, o: Any) -> Any:
        return float(o) if isinstance(o, Decimal) else super().default(o)


def _as_ocpi(row: Tariff, shape: str) -> dict[str, Any]:
    return ocpi.to_ocpi(
        row.rates,
        country_code=row.lot.country or WHOSE[0],
        party_id=WHOSE[1],
        tariff_id=f"{row.lot.pk}-{row.version}",
        last_updated=row.made_at,
        version=shape.removeprefix("ocpi-").replace("-", "."),
    )


def _as_shown(editor: Editor) -> rates.Tariff | None:
    """An editor just filled in has not been posted; its document says the same."""
    return tariff_files.read(editor.document.initial["document"])


def _examples(editor: Editor, tariff: rates.Tariff | None, now: datetime) -> dict[str, Any]:
    """The prices beside the form, or why there are none. `doubts` are only those that are quickly found."""
    if tariff is None:
        return {"examples": [], "own": None}
    lot, own = editor.lot, None
    form = editor.example
    if not form.is_bound:
        own = tariff_examples.example(tariff, form.initial["starts"], timedelta(minutes=140), lot.zone)
    elif form.is_valid() and form.cleaned_data["lasting"] and (starts_at := form.moment("starts")):
        own = tariff_examples.example(
            tariff, starts_at, form.cleaned_data["lasting"], lot.zone, kwh=form.cleaned_data["kwh"]
        )
    found = tariff_examples.typical(tariff, lot.zone, now.astimezone(lot.zone).date())
    return {"examples": found, "own": own, "hints": rates.warnings(tariff), "read_as": sentences(tariff)}


def _doubts(tariff: rates.Tariff, lot: Lot) -> list[str]:
    """What an operator must have seen before publishing."""
    falls = [
        f"Whoever arrives {fall.starts_at.astimezone(lot.zone):%A %H:%M} pays {fall.before} when leaving "
        f"{fall.earlier.astimezone(lot.zone):%A %H:%M:%S}, but {fall.after} when leaving "
        f"{fall.later.astimezone(lot.zone):%A %H:%M:%S}: staying longer costs less."
        for fall in price_falls.find_falls(tariff, lot.zone, most=3)
    ]
    return [*rates.warnings(tariff), *falls]


def _seal(tariff: rates.Tariff) -> str:
    """Says that the doubts shown were about this very tariff."""
    return hashlib.sha256(json.dumps(tariff.to_json(), sort_keys=True).encode()).hexdigest()[:32]


def _bars(found: what_if.Comparison) -> list[dict[str, Any]]:
    """Places and heights for the drawing."""
    most = max(found.bars) or 1
    return [
        {"x": 10 + 60 * index, "y": 120 - 100 * count // most, "height": 100 * count // most, "count": count,
         "middle": 35 + 60 * index, "above": 114 - 100 * count // most, "label": label,
         "tone": "less" if index < what_if.SAME else "same" if index == what_if.SAME else "more"}
        for index, (label, count) in enumerate(zip(what_if.LABELS, found.bars, strict=True))
    ]  # fmt: skip
