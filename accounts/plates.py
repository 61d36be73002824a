"""Number plates: what is compared, and what looks odd. Foreign ones park too: nothing here refuses."""

from __future__ import annotations


def normalise_plate(plate: str) -> str:
    """What is compared: "zh 123-456" and "ZH123456" are one plate."""
    return "".join(char for char in plate.upper() if char.isalnum())
