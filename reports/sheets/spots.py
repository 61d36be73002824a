"""Spots as a file."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts.connectors import CONNECTORS
from accounts.csv_files import Problem
from accounts.models import Vehicle
from bookings import services
from bookings.errors import BookingRefused, SpotsInUse
from lots import undoing
from lots.models import FEATURES, Lot, Spot
from lots.services import MOST_SPOTS
from reports.sheets.cells import Choice, Codes, Column, Moment, Number, YesOrNo
from reports.sheets.models import ImportRow
from reports.sheets.sheet import Change, Sheet, reason

Action = ImportRow.Action


class Spots(Sheet):
    """
    Found again by their lot's slug and their number. Rows of one lot are written together. A spot that was
    removed by lowering the capacity comes back when a file names it.
    """

    kind = "spots"
    required = ("lot", "number")
    related = ("lot",)

    lot = Column("lot", attribute="lot__slug")
    number = Column("number")
    building = Column("building", empty="")
    floor = Column("floor", empty="")
    spot_kind = Column("kind", Choice(Spot.Kind.choices))
    vehicle_kinds = Column("vehicle_kinds", Codes(Vehicle.Kind.choices), empty=())
    features = Column("features", Codes(FEATURES), empty=())
    connector = Column("connector", Choice(CONNECTORS), empty="")
    power_kw = Column("power_kw", Number(), empty=None)
    is_in_service = Column("is_in_service", YesOrNo())

    def load(self, rows: list[dict[str, str]]) -> None:
        slugs = {row.get("lot", "") for row in rows}
        lots = {lot.pk: lot for lot in Lot.objects.run_by(self.by).kept().filter(slug__in=slugs)}
        self.lots = {lot.slug: lot for lot in lots.values()}
        self.spots: dict[tuple[str, str], Spot] = {}
        self.counts: Counter[int] = Counter()
        for spot in Spot.objects.filter(lot__in=lots):
            spot.lot = lots[spot.lot_id]
            self.spots[spot.lot.slug, spot.number] = spot
            self.counts[spot.lot_id] += spot.retired_at is None
        self.together: dict[int, list[tuple[Change, set[str]]]] = defaultdict(list)

    def key(self, row: dict[str, str]) -> tuple[Any, ...]:
        return (row.get("lot", ""), row.get("number", ""))

    def find(self, row: dict[str, str]) -> Spot | None:
        missing = [name for name in self.required if not (row.get(name) or "").strip()]
        if missing:
            raise ValidationError({name: _("A spot needs this.") for name in missing})
        if row["lot"] not in self.lots:
            raise ValidationError({"lot": _("You have no lot with this slug.")})
        return self.spots.get((row["lot"], row["number"]))

    def make(self, row: dict[str, str]) -> Spot:
        return Spot(lot=self.lots[row["lot"]], number=row["number"])

    def import_field(self, field: Any, instance: Any, row: Any, is_m2m: bool = False, **kwargs: Any) -> None:
        if field.column_name not in self.required:  # those found it
            super().import_field(field, instance, row, is_m2m, **kwargs)

    def skip_row(self, instance: Any, original: Any, row: Any, import_validation_errors: Any = None) -> bool:
        return instance.retired_at is None and super().skip_row(
            instance, original, row, import_validation_errors
        )

    def check(self, instance: Any, is_new: bool, changed: set[str]) -> None:
        if is_new or instance.retired_at is not None:
            self.counts[instance.lot_id] += 1
            if self.counts[instance.lot_id] > MOST_SPOTS:
                raise ValidationError({"lot": _("A lot has at most %(most)d spots.") % {"most": MOST_SPOTS}})

    def not_ours(self, instance: Any) -> set[str]:
        return super().not_ours(instance) - {"number", "kind"}

    def check_all(self) -> list[Problem]:
        problems = []
        for change in self.changes:
            self.together[change.instance.lot_id].append((change, set(change.after) | set(change.before)))
        for changes in self.together.values():
            spots = [change.instance for change, changed in changes if _loses(change, changed)]
            busy = set(services.used_spots(spots, self.now))
            problems += [
                Problem(change.line, "", _("This spot is in use now or booked later."))
                for change, _changed in changes
                if change.instance in spots and change.instance.number in busy
            ]
        return sorted(problems, key=lambda problem: problem.line)

    def write(self, change: Change, changed: set[str]) -> None:
        if change.action == Action.CHANGED and change.instance.retired_at is not None:
            change.notes["retired_at"] = change.instance.retired_at.isoformat()
        self.together[change.instance.lot_id].append((change, changed))

    def write_rest(self) -> list[Problem]:
        """Lot by lot in the order of their ids, as everybody locks them."""
        for lot_id in sorted(self.together):
            changes = self.together[lot_id]
            new = [change.instance for change, _c in changes if change.action == Action.NEW]
            others = {
                change.instance.pk: self._fields(change, changed)
                for change, changed in changes
                if change.action == Action.CHANGED
            }
            try:
                services.change_spots(lot_id=lot_id, new=new, changed=others, by=self.by, now=self.now)
            except SpotsInUse as refusal:
                lines = [c.line for c, _c in changes if c.instance.number in refusal.details["spots"]]
                return [Problem(line, "", str(refusal)) for line in lines]
        return []

    def _fields(self, change: Change, changed: set[str]) -> dict[str, Any]:
        attributes = {column.column_name: column.attribute for column in self.columns()}
        fields = {attributes[name]: getattr(change.instance, attributes[name]) for name in changed}
        return {**fields, "retired_at": None} if "retired_at" in change.notes else fields

    def fetch(self, ids: Sequence[int]) -> dict[int, Any]:
        lots = Lot.objects.run_by(self.by).kept()
        spots = Spot.objects.filter(pk__in=ids, lot__in=lots.values("pk")).select_related("lot")
        return {spot.pk: spot for spot in spots}

    def is_as_left(self, instance: Any, after: dict[str, str]) -> bool:
        return instance.retired_at is None and super().is_as_left(instance, after)

    def take_back(self, pairs: list[tuple[ImportRow, Any]]) -> list[Problem]:
        """Lot by lot, in the order of their ids."""
        together: dict[int, list[tuple[ImportRow, Any]]] = defaultdict(list)
        for row, spot in pairs:
            together[spot.lot_id].append((row, spot))
        for lot_id in sorted(together):
            changed = {
                spot.pk: self.old_values(row) for row, spot in together[lot_id] if row.action != Action.NEW
            }
            made = [spot.pk for row, spot in together[lot_id] if row.action == Action.NEW]
            try:
                services.change_spots(lot_id=lot_id, new=[], changed=changed, by=self.by, now=self.now)
                undoing.unmake_spots(lot_id, made, by=self.by, now=self.now)
            except (ValidationError, BookingRefused) as error:
                name = together[lot_id][0][1].lot.name
                return [Problem(0, "", f"{name}: {reason(error)}")]
        return []

    def old_values(self, row: ImportRow) -> dict[str, Any]:
        values = super().old_values(row)
        if at := row.before.get("*retired_at"):
            values["retired_at"] = Moment().clean(at)
        return values


def _loses(change: Change, changed: set[str]) -> bool:
    """Bookings may rely on what the spot no longer offers. See also services.change_spots()."""
    features = set(change.before.get("features", "").split()) - set(change.after.get("features", "").split())
    return bool(features) or (
        change.after.get("is_in_service") == "false" and change.action == Action.CHANGED
    )
