"""Number plates: what is compared, and what looks odd. Foreign ones park too: nothing here refuses."""

from __future__ import annotations

import re

# Today's ordinary forms, normalised; a plate that fits none of its country's may still be real.
_FORMS = {
    "AT": r"[A-Z]{1,2}[0-9]{1,5}[A-Z]{1,3}|[A-Z]{1,2}[A-Z]{2,5}[0-9]{1,3}",
    "BE": r"[0-9][A-Z]{3}[0-9]{3}|[A-Z]{3}[0-9]{3}|[0-9]{3}[A-Z]{3}",
    "CH": r"[A-Z]{2}[0-9]{1,6}",
    "CZ": r"[0-9][A-Z][A-Z0-9][0-9]{4}|EL[0-9]{3}[A-Z0-9]{2}",
    "DE": r"[A-ZÄÖÜ]{2,5}[1-9][0-9]{0,3}[EH]?",
    "DK": r"[A-Z]{2}[0-9]{5}",
    "ES": r"[0-9]{4}[BCDFGHJKLMNPRSTVWXYZ]{3}|[A-Z]{1,2}[0-9]{4}[A-Z]{0,2}",
    "FI": r"[A-Z]{2,3}[0-9]{1,3}",
    "FR": r"[A-Z]{2}[0-9]{3}[A-Z]{2}|[0-9]{1,4}[A-Z]{2,3}(?:[0-9]{2}|2A|2B|97[0-9])",
    "GB": r"[A-Z]{2}[0-9]{2}[A-Z]{3}|[A-Z][0-9]{1,3}[A-Z]{3}|[A-Z]{3}[0-9]{1,3}[A-Z]"
    r"|[A-Z]{1,3}[0-9]{1,4}|[0-9]{1,4}[A-Z]{1,3}",
    "IN": r"[A-Z]{2}[0-9]{1,2}[A-Z]{0,3}[0-9]{4}|[0-9]{2}BH[0-9]{4}[A-Z]{1,2}",
    "IT": r"[A-Z]{2}[0-9]{3}[A-Z]{2}",
    "NL": r"(?=.*[A-Z])(?=.*[0-9])[A-Z0-9]{6}",
    "NO": r"[A-Z]{2}[0-9]{4,5}",
    "PL": r"[A-Z]{2,3}[A-Z0-9]{4,5}",
    "PT": r"[A-Z]{2}[0-9]{4}|[0-9]{4}[A-Z]{2}|[0-9]{2}[A-Z]{2}[0-9]{2}|[A-Z]{2}[0-9]{2}[A-Z]{2}",
    "SE": r"[A-Z]{3}[0-9]{2}[A-Z0-9]",
}
_COMPILED = {country: re.compile(form) for country, form in _FORMS.items()}


def normalise_plate(plate: str) -> str:
    """What is compared: "zh 123-456" and "ZH123456" are one plate."""
    return "".join(char for char in plate.upper() if char.isalnum())


def looks_odd(plate: str, country: str) -> bool:
    """Worth a second look by whoever typed it. Countries we know no forms of never look odd."""
    form = _COMPILED.get(country.upper())
    return form is not None and not form.fullmatch(normalise_plate(plate))
