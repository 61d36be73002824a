"""How far a lot is from somewhere, as a column."""

from __future__ import annotations

from typing import Any

from django.db.models import F, FloatField, Value
from django.db.models.functions import ASin, Cast, Cos, Least, Power, Radians, Sin, Sqrt

EARTH_DIAMETER_KM = 12742.0


def distance_km(latitude: float, longitude: float) -> Any:
    """Along the earth's surface (haversine). Null where a position is unknown."""
    lat = Radians(Cast(F("latitude"), FloatField()))
    lon = Radians(Cast(F("longitude"), FloatField()))
    here_lat, here_lon = Radians(Value(latitude)), Radians(Value(longitude))
    square = Power(Sin((lat - here_lat) / 2.0), 2) + Cos(lat) * Cos(here_lat) * Power(
        Sin((lon - here_lon) / 2.0), 2
    )
    return Cast(EARTH_DIAMETER_KM * ASin(Least(Sqrt(square), Value(1.0))), FloatField())
