"""The board of a lot: every spot as a tile with who is there; it renews itself, and asks little for that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.core.cache import cache
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotModified,
    HttpResponseRedirect,
    QueryDict,
)
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts import viewings
from bookings import plan, services
from bookings.admin.base import amount, local_short, operator
from bookings.admin.closures import closing_address, may_close
from bookings.admin.commands import COMMANDS
from bookings.admin.money import MONEY
from bookings.board import Look, SpotNow, spots_now
from bookings.models import Booking, normalise_plate
from bookings.offers import fingerprint
from lots.models import Lot

NOTED_FOR = 3600  # seconds
SHOWN_AT_ONCE = 600  # a larger lot shows one section at a time


class BoardForm(forms.Form):
    """What is shown of the board; everything by itself."""

    q = forms.CharField(
        label=_("Find"),
        required=False,
        max_length=60,
        widget=UnfoldAdminTextInputWidget(
            attrs={"type": "search", "placeholder": _("Plate, person or spot")}
        ),
    )
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("", _("all")), *Look.choices],
        widget=UnfoldAdminSelectWidget,
    )
    place = forms.ChoiceField(label=_("Building and floor"), required=False, widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, places: Iterable[tuple[str, str]], **kwargs: Any):
        super().__init__(*args, **kwargs)
        known = [("/".join(place), ", ".join(filter(None, place))) for place in places]
        choices = [("", _("all")), *((key, name or _("without")) for key, name in known)]
        self.fields["place"].choices = choices  # type: ignore[attr-defined]
        if len(known) < 2:
            del self.fields["place"]

    def keeps(self, found: SpotNow) -> bool:
        data = self.cleaned_data
        where = f"{found.spot.building}/{found.spot.floor}"
        return (
            data.get("state") in ("", None, found.look)
            and data.get("place") in ("", None, where)
            and _is_found(found, data.get("q") or "")
        )


def _is_found(found: SpotNow, text: str) -> bool:
    words, plate, booking = text.casefold().strip(), normalise_plate(text), found.booking
    if not words or found.spot.number.casefold() == words:
        return True
    if booking is None:
        return False
    if plate and plate in booking.plate_normalised:
        return True
    return words in booking.actor_name().casefold() or booking.reference.casefold() == words


@dataclass(frozen=True, slots=True)
class Tile:
    """A spot in words. Without people for whoever may not see bookings."""

    number: str
    look: Look
    link: str
    is_chosen: bool
    who: str = ""
    plate: str = ""
    when: tuple[str, ...] = ()
    cost: str = ""


class BoardPage(ModelAdmin):
    """For the lots' pages."""

    @action(description=_("Board"), icon="grid_view", permissions=["view"], url_path="board")
    def board(self, request: HttpRequest, object_id: str) -> HttpResponse:
        lot = self.get_object(request, object_id)
        if lot is None:
            raise Http404
        if request.method != "GET":
            return HttpResponseRedirect(request.get_full_path())
        now, page = timezone.now(), reverse("admin:lots_lot_board", args=[lot.pk])
        sees = request.user.has_perm("bookings.view_booking")  # type: ignore[union-attr]
        every = spots_now(list(lot.spots.kept().by_number()), now=now)
        if not sees:
            every = [SpotNow(found.spot, found.look, None, found.next_start) for found in every]
        places = sorted({(found.spot.building, found.spot.floor) for found in every})
        form = BoardForm(request.GET, places=places)
        shown = [found for found in every if form.keeps(found)] if form.is_valid() else every
        is_part = request.htmx  # type: ignore[attr-defined]
        # The minute stands for the prices, which would cost more to ask than all the rest.
        minute = now.replace(second=0, microsecond=0)
        seen = fingerprint(_facts(every), minute, request.get_full_path(), request.LANGUAGE_CODE)  # type: ignore[attr-defined]
        etag = f'"{seen}"'
        if is_part and request.headers.get("If-None-Match") == etag:
            return HttpResponseNotModified()
        _note(request, lot, shown)
        chosen = next((f for f in every if str(f.spot.pk) == request.GET.get("spot")), None)
        asked = request.GET.copy()
        asked.pop("spot", None)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": lot,
            "title": _("Board: %(lot)s") % {"lot": lot.name},
            "has_view_permission": True,
            "form": form,
            "page": page,
            "address": request.get_full_path(),
            "kept": asked.urlencode(),
            "etag": etag,
            "at": f"{now.astimezone(lot.zone):%H:%M}",
            "counts": _counts(every, request.GET),
            "is_filtered": len(shown) != len(every),
            "floors": _floors(shown, chosen, request, now),
            "count": len(shown),
            "chosen": chosen and self._panel(request, lot, chosen, now),
        }
        response = TemplateResponse(
            request, "admin/lots/_board.html" if is_part else "admin/lots/board.html", context
        )
        response["ETag"] = etag
        return response

    def _panel(self, request: HttpRequest, lot: Lot, found: SpotNow, now: datetime) -> dict[str, Any]:
        """The chosen spot, and what can be done there: links to the pages that ask and do it."""
        user, links = request.user, []
        booking = found.booking
        if booking is not None:
            links.append((_("Booking"), "event_available", _booking_page(booking, "change")))
            page = self.admin_site.get_model_admin(Booking)
            links += [
                (command.label, command.icon, _booking_page(booking, command.name))
                for command in (*COMMANDS.values(), *MONEY.values())
                if command.fits(booking) and getattr(page, f"has_{command.permission}_permission")(request)
            ]
        if not found.is_there and found.look != Look.CLOSED and user.has_perm("bookings.add_booking"):  # type: ignore[union-attr]
            address = f"{reverse('admin:bookings_booking_add')}?lot={lot.pk}&spot={found.spot.number}"
            links.append((_("Book this spot"), "add_circle", address))
        if found.look != Look.CLOSED and may_close(request):
            links.append((_("Take out of service …"), "block", closing_address(lot.pk, [found.spot.pk])))
        links.append((_("Spot"), "local_parking", reverse("admin:lots_spot_change", args=[found.spot.pk])))
        return {"tile": _tile(found, "", True, now), "links": links, "spot": found.spot}


def _note(request: HttpRequest, lot: Lot, shown: list[SpotNow]) -> None:
    """That these people were shown, once an hour: the board renews itself all day."""
    people = {found.booking.driver_id for found in shown if found.booking}
    address = f"board:{operator(request).pk}:{lot.pk}"
    noted = cache.get(address) or set()
    if people - noted:
        viewings.note(request, "board", people - noted, object_id=lot.pk)
        cache.set(address, noted | people, NOTED_FOR)


def _booking_page(booking: Booking, name: str) -> str:
    return reverse(f"admin:bookings_booking_{name}", args=[booking.pk])


def _facts(every: list[SpotNow]) -> list[object]:
    """All that a tile shows but the price."""
    facts: list[object] = []
    for found in every:
        spot, booking = found.spot, found.booking
        facts.append((spot.pk, spot.number, spot.building, spot.floor, found.look.value, found.next_start))
        if booking:
            facts.append(
                (booking.pk, booking.actor_name(), booking.plate, booking.starts_at, booking.ends_at)
            )
    return facts


def _counts(every: list[SpotNow], query: QueryDict) -> list[dict[str, Any]]:
    """Each state there is with its number, and the board of it alone."""
    counted, found = Counter(f.look for f in every), []
    for look in Look:
        asked = query.copy()
        asked.pop("spot", None)
        is_chosen = asked.get("state") == look
        asked["state"] = "" if is_chosen else look.value
        if counted[look] or is_chosen:
            link = f"?{asked.urlencode()}"
            found.append({"look": look, "count": counted[look], "link": link, "is_chosen": is_chosen})
    return found


def _floors(shown: list[SpotNow], chosen: SpotNow | None, request: HttpRequest, now: datetime) -> list[Any]:
    """By building and floor, as on the driver's plan; each with its tiles."""
    section = int(text) if (text := request.GET.get("section", "")).isdecimal() and len(text) < 5 else 0
    by_spot = {found.spot.pk: found for found in shown}
    asked = request.GET.copy()
    number = chosen.spot.number if chosen else ""
    drawings = plan.floors(
        [(f.spot, f.look.value) for f in shown], chosen=number, shown=section, at_once=SHOWN_AT_ONCE
    )
    found = []
    for floor in drawings:
        tiles = []
        for planned in floor.spots if floor.is_drawn else ():
            asked["spot"] = str(planned.spot.pk)
            tiles.append(_tile(by_spot[planned.spot.pk], f"?{asked.urlencode()}", planned.is_chosen, now))
        found.append((floor, tiles))
    return found


def _tile(found: SpotNow, link: str, is_chosen: bool, now: datetime) -> Tile:
    booking, spot = found.booking, found.spot
    if booking is None:
        when: tuple[str, ...] = ()
        if found.look == Look.SOON and found.next_start:
            when = (_("from %(at)s") % {"at": local_short(found.next_start, spot.lot, now)},)
        return Tile(spot.number, found.look, link, is_chosen, when=when)
    since, until = booking.starts_at, booking.ends_at
    words = [_("from %(at)s"), _("until %(at)s")]
    if found.is_there:
        words[0] = _("since %(at)s")
    if found.look == Look.OVERSTAYING:
        words[1], until = _("was to leave %(at)s"), booking.booked_until
    when = tuple(
        word % {"at": local_short(at, booking.lot, now)}
        for word, at in zip(words, (since, until), strict=True)
    )
    has_cost = found.look in (Look.OVERSTAYING, Look.OCCUPIED)
    price = services.price_so_far(booking, now=now) if has_cost else None
    return Tile(
        spot.number,
        found.look,
        link,
        is_chosen,
        who=booking.actor_name(),
        plate=booking.plate,
        when=when,
        cost=amount(price.total, price.currency) if price else "",
    )
