"""OCPI Tariff JSON (2.2.1 and 2.3.0) to and from our tariffs. Pure translation.

Fields that do not change a price (ids, texts, energy mix) are not read; what would change it and is
not understood is refused, because a tariff read half is a wrong price.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from lots import documents
from lots.documents import Fields, RatesError
from lots.rates import TYPES, Element, Limit, PriceComponent, Tariff
from lots.restrictions import ALWAYS, QUANTITIES, Restrictions

VERSIONS = ("2.2.1", "2.3.0")
# The words of OCPI's TariffRestrictions that we share.
RESTRICTIONS = (
    "start_time",
    "end_time",
    "start_date",
    "end_date",
    "min_kwh",
    "max_kwh",
    "min_current",
    "max_current",
    "min_power",
    "max_power",
    "min_duration",
    "max_duration",
    "day_of_week",
    "reservation",
)


def parse_ocpi(document: Any) -> Tariff:
    """Our tariff from an OCPI one. RatesError names the first field that is wrong or not understood."""
    taken = Fields(document)
    currency = taken.read("currency", documents.currency)
    included = taken.read("tax_included", documents.one_of(("YES", "NO", "N/A")), "NO")
    elements = taken.list("elements", _element)
    if not elements:
        raise RatesError("elements", "A tariff needs at least one element.")
    for name in ("start_date_time", "end_date_time", "last_updated"):
        taken.read(name, documents.moment, None)
    tariff = Tariff(
        currency=currency,
        elements=elements,
        min_price=taken.read("min_price", _limit, None),
        max_price=taken.read("max_price", _limit, None),
        tax_included=included == "YES",
    )
    tariff.check_limits()
    return tariff


def _element(value: Any, path: str) -> Element:
    taken = Fields(value, path)
    element = Element(
        components=taken.list("price_components", _component),
        restrictions=taken.read("restrictions", _restrictions, ALWAYS),
    )
    taken.finish()
    if not element.components:
        raise RatesError(f"{path}.price_components", "An element needs at least one price component.")
    types = [part.type for part in element.components]
    if len(set(types)) < len(types):
        raise RatesError(f"{path}.price_components", "An element has each type at most once.")
    return element


def _component(value: Any, path: str) -> PriceComponent:
    taken = Fields(value, path)
    component = PriceComponent(
        type=taken.read("type", documents.one_of(TYPES)),
        price=taken.read("price", documents.amount),
        # Some write 0 for "no steps", the standard's own free tariff among them.
        step_size=taken.read("step_size", documents.whole, 1) or 1,
        tax=taken.read("vat", documents.percent, None),
    )
    taken.finish()
    return component


def _restrictions(value: Any, path: str) -> Restrictions:
    taken = Fields(value, path)
    for name in taken.left:
        if name not in RESTRICTIONS:
            raise RatesError(taken.at(name), "This restriction is not known.")
    return Restrictions.from_json(value, path)


def _limit(value: Any, path: str) -> Limit:
    """2.3 says before_taxes and after_taxes (or a list of taxes), 2.2.1 excl_vat and incl_vat."""
    if not isinstance(value, dict):
        # 2.1.1 had a bare number, without tax.
        return Limit(before_taxes=documents.amount(value, path))
    taken = Fields(value, path)
    before = taken.read("before_taxes", documents.amount, None)
    before = taken.read("excl_vat", documents.amount, before)
    after = taken.read("after_taxes", documents.amount, None)
    after = taken.read("incl_vat", documents.amount, after)
    taxes = taken.list("taxes", _tax_amount, None)
    taken.finish()
    if before is None and after is None:
        raise RatesError(path, "A limit needs before_taxes.")
    if taxes is not None and after is None and before is not None:
        after = before + sum(taxes, Decimal(0))
    return Limit(before, after)


def _tax_amount(value: Any, path: str) -> Decimal:
    return Fields(value, path).read("amount", documents.amount)


def to_ocpi(
    tariff: Tariff,
    *,
    country_code: str,
    party_id: str,
    tariff_id: str,
    last_updated: datetime,
    version: str = "2.3.0",
) -> dict[str, Any]:
    """An OCPI Tariff of ours, numbers as Decimal. RatesError names the first thing OCPI has no word for."""
    if version not in VERSIONS:
        raise RatesError("version", f"{version!r} is not one of {', '.join(VERSIONS)}.")
    for name in ("packages", "day_caps", "free_minutes", "end_inclusive"):
        if getattr(tariff, name):
            raise RatesError(name, "OCPI cannot express this.")
    if tariff.tax_included and version == "2.2.1" and _has_tax(tariff):
        raise RatesError("tax_included", "OCPI 2.2.1 prices are without tax.")

    document: dict[str, Any] = {
        "country_code": country_code,
        "party_id": party_id,
        "id": tariff_id,
        "currency": tariff.currency,
        "elements": [
            _ocpi_element(element, tariff.tax, f"elements[{index}]")
            for index, element in enumerate(tariff.elements)
        ],
        "last_updated": last_updated.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    names = ("excl_vat", "incl_vat") if version == "2.2.1" else ("before_taxes", "after_taxes")
    for name in ("min_price", "max_price"):
        limit = getattr(tariff, name)
        if limit is not None:
            # OCPI requires the amount before taxes; with one amount only, both are the same to it.
            pair = (limit.before_taxes, limit.after_taxes)
            if pair[0] is None:
                if _has_tax(tariff):
                    raise RatesError(f"{name}.before_taxes", "OCPI needs this amount.")
                pair = (pair[1], pair[1])
            document[name] = {key: value for key, value in zip(names, pair, strict=True) if value is not None}
    if version == "2.3.0":
        document["tax_included"] = "YES" if tariff.tax_included else "NO"
    return document


def _has_tax(tariff: Tariff) -> bool:
    return bool(tariff.tax) or any(part.tax for element in tariff.elements for part in element.components)


def _ocpi_element(element: Element, tax: Decimal, path: str) -> dict[str, Any]:
    rule = element.restrictions
    if element.max_price is not None:
        raise RatesError(f"{path}.max_price", "OCPI cannot express this.")
    for name in (field.name for field in fields(rule)):
        if name not in RESTRICTIONS and getattr(rule, name):
            raise RatesError(f"{path}.restrictions.{name}", "OCPI cannot express this.")
    components = []
    for index, part in enumerate(element.components):
        if part.steps:
            raise RatesError(f"{path}.price_components[{index}].steps", "OCPI cannot express this.")
        percent = tax if part.tax is None else part.tax
        component: dict[str, Any] = {"type": part.type, "price": part.price, "step_size": part.step_size}
        if percent or part.tax is not None:
            component["vat"] = percent
        components.append(component)
    document: dict[str, Any] = {"price_components": components}
    if rule != ALWAYS:
        written = rule.to_json()
        document["restrictions"] = {
            name: Decimal(value) if name in QUANTITIES else value for name, value in written.items()
        }
    return document
