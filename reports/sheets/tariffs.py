"""Tariff versions as a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from lots import undoing
from lots.documents import RatesError
from lots.models import Lot, Tariff
from lots.rates import Tariff as Rates
from lots.services import publish_tariff
from reports.sheets.cells import Column, Document, Moment, Whole
from reports.sheets.models import ImportRow
from reports.sheets.sheet import Change, Sheet


class Tariffs(Sheet):
    """Found again by their lot's slug and their version. Versions are never changed, only added."""

    kind = "tariffs"
    required = ("lot", "document")
    related = ("lot",)

    lot = Column("lot", attribute="lot__slug")
    version = Column("version", Whole(), empty=None)
    # Empty: from the moment of the import on.
    valid_from = Column("valid_from", Moment(), empty=None)
    document = Column("document", Document())

    def load(self, rows: list[dict[str, str]]) -> None:
        slugs = {row.get("lot", "") for row in rows}
        lots = {lot.pk: lot for lot in Lot.objects.run_by(self.by).kept().filter(slug__in=slugs)}
        self.lots = {lot.slug: lot for lot in lots.values()}
        self.versions: dict[tuple[str, int], Tariff] = {}
        self.last: dict[str, Tariff] = {}
        self.next: dict[str, int] = {}
        for tariff in Tariff.objects.filter(lot__in=lots).order_by("lot_id", "version"):
            tariff.lot = lots[tariff.lot_id]
            slug = tariff.lot.slug
            self.versions[slug, tariff.version] = self.last[slug] = tariff
            self.next[slug] = tariff.version + 1

    def key(self, row: dict[str, str]) -> tuple[Any, ...]:
        version = (row.get("version") or "").strip()
        return (row.get("lot", ""), version or f"· {row.get('valid_from', '')}")

    def find(self, row: dict[str, str]) -> Tariff | None:
        missing = [name for name in self.required if not (row.get(name) or "").strip()]
        if missing:
            raise ValidationError({name: _("A tariff needs this.") for name in missing})
        if row["lot"] not in self.lots:
            raise ValidationError({"lot": _("You have no lot with this slug.")})
        try:
            version = self.fields["version"].read(row.get("version") or "")
        except ValueError as error:
            raise ValidationError({"version": str(error)}) from None
        if version is not None:
            return self.versions.get((row["lot"], version))
        last = self.last.get(row["lot"])
        return last if last and self._says_the_same(last, row) else None

    def _says_the_same(self, tariff: Tariff, row: dict[str, str]) -> bool:
        """The last version once more: nothing to publish."""
        try:
            document = Rates.from_json(Document().clean(row["document"])).to_json()
            starts = self.fields["valid_from"].read(row.get("valid_from") or "")
        except (ValueError, RatesError):
            return False  # said where the row is read
        return document == tariff.rates.to_json() and starts in (None, tariff.valid_from)

    def make(self, row: dict[str, str]) -> Tariff:
        return Tariff(lot=self.lots[row["lot"]])  # its version is given when it is published

    def import_field(self, field: Any, instance: Any, row: Any, is_m2m: bool = False, **kwargs: Any) -> None:
        is_kept = not self._is_new and not (row.get(field.column_name) or "").strip()
        if field.column_name == "lot" or is_kept:
            return
        if field.column_name != "document":
            super().import_field(field, instance, row, is_m2m, **kwargs)
            return
        try:
            instance.document = Rates.from_json(Document().clean(row["document"])).to_json()
        except RatesError as error:
            raise ValueError(str(error)) from None
        instance.__dict__.pop("rates", None)  # of the document before

    def values(self, instance: Any) -> dict[str, Any]:
        values = super().values(instance)
        if instance.document is not None and "document" in values:
            values["document"] = Document().render(instance.rates.to_json())
        return values

    def check(self, instance: Any, is_new: bool, changed: set[str]) -> None:
        if not is_new:
            raise ValidationError(
                _("A version is never changed. Leave the version empty to publish a new one.")
            )
        slug = instance.lot.slug
        following = self.next.get(slug, 1)
        if instance.version not in (None, following):
            raise ValidationError(
                {"version": _("The next version of this lot is %(next)d.") % {"next": following}}
            )
        self.next[slug] = following + 1
        if instance.rates.currency != instance.lot.currency:
            raise ValidationError(
                {"document": _("The lot's currency is %(currency)s.") % {"currency": instance.lot.currency}}
            )
        if instance.valid_from is not None and instance.valid_from < self.now:
            raise ValidationError(
                {"valid_from": _("A tariff begins now or later: bookings made keep theirs.")}
            )

    def not_ours(self, instance: Any) -> set[str]:
        return super().not_ours(instance) | {"version", "valid_from", "document"}

    def write(self, change: Change, changed: set[str]) -> None:
        tariff = change.instance
        change.instance = publish_tariff(
            tariff.lot, tariff.rates, by=self.by, now=self.now, valid_from=tariff.valid_from
        )

    def fetch(self, ids: Sequence[int]) -> dict[int, Any]:
        lots = Lot.objects.run_by(self.by).kept()
        rows = Tariff.objects.filter(pk__in=ids, lot__in=lots.values("pk")).select_related("lot")
        return {tariff.pk: tariff for tariff in rows}

    def is_as_left(self, instance: Any, after: dict[str, str]) -> bool:
        return True  # nobody changes a version

    def put_back(self, row: ImportRow, instance: Any, values: dict[str, Any]) -> None:
        raise AssertionError("a tariff is never changed")

    def unmake(self, instance: Any) -> None:
        undoing.unmake_tariff(instance.pk, by=self.by, now=self.now)
