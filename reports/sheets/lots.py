"""Lots as a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Count, Q
from django.utils.translation import gettext as _

from accounts.csv_files import Problem
from bookings import services
from lots import undoing
from lots.feeds import places
from lots.feeds.records import EntryRefused
from lots.models import Lot, Spot, Tariff
from lots.services import MOST_SPOTS, create_lots, plain_slug, publish_tariff, tariff_at, update_lot
from reports.sheets.cells import Choice, Column, Degrees, Document, Hours, Number, Whole, YesOrNo
from reports.sheets.models import ImportRow
from reports.sheets.sheet import Change, Sheet

LOWEST_GATE_CM, HIGHEST_GATE_CM = 120, 600
PRICED = {"price_per_hour", "currency"}


class Lots(Sheet):
    """Found again by their slug; files of others by their own id; else by city and name."""

    kind = "lots"
    required = ("name", "capacity", "price_per_hour")

    slug = Column("slug")
    source_id = Column("source_id", empty=None)
    name_ = Column("name")
    capacity = Column("capacity", Whole())
    address_line1 = Column("address_line1", empty="")
    address_line2 = Column("address_line2", empty="")
    city = Column("city", empty="")
    region = Column("region", empty="")
    postcode = Column("postcode", empty="")
    country = Column("country", empty="")
    phone = Column("phone", empty="")
    latitude = Column("latitude", Degrees(), empty=None)
    longitude = Column("longitude", Degrees(), empty=None)
    timezone = Column("timezone")
    currency = Column("currency")
    price_per_hour = Column("price_per_hour", Number())
    opening_hours = Column("opening_hours", Hours())
    max_height_cm = Column("max_height_cm", Whole(), empty=None)
    default_stay_minutes = Column("default_stay_minutes", Whole())
    min_stay_minutes = Column("min_stay_minutes", Whole())
    max_stay_minutes = Column("max_stay_minutes", Whole(), empty=None)
    min_notice_minutes = Column("min_notice_minutes", Whole())
    max_notice_days = Column("max_notice_days", Whole())
    grid_minutes = Column("grid_minutes", Whole())
    end_of_stay = Column("end_of_stay", Choice(Lot.EndOfStay.choices))
    payment_timing = Column("payment_timing", Choice(Lot.PaymentTiming.choices))
    early_release = Column("early_release", Choice(Lot.EarlyRelease.choices))
    overstay_percent = Column("overstay_percent", Whole())
    needs_check_in = Column("needs_check_in", YesOrNo())
    no_show_grace_minutes = Column("no_show_grace_minutes", Whole())
    no_show_fee_percent = Column("no_show_fee_percent", Whole())
    cancellation_tiers = Column("cancellation_tiers", Document())
    is_active = Column("is_active", YesOrNo())

    def load(self, rows: list[dict[str, str]]) -> None:
        slugs = {row.get("slug") or _slug_of(row) for row in rows}
        sources = {row["source_id"] for row in rows if row.get("source_id")}
        found = list(Lot.objects.filter(Q(slug__in=slugs) | Q(source_id__in=sources)))
        self.attach(found)
        self.by_slug = {lot.slug: lot for lot in found}
        self.by_source = {lot.source_id: lot for lot in found if lot.source_id}
        self.own = set(
            Lot.objects.run_by(self.by).filter(pk__in=[lot.pk for lot in found]).values_list("pk", flat=True)
        )

    def attach(self, instances: Sequence[Any]) -> None:
        kept = Spot.objects.kept().filter(lot__in=[lot.pk for lot in instances])
        counts = dict(kept.order_by().values_list("lot").annotate(Count("pk")))
        for lot in instances:
            lot.capacity = counts.get(lot.pk, 0)

    def key(self, row: dict[str, str]) -> tuple[Any, ...]:
        return (row.get("slug") or row.get("source_id") or _slug_of(row),)

    def name(self, row: dict[str, str]) -> str:
        return str(row.get("name") or self.key(row)[0])[:300]

    def find(self, row: dict[str, str]) -> Lot | None:
        slug, source = row.get("slug", ""), row.get("source_id", "")
        lot = self.by_slug.get(slug) if slug else None
        holder = self.by_source.get(source) if source else None
        if holder and lot is not holder and slug:
            raise ValidationError({"source_id": _("Another lot has this id.")})
        lot = lot or holder or (None if slug or source else self.by_slug.get(_slug_of(row)))
        if lot is not None and lot.pk not in self.own:
            raise ValidationError({"slug": _("This lot is not yours to change.")})
        if lot is not None and lot.archived_at is not None:
            raise ValidationError({"slug": _("This lot is archived here.")})
        return lot

    def make(self, row: dict[str, str]) -> Lot:
        missing = [name for name in self.required if not (row.get(name) or "").strip()]
        if missing:
            raise ValidationError({name: _("A new lot needs this.") for name in missing})
        lot: Any = Lot(slug=row.get("slug") or ("" if row.get("source_id") else _slug_of(row)))
        lot.capacity = 0
        for name in ("timezone", "currency", "country"):
            setattr(lot, name, "")  # not the model's defaults: they follow from where it is
        return lot

    def check(self, instance: Any, is_new: bool, changed: set[str]) -> None:
        errors = {}
        if not 0 <= instance.capacity <= MOST_SPOTS:
            errors["capacity"] = _("A lot has between 0 and %(most)d spots.") % {"most": MOST_SPOTS}
        height = instance.max_height_cm
        if "max_height_cm" in changed and height and not LOWEST_GATE_CM <= height <= HIGHEST_GATE_CM:
            errors["max_height_cm"] = _("%(height)d cm cannot be the height of a gate.") % {"height": height}
        if errors:
            raise ValidationError(errors)

    def validate_instance(
        self, instance: Any, import_validation_errors: Any = None, validate_unique: bool = True
    ) -> None:
        if self._is_new:
            if import_validation_errors:
                raise ValidationError(import_validation_errors)
            _fill_in_place(instance)
        super().validate_instance(instance, import_validation_errors, validate_unique)

    def not_ours(self, instance: Any) -> set[str]:
        # A blank slug is made from the name.
        return super().not_ours(instance) | (set() if instance.slug else {"slug"})

    def write(self, change: Change, changed: set[str]) -> None:
        lot = change.instance
        if change.action == ImportRow.Action.NEW:
            return  # in write_rest()
        if PRICED & changed:
            change.notes["tariff"] = tariff_at(lot, self.now).pk
        self._update(lot.pk, {name: getattr(lot, name) for name in changed})

    def write_rest(self) -> list[Problem]:
        new = [change.instance for change in self.changes if change.action == ImportRow.Action.NEW]
        create_lots([(lot, lot.capacity) for lot in new], by=self.by, now=self.now)
        return []

    def _update(self, lot_id: int, fields: dict[str, Any]) -> None:
        capacity = fields.pop("capacity", None)
        if capacity is not None:
            services.set_capacity(lot_id=lot_id, capacity=capacity, by=self.by, now=self.now)
        if fields:
            update_lot(lot_id=lot_id, by=self.by, now=self.now, **fields)

    def fetch(self, ids: Sequence[int]) -> dict[int, Any]:
        lots = list(Lot.objects.run_by(self.by).kept().filter(pk__in=ids))
        self.attach(lots)
        return {lot.pk: lot for lot in lots}

    def put_back(self, row: ImportRow, instance: Any, values: dict[str, Any]) -> None:
        self._update(instance.pk, values)
        if tariff_id := row.before.get("*tariff"):
            # It may have been richer than a price per hour.
            before = Tariff.objects.get(pk=tariff_id).rates
            lot = Lot.objects.get(pk=instance.pk)
            if tariff_at(lot, self.now).rates != before:
                publish_tariff(lot, before, by=self.by, now=self.now)

    def unmake(self, instance: Any) -> None:
        undoing.unmake_lot(instance.pk, by=self.by, now=self.now)


def _slug_of(row: dict[str, str]) -> str:
    return plain_slug(f"{row.get('city', '')} {row.get('name', '')}")


def _fill_in_place(lot: Lot) -> None:
    """Zone, country and currency follow from a position, where the file does not say."""
    if lot.timezone and lot.currency:
        return
    if lot.latitude is None or lot.longitude is None:
        missing = {name: _("Say it, or where the lot is.") for name in ("timezone", "currency")}
        raise ValidationError({name: text for name, text in missing.items() if not getattr(lot, name)})
    try:
        place = places.place(lot.latitude, lot.longitude)
    except (EntryRefused, ValueError, OverflowError) as error:
        raise ValidationError({"latitude": str(error)}) from None
    lot.timezone = lot.timezone or place.timezone
    lot.country = lot.country or place.country
    lot.currency = lot.currency or place.currency
