"""Between a tariff and the editor's fields, both ways; what the fields cannot say stays a document."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import QueryDict

from bookings.admin.tariff_forms import CommonForm, DocumentForm, ExampleForm, Rows, WhatIfForm, WhenForm
from lots import rates, tariff_files
from lots.models import Lot
from lots.rates import ENERGY, FLAT, PARKING_TIME, TIME, RatesError, Restrictions, Tariff
from lots.tariff_words import day_ranges

FORM, DOCUMENT = "form", "document"


@dataclass(slots=True)
class Editor:
    """The forms of one page. `error` is why they make no tariff, where no single field is to blame."""

    lot: Lot
    mode: str
    common: CommonForm
    rows: Any
    document: DocumentForm
    when: WhenForm
    example: ExampleForm
    what_if: WhatIfForm
    error: str = ""

    @classmethod
    def of(cls, tariff: Tariff, lot: Lot, now: datetime, *, mode: str = "") -> Editor:
        """Filled in with a tariff; as a form where the form can say all of it."""
        initial, rows = _fields_of(tariff)
        if not mode:
            mode = FORM if fits_form(tariff) else DOCUMENT
        begin = now.astimezone(lot.zone).replace(hour=10, minute=0)
        return cls(
            lot,
            mode,
            CommonForm(initial=initial),
            Rows(initial=rows or [{}], prefix="row"),
            DocumentForm(initial={"document": written(tariff)}),
            WhenForm(lot=lot),
            ExampleForm(lot=lot, initial={"starts": begin, "lasting": "2 h 20 min"}),
            WhatIfForm(),
        )

    @classmethod
    def posted(cls, data: QueryDict, lot: Lot) -> Editor:
        return cls(
            lot,
            DOCUMENT if data.get("mode") == DOCUMENT else FORM,
            CommonForm(data),
            Rows(data, prefix="row"),
            DocumentForm(data),
            WhenForm(data, lot=lot),
            ExampleForm(data, lot=lot),
            WhatIfForm(data),
        )

    def tariff(self) -> Tariff | None:
        """What the forms say, or None: then they carry errors, or `error` says why."""
        try:
            if self.mode == DOCUMENT:
                if not self.document.is_valid():
                    return None
                found = tariff_files.read(self.document.cleaned_data["document"])
            else:
                # Both are asked, so that both show their errors.
                if not all([self.common.is_valid(), self.rows.is_valid()]):
                    return None
                found = Tariff.from_json(_document_of(self.common.cleaned_data, self.rows.filled(), self.lot))
        except RatesError as error:
            self._blame(error)
            return None
        if found.currency != self.lot.currency:
            self.error = f"The lot's currency is {self.lot.currency}, the tariff's {found.currency}."
            return None
        return found

    def _blame(self, error: RatesError) -> None:
        if self.mode == DOCUMENT:
            self.document.add_error("document", str(error))
        elif not self.rows.filled() and error.field_path == "elements":
            self.error = "Fill in at least one price."
        else:
            self.error = f"{_row_name(error.field_path, len(self.rows.filled()))}{error.sentence}"


def with_row(data: QueryDict) -> QueryDict:
    """One more empty row, for whoever has no script."""
    more = data.copy()
    total = more.get("row-TOTAL_FORMS", "0")
    more["row-TOTAL_FORMS"] = str(int(total) + 1 if total.isdecimal() and len(total) < 4 else 1)
    return more


def written(tariff: Tariff) -> str:
    return json.dumps(tariff.to_json(), indent=2, ensure_ascii=False)


def fits_form(tariff: Tariff) -> bool:
    """Whether the fields say all of it: what they show, read again, must be the same tariff."""
    initial, rows = _fields_of(tariff)
    data = QueryDict(mutable=True)
    data.update({name: _text(value) for name, value in initial.items() if value not in (None, False)})
    data.update({"row-TOTAL_FORMS": str(len(rows)), "row-INITIAL_FORMS": "0"})
    for number, row in enumerate(rows):
        data.update(
            {f"row-{number}-{name}": _text(value) for name, value in row.items() if value is not None}
        )
    common = CommonForm(data)
    formset: Any = Rows(data, prefix="row")
    if not (common.is_valid() and formset.is_valid()):
        return False
    try:
        return Tariff.from_json(_document(common.cleaned_data, formset.filled(), tariff.currency)) == tariff
    except RatesError:
        return False


# --- Fields to document ---


def _document_of(common: dict[str, Any], rows: list[dict[str, Any]], lot: Lot) -> dict[str, Any]:
    return _document(common, rows, lot.currency)


def _document(common: dict[str, Any], rows: list[dict[str, Any]], currency: str) -> dict[str, Any]:
    elements = [_element(row, currency) for row in rows]
    for name, kind in (("start_fee", FLAT), ("energy", ENERGY), ("after_charging", PARKING_TIME)):
        if common[name] is not None:
            tax = common["energy_tax"] if kind == ENERGY else None
            elements.append({"price_components": [{"type": kind, "price": common[name], "tax": tax}]})
    free, cap = common["free_minutes"], common["day_cap"]
    cap_day = {"amount": cap, "kind": common["day_cap_kind"], "reset": common["day_cap_reset"] or None}
    return {
        "currency": currency,
        "elements": elements,
        "free_minutes": None if free is None else {"minutes": free, "kind": common["free_kind"]},
        "day_caps": None if cap is None else [cap_day],
        "min_price": None if common["min_price"] is None else {"after_taxes": common["min_price"]},
        "max_price": None if common["max_price"] is None else {"after_taxes": common["max_price"]},
        "tax": common["tax"],
        "tax_included": common["tax_included"],
    }


def _element(row: dict[str, Any], currency: str) -> dict[str, Any]:
    component: dict[str, Any] = {"type": TIME, "tax": row["tax"]}
    if row["table"]:
        table, then = row["table"]
        made = rates.stepped(table, currency, then=then)
        component["steps"] = [step.to_json() for step in made.elements[0].components[0].steps]
    else:
        component |= {"price": row["price"], "step_size": row["step"] * 60 if row["step"] else None}
    return {
        "name": row["name"] or None,
        "price_components": [component],
        "restrictions": {
            "day_of_week": row["days"] or None,
            "start_time": row["start"] or None,
            "end_time": row["end"] or None,
        },
        "max_price": row["most"],
    }


def _row_name(path: str, rows: int) -> str:
    """elements[1].restrictions.start_time as "Row 2, start time: "."""
    if not path:
        return ""
    words = path.rpartition(".")[2].replace("_", " ")
    if path.startswith("elements[") and (number := int(path[9:].partition("]")[0])) < rows:
        return f"Row {number + 1}, {words}: "
    return f"{words.capitalize()}: "


# --- Tariff to fields; what does not fit is left out, and fits_form() notices ---


def _fields_of(tariff: Tariff) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    common: dict[str, Any] = {
        "tax": tariff.tax or None,
        "tax_included": tariff.tax_included,
        "free_kind": "grace",
        "day_cap_kind": "rolling",
    }
    names = {FLAT: "start_fee", ENERGY: "energy", PARKING_TIME: "after_charging"}
    rows = []
    for element in tariff.elements:
        part = element.components[0]
        if part.type in names and element.restrictions == Restrictions():
            common[names[part.type]] = part.price
            if part.type == ENERGY:
                common["energy_tax"] = part.tax
        else:
            rows.append(_row_of(element))
    if tariff.free_minutes is not None:
        common |= {"free_minutes": tariff.free_minutes.minutes, "free_kind": tariff.free_minutes.kind}
    if tariff.day_caps:
        cap = tariff.day_caps[0]
        reset = cap.reset.isoformat("minutes") if cap.kind == "calendar" else ""
        common |= {"day_cap": cap.amount, "day_cap_kind": cap.kind, "day_cap_reset": reset}
    for name in ("min_price", "max_price"):
        limit = getattr(tariff, name)
        common[name] = limit.after_taxes if limit else None
    return common, rows


def _row_of(element: rates.Element) -> dict[str, Any]:
    part, rule = element.components[0], element.restrictions
    return {
        "name": element.name,
        "days": ", ".join(day_ranges(rule.day_of_week)),
        "start": rule.start_time.isoformat("minutes") if rule.start_time else None,
        "end": rule.end_time.isoformat("minutes") if rule.end_time else None,
        "price": None if part.steps else part.price,
        "step": part.step_size // 60 or None,
        "table": _table_of(part.steps),
        "most": element.max_price,
        "tax": part.tax,
    }


def _table_of(steps: tuple[rates.Step, ...]) -> str | None:
    minutes, paid, lines = 0, Decimal(0), []
    for step in steps:
        if step.times is None:
            lines.append(f"then {step.seconds // 60} min: {step.price:f}")
        else:
            minutes, paid = minutes + step.seconds // 60 * step.times, paid + step.price * step.times
            lines.append(f"{minutes} min: {paid:f}")
    return "\n".join(lines) or None


def _text(value: Any) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
