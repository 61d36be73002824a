"""Finding a lot and booking it: what everybody may see, signed in or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.http import Http404, HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect, replace_url

from accounts.http import Request
from accounts.models import User, Vehicle
from accounts.plates import normalise_plate
from accounts.prepared import prepared
from bookings import availability, maps, offers, plan, quotes, review_views, reviewing, services
from bookings.errors import BadBooking, BookingRefused
from bookings.forms import BookForm, SearchForm
from bookings.models import Booking
from bookings.promises import Wish
from bookings.services import core
from lots import clock, hours, rates
from lots.models import Lot, Spot
from lots.services import tariff_at
from lots.tariff_words import sentences

LOTS_A_PAGE = 24
SOONEST = 3
SEARCH_FORM = "search-form"  # its id in the page


@login_not_required
@require_safe
def search(request: Request) -> HttpResponse:
    context = _found(request, timezone.now()) | {"map": maps.shown()}
    return maps.allow_tiles(render(request, "lots/search.html", context))


@login_not_required
@require_safe
def results(request: Request) -> HttpResponse:
    """The list alone, asked for again and again; nothing changed costs neither bytes nor a redraw."""
    found = _found(request, timezone.now())
    response = _live(request, "lots/_results.html", found["etag"], lambda: found)
    if request.htmx and request.htmx.trigger == SEARCH_FORM:
        # What was filtered without a reload can be shared and reloaded all the same.
        replace_url(response, f"{reverse('lots:search')}?{request.GET.urlencode()}")
    return response


@login_not_required
@require_safe
def places(request: Request) -> HttpResponse:
    """Country, region, town: for those who would rather choose than type."""
    return render(request, "lots/places.html", {"countries": offers.places()})


@login_not_required
@require_safe
def detail(request: Request, slug: str) -> HttpResponse:
    now = timezone.now()
    lot = _listed(slug, request.user)
    form = _asked(request, lot, now)
    return render(request, "lots/detail.html", _page(request, lot, form, now))


@login_not_required
@require_safe
def live(request: Request, slug: str) -> HttpResponse:
    """The plan alone, for the period the form shows at the moment."""
    now = timezone.now()
    lot = _listed(slug, request.user)
    form = _asked(request, lot, now)
    seen = _seen(request, lot, form, now)
    return _live(request, "lots/_plan.html", seen.etag, lambda: _plan(seen) | {"form": form})


@login_not_required
@require_safe
def quote(request: Request, slug: str) -> HttpResponse:
    now = timezone.now()
    lot = _listed(slug, request.user)
    form = _asked(request, lot, now)
    return render(request, "lots/_quote.html", {"lot": lot, "now": now, **_quote(request, lot, form, now)})


@login_not_required
@require_POST
def book(request: Request, slug: str) -> HttpResponse:
    now = timezone.now()
    lot = _listed(slug, request.user)
    if not request.user.is_authenticated:
        return _sign_in_first(request, lot)
    return _order(request, lot, BookForm(request.POST, lot=lot, now=now), _book, now)


@login_not_required
@require_POST
def wait(request: Request, slug: str) -> HttpResponse:
    """Stand in line for what the booking form asks for, where the lot is full then."""
    now = timezone.now()
    lot = _listed(slug, request.user)
    if not request.user.is_authenticated:
        return _sign_in_first(request, lot)
    return _order(request, lot, BookForm(request.POST, lot=lot, now=now), _join, now)


def _book(request: Request, lot: Lot, order: dict[str, Any], now: datetime) -> str:
    def book(token: str) -> Booking:
        return services.book(lot_id=lot.pk, driver=request.user, now=now, quote=token, **order)

    wish, token = _as_wish(order, order["vehicle_kind"]), request.POST.get("quote", "")
    booking = quotes.book_as_shown(book, lot, wish, token, now=now)
    return reverse("bookings:detail", args=[booking.reference])


def _join(request: Request, lot: Lot, order: dict[str, Any], now: datetime) -> str:
    wish = {name: value for name, value in order.items() if name not in ("kind", "spot_number")}
    entry = services.join(lot_id=lot.pk, driver=request.user, now=now, **wish)
    return reverse("bookings:waiting", args=[entry.reference])


def _order(
    request: Request, lot: Lot, form: BookForm, command: Callable[..., str], now: datetime
) -> HttpResponse:
    """Run the command with what the form asks for, and go where it says; or show the form with why not."""
    refusal, status = None, 422
    if form.is_valid():
        order = form.order()
        if form.is_valid():
            order["vehicle_kind"] = _vehicle_kind(request.user, order["plate"])
            try:
                return _to(request, command(request, lot, order, now))
            except BookingRefused as refused:
                refusal, status = refused, 409
            except BadBooking as bad:
                _blame(form, bad)
    context = _page(request, lot, form, now) | {"refusal": refusal}
    template = "lots/_book_form.html" if request.htmx else "lots/detail.html"
    return render(request, template, context, status=status)


def _found(request: Request, now: datetime) -> dict[str, Any]:
    form = SearchForm(request.GET if request.GET else None, initial={"stay": 120})
    wish = form.wish() if form.is_bound else offers.Wish()
    page: Any = Paginator(offers.in_order(wish, now=now), LOTS_A_PAGE).get_page(request.GET.get("page"))
    found = offers.worked_out(list(page), wish, now=now)
    facts = [
        (o.lot.pk, o.lot.name, o.free, o.capacity, o.is_open, o.shut_until, o.price, o.rating) for o in found
    ]
    return {
        "form": form,
        "wish": wish,
        "page": page,
        "offers": found,
        "now": now,
        "wish_query": f"?{_as_query(wish)}" if form.is_bound else "",
        "etag": offers.fingerprint(facts, page.paginator.count, request.LANGUAGE_CODE),
    }


def _as_query(wish: offers.Wish) -> str:
    """The search, as the lot's page understands it."""
    fields: dict[str, Any] = {"kind": Booking.Kind.INSTANT, "stay": int(wish.stay.total_seconds()) // 60}
    if wish.at:
        at = wish.at.replace(minute=wish.at.minute // 15 * 15)
        shown = {"starts": at, "ends": at + wish.stay}
        fields = {"kind": Booking.Kind.RESERVED} | {k: f"{v:%Y-%m-%dT%H:%M}" for k, v in shown.items()}
    return urlencode(fields | {"features": wish.features}, doseq=True)


def _listed(slug: str, user: Any) -> Lot:
    """The lot, with what its page asks of a driver: `usual_plate`, `usual_kind` and `has_stayed`."""
    if isinstance(user, User):
        usual = Vehicle.objects.of(user).filter(is_default=True)
        stays = reviewing.stays_of(user).filter(lot=OuterRef("pk"))
        lots = Lot.objects.listed().annotate(
            usual_plate=Subquery(usual.values("plate")[:1]),
            usual_kind=Subquery(usual.values("kind")[:1]),
            has_stayed=Exists(stays),
        )
        return get_object_or_404(lots, slug=slug)
    found: list[Lot] = _by_slug(slug=slug)
    if not found:
        raise Http404
    return found[0]


@prepared("slug")
def _by_slug(*, slug: str) -> QuerySet[Lot]:
    return Lot.objects.listed().filter(slug=slug)


def _asked(request: Request, lot: Lot, now: datetime) -> BookForm:
    """The booking form, filled in from the address when it asks for something."""
    if "kind" in request.GET:
        return BookForm(request.GET, lot=lot, now=now)
    starts_at = clock.next_on_grid(now, lot.grid_minutes, lot.zone)
    starts_at, ends_at = availability.window(lot, starts_at)
    initial = {
        "kind": Booking.Kind.INSTANT if lot.hours.is_open(now, lot.zone) else Booking.Kind.RESERVED,
        "stay": lot.default_stay_minutes,
        "starts": starts_at.astimezone(lot.zone).replace(tzinfo=None),
        "ends": ends_at.astimezone(lot.zone).replace(tzinfo=None),
        "spot": request.GET.get("spot", "")[:20],
        "plate": getattr(lot, "usual_plate", None) or "",
    }
    return BookForm(lot=lot, now=now, initial=initial)


def _vehicle_kind(driver: User, plate: str) -> str:
    """A plate of one of the driver's own vehicles says what comes: a van gets no spot for motorcycles."""
    if not plate or not driver.is_authenticated:
        return ""
    vehicle = driver.vehicles.filter(plate_normalised=normalise_plate(plate)).first()
    return vehicle.kind if vehicle else ""


def _period(lot: Lot, form: BookForm, now: datetime) -> tuple[datetime, datetime] | None:
    """The period the form asks for; None while it cannot be told."""
    if not form.is_bound:
        return availability.window(lot, now)
    if not form.is_valid():
        return None
    order = form.order()
    starts_at, ends_at = order["starts_at"] or now, order["ends_at"]
    if order["kind"] == Booking.Kind.INSTANT and ends_at is None:
        return availability.window(lot, now)
    return (starts_at, ends_at) if ends_at and starts_at < ends_at and form.is_valid() else None


def _page(request: Request, lot: Lot, form: BookForm, now: datetime) -> dict[str, Any]:
    today = now.astimezone(lot.zone).isoweekday()
    seen = _seen(request, lot, form, now)
    price = _quote(request, lot, form, now, seen)
    tariff = price["quote"].tariff if price["quote"] else tariff_at(lot, now)
    return {
        "lot": lot,
        "form": form,
        "now": now,
        "hourly": rates.per_hour(tariff.rates),
        "prices": sentences(tariff.rates),
        "week": [(day, text, day == today) for day, text in hours.describe(lot.opening_hours)],
        **review_views.shown(request.user, lot),
        **_plan(seen),
        **price,
    }


@dataclass(frozen=True)
class _Seen:
    """What the plan tells, not drawn yet: enough to say whether an open page shows it already."""

    lot: Lot
    now: datetime
    starts_at: datetime
    ends_at: datetime
    rows: list[tuple[Any, ...]]  # of availability.status_rows()
    is_open: bool
    closed: str  # why, and until when, where an operator closed the whole lot
    chosen: str
    section: int
    kept_query: str
    soonest: list[availability.Opening]
    instead: list[availability.Alternative]
    etag: str

    @cached_property
    def statuses(self) -> list[tuple[Spot, str]]:
        return availability.as_spots(self.rows)


def _seen(request: Request, lot: Lot, form: BookForm, now: datetime) -> _Seen:
    starts_at, ends_at = _period(lot, form, now) or availability.window(lot, now)
    rows = availability.status_rows(lot, starts_at, ends_at, now=now)
    free = [row for row in rows if row[-1] == "free"]
    features = _features(form)
    is_open = lot.hours.is_open_throughout(starts_at, ends_at, lot.zone)
    soonest, instead, closed = [], [], ""
    is_full = not _any_offers(free, features)
    if len(free) < SOONEST or is_full:
        in_service = [spot for spot, _status in availability.as_spots(rows) if spot.is_in_service]
        diary = availability.Diary.read(lot, starts_at, now=now, spots=in_service)
        soonest = diary.soonest(SOONEST) if len(free) < SOONEST else []
        if shut_until := diary.shut_until(ends_at):
            closed = core.closed_words(lot, shut_until if shut_until < availability.NEVER else None)
        if is_open and rows and is_full:
            instead = availability.elsewhere(diary, ends_at, features=features)
        is_open = is_open and not closed
    chosen = str(form["spot"].value() or "")
    section = int(text) if (text := request.GET.get("section", "")).isdecimal() and len(text) < 5 else 0
    kept = request.GET.copy()
    for name in ("spot", "section", "csrfmiddlewaretoken", "quote"):
        kept.pop(name, None)
    etag = offers.fingerprint(
        rows,
        [(o.spot.pk, o.starts_at, o.confidence) for o in soonest if o.starts_at > now],
        [(a.kind, a.lot.pk, a.free, a.starts_at if a.starts_at > now else None) for a in instead],
        chosen,
        section,
        is_open,
        closed,
        kept.urlencode(),
        request.LANGUAGE_CODE,
    )
    return _Seen(
        lot=lot,
        now=now,
        starts_at=starts_at,
        ends_at=ends_at,
        rows=rows,
        is_open=is_open,
        closed=closed,
        chosen=chosen,
        section=section,
        kept_query=kept.urlencode(),
        soonest=soonest,
        instead=instead,
        etag=etag,
    )


def _any_offers(free: list[tuple[Any, ...]], features: tuple[str, ...]) -> bool:
    if not features:
        return bool(free)
    return any(spot.offers(features) for spot, _status in availability.as_spots(free))


def _plan(seen: _Seen) -> dict[str, Any]:
    statuses = seen.statuses
    free = [spot for spot, status in statuses if status == "free"]
    opens_at = (
        None if seen.is_open or seen.closed else seen.lot.hours.next_opening(seen.starts_at, seen.lot.zone)
    )
    return {
        "lot": seen.lot,
        "now": seen.now,
        "starts_at": seen.starts_at,
        "ends_at": seen.ends_at,
        "is_now": seen.starts_at <= seen.now,
        "is_open": seen.is_open,
        "closed": seen.closed,
        "opens_at": opens_at,
        "floors": plan.floors(statuses, chosen=seen.chosen, shown=seen.section),
        "section": seen.section,
        "free": free,
        "chosen": seen.chosen,
        "is_chosen_taken": bool(seen.chosen) and seen.chosen.lower() not in {s.number.lower() for s in free},
        "capacity": len(statuses),
        "soonest": seen.soonest,
        "instead": seen.instead,
        "kept_query": seen.kept_query,
        "etag": seen.etag,
    }


def _features(form: BookForm) -> tuple[str, ...]:
    return form.cleaned_data.get("features", ()) if form.is_bound and form.is_valid() else ()


def _quote(
    request: Request, lot: Lot, form: BookForm, now: datetime, seen: _Seen | None = None
) -> dict[str, Any]:
    """What the form's wish would cost, or why it cannot be had at any price."""
    wish = _wish(request, lot, form, now)
    looked = quotes.Looked(seen.starts_at, seen.ends_at, seen.statuses) if seen else None
    try:
        return {"quote": quotes.quote(lot, wish, now=now, looked=looked) if wish else None}
    except (BookingRefused, BadBooking) as why:
        return {"quote": None, "why": why}


def _wish(request: Request, lot: Lot, form: BookForm, now: datetime) -> Wish | None:
    """What the form asks for; None while it cannot be told."""
    if not form.is_bound:
        order = _proposed(lot, form, now)
    elif not form.is_valid():
        return None
    else:
        order = form.order()
        if not form.is_valid():
            return None
    is_usual = order["plate"] and order["plate"] == getattr(lot, "usual_plate", None)
    kind = lot.usual_kind if is_usual else _vehicle_kind(request.user, order["plate"])  # type: ignore[attr-defined]
    return _as_wish(order, kind)


def _proposed(lot: Lot, form: BookForm, now: datetime) -> dict[str, Any]:
    """What the form proposes by itself, as BookForm.order() says it."""
    asked = form.initial
    if asked["kind"] == Booking.Kind.INSTANT:
        period = {"starts_at": None, "ends_at": now + timedelta(minutes=asked["stay"])}
    else:
        times = {"starts_at": asked["starts"], "ends_at": asked["ends"]}
        period = {name: clock.first_reaching(at, lot.zone) for name, at in times.items()}
    spot, plate = asked["spot"], asked["plate"]
    return {"kind": asked["kind"], **period, "spot_number": spot, "plate": plate, "features": ()}


def _as_wish(order: dict[str, Any], vehicle_kind: str) -> Wish:
    return Wish(
        kind=order["kind"],
        spot_number=order["spot_number"].strip(),
        features=tuple(order["features"]),
        vehicle_kind=vehicle_kind,
        starts_at=order["starts_at"],
        ends_at=order["ends_at"],
    )


def _blame(form: BookForm, bad: BadBooking) -> None:
    """Show a sentence of the service beside the field it is about."""
    names = {"starts_at": "starts", "ends_at": "ends"}
    if form.cleaned_data.get("kind") == Booking.Kind.INSTANT:
        names = {"starts_at": "kind", "ends_at": "stay"}
    name = names.get(bad.field, bad.field)
    form.add_error(name if name in form.fields else None, str(bad))


def _sign_in_first(request: Request, lot: Lot) -> HttpResponse:
    """A guest's form survives signing in: the address they come back to fills it in again."""
    fields = request.POST.copy()
    for name in ("csrfmiddlewaretoken", "quote"):  # the page they come back to shows a price of its own
        fields.pop(name, None)
    back = f"{reverse('lots:detail', args=[lot.slug])}?{fields.urlencode()}"
    return _to(request, redirect_to_login(back).url)


def _to(request: Request, address: str) -> HttpResponse:
    return HttpResponseClientRedirect(address) if request.htmx else redirect(address)


def _live(request: Request, template: str, etag: str, context: Callable[[], dict[str, Any]]) -> HttpResponse:
    if request.headers.get("If-None-Match") == f'"{etag}"':
        response: HttpResponse = HttpResponseNotModified()
    else:
        response = render(request, template, context())
    response["ETag"] = f'"{etag}"'
    response["Cache-Control"] = "no-cache"
    return response
