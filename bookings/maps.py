"""A map beside the list of lots, where the operator has named a server of tiles; else there is none."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpResponse


def shown() -> dict[str, str] | None:
    if not settings.MAP_TILE_URL:
        return None
    return {"tiles": settings.MAP_TILE_URL, "attribution": settings.MAP_ATTRIBUTION}


def allow_tiles(response: HttpResponse) -> HttpResponse:
    """Let this page, and no other, fetch pictures from the server of tiles."""
    if settings.MAP_TILE_URL:
        address = urlsplit(settings.MAP_TILE_URL)
        # {s} in the name stands for a, b and c.
        host = address.netloc.replace("{s}.", "*.")
        response._csp_update = {"img-src": f"{address.scheme}://{host}"}  # type: ignore[attr-defined]
    return response
